#pragma once

#include "base/http.h"

#include <span>
#include <string_view>

namespace mcp_oauth {

// Whether a request went through the gateway of that pseudonym before (RFC 9110 §7.6.3): every request that
// it sends on says so in `Via`.
bool came_through(std::string_view pseudonym, std::span<const field> fields);

}  // namespace mcp_oauth
