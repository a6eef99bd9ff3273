#include "base/json.h"
#include "base/text.h"
#include "jose/jws.h"
#include "oauth/jwt_claims.h"
#include "provider/issuer.h"
#include "provider/oidc.h"
#include "provider/standard_claims.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

tl::unexpected<error> invalid(std::string why) {
  return fail(errc::provider_token_invalid, "id token: " + std::move(why));
}

// What is wrong with a signature has no detail of its own.
tl::unexpected<error> unverified(const error& why, std::string_view jwks_uri) {
  std::string words(explain(why.code).description);
  if (!why.detail.empty()) words += ": " + why.detail;
  return invalid(words + ", by the keys of " + std::string(jwks_uri));
}

// RFC 8725 §3.11: what is typed as another kind of JWT is not an id token.
bool is_id_token_type(std::string_view typ) {
  return typ.empty() || equal_ignoring_case(typ, "JWT") || equal_ignoring_case(typ, "application/jwt");
}

// OIDC Core §3.1.3.7 steps 3 to 5.
result<void> check_audience(const json::object& claims, std::string_view client_id) {
  auto audience = required_audience(claims);
  if (!audience) return invalid(audience.error().detail);
  if (client_id.empty() || std::find(audience->begin(), audience->end(), client_id) == audience->end()) {
    return invalid(seen_and_expected("aud", join(*audience, " "), client_id));
  }
  std::string authorized_party;
  auto found = read(claims, "azp", authorized_party);
  if (found == member::wrong_type) return invalid("azp has the wrong type");
  if (found == member::absent && audience->size() > 1) return invalid("several audiences and no azp");
  if (found == member::present && authorized_party != client_id) {
    return invalid(seen_and_expected("azp", authorized_party, client_id));
  }
  return {};
}

// Steps 9 and 10.
result<void> check_moments(const json::object& claims, seconds leeway, time_point now) {
  auto expires = check_times(claims, leeway, now);
  if (!expires) return invalid(expires.error().detail);
  auto issued = required_time(claims, "iat");
  if (!issued) return invalid(issued.error().detail);
  if (*issued > now + leeway) {
    return invalid("iat is " + to_iso8601(*issued) + ", now is " + to_iso8601(now));
  }
  return {};
}

// Step 11.
result<void> check_nonce(const json::object& claims, std::string_view expected) {
  std::string nonce;
  if (read(claims, "nonce", nonce) != member::present || expected.empty()) {
    return fail(errc::provider_nonce_mismatch, "no nonce");
  }
  if (!equal_constant_time(nonce, expected)) return fail(errc::provider_nonce_mismatch, "another nonce");
  return {};
}

}  // namespace

result<identity> process_id_token(std::string_view id_token, const key_set& keys,
                                  const provider_metadata& provider, const id_token_rules& rules,
                                  time_point now) {
  auto jws = parse_jws(id_token);
  if (!jws) return invalid(jws.error().detail);
  if (!is_id_token_type(jws->header().typ))
    return invalid(seen_and_expected("typ", jws->header().typ, "JWT"));
  auto verified = verify_jws(*jws, keys, provider.id_token_algorithms);
  if (!verified) return unverified(verified.error(), provider.jwks_uri);
  auto claims = parse_json_object(verified->payload());
  if (!claims) return invalid("the payload is no JSON object");

  auto issuer = required_text(*claims, "iss");
  if (!issuer) return invalid(issuer.error().detail);
  auto expected = issuer_of_token(provider.issuer, *claims);
  if (expected.empty() || *issuer != expected) {
    return fail(errc::provider_issuer_mismatch,
                "id token: " + seen_and_expected("iss", *issuer, provider.issuer));
  }
  auto audience = check_audience(*claims, rules.client_id);
  if (!audience) return tl::unexpected(audience.error());
  auto moments = check_moments(*claims, rules.leeway, now);
  if (!moments) return tl::unexpected(moments.error());
  auto nonce = check_nonce(*claims, rules.nonce);
  if (!nonce) return tl::unexpected(nonce.error());

  identity who;
  who.provider = rules.provider;
  who.subject = text_member(*claims, "sub");
  if (!is_subject(who.subject)) return invalid("sub is absent or not 1 to 255 printable ASCII characters");
  who.subject = subject_of_token(provider.issuer, who.subject, *claims);
  if (!is_subject(who.subject)) return invalid("tid and sub are too long together");
  read_standard_claims(*claims, who, rules.claims);
  return who;
}

bool names_unknown_key(std::string_view id_token, const key_set& keys) {
  auto jws = parse_jws(id_token);
  return jws && !jws->header().kid.empty() && !keys.has_kid(jws->header().kid);
}

}  // namespace mcp_oauth
