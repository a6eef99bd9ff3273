#include "app/announced_paths.h"

#include <cstddef>

namespace mcp_oauth {

constexpr std::size_t most_announced = 10'000;

void announced_paths::add(std::string_view upstream, std::string_view path) {
  std::lock_guard lock(mutex_);
  // Beyond this they differ by more than a query, and path_may_name_session looks at them.
  if (paths_.size() < most_announced) paths_.emplace(upstream, path);
}

bool announced_paths::holds(std::string_view upstream, std::string_view path) const {
  std::lock_guard lock(mutex_);
  return paths_.contains({std::string(upstream), std::string(path)});
}

}  // namespace mcp_oauth
