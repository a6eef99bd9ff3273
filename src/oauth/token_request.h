#pragma once

#include "base/error.h"
#include "base/form.h"
#include "base/http.h"
#include "base/secret.h"
#include "oauth/client_authentication.h"
#include "oauth/client_metadata.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mcp_oauth {

// RFC 6749 §4.1.3, RFC 7636 §4.5
struct code_grant {
  secret code;
  std::optional<std::string> redirect_uri;
  secret code_verifier;                // of valid form
  std::vector<std::string> resources;  // as sent; resolve_resource
};

// RFC 6749 §6
struct refresh_grant {
  secret refresh_token;
  std::optional<std::vector<std::string>> scopes;  // absent: those granted
  std::vector<std::string> resources;
};

using token_grant = std::variant<code_grant, refresh_grant>;

struct token_request {
  client_credentials client;
  token_grant grant;
};

// Errors: those of parse_client_credentials, then parameter_missing, parameter_repeated, parameter_too_long,
// parameter_malformed; grant_type_unsupported; pkce_missing without code_verifier (every code here has a
// challenge), pkce_malformed. Does NOT authenticate the client or look anything up: a request that fails here
// leaves its code or token untouched.
result<token_request> parse_token_request(const http_fields& fields, const form& body);

// Whether the client registered for this grant. Errors: client_not_allowed.
result<void> check_grant_type(const token_grant& grant, const client_metadata& client);

// What the token request must have in common with the authorization request (RFC 6749 §4.1.3, OAuth 2.1
// §10.2): a redirect_uri that it names is the one there, by simple string comparison; one that is left out is
// not missed. Errors: code_client_mismatch.
result<void> check_code_redirect_uri(const code_grant& grant, std::string_view redirect_uri_of_code);

}  // namespace mcp_oauth
