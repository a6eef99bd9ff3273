#include "mcp/json_scanner.h"

#include "base/plain_run.h"

namespace mcp_oauth {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void json_scanner::keep_next(keep what, std::size_t most) {
  keep_ = what;
  most_ = most;
}

void json_scanner::skip() {
  quiet_ = depth_;
  keep_ = keep::nothing;
}

bool json_scanner::whole() const {
  if (state_ == state::done) return true;
  // A number at the top has no end of its own.
  return state_ == state::number && depth_ == 0 &&
         (digits_ == digits::zero || digits_ == digits::integer || digits_ == digits::fraction ||
          digits_ == digits::exponent_digits);
}

json_scanner::token json_scanner::next(std::string_view& piece) {
  const char* const begin = piece.data();
  const char* at = begin;
  const char* const end = begin + piece.size();
  token t;
  do {
    t = step(at, end);
  } while (quiet_ != 0 && depth_ >= quiet_ && t != token::more && t != token::error);
  auto used = static_cast<std::size_t>(at - begin);
  offset_ += used;
  piece.remove_prefix(used);
  if (t == token::more) return t;
  if (quiet_ != 0 && depth_ < quiet_) quiet_ = 0;
  keep_ = keep::nothing;
  return t;
}

json_scanner::token json_scanner::step(const char*& at, const char* end) {
  while (at != end) {
    switch (state_) {
      case state::string: {
        auto p = scan_string(at, end);
        if (p == progress::more) return token::more;
        if (p == progress::error) return refuse(why_);
        if (!in_name_) return after_value(token::string);
        state_ = state::colon;
        return token::name;
      }
      case state::number: {
        auto p = scan_number(at, end);
        if (p == progress::more) return token::more;
        if (p == progress::error) return refuse("a number is malformed");
        return after_value(token::number);
      }
      case state::literal: {
        auto p = scan_literal(at, end);
        if (p == progress::more) return token::more;
        if (p == progress::error) return refuse("a word that is not true, false or null");
        return after_value(literal_token_);
      }
      case state::failed: return token::error;
      default: break;
    }
    char c = *at++;
    if (is_space(c)) continue;
    switch (state_) {
      case state::value_or_end:
        if (c == ']') return pop(false);
        [[fallthrough]];
      case state::value: {
        auto t = begin(c);
        if (t != token::more) return t;
        break;
      }
      case state::name_or_end:
        if (c == '}') return pop(true);
        [[fallthrough]];
      case state::name:
        if (c != '"') return refuse("a member name was expected");
        in_name_ = true;
        state_ = state::string;
        begin_text("\"");
        break;
      case state::colon:
        if (c != ':') return refuse("a colon was expected");
        state_ = state::value;
        break;
      case state::comma_or_end:
        if (c == ',') {
          state_ = innermost_is_object() ? state::name : state::value;
          break;
        }
        if (c == '}' || c == ']') return pop(c == '}');
        return refuse("a comma was expected");
      default: return refuse("something follows the value");
    }
  }
  return state_ == state::failed ? token::error : token::more;
}

// `more` when the value has only begun.
json_scanner::token json_scanner::begin(char c) {
  switch (c) {
    case '{': return push(true);
    case '[': return push(false);
    case '"':
      in_name_ = false;
      state_ = state::string;
      begin_text("\"");
      return token::more;
    case 't':
      literal_ = "rue";
      literal_token_ = token::boolean;
      break;
    case 'f':
      literal_ = "alse";
      literal_token_ = token::boolean;
      break;
    case 'n':
      literal_ = "ull";
      literal_token_ = token::null;
      break;
    default:
      if (c != '-' && !is_digit(c)) return refuse("a value was expected");
      digits_ = c == '-' ? digits::minus : c == '0' ? digits::zero : digits::integer;
      state_ = state::number;
      begin_text({&c, 1});
      return token::more;
  }
  state_ = state::literal;
  return token::more;
}

json_scanner::token json_scanner::push(bool object) {
  if (depth_ == deepest) return refuse("nested deeper than 64");
  std::uint64_t bit = std::uint64_t{1} << depth_;
  objects_ = object ? objects_ | bit : objects_ & ~bit;
  ++depth_;
  state_ = object ? state::name_or_end : state::value_or_end;
  return object ? token::begin_object : token::begin_array;
}

json_scanner::token json_scanner::pop(bool object) {
  if (innermost_is_object() != object) return refuse("a bracket closes what another opened");
  --depth_;
  return after_value(object ? token::end_object : token::end_array);
}

json_scanner::token json_scanner::after_value(token t) {
  state_ = depth_ == 0 ? state::done : state::comma_or_end;
  return t;
}

json_scanner::token json_scanner::refuse(const char* why) {
  why_ = why;
  state_ = state::failed;
  return token::error;
}

void json_scanner::begin_text(std::string_view raw_start) {
  text_.clear();
  overlong_ = false;
  keeping_ = keep_ != keep::nothing;
  if (keep_ == keep::raw || state_ == state::number) append(raw_start);
}

json_scanner::progress json_scanner::scan_string(const char*& at, const char* end) {
  const char* const from = at;
  auto p = scan_plain(at, end);
  if (keep_ == keep::raw) append(from, at);
  return p;
}

json_scanner::progress json_scanner::scan_plain(const char*& at, const char* end) {
  const bool decoded = keep_ == keep::text;
  while (at != end) {
    const char* const from = at;
    if (escape_ == escape::none) {
      while (at != end) {
        if (utf8_left_ == 0) {
          at = pass_plain<beyond_ascii::stops, '"', '\\'>(at, end);
          if (at == end || static_cast<unsigned char>(*at) < 0x80) break;
        }
        if (!scan_utf8(static_cast<unsigned char>(*at))) {
          why_ = "invalid UTF-8";
          return progress::error;
        }
        ++at;
      }
      if (decoded) append(from, at);
      if (at == end) return progress::more;
      char c = *at++;
      if (c == '"') return progress::done;
      if (c != '\\') {
        why_ = "a control character in a string";
        return progress::error;
      }
      escape_ = escape::backslash;
      continue;
    }
    if (scan_escape(*at++) == progress::error) {
      why_ = "an escape in a string is malformed";
      return progress::error;
    }
  }
  return progress::more;
}

// RFC 3629 §4: no overlong form, no surrogate, nothing above U+10FFFF.
bool json_scanner::scan_utf8(unsigned char c) {
  if (utf8_left_ > 0) {
    if (c < utf8_low_ || c > utf8_high_) return false;
    --utf8_left_;
    utf8_low_ = 0x80;
    utf8_high_ = 0xBF;
    return true;
  }
  utf8_low_ = 0x80;
  utf8_high_ = 0xBF;
  if (c >= 0xC2 && c <= 0xDF) {
    utf8_left_ = 1;
  } else if (c >= 0xE0 && c <= 0xEF) {
    utf8_left_ = 2;
    if (c == 0xE0) utf8_low_ = 0xA0;
    if (c == 0xED) utf8_high_ = 0x9F;
  } else if (c >= 0xF0 && c <= 0xF4) {
    utf8_left_ = 3;
    if (c == 0xF0) utf8_low_ = 0x90;
    if (c == 0xF4) utf8_high_ = 0x8F;
  } else {
    return false;
  }
  return true;
}

json_scanner::progress json_scanner::scan_escape(char c) {
  switch (escape_) {
    case escape::none: return progress::error;
    case escape::backslash: {
      if (c == 'u') {
        escape_ = escape::hex;
        hex_digits_ = 0;
        code_unit_ = 0;
        return progress::more;
      }
      constexpr std::string_view letters = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
      auto i = letters.find(c);
      if (i == std::string_view::npos) return progress::error;
      append_code_point(static_cast<unsigned char>(meant[i]));
      escape_ = escape::none;
      return progress::more;
    }
    case escape::low_backslash:
      if (c != '\\') return progress::error;
      escape_ = escape::low_u;
      return progress::more;
    case escape::low_u:
      if (c != 'u') return progress::error;
      escape_ = escape::low_hex;
      hex_digits_ = 0;
      code_unit_ = 0;
      return progress::more;
    case escape::hex:
    case escape::low_hex: break;
  }
  int digit = is_digit(c)              ? c - '0'
              : (c >= 'a' && c <= 'f') ? c - 'a' + 10
              : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                       : -1;
  if (digit < 0) return progress::error;
  code_unit_ = static_cast<std::uint16_t>(code_unit_ << 4 | digit);
  if (++hex_digits_ < 4) return progress::more;

  bool high = code_unit_ >= 0xD800 && code_unit_ <= 0xDBFF,
       low = code_unit_ >= 0xDC00 && code_unit_ <= 0xDFFF;
  if (escape_ == escape::low_hex) {
    if (!low) return progress::error;
    append_code_point(0x10000U + ((high_surrogate_ - 0xD800U) << 10) + (code_unit_ - 0xDC00U));
  } else if (high) {
    high_surrogate_ = code_unit_;
    escape_ = escape::low_backslash;
    return progress::more;
  } else {
    if (low) return progress::error;
    append_code_point(code_unit_);
  }
  escape_ = escape::none;
  return progress::more;
}

json_scanner::progress json_scanner::scan_number(const char*& at, const char* end) {
  const char* const from = at;
  for (; at != end; ++at) {
    char c = *at;
    bool digit = is_digit(c), e = c == 'e' || c == 'E';
    switch (digits_) {
      case digits::minus:
        if (!digit) return progress::error;
        digits_ = c == '0' ? digits::zero : digits::integer;
        continue;
      case digits::integer:
        if (digit) continue;
        [[fallthrough]];
      case digits::zero:
        if (digit) return progress::error;
        if (c != '.' && !e) break;
        digits_ = e ? digits::exponent : digits::point;
        continue;
      case digits::fraction:
        if (digit) continue;
        if (!e) break;
        digits_ = digits::exponent;
        continue;
      case digits::point:
        if (!digit) return progress::error;
        digits_ = digits::fraction;
        continue;
      case digits::exponent:
        if (c == '+' || c == '-') {
          digits_ = digits::exponent_sign;
          continue;
        }
        [[fallthrough]];
      case digits::exponent_sign:
        if (!digit) return progress::error;
        digits_ = digits::exponent_digits;
        continue;
      case digits::exponent_digits:
        if (digit) continue;
        break;
    }
    append(from, at);
    return progress::done;
  }
  append(from, at);
  return progress::more;
}

json_scanner::progress json_scanner::scan_literal(const char*& at, const char* end) {
  while (at != end) {
    if (*at++ != *literal_++) return progress::error;
    if (*literal_ == '\0') return progress::done;
  }
  return progress::more;
}

void json_scanner::append(std::string_view bytes) {
  if (!keeping_) return;
  if (bytes.size() > most_ - text_.size()) {
    overlong_ = true;
    keeping_ = false;
    text_.clear();
    return;
  }
  text_.append(bytes);
}

void json_scanner::append_code_point(std::uint32_t code_point) {
  if (keep_ != keep::text) return;
  char bytes[4];
  std::size_t size = 0;
  auto add = [&](std::uint32_t byte) { bytes[size++] = static_cast<char>(byte); };
  if (code_point < 0x80) {
    add(code_point);
  } else if (code_point < 0x800) {
    add(0xC0 | code_point >> 6);
    add(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    add(0xE0 | code_point >> 12);
    add(0x80 | (code_point >> 6 & 0x3F));
    add(0x80 | (code_point & 0x3F));
  } else {
    add(0xF0 | code_point >> 18);
    add(0x80 | (code_point >> 12 & 0x3F));
    add(0x80 | (code_point >> 6 & 0x3F));
    add(0x80 | (code_point & 0x3F));
  }
  append({bytes, size});
}

}  // namespace mcp_oauth
