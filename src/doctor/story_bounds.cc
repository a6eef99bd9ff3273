#include "doctor/story_bounds.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace mcp_oauth {

std::vector<std::string> surplus(std::span<const kept_size> newest_first, std::size_t most,
                                 std::uint64_t most_bytes) {
  std::map<std::string_view, std::vector<std::size_t>> of_source;  // the oldest last
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < newest_first.size(); ++i) {
    of_source[newest_first[i].source].push_back(i);
    bytes += newest_first[i].bytes;
  }
  // By how many each has; of equals the one whose oldest is older.
  using rank = std::pair<std::size_t, std::size_t>;
  std::set<std::pair<rank, std::string_view>> ranking;
  for (const auto& [source, all] : of_source) ranking.insert({{all.size(), all.back()}, source});
  auto left = newest_first.size();
  std::vector<std::string> going;
  while (left > 0 && (left > most || bytes > most_bytes)) {
    auto top = std::prev(ranking.end());
    auto source = top->second;
    ranking.erase(top);
    auto& all = of_source[source];
    const auto& oldest = newest_first[all.back()];
    going.push_back(oldest.id);
    bytes -= oldest.bytes;
    --left;
    all.pop_back();
    if (!all.empty()) ranking.insert({{all.size(), all.back()}, source});
  }
  return going;
}

}  // namespace mcp_oauth
