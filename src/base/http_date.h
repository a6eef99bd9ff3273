#pragma once

#include "base/http.h"
#include "base/time.h"

#include <optional>
#include <string_view>

namespace mcp_oauth {

// The time of an HTTP Date field (RFC 9110 §5.6.7, IMF-fixdate alone); nothing when it is none.
std::optional<time_point> parse_http_date(std::string_view text);

// The time by which an answer was made; nothing where it was made for somebody else before (RFC 9111 §5.1).
std::optional<time_point> clock_of(const http_answer& answer);

}  // namespace mcp_oauth
