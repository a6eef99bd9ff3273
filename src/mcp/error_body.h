#pragma once

#include "base/error.h"
#include "base/json.h"

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

namespace mcp_oauth {

// Codes of JSON-RPC 2.0 §5.1 and of MCP.
namespace jsonrpc {
inline constexpr int parse_error = -32700;
inline constexpr int invalid_request = -32600;
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;
inline constexpr int internal_error = -32603;
inline constexpr int header_mismatch = -32020;               // MCP 2026-07-28
inline constexpr int missing_client_capability = -32021;     // MCP 2026-07-28
inline constexpr int unsupported_protocol_version = -32022;  // MCP 2026-07-28
}  // namespace jsonrpc

// The code under which a failure of ours is told to an MCP client: the one that the protocol defines for it,
// else invalid_request for the client's faults and internal_error for those of others.
int jsonrpc_code(errc code);

// One JSON-RPC error response. `raw_id` is JSON text as `envelope::id` has it, or "" when unknown, which
// gives null (JSON-RPC 2.0 §5); it is not checked. `data` is left out when empty.
std::string jsonrpc_error(std::string_view raw_id, int code, std::string_view message,
                          json::object data = {});

}  // namespace mcp_oauth
