#pragma once

#include "base/time.h"

#include <optional>
#include <string_view>

namespace mcp_oauth {

// "1790000000", or "2026-11-29T19:00:00Z", with or without a fraction of a second, which does not count.
std::optional<time_point> parse_moment(std::string_view text);

}  // namespace mcp_oauth
