#pragma once

// What the room is made of, and the interface that it is behind. Some words stand on both sides: inside of
// MCP_OAUTH_BEGIN they mean the interface, and the core's go by the names given here. Included before
// anything of include/mcp_oauth, since afterwards those words would be ambiguous.

#include "guard/guard.h"

namespace mcp_oauth {
using core_guard = guard;
}  // namespace mcp_oauth

#include "mcp_oauth/guard.h"
