// rooms: base
// What is decoded is written the same again, and everything else is refused; bytes come back as they were.

#include "base/base64url.h"
#include "require.h"

#include <string>

using namespace mcp_oauth;

namespace {

// Of another kind: counts bits instead of groups.
bool is_canonical(std::string_view text, std::string_view last_two, std::size_t padding) {
  unsigned value = 0, bits = 0;
  for (char c : text) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool digit = c >= '0' && c <= '9';
    if (!letter && !digit && c != last_two[0] && c != last_two[1]) return false;
    unsigned six = 0;
    if (c >= 'A' && c <= 'Z') six = static_cast<unsigned>(c - 'A');
    if (c >= 'a' && c <= 'z') six = static_cast<unsigned>(c - 'a') + 26;
    if (digit) six = static_cast<unsigned>(c - '0') + 52;
    if (c == last_two[0]) six = 62;
    if (c == last_two[1]) six = 63;
    value = (value << 6 | six) & 0xFFFU;
    bits = (bits + 6) % 8;
  }
  // 6 bits over: a lone character. Otherwise what is over must be zero.
  if (bits == 6) return false;
  if ((value & ((1U << bits) - 1)) != 0) return false;
  return padding == (4 - text.size() % 4) % 4;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = text_of(data, size);
  auto url = base64url_decode(text);
  require(url.has_value() == is_canonical(text, "-_", (4 - text.size() % 4) % 4));
  if (url) require(base64url_encode(*url) == text);

  auto end = text.find('=');
  auto padding = end == std::string_view::npos ? 0 : text.size() - end;
  auto bare = text.substr(0, end);
  bool only_padding = end == std::string_view::npos || text.substr(end) == std::string(padding, '=');
  auto plain = base64_decode(text);
  require(plain.has_value() == (only_padding && is_canonical(bare, "+/", padding)));
  if (plain) require(base64_encode(*plain) == text);

  require(base64url_decode(base64url_encode(text)) == text);
  require(base64_decode(base64_encode(text)) == text);
  require(hex_encode(text).size() == 2 * size);
  return 0;
}
