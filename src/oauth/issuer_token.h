#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "jose/algorithm.h"
#include "jose/jws.h"
#include "jose/key_set.h"
#include "oauth/access_token.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// Access tokens that somebody else's authorization server issued, as JWTs. Most are not of RFC 9068; the
// rules say what is tolerated.

enum class token_type_rule {
  at_jwt,        // RFC 9068 §4: `typ` is at+jwt
  access_token,  // at+jwt, JWT or none; known other types and what is clearly an id token are refused
};

// Where claims stand. Each name may lead into objects ("realm_access.roles"); a claim whose own name has the
// dot goes first. Of several names the first that holds a value counts, but for scopes, which are gathered
// from all.
struct claim_places {
  std::vector<std::string> subject = {"sub"};
  std::vector<std::string> client_id = {"client_id", "azp", "appid", "cid"};
  std::vector<std::string> scopes = {"scope", "scp"};  // one string with spaces between them, or a list
  std::vector<std::string> email = {"email"};          // not where `denies_email`
  std::vector<std::string> name = {"name", "preferred_username"};
};

// A claim that must be there, with a value of the list; with an empty list, any but null, "" and []. Where
// the claim is a list, one of its members is enough. Numbers and booleans are compared as JSON writes them.
struct required_claim {
  std::string name;  // as in claim_places
  std::vector<std::string> any_of;
};

// What a token of one issuer must say.
struct issuer_rules {
  // Byte for byte. One whole path segment may be `{tenantid}` (Entra): then it is the `tid` of the token, a
  // GUID.
  std::string issuer;
  std::vector<std::string> audiences;  // one of them must be in `aud`; empty: nothing is accepted, but
  bool danger_any_audience = false;    // any audience, also none: tokens for other servers are good here, too
  // Never HMAC and others together. Empty: every one with a public key that we know.
  std::vector<algorithm> algorithms;
  token_type_rule type = token_type_rule::access_token;
  // With token_type_rule::access_token: also what only looks like an id token (nonce, at_hash, c_hash,
  // auth_time or sid, and neither scope nor client) is taken.
  bool danger_id_tokens = false;
  claim_places claims;
  std::vector<required_claim> required;
  seconds leeway{60};              // for exp, nbf, iat; an absent exp is never valid
  std::optional<seconds> max_age;  // since `iat`, which must be there then
};

// Whether the claims take back their `email`: `email_verified` is there and not true. Anybody may have typed
// such an address, so that it names nobody and opens nothing.
bool denies_email(const json::object& claims);

// Errors: config_invalid, with the reason: no issuer, {tenantid} in a wrong place, HMAC mixed with others, a
// negative leeway or one over 10 minutes. NOT an error: no audience; such rules refuse everything.
result<void> check_issuer_rules(const issuer_rules& rules);

// A JWT that was read and of which nothing is known to be true: so that choosing its issuer and checking it
// need not read it twice.
class unchecked_token final {
 public:
  // The `iss` that nobody has checked, to choose among issuers and for nothing else. Errors: token_malformed;
  // token_claim_missing without `iss`.
  result<std::string> claimed_issuer() const;
  // Whether one of the keys has the name of the one that signed it. Where none has, it may be judged by
  // another one than its own.
  bool names_one_of(const key_set& keys) const;

 private:
  unchecked_token(unverified_jws jws, std::string payload, result<json::object> claims)
      : jws_(std::move(jws)), payload_(std::move(payload)), claims_(std::move(claims)) {}
  friend result<unchecked_token> read_issuer_token(std::string_view compact);
  friend result<verified_token> verify_issuer_token(unchecked_token& token, const key_set& keys,
                                                    const issuer_rules& rules, time_point now);
  friend struct token_examination examine_issuer_token(std::string_view compact, const key_set* keys,
                                                       const issuer_rules& rules, time_point now);
  unverified_jws jws_;
  std::string payload_;
  result<json::object> claims_;  // of the payload, or why it has none
};

// Errors: token_opaque for an opaque string or an encrypted token; token_malformed; token_algorithm_refused.
result<unchecked_token> read_issuer_token(std::string_view compact);

// Its claimed issuer, with the errors of both.
result<std::string> claimed_issuer(std::string_view compact);

// Whether this `iss`, with these claims' `tid`, is one that the rules are for.
bool is_issuer_of_rules(const issuer_rules& rules, std::string_view issuer);

// RFC 9068 §4 in its order, as far as the rules ask for it; no claim is looked at before the signature.
// Errors: those of `verify_access_token`, besides token_opaque and token_audience_absent. Details say how
// near it was: see near_miss.h. `claims().audience` is the first of the rules' audiences that the token has,
// "" with danger_any_audience and none; `client_id`, `token_id` may be "". Who it is, is issuer and subject
// together. NOT checked: revocation, scopes, and whether a token that is bound (`details()`) comes with its
// proof.
// The claims of `token` move into the result, so that it is good for one success.
result<verified_token> verify_issuer_token(unchecked_token& token, const key_set& keys,
                                           const issuer_rules& rules, time_point now);
result<verified_token> verify_issuer_token(std::string_view compact, const key_set& keys,
                                           const issuer_rules& rules, time_point now);

}  // namespace mcp_oauth
