#pragma once

#include "base/error.h"
#include "base/form.h"
#include "base/http.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "bridge/kept.h"
#include "jose/key.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// Requests to a token endpoint, and what it answers.

// How a client proves itself there.
struct client_proof {
  std::string client_id;
  bridge_client_auth auth = bridge_client_auth::none;
  secret client_secret;
  const signing_key* key = nullptr;  // for private_key_jwt
  std::string key_id;                // "": left out
  std::string audience;              // of the assertion: the issuer, or the endpoint where none is known
};

// A POST of the parameters with exactly one way to authenticate (RFC 6749 §2.3): none, client_secret_post,
// client_secret_basic with form-encoded parts, or private_key_jwt (RFC 7523 §2.2; no client_id besides, good
// for a minute). The call holds secrets: it must not be logged.
http_call token_request(const std::string& endpoint, form parameters, const client_proof& client,
                        const random_fn& random, time_point now);

// Which method a client uses: what was configured or registered, else by what it has and what the server
// takes. `fallback` where a secret may go either way.
bridge_client_auth choose_client_auth(const std::optional<bridge_client_auth>& wanted, bool has_secret,
                                      bool has_key, const std::vector<std::string>& offered,
                                      bridge_client_auth fallback);
// Of "client_secret_post" and so on.
std::optional<bridge_client_auth> client_auth_from_name(std::string_view name);

struct token_grant {
  secret access_token, refresh_token, id_token;
  bool dpop = false;
  std::optional<seconds> lifetime;
  std::string scope;
  std::string issued_token_type;  // RFC 8693
};

// RFC 6749 §5. `expires_in` may be a number or a string of one; what is odd counts as absent. A missing
// token_type is Bearer. Errors: sign_in_grant_ended for invalid_grant; sign_in_client_unknown for
// invalid_client and unauthorized_client; sign_in_token_unreachable for 429, 5xx and where the server says
// that it cannot now; sign_in_token_refused for every other error; sign_in_token_invalid for what is no token
// answer. Details are in the guide's words, with the server's own.
result<token_grant> read_token_answer(const http_answer& answer);

// The `error` of an answer of RFC 6749 §5.2, "" where there is none.
std::string oauth_error_of(const http_answer& answer);
// Whether the words are Entra's for a `resource` that it does not take (AADSTS901002, AADSTS9010010).
bool refuses_resource(std::string_view words);

// One proof of possession (RFC 9449 §4.2). `access_token` and `nonce` may be "".
std::string dpop_proof(const signing_key& key, std::string_view method, std::string_view url,
                       std::string_view access_token, std::string_view nonce, const random_fn& random,
                       time_point now);

}  // namespace mcp_oauth
