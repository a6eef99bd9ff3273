#include "provider/words_of_provider.h"

#include <algorithm>

namespace mcp_oauth {

std::string words_of_provider(std::string_view text) {
  constexpr std::size_t longest = 300;
  std::string line(text.substr(0, longest));
  std::replace_if(line.begin(), line.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, ' ');
  return line;
}

}  // namespace mcp_oauth
