#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_oauth {

// The paths that MCP servers of 2024-11-05 announced for posting to, as they know them. What is posted there
// has to prove that it was announced to whoever posts. Safe from every thread; bounded.
class announced_paths final {
 public:
  void add(std::string_view upstream, std::string_view path);
  bool holds(std::string_view upstream, std::string_view path) const;

 private:
  mutable std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> paths_;
};

}  // namespace mcp_oauth
