#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_oauth {

// A strict JSON reader (RFC 8259) that takes its text in pieces of any size and holds none of it back. It
// keeps the text of a token only where it is told to. Refused: a depth over 64, invalid UTF-8, a lone
// surrogate in an escape, a byte order mark, anything after the value. Not checked: member names that stand
// twice, and the range of numbers.
class json_scanner {
 public:
  enum class token {
    more,  // the piece is used up
    begin_object,
    end_object,
    begin_array,
    end_array,
    name,  // of a member; its value follows
    string,
    number,
    boolean,
    null,
    error  // for good; `why` says what
  };
  enum class keep { nothing, text, raw };
  static constexpr std::size_t deepest = 64;

  // The next token; the bytes it took are removed from `piece`.
  token next(std::string_view& piece);
  // Whether the bytes so far are one whole JSON text, so that the end may come now.
  bool whole() const;

  // What to remember of the next name, string or number: its decoded text, or its bytes as written (quotes
  // included). Of more than `most` bytes nothing is remembered, and `overlong()` says so.
  void keep_next(keep what, std::size_t most);
  // After begin_object or begin_array: no token until the end of that container, which is reported again.
  // What lies between is checked all the same.
  void skip();

  // What was kept of the last token.
  std::string_view text() const { return text_; }
  bool overlong() const { return overlong_; }
  const char* why() const { return why_; }
  // Bytes taken so far.
  std::uint64_t offset() const { return offset_; }

 private:
  enum class state : std::uint8_t {
    value,
    value_or_end,
    name,
    name_or_end,
    colon,
    comma_or_end,
    done,
    string,
    number,
    literal,
    failed
  };
  enum class digits : std::uint8_t {
    minus,
    zero,
    integer,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits
  };
  enum class escape : std::uint8_t { none, backslash, hex, low_backslash, low_u, low_hex };
  enum class progress { more, done, error };

  token step(const char*& at, const char* end);
  token begin(char c);
  token push(bool object);
  token pop(bool object);
  token after_value(token t);
  token refuse(const char* why);
  void begin_text(std::string_view raw_start);
  progress scan_string(const char*& at, const char* end);
  progress scan_plain(const char*& at, const char* end);
  progress scan_escape(char c);
  bool scan_utf8(unsigned char c);
  progress scan_number(const char*& at, const char* end);
  progress scan_literal(const char*& at, const char* end);
  void append(std::string_view bytes);
  void append(const char* from, const char* to) { append({from, static_cast<std::size_t>(to - from)}); }
  void append_code_point(std::uint32_t code_point);
  bool innermost_is_object() const { return (objects_ >> (depth_ - 1) & 1U) != 0; }

  state state_ = state::value;
  bool in_name_ = false;
  escape escape_ = escape::none;
  digits digits_ = digits::minus;
  std::uint8_t hex_digits_ = 0;
  std::uint8_t utf8_left_ = 0;
  unsigned char utf8_low_ = 0x80, utf8_high_ = 0xBF;
  std::uint16_t code_unit_ = 0, high_surrogate_ = 0;
  const char* literal_ = nullptr;  // what is still to come of it
  token literal_token_ = token::null;

  std::size_t depth_ = 0;
  std::size_t quiet_ = 0;      // no token at this depth or below; 0: all
  std::uint64_t objects_ = 0;  // bit n: the container at depth n+1 is an object

  keep keep_ = keep::nothing;
  bool keeping_ = false;
  bool overlong_ = false;
  std::size_t most_ = 0;
  std::string text_;
  const char* why_ = "";
  std::uint64_t offset_ = 0;
};

}  // namespace mcp_oauth
