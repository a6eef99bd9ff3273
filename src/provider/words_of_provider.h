#pragma once

#include <string>
#include <string_view>

namespace mcp_oauth {

// What a provider said, for our log: its first 300 bytes, on one line.
std::string words_of_provider(std::string_view text);

}  // namespace mcp_oauth
