#include "base/time.h"

#include <cstdio>
#include <ctime>

namespace mcp_oauth {

std::string to_iso8601(time_point t) {
  auto ms = std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count();
  std::time_t s = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&s, &utc);
  char text[64];
  auto n = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                         utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                         static_cast<int>(ms % 1000));
  return std::string(text, static_cast<std::size_t>(n));
}

}  // namespace mcp_oauth
