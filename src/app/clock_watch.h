#pragma once

#include "base/http_date.h"
#include "base/time.h"

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What to tell of a clock that is more than half a minute away from ours; nothing otherwise.
std::optional<std::string> clock_difference(std::string_view whose, time_point theirs, time_point ours);

// Compares clocks again and again, and tells of each once, until it agrees. For any thread. The caller bounds
// whose there are.
class clock_watch {
 public:
  std::optional<std::string> compare(std::string_view whose, time_point theirs, time_point ours);

 private:
  std::mutex mutex_;
  std::set<std::string, std::less<>> told_;
};

}  // namespace mcp_oauth
