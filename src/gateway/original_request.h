#pragma once

#include "base/error.h"
#include "base/http.h"

#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Where reverse proxies ask whether a request of theirs may pass: nginx auth_request, Traefik ForwardAuth,
// Caddy forward_auth, HAProxy by a few lines of Lua; and below it Envoy ext_authz, which appends the original
// path.
inline constexpr std::string_view verify_path = "/auth/verify";

// Whether that path is the decision endpoint, or what Envoy makes of it.
bool is_verify_path(std::string_view path);

// The request in which a proxy asks, borrowed.
struct verify_request {
  std::string_view method, path, query, host;
  std::span<const field> fields;
};

// The request that a proxy asks about.
struct original_request {
  std::string method;
  std::string host;   // with the port, where the client wrote one
  std::string path;   // plain: see `is_plain_path`
  std::string query;  // without '?'
};

// Which request is meant:
// - below `verify_path` (Envoy): method and host are those of the asking request, the address is what stands
//   behind;
// - by X-Original-Method with X-Original-URI, and the asking request's host; or with X-Original-URL (nginx);
// - by X-Forwarded-Method, X-Forwarded-Uri and X-Forwarded-Host (Traefik, Caddy).
// One of the three has to be whole. Whatever else there is of these headers has to say the same, for it may
// be the client's. Errors: original_request_unclear (one is missing, twice, spelled otherwise, malformed or
// in contradiction; or the request is about a verdict itself), http_not_found (a path that two servers could
// read differently). Not checked: that a proxy asks, which is `client_address::is_trusted`; without that
// nothing here is true.
result<original_request> original_request_of(const verify_request& asked);

// What the operator wrote into the address that the proxy asks at.
struct verify_options {
  std::string upstream;    // name of the MCP server; "" when not said
  std::string resource;    // or its resource identifier
  bool for_nginx = false;  // only statuses that auth_request passes on
};

// Of the query of `verify_path` itself; below it the query is the client's, and says nothing of this.
// Errors: original_request_unclear, for what is unknown, repeated or malformed.
result<verify_options> verify_options_of(const verify_request& asked);

// The first field by which a client could speak for us to an MCP server behind the proxy: a name of the
// families that carry identity, and none of those that a verdict always answers with, which the proxy
// replaces, and none that `is_handed_on`. nullptr when there is none.
const field* find_claimed_identity(std::span<const field> fields, std::span<const std::string> also_answered,
                                   std::span<const std::string> forward_headers = {});

}  // namespace mcp_oauth
