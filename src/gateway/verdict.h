#pragma once

#include "base/http.h"
#include "oauth/access_token.h"

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What a verdict that allows always answers with, for the proxy to set on the request: the identity headers
// that the gateway itself would send, and the two names that proxies know from oauth2-proxy. A value that is
// not known is empty, so that a proxy which replaces what it is given replaces a client's own in any case.
inline constexpr std::array<std::string_view, 7> verdict_headers = {
    "X-User-Id",   "X-User-Email",        "X-User-Name",         "X-User-Provider",
    "X-Client-Id", "X-Auth-Request-User", "X-Auth-Request-Email"};

// 200, with those headers, X-User-Issuer, and those of `injected_headers` that the MCP server is to have.
// `issuer`: who gave a token of others, as X-User-Id says who it is only together with that; "" for our own.
// It is not among the names above: a proxy that was set up before it was there hands a client's own on, so
// that one is refused.
http_response allowing_verdict(const access_claims& who, const std::string& issuer,
                               std::span<const std::string> inject);

// The same answer as nginx's auth_request can use it: 2xx, 401 and 403 stay, other refusals become 403, and
// what is no fault of the client 500. X-Auth-Status says what it was, X-Auth-Body is the body of a refusal,
// which auth_request drops.
http_response for_nginx(http_response answer);

}  // namespace mcp_oauth
