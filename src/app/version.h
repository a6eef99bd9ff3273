#pragma once

#include <string_view>

namespace mcp_oauth {
inline constexpr std::string_view version = "0.1.0";
}  // namespace mcp_oauth
