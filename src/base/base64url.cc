#include "base/base64url.h"

#include <array>
#include <cstdint>

namespace mcp_oauth {
namespace {

constexpr char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int16_t, 256> reverse(const char* alphabet) {
  std::array<std::int16_t, 256> table{};
  for (auto& entry : table) entry = -1;
  for (int i = 0; i < 64; ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int16_t>(i);
  return table;
}
constexpr auto url_values = reverse(url_alphabet);
constexpr auto std_values = reverse(std_alphabet);

std::string encode(std::string_view bytes, const char* alphabet) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      out += alphabet[(bits >> held) & 63];
    }
  }
  if (held > 0) out += alphabet[(bits << (6 - held)) & 63];
  return out;
}

// Four characters at a time: tokens are decoded for each new one that comes.
std::optional<std::string> decode(std::string_view text, const std::array<std::int16_t, 256>& values) {
  const auto rest = text.size() % 4;
  if (rest == 1) return std::nullopt;
  std::string out(text.size() / 4 * 3 + (rest == 0 ? 0 : rest - 1), '\0');
  char* to = out.data();
  std::int32_t all = 0;  // negative once a character was none of the alphabet
  auto value = [&](std::size_t at) {
    std::int32_t v = values[static_cast<unsigned char>(text[at])];
    all |= v;
    return static_cast<std::uint32_t>(v);
  };
  std::size_t at = 0;
  for (; at + 4 <= text.size(); at += 4) {
    auto bits = value(at) << 18 | value(at + 1) << 12 | value(at + 2) << 6 | value(at + 3);
    *to++ = static_cast<char>(bits >> 16 & 255);
    *to++ = static_cast<char>(bits >> 8 & 255);
    *to++ = static_cast<char>(bits & 255);
  }
  std::uint32_t stray = 0;
  if (rest != 0) {
    auto bits = value(at) << 18 | value(at + 1) << 12 | (rest == 3 ? value(at + 2) << 6 : 0);
    *to++ = static_cast<char>(bits >> 16 & 255);
    if (rest == 3) *to = static_cast<char>(bits >> 8 & 255);
    stray = rest == 3 ? bits & 255 : bits & 65535;
  }
  if (all < 0 || stray != 0) return std::nullopt;
  return out;
}

}  // namespace

std::string base64url_encode(std::string_view bytes) { return encode(bytes, url_alphabet); }
std::optional<std::string> base64url_decode(std::string_view text) { return decode(text, url_values); }

std::string base64_encode(std::string_view bytes) {
  auto out = encode(bytes, std_alphabet);
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return decode(text, std_values);
}

std::string hex_encode(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace mcp_oauth
