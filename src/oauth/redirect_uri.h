#pragma once

#include "base/error.h"
#include "base/form.h"
#include "oauth/server_rules.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

inline constexpr std::size_t longest_redirect_uri = 2048;

// Private-use schemes of MCP clients that people use; they need not be configured.
std::span<const std::string_view> known_private_use_schemes();

// Whether a browser may ever be sent there: https to a plain host name; http to a loopback host only (RFC
// 8252 §7.3); or a private-use scheme (§7.1), none of which a browser or an operating system acts upon by
// itself (javascript, data, file, …). Absolute, ASCII, at most 2048 characters; no fragment, user
// information, wildcard host, or parameter that belongs to our answer (code, state, iss, error…). Does NOT
// check whether that private-use scheme is allowed here. Errors: redirect_uri_refused.
result<void> check_redirect_uri_form(std::string_view uri);

// Whether a client may have it here: of acceptable form; no address of our own, where an answer would be a
// request that seems to come from us; and a private-use scheme is either a reverse domain name (it holds a
// dot, RFC 8252 §7.1), known, or listed in the rules (case does not matter). Errors: redirect_uri_refused.
result<void> check_redirect_uri_registrable(std::string_view uri, const server_rules& rules);

// Simple string comparison (RFC 3986 §6.2.1), except that the port may differ between two http URIs of the
// same loopback host (RFC 8252 §7.3; 127.0.0.0/8, ::1 and localhost). "localhost" is not "127.0.0.1".
bool redirect_uri_matches(std::string_view registered, std::string_view requested);

// Where a browser will go, for a page to say. Total: for a URI of unacceptable form, `where` is empty.
enum class redirect_kind { web, loopback, application };
struct redirect_target {
  redirect_kind kind = redirect_kind::web;
  std::string where;  // host[:port]; for an application its scheme
};
redirect_target describe_redirect_uri(std::string_view uri);

// The URI with `parameters` added to its query; a query that it has is kept (RFC 6749 §3.1.2).
// Does NOT judge the URI: it must come from a check.
std::string redirect_with(std::string_view redirect_uri, const form& parameters);

}  // namespace mcp_oauth
