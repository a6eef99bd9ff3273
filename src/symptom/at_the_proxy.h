#pragma once

// What the decision endpoint answers to a reverse proxy that cannot be given a verdict.

#include "symptom/catalogue.h"

#include <array>

namespace mcp_oauth {

// clang-format off
inline constexpr std::array proxy_rows = std::to_array<symptom>({
    {errc::verify_peer_refused, "MOP-VER-001", "verify_peer_refused", 403, "",
     "Only a trusted proxy may ask for a verdict",
     "The address that asked at /auth/verify is not in trusted_proxies; nothing it says about a request is believed.",
     "Name the proxy's address in trusted_proxies, also where it is this machine."},
    {errc::original_request_unclear, "MOP-VER-002", "original_request_unclear", 400, "",
     "It is not clear which request is meant",
     "A header that names the method, the address or the host of the original request is missing, stands twice, is "
     "spelled otherwise, or contradicts another one; or the request is one to /auth/verify itself.",
     "Set these headers in the proxy as the guide shows, and hand none of a client's own on."},
    {errc::identity_claimed, "MOP-VER-003", "identity_claimed", 400, "",
     "The request names a person by itself",
     "A client sent a header that MCP servers could take for the proxy's word about who calls, in a spelling that no "
     "header of a verdict replaces.",
     "Let the proxy drop such headers, with - and with _, before it asks."},
    {errc::call_unseen, "MOP-VER-004", "call_unseen", 403, "",
     "The call cannot be judged: the proxy did not show it",
     "There are rules for tools, and the proxy asks without the body of the call.",
     "Let the proxy send the body along; where it cannot (nginx), give this MCP server no rules for tools or put the "
     "gateway itself before it."},
    {errc::call_headers_missing, "MOP-VER-005", "call_headers_missing", 403, "",
     "The call cannot be judged: this client sends no Mcp-Method and Mcp-Name",
     "There are rules for tools, the proxy asks without the body, and the client speaks a protocol revision (before "
     "2026-07-28) in which requests do not say in headers what they call.",
     "Let the proxy send the body along, or put the gateway itself before this MCP server; a newer client would do as well."},
});
// clang-format on

}  // namespace mcp_oauth
