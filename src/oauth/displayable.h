#pragma once

#include <string>
#include <string_view>

namespace mcp_oauth {

// A stranger's words as a page may show them, still to be escaped: without control characters, without
// characters that reorder, join or hide others (bidi, zero width, fillers, tags), white space as single
// spaces, none at the ends. Invalid UTF-8 yields "".
std::string displayable(std::string_view text);

}  // namespace mcp_oauth
