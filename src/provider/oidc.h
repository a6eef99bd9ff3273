#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/secret.h"
#include "base/time.h"
#include "jose/algorithm.h"
#include "jose/key_set.h"
#include "provider/identity.h"
#include "provider/known_providers.h"
#include "provider/standard_claims.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// OpenID Connect as a client (OIDC Core §3.1): we build requests and judge answers; sending is somebody
// else's. What plain OAuth 2.0 has in common with it is here, too; the rest is in user_endpoint.h.

// What we use of a provider's discovery document, checked; or what is configured where there is none.
struct provider_metadata {
  sign_in_protocol speaks = sign_in_protocol::openid;
  std::string issuer;  // may hold {tenantid}, see issuer.h; "" when a plain OAuth 2.0 provider has none
  std::string authorization_endpoint;
  std::string token_endpoint;
  std::string jwks_uri;
  std::string userinfo_endpoint;     // "" when none
  std::string end_session_endpoint;  // "" when none
  std::vector<std::string> token_endpoint_auth_methods;
  std::vector<algorithm> id_token_algorithms;  // never empty, never HMAC
  bool sends_iss = false;                      // authorization_response_iss_parameter_supported (RFC 9207 §3)
};

// OIDC Discovery §4. The issuer is taken as configured and not checked.
http_call discovery_request(std::string_view issuer);

// The document must state the issuer that it was asked for, byte for byte (§4.3) or as the rule has it;
// endpoints must be https, or http on the loopback; `code_challenge_methods_supported`, if there, must hold
// S256. Errors: provider_unreachable (status), provider_metadata_invalid, provider_issuer_mismatch.
result<provider_metadata> process_discovery_answer(std::string_view issuer, const http_answer& answer,
                                                   issuer_rule rule = issuer_rule::exact);

// What one sign-in asks of the provider.
struct sign_in_request {
  std::string client_id;
  std::string redirect_uri;
  std::vector<std::string> scopes;  // `openid` is added where it is spoken
  std::string prompt;               // "" leaves it out
  std::string state;
  std::string nonce;                                           // where OpenID Connect is spoken
  std::string code_challenge;                                  // S256
  std::vector<std::pair<std::string, std::string>> also = {};  // parameters of this provider alone
};

// Where the browser is sent (OIDC Core §3.1.2.1 with RFC 7636). A query that the endpoint has is kept.
std::string authorization_url(const provider_metadata& provider, const sign_in_request& request);

// RFC 9207 §2.4: an `iss` in the callback must equal the issuer byte for byte; from a provider that announces
// it, it must be there. A provider whose issuer is not known must not send one: it might be another's answer
// (mix-up, RFC 9700 §4.4). To be called for error answers, too, before they are believed. Errors:
// provider_issuer_mismatch.
result<void> check_callback_iss(const provider_metadata& provider, std::optional<std::string_view> iss);

// What the provider wants to see for a code.
struct code_exchange {
  std::string client_id;
  secret client_secret;  // empty: a public client
  std::string code;
  std::string redirect_uri;  // as in the authorization request
  secret code_verifier;
};

// OIDC Core §3.1.3.1. The secret goes by client_secret_basic with form-encoded parts (RFC 6749 §2.3.1), or in
// the body when the provider announces only that. The call holds secrets: it must not be logged.
http_call code_exchange_request(const provider_metadata& provider, const code_exchange& exchange);

struct token_answer {
  secret id_token;       // empty when none
  secret access_token;   // empty when there is none that may be sent as a Bearer token
  secret refresh_token;  // empty when none
  std::optional<seconds> expires_in;
  std::string scope;
};

// What went to the provider with a request, and may come back in its words: it is left out of details.
using sent_secrets = std::span<const std::string_view>;

// An access token of another `token_type` than Bearer (RFC 6749 §7.1), or with characters that no access
// token has (RFC 6749 appendix A.12), is left out. An answer may be form-encoded, as GitHub's was before
// JSON. Errors: provider_refused with the provider's own code and words in `detail`, also where the status is
// 200; provider_unreachable for 5xx and 429; provider_token_invalid when the answer is no token answer, or
// lacks the token that tells the person: the id token, or the access token.
result<token_answer> process_token_answer(const http_answer& answer,
                                          sign_in_protocol spoken = sign_in_protocol::openid,
                                          sent_secrets sent = {});

// What the provider wants to see for a refresh token that it gave.
struct token_refresh {
  std::string client_id;
  secret client_secret;  // empty: a public client
  secret refresh_token;
};

// RFC 6749 §6, with the secret as for a code. No scope is asked for: it stays what it was. The call holds
// secrets: it must not be logged.
http_call token_refresh_request(const provider_metadata& provider, const token_refresh& refresh);

// An answer without a refresh token leaves the one in use good. An id token in it is not looked at. Errors:
// provider_sign_in_needed when the provider says that what it gave has ended, and only a new sign-in helps;
// provider_unreachable for 5xx, 429 and where it says that it cannot answer now; provider_refused for any
// other error, which is about us (our credentials, our registration); provider_token_invalid when the answer
// has no Bearer token. Details hold the provider's own words.
result<token_answer> process_refresh_answer(const http_answer& answer, sent_secrets sent = {});

http_call jwks_request(const provider_metadata& provider);
// Errors: provider_unreachable (status), provider_metadata_invalid.
result<key_set> process_jwks_answer(const http_answer& answer);

struct id_token_rules {
  std::string provider;  // name for the identity
  std::string client_id;
  std::string nonce;  // of this sign-in; an empty one matches nothing
  seconds leeway{60};
  claim_names claims = {};
};

// OIDC Core §3.1.3.7, no claim before the signature. `email_verified` counts as true only when the provider
// says so (as a boolean, or as the string some send). Errors: provider_issuer_mismatch,
// provider_nonce_mismatch, provider_token_invalid for everything else. NOT checked: at_hash (the access token
// came on the same connection), auth_time, acr.
result<identity> process_id_token(std::string_view id_token, const key_set& keys,
                                  const provider_metadata& provider, const id_token_rules& rules,
                                  time_point now);

// OIDC Core §5.3.1. For a provider that has a userinfo endpoint. The call holds a secret: it must not be
// logged.
http_call userinfo_request(const provider_metadata& provider, const secret& access_token);

// What the id token said, completed by userinfo (OIDC Core §5.3.2): only what is empty is filled, and
// `email_verified` comes from where `email` comes from. `sub` must equal the id token's exactly. Errors:
// provider_refused and provider_unreachable (status); provider_token_invalid for another `sub`, and for all
// but an object as application/json: a signed or encrypted answer is not understood. No detail quotes the
// answer.
result<identity> process_userinfo_answer(identity who, const http_answer& answer,
                                         const claim_names& names = {});

// Whether the token names a key that is not in the set: keys were rotated, and fetching them again may help.
bool names_unknown_key(std::string_view id_token, const key_set& keys);

}  // namespace mcp_oauth
