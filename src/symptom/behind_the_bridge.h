#pragma once

// What a bridge meets at the MCP server that it stands before, told to the client that started it.

#include "symptom/catalogue.h"

#include <array>

namespace mcp_oauth {

// clang-format off
inline constexpr std::array wire_rows = std::to_array<symptom>({
    {errc::upstream_status, "MOP-BRI-001", "upstream_status", 502, "",
     "The MCP server answered with an error status",
     "See the status and the server's own words: 404 a wrong path, 403 not allowed, 5xx a fault of the server.",
     "Check the URL; otherwise look at the MCP server's own log."},
    {errc::upstream_throttled, "MOP-BRI-002", "upstream_throttled", 503, "temporarily_unavailable",
     "The MCP server asks for patience",
     "It answered 429 or 503, and its Retry-After is longer than this call may take, or it said so too often.",
     "Call less often, or raise upstream.timeoutMs (UPSTREAM_TIMEOUT_MS)."},
    {errc::upstream_redirect_refused, "MOP-BRI-003", "upstream_redirect_refused", 502, "",
     "The MCP server redirects where the token must not go",
     "It redirects to another origin, changes the method, or redirects in a circle.",
     "Set the URL that the redirect names, if you trust it."},
    {errc::upstream_no_answer, "MOP-BRI-004", "upstream_no_answer", 502, "",
     "The MCP server ended its answer without a response",
     "A 2xx without content, an event stream that ended early, or an answer with another id: a fault of the server, or a proxy between that cuts streams.",
     "Call again; if it stays, look at the MCP server's own log and at the idle limits of what is between."},
    {errc::upstream_session_lost, "MOP-BRI-005", "upstream_session_lost", 502, "",
     "The MCP server forgot the session, and a new one cannot be opened",
     "It was restarted, or several servers share an address without sharing sessions.",
     "Look at the server's log; before several replicas let a session stick to one of them."},
    {errc::upstream_proxy_refused, "MOP-BRI-006", "upstream_proxy_refused", 502, "",
     "The HTTP proxy does not connect to the MCP server",
     "HTTPS_PROXY names a proxy that refused the connection: it wants other credentials, or does not allow this host and port.",
     "Correct HTTPS_PROXY, or list the host in NO_PROXY."},
    {errc::upstream_answer_too_large, "MOP-BRI-007", "upstream_answer_too_large", 502, "",
     "The MCP server's answer is too large to be translated",
     "An answer that has to be read as a whole, such as a list of tools, exceeds the bound.",
     "Let the server give it in pages."},
    {errc::bridge_ending, "MOP-BRI-008", "bridge_ending", 503, "",
     "The bridge is ending",
     "Its client closed standard input, or it was told to stop, before the answer came.",
     "Start it again."},
    {errc::bridge_not_translatable, "MOP-BRI-009", "bridge_not_translatable", 400, "",
     "Client and MCP server speak revisions of MCP that do not have this in common",
     "One of them uses what the other's revision has no counterpart for.",
     "Update the older of the two."},
    {errc::sign_in_pending, "MOP-BRI-010", "sign_in_pending", 503, "temporarily_unavailable",
     "A person has to sign in first",
     "The MCP server wants a token, and the sign-in that gives one is not finished.",
     "Open the address in the message and sign in, then call again."},
});
// clang-format on

}  // namespace mcp_oauth
