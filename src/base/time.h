#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace mcp_oauth {

// Wall-clock time, always UTC. Nothing below `app/` and `net/` reads a clock: `now` is an argument.
using time_point = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline std::int64_t to_unix(time_point t) {
  return std::chrono::duration_cast<seconds>(t.time_since_epoch()).count();
}
inline time_point from_unix(std::int64_t s) { return time_point(seconds(s)); }

// "2026-11-21T06:05:04.123Z"
std::string to_iso8601(time_point t);

}  // namespace mcp_oauth
