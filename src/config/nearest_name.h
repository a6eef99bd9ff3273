#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The name that `word` most likely stands for; "" when none is near.
std::string nearest_name(std::string_view word, const std::vector<std::string>& names);

}  // namespace mcp_oauth
