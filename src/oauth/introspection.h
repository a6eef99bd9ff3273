#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "jose/key.h"
#include "oauth/issuer_token.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Asking the issuer about a token (RFC 7662), as the resource server.

// How the resource server says who it is (RFC 6749 §2.3.1, RFC 7523 §2.2).
enum class endpoint_authentication { client_secret_basic, client_secret_post, private_key_jwt };

struct introspection_client {
  std::string client_id;
  endpoint_authentication method = endpoint_authentication::client_secret_basic;
  secret client_secret;            // but with private_key_jwt
  std::optional<signing_key> key;  // with private_key_jwt
  std::string key_id;              // `kid` of the assertion; "": the key's thumbprint
  std::string audience;            // `aud` of the assertion; "": the endpoint
};

// What a token's issuer must answer, besides the rules for its tokens.
struct introspection_rules {
  // RFC 7662 lets `exp` be absent. Then the token is refused, or taken to be good for so long from now.
  std::optional<seconds> life_without_exp;
};

// RFC 7662 §2.1. The call holds the token and a secret: it must not be logged. `random` makes the `jti` of an
// assertion.
http_call introspection_request(std::string_view endpoint, const introspection_client& client,
                                std::string_view token, time_point now, const random_fn& random);

// RFC 7662 §2.2 and §4. The answer must be 200 and a strict JSON object with `active`; `iss`, if there, must
// be the rules' issuer; `aud` one of the rules' audiences; `exp` and `nbf` are checked as in a JWT; `scope`
// is what the token may do, also when absent or empty: nothing. What calls itself a refresh or id token is
// refused. Errors: introspection_failed for a status that is not 200 (words for our credentials refused), and
// for what is no such answer; token_inactive; otherwise those of verify_issuer_token. NOT understood: signed
// answers (RFC 9701).
result<verified_token> process_introspection_answer(const http_answer& answer, const issuer_rules& rules,
                                                    const introspection_rules& introspection, time_point now);

// A JWT that was verified, of which its issuer was asked as well. The answer decides about activity, scopes
// and times (the earlier `exp`); where it names a subject, an issuer or audiences they must fit, and what it
// does not repeat stands as the JWT has it. Errors: those above; token_subject_mismatch.
result<verified_token> process_introspection_answer(const verified_token& jwt, const http_answer& answer,
                                                    const issuer_rules& rules, time_point now);

}  // namespace mcp_oauth
