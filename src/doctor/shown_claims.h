#pragma once

#include "base/json.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// A stranger's words for a terminal: `displayable`, and cut where they are too long.
std::string shown_text(std::string_view text);

// The claims that are known to be no secret, to be shown; of all others the names alone.
void show_claims(const json::object& claims, json::object& shown, std::vector<std::string>& not_shown);

}  // namespace mcp_oauth
