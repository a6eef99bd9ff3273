#include "oauth/introspection.h"

#include "base/base64url.h"
#include "base/form.h"
#include "base/text.h"
#include "jose/jws.h"
#include "oauth/foreign_claims.h"
#include "oauth/jwt_claims.h"
#include "oauth/near_miss.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr seconds assertion_life{60};

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

// RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
std::string basic_credentials(const introspection_client& client) {
  return "Basic " + base64_encode(percent_encode(client.client_id) + ":" +
                                  percent_encode(client.client_secret.reveal()));
}

// RFC 7523 §3
std::string client_assertion(std::string_view endpoint, const introspection_client& client, time_point now,
                             const random_fn& random) {
  json::object claims;
  claims["iss"] = text(client.client_id);
  claims["sub"] = text(client.client_id);
  claims["aud"] = text(client.audience.empty() ? endpoint : std::string_view(client.audience));
  claims["iat"] = to_unix(now);
  claims["exp"] = to_unix(now + assertion_life);
  claims["jti"] = base64url_encode(random(16));
  auto kid = client.key_id.empty() ? client.key->public_part().kid() : client.key_id;
  return sign_jws(*client.key, "JWT", kid, json::serialize(claims));
}

tl::unexpected<error> failed(std::string why) { return fail(errc::introspection_failed, std::move(why)); }

std::string how_answered(const http_answer& answer) {
  std::string words = "status " + std::to_string(answer.status);
  switch (answer.status) {
    case 401:
    case 403: return words + ": our credentials are refused, or may not introspect";
    case 404:
    case 405: return words + ": nothing is introspected at this URL";
    case 429: return words + ": we ask too often";
    default:
      return answer.status >= 300 && answer.status < 400 ? words + ": a redirect, which is not followed"
                                                         : words;
  }
}

// RFC 7662 §2.2; gives the members of an answer about an active token.
result<json::object> read_answer(const http_answer& answer) {
  if (answer.status != 200) return failed(how_answered(answer));
  auto members = parse_json_object(answer.body);
  if (!members) {
    return failed(looks_like_a_page(answer.body) ? "a web page, and no JSON"
                                                 : "no JSON object: " + members.error().detail);
  }
  bool active = false;
  if (read(*members, "active", active) != member::present) return failed("no `active`, or not a boolean");
  if (!active) return fail(errc::token_inactive);
  return std::move(*members);
}

result<void> check_stated_issuer(const json::object& members, const issuer_rules& rules) {
  if (find_claim(members, "iss") == nullptr) return {};
  auto issuer = required_text(members, "iss");
  if (!issuer) return tl::unexpected(issuer.error());
  if (is_issuer_of_rules(rules, *issuer)) return {};
  auto words = how_issuers_differ(*issuer, rules.issuer);
  return fail(errc::token_issuer_mismatch,
              "introspection: " + seen_and_expected("iss", *issuer, rules.issuer) +
                  (words.empty() ? "" : " (" + words + ")"));
}

}  // namespace

http_call introspection_request(std::string_view endpoint, const introspection_client& client,
                                std::string_view token, time_point now, const random_fn& random) {
  http_call call{"POST",
                 std::string(endpoint),
                 {{"Accept", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}},
                 ""};
  form body;
  body.add("token", std::string(token));
  body.add("token_type_hint", "access_token");
  switch (client.method) {
    case endpoint_authentication::client_secret_basic:
      call.fields.add("Authorization", basic_credentials(client));
      break;
    case endpoint_authentication::client_secret_post:
      body.add("client_id", client.client_id);
      body.add("client_secret", std::string(client.client_secret.reveal()));
      break;
    case endpoint_authentication::private_key_jwt:
      body.add("client_id", client.client_id);
      body.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
      if (client.key) body.add("client_assertion", client_assertion(endpoint, client, now, random));
      break;
  }
  call.body = body.encode();
  return call;
}

result<verified_token> process_introspection_answer(const http_answer& answer, const issuer_rules& rules,
                                                    const introspection_rules& introspection,
                                                    time_point now) {
  auto members = read_answer(answer);
  if (!members) return tl::unexpected(members.error());
  auto issuer = check_stated_issuer(*members, rules);
  if (!issuer) return tl::unexpected(issuer.error());
  auto kind = check_stated_kind(*members, rules);
  if (!kind) return tl::unexpected(kind.error());
  auto audience = check_audience(*members, rules);
  if (!audience) return tl::unexpected(audience.error());
  std::optional<time_point> otherwise;
  if (introspection.life_without_exp) otherwise = now + *introspection.life_without_exp;
  auto expires = check_moments(*members, rules, otherwise, now);
  if (!expires) return tl::unexpected(expires.error());
  auto required = check_required(*members, rules);
  if (!required) return tl::unexpected(required.error());
  auto who = read_foreign_claims(*members, rules);
  if (!who) return tl::unexpected(who.error());
  token_details details;
  auto bound = read_confirmation(*members, details);
  if (!bound) return tl::unexpected(bound.error());

  if (who->issuer.empty()) who->issuer = rules.issuer;
  who->audience = audience->ours;
  who->expires = *expires;
  details.audiences = std::move(audience->all);
  details.claims = std::move(*members);
  return foreign_token::of(std::move(*who), std::move(details));
}

result<verified_token> process_introspection_answer(const verified_token& jwt, const http_answer& answer,
                                                    const issuer_rules& rules, time_point now) {
  auto members = read_answer(answer);
  if (!members) return tl::unexpected(members.error());
  auto issuer = check_stated_issuer(*members, rules);
  if (!issuer) return tl::unexpected(issuer.error());
  auto kind = check_stated_kind(*members, rules);
  if (!kind) return tl::unexpected(kind.error());

  auto who = jwt.claims();
  token_details details = *jwt.details();
  if (find_claim(*members, "aud") != nullptr) {
    auto audience = check_audience(*members, rules);
    if (!audience) return tl::unexpected(audience.error());
    who.audience = audience->ours;
    details.audiences = std::move(audience->all);
  }
  // What the token says has been checked; the answer can only end it sooner.
  issuer_rules times;
  times.leeway = rules.leeway;
  auto expires = check_moments(*members, times, who.expires, now);
  if (!expires) return tl::unexpected(expires.error());
  who.expires = std::min(who.expires, *expires);
  auto subject = text_member(*members, "sub");
  if (!subject.empty() && subject != text_member(details.claims, "sub")) {
    return fail(errc::token_subject_mismatch,
                seen_and_expected("introspection: sub", subject, text_member(details.claims, "sub")));
  }
  auto scopes = scopes_of(*members, rules.claims.scopes);
  if (!scopes) return tl::unexpected(scopes.error());
  who.scopes = std::move(*scopes);
  token_details said;
  auto bound = read_confirmation(*members, said);
  if (!bound) return tl::unexpected(bound.error());
  for (auto [ours, theirs] : {std::pair{&details.key_thumbprint, &said.key_thumbprint},
                              {&details.certificate_thumbprint, &said.certificate_thumbprint}}) {
    if (ours->empty()) *ours = *theirs;
    if (!theirs->empty() && *ours != *theirs) return failed("its cnf is another one than the token's");
  }
  return foreign_token::of(std::move(who), std::move(details));
}

}  // namespace mcp_oauth
