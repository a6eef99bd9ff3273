#include "oauth/displayable.h"

#include "base/text.h"

#include <array>
#include <cstdint>

namespace mcp_oauth {
namespace {

struct range {
  std::uint32_t first, last;
};

// Unicode general categories Cc and Cf, the fillers that look like nothing, and private use.
constexpr std::array<range, 25> hidden = {{
    {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x34F, 0x34F},     {0x600, 0x605},
    {0x61C, 0x61C},   {0x6DD, 0x6DD},   {0x70F, 0x70F},   {0x890, 0x891},     {0x8E2, 0x8E2},
    {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x200B, 0x200F},   {0x202A, 0x202E},
    {0x2060, 0x206F}, {0x2800, 0x2800}, {0x3164, 0x3164}, {0xE000, 0xF8FF},   {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFF}, {0x1D173, 0x1D17A}, {0xE0000, 0x10FFFF},
}};

bool is_hidden(std::uint32_t c) {
  for (auto [first, last] : hidden) {
    if (c >= first && c <= last) return true;
  }
  return false;
}

// Zs, Zl, Zp, and the controls that break a line.
bool is_space(std::uint32_t c) {
  return c == 0x20 || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::size_t length_of(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

std::uint32_t decode(std::string_view character) {
  auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i]));
  };
  if (character.size() == 1) return byte(0);
  std::uint32_t value = byte(0) & (0xFFu >> (character.size() + 1));
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte(i) & 0x3Fu);
  return value;
}

}  // namespace

std::string displayable(std::string_view text) {
  if (!is_valid_utf8(text)) return {};
  std::string shown;
  bool space = false;
  while (!text.empty()) {
    auto character = text.substr(0, length_of(static_cast<unsigned char>(text.front())));
    text.remove_prefix(character.size());
    auto value = decode(character);
    if (is_space(value)) {
      space = true;
    } else if (!is_hidden(value)) {
      if (space && !shown.empty()) shown += ' ';
      space = false;
      shown += character;
    }
  }
  return shown;
}

std::string without_controls(std::string text, bool lines) {
  for (std::size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
    auto character = std::string_view(text).substr(i, length_of(c));
    if (c >= 0x80 && is_valid_utf8(character)) {
      if (decode(character) < 0xA0) text[i] = text[i + 1] = ' ';
      i += character.size();
      continue;
    }
    if ((c < 0x20 && !(lines && c == '\n')) || (c >= 0x7F && c < 0xA0)) text[i] = ' ';
    ++i;
  }
  return text;
}

}  // namespace mcp_oauth
