#pragma once

#include "base/error.h"
#include "base/form.h"
#include "base/http.h"
#include "base/secret.h"
#include "oauth/client_authentication.h"

namespace mcp_oauth {

enum class token_type_hint { none, access_token, refresh_token };

// RFC 7009 §2.1; introspection (RFC 7662 §2.1) asks in the same form.
struct revocation_request {
  client_credentials client;
  secret token;
  token_type_hint hint = token_type_hint::none;  // a hint that is not known is none
};

// Errors: those of parse_client_credentials, then parameter_missing, parameter_repeated, parameter_too_long
// over 16 KiB. Does NOT authenticate the client.
result<revocation_request> parse_revocation_request(const http_fields& fields, const form& body);

}  // namespace mcp_oauth
