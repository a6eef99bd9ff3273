#include "oauth/access_token.h"

#include "base/json.h"
#include "base/text.h"
#include "jose/jws.h"
#include "oauth/jwt_claims.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

// RFC 9068 §4 takes the short form and the full media type; media types have no case.
bool is_access_token_type(std::string_view typ) {
  return equal_ignoring_case(typ, "at+jwt") || equal_ignoring_case(typ, "application/at+jwt");
}

result<void> check_recipient(const json::object& claims, const token_rules& rules) {
  auto issuer = required_text(claims, "iss");
  if (!issuer) return tl::unexpected(issuer.error());
  if (*issuer != rules.issuer) {
    return fail(errc::token_issuer_mismatch, seen_and_expected("iss", *issuer, rules.issuer));
  }
  auto audience = required_audience(claims);
  if (!audience) return tl::unexpected(audience.error());
  bool ours = std::find(audience->begin(), audience->end(), rules.audience) != audience->end();
  if (!ours || rules.audience.empty()) {
    return fail(errc::token_audience_mismatch,
                seen_and_expected("aud", join(*audience, " "), rules.audience));
  }
  return {};
}

// RFC 9068 §2.2
result<access_claims> read_claims(const json::object& claims) {
  access_claims read_so_far;
  for (auto [name, to] : {std::pair<std::string_view, std::string*>{"iss", &read_so_far.issuer},
                          {"sub", &read_so_far.subject},
                          {"client_id", &read_so_far.client_id},
                          {"jti", &read_so_far.token_id}}) {
    auto value = required_text(claims, name);
    if (!value) return tl::unexpected(value.error());
    *to = std::move(*value);
  }
  auto issued = required_time(claims, "iat");
  if (!issued) return tl::unexpected(issued.error());
  read_so_far.issued = *issued;

  std::string scope;
  if (read(claims, "scope", scope) == member::wrong_type) {
    return fail(errc::token_malformed, "scope has the wrong type");
  }
  read_so_far.scopes = split_words(scope);
  read_so_far.grant_id = text_member(claims, "gid");
  read_so_far.provider = text_member(claims, "provider");
  read_so_far.email = text_member(claims, "email");
  read_so_far.name = text_member(claims, "name");
  return read_so_far;
}

}  // namespace

bool verified_token::is_for(std::string_view audience) const {
  if (audience.empty()) return false;
  return details_ ? holds(details_->audiences, audience) : claims_.audience == audience;
}

std::string mint_access_token(const access_claims& claims, const signing_key& key) {
  json::object payload;
  payload["iss"] = text(claims.issuer);
  payload["sub"] = text(claims.subject);
  payload["aud"] = text(claims.audience);
  payload["client_id"] = text(claims.client_id);
  payload["iat"] = to_unix(claims.issued);
  payload["exp"] = to_unix(claims.expires);
  payload["jti"] = text(claims.token_id);
  auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) payload[name] = text(value);
  };
  add("scope", join(claims.scopes, " "));
  add("gid", claims.grant_id);
  add("provider", claims.provider);
  add("email", claims.email);
  add("name", claims.name);
  return sign_jws(key, "at+jwt", key.public_part().kid(), json::serialize(payload));
}

result<verified_token> verify_access_token(std::string_view compact, const key_set& keys,
                                           const token_rules& rules, time_point now) {
  auto jws = parse_jws(compact);
  if (!jws) {
    auto code = jws.error().code == errc::jwt_malformed ? errc::token_malformed : jws.error().code;
    return fail(code, std::move(jws.error().detail));
  }
  if (!is_access_token_type(jws->header().typ)) {
    return fail(errc::token_type_wrong, seen_and_expected("typ", jws->header().typ, "at+jwt"));
  }
  auto verified = verify_jws(*jws, keys, rules.algorithms);
  if (!verified) return tl::unexpected(verified.error());
  auto payload = parse_json_object(verified->payload());
  if (!payload)
    return fail(errc::token_malformed, "the payload is no JSON object: " + payload.error().detail);

  auto recipient = check_recipient(*payload, rules);
  if (!recipient) return tl::unexpected(recipient.error());
  auto expires = check_times(*payload, rules.leeway, now);
  if (!expires) return tl::unexpected(expires.error());
  auto claims = read_claims(*payload);
  if (!claims) return tl::unexpected(claims.error());
  claims->audience = rules.audience;
  claims->expires = *expires;
  return verified_token(std::move(*claims));
}

}  // namespace mcp_oauth
