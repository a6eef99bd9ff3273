#pragma once

#include "app/bridge_command.h"
#include "app/bridge_log.h"
#include "bridge/settings.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The bridge: a client on two descriptors, and the MCP server of the settings behind it. Runs until the
// client ends, its process ends, or we are told to (SIGTERM, SIGINT, SIGHUP). `environment` names the proxy
// and further authorities. Whatever fails after the start is told to the client and to the log; the value is
// not ok when it could not begin, which as the drop-in includes a first token.
bridge_exit serve_bridge(const bridge_settings& settings, bridge_log& log,
                         const std::function<std::optional<std::string>(std::string_view)>& environment,
                         int in = 0, int out = 1);

}  // namespace mcp_oauth
