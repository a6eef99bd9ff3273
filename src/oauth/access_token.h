#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "jose/algorithm.h"
#include "jose/key.h"
#include "jose/key_set.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What an access token says (RFC 9068 §2.2).
struct access_claims {
  std::string issuer;
  std::string subject;
  std::string audience;  // the resource: exactly one
  std::string client_id;
  std::string grant_id;  // `gid`, ours: the grant whose revocation ends this token; "" when none
  std::string token_id;  // `jti`
  std::string provider;  // ours: where the subject signed in; "" when none
  std::string email;     // "" when none
  std::string name;      // "" when none
  std::vector<std::string> scopes;
  time_point issued;
  time_point expires;

  friend bool operator==(const access_claims&, const access_claims&) = default;
};

// A signed JWT of type `at+jwt` with the key's `kid`. Empty claims that are not required are left out. Times
// are whole seconds, rounded down. The claims are not checked.
std::string mint_access_token(const access_claims& claims, const signing_key& key);

// What a token must say to be accepted here. Without an issuer or an audience nothing is accepted.
struct token_rules {
  std::string issuer;    // compared byte for byte
  std::string audience;  // likewise; the token may have others besides
  seconds leeway{60};    // tolerated difference of the clocks, for exp and nbf
  std::vector<algorithm> algorithms{algorithm::es256};
};

// What a token of another issuer says besides.
struct token_details {
  std::vector<std::string> audiences;  // all of `aud`
  std::string key_thumbprint;          // cnf.jkt (RFC 9449 §6.1); "" when bound to no key
  std::string certificate_thumbprint;  // cnf["x5t#S256"] (RFC 8705 §3.1); "" when bound to no certificate
  json::object claims;                 // every claim of the JWT, or of the answer to an introspection
};

// An access token that is genuine, meant for this resource and valid now. Only the checks make one:
// `verify_access_token`, and for the tokens of others those of issuer_token.h and introspection.h.
class verified_token final {
 public:
  const access_claims& claims() const { return claims_; }
  // Nothing for a token of our own, whose claims say it all.
  const std::shared_ptr<const token_details>& details() const { return details_; }
  // Whether `aud` holds exactly that.
  bool is_for(std::string_view audience) const;

 private:
  explicit verified_token(access_claims claims, std::shared_ptr<const token_details> details = {})
      : claims_(std::move(claims)), details_(std::move(details)) {}
  friend result<verified_token> verify_access_token(std::string_view compact, const key_set& keys,
                                                    const token_rules& rules, time_point now);
  friend class foreign_token;  // issuer_token.cc and introspection.cc, after their checks
  access_claims claims_;
  std::shared_ptr<const token_details> details_;
};

// RFC 9068 §4 in its order, except that no claim is looked at before the signature: type, signature, issuer,
// audience, times, and then the claims that §2.2 requires. An absent `exp` is refused. Errors:
// token_malformed (form, or a claim of the wrong type), token_type_wrong, token_algorithm_refused,
// token_key_unknown, token_signature_invalid, token_issuer_mismatch, token_audience_mismatch,
// token_claim_missing, token_expired, token_not_yet_valid; a mismatch has the value seen and the one expected
// in `detail`. NOT checked: revocation, scopes, and whether `iat` lies ahead.
result<verified_token> verify_access_token(std::string_view compact, const key_set& keys,
                                           const token_rules& rules, time_point now);

}  // namespace mcp_oauth
