#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "oauth/client_metadata.h"
#include "oauth/server_rules.h"

#include <string>
#include <vector>

namespace mcp_oauth {

// A dynamic registration (RFC 7591 §2, §3.1), judged but not yet given a client id.
struct registration_request {
  client_metadata client;  // client_id is empty; `scope` is a default for requests without one, not a limit
  std::vector<std::string> dropped;  // for our log: each member or URI left out, with the reason
};

// POST with a JSON object of at most 64 KiB. Unknown members are ignored, null counts as absent.
// - redirect_uris: 1 to 20; those that may not be registered are dropped as long as one remains.
// - grant_types, response_types: what we do not offer is dropped; authorization_code and code must remain.
// Absent
//   grant types are authorization_code and refresh_token.
// - token_endpoint_auth_method: none, client_secret_basic (the default) or client_secret_post.
// - client_name: at most 256 bytes; characters that a page must not show are stripped (displayable.h).
// - client_uri, logo_uri, tos_uri, policy_uri: dropped unless https, or http on loopback.
// Errors: http_method_refused, http_media_type_unsupported, body_too_large, registration_malformed,
// registration_redirect_refused.
result<registration_request> parse_registration_request(const http_request& request,
                                                        const server_rules& rules);

// A client with its fresh id, and its secret if it has one.
struct registered_client {
  client_metadata client;
  secret client_secret;  // empty: a public client. Only its digest is to be stored (client_authentication.h).
  time_point issued_at{};
};
registered_client register_client(registration_request request, const random_fn& random, time_point now);

// 201 with everything registered, the id and the secret (RFC 7591 §3.2.1); never cached. Holds the secret in
// clear.
http_response registration_response(const registered_client& registered);

}  // namespace mcp_oauth
