#pragma once

#include <string>
#include <string_view>

namespace mcp_oauth {

// A stranger's words as a page may show them, still to be escaped: without control characters, without
// characters that reorder, join or hide others (bidi, zero width, fillers, tags), white space as single
// spaces, none at the ends. Invalid UTF-8 yields "".
std::string displayable(std::string_view text);

// The same words with a blank for each byte of a control character, for a terminal: C0, DEL, and C1 as UTF-8
// has it or as bytes of their own. With `lines`, line ends stay.
std::string without_controls(std::string text, bool lines = false);

}  // namespace mcp_oauth
