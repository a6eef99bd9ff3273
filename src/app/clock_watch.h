#pragma once

#include "base/http.h"
#include "base/time.h"

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The time of an HTTP Date field (RFC 9110 §5.6.7, IMF-fixdate alone); nothing when it is none.
std::optional<time_point> parse_http_date(std::string_view text);

// The time by which an answer was made; nothing where it was made for somebody else before (RFC 9111 §5.1).
std::optional<time_point> clock_of(const http_answer& answer);

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
