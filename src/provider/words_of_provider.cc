#include "provider/words_of_provider.h"

#include "base/form.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest = 300;
constexpr std::size_t shortest_secret = 8;

void mask(std::string& text, std::string_view secret) {
  constexpr std::string_view stars = "***";
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + stars.size()))
    text.replace(at, secret.size(), stars);
}

}  // namespace

std::string words_of_provider(std::string_view text, std::span<const std::string_view> secrets) {
  std::string line(text);
  // Before it is cut, which could leave half of one.
  for (auto secret : secrets) {
    if (secret.size() < shortest_secret) continue;
    mask(line, secret);
    mask(line, percent_encode(secret));
  }
  if (line.size() > longest) line.resize(longest);
  std::replace_if(line.begin(), line.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, ' ');
  return line;
}

}  // namespace mcp_oauth
