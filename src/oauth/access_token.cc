#include "oauth/access_token.h"

#include "base/json.h"
#include "base/text.h"
#include "jose/jws.h"
#include "oauth/examine.h"
#include "oauth/jwt_claims.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

// RFC 9068 §4 takes the short form and the full media type; media types have no case.
bool is_access_token_type(std::string_view typ) {
  return equal_ignoring_case(typ, "at+jwt") || equal_ignoring_case(typ, "application/at+jwt");
}

result<void> check_issuer(const json::object& claims, const token_rules& rules) {
  auto issuer = required_text(claims, "iss");
  if (!issuer) return tl::unexpected(issuer.error());
  if (*issuer != rules.issuer) {
    return fail(errc::token_issuer_mismatch, seen_and_expected("iss", *issuer, rules.issuer));
  }
  return {};
}

result<void> check_own_audience(const json::object& claims, const token_rules& rules) {
  auto audience = required_audience(claims);
  if (!audience) return tl::unexpected(audience.error());
  bool ours = std::find(audience->begin(), audience->end(), rules.audience) != audience->end();
  if (!ours || rules.audience.empty()) {
    return fail(errc::token_audience_mismatch,
                seen_and_expected("aud", join(*audience, " "), rules.audience));
  }
  return {};
}

result<unverified_jws> parse_token(std::string_view compact) {
  auto jws = parse_jws(compact);
  if (jws || jws.error().code != errc::jwt_malformed) return jws;
  return fail(errc::token_malformed, std::move(jws.error().detail));
}

result<void> check_type(const unverified_jws& jws) {
  if (is_access_token_type(jws.header().typ)) return {};
  return fail(errc::token_type_wrong, seen_and_expected("typ", jws.header().typ, "at+jwt"));
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
  auto jws = parse_token(compact);
  if (!jws) return tl::unexpected(jws.error());
  auto type = check_type(*jws);
  if (!type) return tl::unexpected(type.error());
  auto verified = verify_jws(*jws, keys, rules.algorithms);
  if (!verified) return tl::unexpected(verified.error());
  auto payload = parse_json_object(verified->payload());
  if (!payload)
    return fail(errc::token_malformed, "the payload is no JSON object: " + payload.error().detail);

  auto issuer = check_issuer(*payload, rules);
  if (!issuer) return tl::unexpected(issuer.error());
  auto audience = check_own_audience(*payload, rules);
  if (!audience) return tl::unexpected(audience.error());
  auto expires = check_times(*payload, rules.leeway, now);
  if (!expires) return tl::unexpected(expires.error());
  auto claims = read_claims(*payload);
  if (!claims) return tl::unexpected(claims.error());
  claims->audience = rules.audience;
  claims->expires = *expires;
  return verified_token(std::move(*claims));
}

token_examination examine_access_token(std::string_view compact, const key_set* keys,
                                       const token_rules& rules, time_point now) {
  token_examination told;
  told.unverified = unverified_claims(compact);
  auto add = [&](token_check what, std::optional<result<void>> said) {
    told.findings.push_back({what, std::move(said)});
  };
  auto jws = parse_token(compact);
  result<void> form;
  if (!jws) form = tl::unexpected(jws.error());
  if (jws && !told.unverified) form = fail(errc::token_malformed, "the payload is no JSON object");
  add(token_check::form, form);
  add(token_check::type, jws ? std::optional(check_type(*jws)) : std::nullopt);
  std::optional<result<void>> signature;
  if (jws && keys != nullptr) {
    auto verified = verify_jws(*jws, *keys, rules.algorithms);
    signature = verified ? result<void>() : tl::unexpected(verified.error());
  }
  add(token_check::signature, std::move(signature));
  if (!told.unverified) {
    for (auto what : {token_check::issuer, token_check::audience, token_check::times, token_check::claims})
      add(what, std::nullopt);
    return told;
  }
  const auto& claims = *told.unverified;
  auto only_said = [](const auto& checked) {
    return checked ? result<void>() : result<void>(tl::unexpected(checked.error()));
  };
  add(token_check::issuer, check_issuer(claims, rules));
  add(token_check::audience, check_own_audience(claims, rules));
  add(token_check::times, only_said(check_times(claims, rules.leeway, now)));
  add(token_check::claims, only_said(read_claims(claims)));
  return told;
}

result<access_claims> read_unverified(const json::object& claims, const token_rules& rules) {
  auto who = read_claims(claims);
  if (who && check_own_audience(claims, rules)) who->audience = rules.audience;
  return who;
}

}  // namespace mcp_oauth
