#pragma once

namespace mcp_oauth {

// Whether what goes to standard output is shown in colour: a terminal that can, and nobody minds
// (https://no-color.org).
bool wants_colour();

}  // namespace mcp_oauth
