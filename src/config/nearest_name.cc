#include "config/nearest_name.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {

std::string nearest_name(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t least = std::min(std::max<std::size_t>(2, word.size() / 3) + 1, word.size());
  for (const auto& name : names) {
    // A distance grows with the difference of lengths, and the file's words may
    // be long.
    if (name.size() > word.size() + least || word.size() > name.size() + least) continue;
    auto distance = edit_distance(word, name);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace mcp_oauth
