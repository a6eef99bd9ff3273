#include "bridge/token_requests.h"

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "bridge/metadata.h"
#include "jose/digest.h"
#include "jose/jws.h"
#include "oauth/displayable.h"

#include <algorithm>
#include <array>
#include <limits>

namespace mcp_oauth {
namespace {

struct method_row {
  bridge_client_auth auth;
  std::string_view name;
};
constexpr auto methods = std::to_array<method_row>({
    {bridge_client_auth::none, "none"},
    {bridge_client_auth::body, "client_secret_post"},
    {bridge_client_auth::header, "client_secret_basic"},
    {bridge_client_auth::private_key_jwt, "private_key_jwt"},
});

json::value text(std::string_view s) { return json::string(s.data(), s.size()); }

std::string assertion(const client_proof& client, const random_fn& random, time_point now) {
  json::object claims;
  claims["iss"] = text(client.client_id);
  claims["sub"] = text(client.client_id);
  claims["aud"] = text(client.audience);
  claims["jti"] = text(base64url_encode(random(16)));
  claims["iat"] = to_unix(now);
  claims["exp"] = to_unix(now + seconds(60));
  return sign_jws(*client.key, "JWT", client.key_id, json::serialize(claims));
}

// RFC 6749 §2.3.1: each part as in a form, with '+' for a space.
std::string form_encoded(std::string_view part) {
  form one;
  one.add("x", std::string(part));
  return one.encode().substr(2);
}

bool is_token_text(std::string_view token) {
  return !token.empty() &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

std::optional<seconds> lifetime_of(const json::object& o) {
  const auto* value = o.if_contains("expires_in");
  if (value == nullptr) return std::nullopt;
  std::int64_t count = -1;
  if (value->is_string()) {
    auto parsed = parse_decimal(trim(std::string_view(value->as_string())));
    if (parsed && *parsed <= std::numeric_limits<std::int32_t>::max())
      count = static_cast<std::int64_t>(*parsed);
  } else {
    read(o, "expires_in", count);
  }
  // Zero says that it has ended already: nobody means that.
  constexpr std::int64_t ten_years = 315'360'000;
  if (count <= 0) return std::nullopt;
  return seconds(std::min(count, ten_years));
}

error refusal(const http_answer& answer, const json::object& o) {
  auto code = displayable(text_member(o, "error"));
  auto words = displayable(text_member(o, "error_description"));
  error why;
  why.detail = "OAuth2 token request failed (status " + std::to_string(answer.status) +
               "): " + (words.empty() ? code : words).substr(0, 400);
  if (!words.empty()) why.detail += " [" + code.substr(0, 60) + "]";
  if (code == "invalid_grant") {
    why.code = errc::sign_in_grant_ended;
  } else if (code == "invalid_client" || code == "unauthorized_client") {
    why.code = errc::sign_in_client_unknown;
  } else if (code == "temporarily_unavailable" || code == "slow_down" || answer.status == 429 ||
             answer.status >= 500) {
    why.code = errc::sign_in_token_unreachable;
  } else {
    why.code = errc::sign_in_token_refused;
  }
  return why;
}

}  // namespace

std::optional<bridge_client_auth> client_auth_from_name(std::string_view name) {
  for (const auto& row : methods) {
    if (row.name == name) return row.auth;
  }
  return std::nullopt;
}

bridge_client_auth choose_client_auth(const std::optional<bridge_client_auth>& wanted, bool has_secret,
                                      bool has_key, const std::vector<std::string>& offered,
                                      bridge_client_auth fallback) {
  if (has_key) return bridge_client_auth::private_key_jwt;
  if (!has_secret) return bridge_client_auth::none;
  if (wanted) return *wanted;
  bool basic = holds(offered, "client_secret_basic"), post = holds(offered, "client_secret_post");
  if (basic != post) return basic ? bridge_client_auth::header : bridge_client_auth::body;
  return fallback;
}

http_call token_request(const std::string& endpoint, form parameters, const client_proof& client,
                        const random_fn& random, time_point now) {
  http_call call;
  call.method = "POST";
  call.url = endpoint;
  call.fields.add("Accept", "application/json");
  call.fields.add("Content-Type", "application/x-www-form-urlencoded");
  switch (client.auth) {
    case bridge_client_auth::none: parameters.add("client_id", client.client_id); break;
    case bridge_client_auth::body:
      parameters.add("client_id", client.client_id);
      parameters.add("client_secret", std::string(client.client_secret.reveal()));
      break;
    case bridge_client_auth::header:
      call.fields.add("Authorization", "Basic " + base64_encode(form_encoded(client.client_id) + ":" +
                                                                form_encoded(client.client_secret.reveal())));
      break;
    case bridge_client_auth::private_key_jwt:
      parameters.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
      parameters.add("client_assertion", assertion(client, random, now));
      break;
  }
  call.body = parameters.encode();
  return call;
}

std::string oauth_error_of(const http_answer& answer) {
  auto o = parse_json_object(answer.body);
  return o ? text_member(*o, "error") : "";
}

bool refuses_resource(std::string_view words) {
  return words.find("AADSTS9010010") != std::string_view::npos ||
         words.find("AADSTS901002") != std::string_view::npos;
}

result<token_grant> read_token_answer(const http_answer& answer) {
  auto o = parse_json_object(answer.body);
  if (!o) {
    // Not quoted: it may well be tokens in another form.
    bool passing = answer.status == 429 || answer.status >= 500;
    return fail(passing ? errc::sign_in_token_unreachable : errc::sign_in_token_invalid,
                "OAuth2 token endpoint returned non-JSON body (" + told_of_answer(answer) + ")");
  }
  if (answer.status != 200 || !text_member(*o, "error").empty())
    return tl::unexpected<error>(refusal(answer, *o));
  token_grant grant;
  grant.access_token = secret(text_member(*o, "access_token"));
  if (!is_token_text(grant.access_token.reveal()))
    return fail(errc::sign_in_token_invalid,
                "the token answer has no access_token, or one that no header can hold");
  auto type = text_member(*o, "token_type");
  grant.dpop = equal_ignoring_case(type, "DPoP");
  // N_A is what an assertion comes with that is no access token (RFC 8693 §2.2.1).
  if (!type.empty() && !grant.dpop && !equal_ignoring_case(type, "Bearer") &&
      !equal_ignoring_case(type, "N_A"))
    return fail(errc::sign_in_token_invalid, "a token_type that is not understood: " + displayable(type));
  grant.refresh_token = secret(text_member(*o, "refresh_token"));
  grant.id_token = secret(text_member(*o, "id_token"));
  grant.scope = text_member(*o, "scope");
  grant.issued_token_type = text_member(*o, "issued_token_type");
  grant.lifetime = lifetime_of(*o);
  return grant;
}

std::string dpop_proof(const signing_key& key, std::string_view method, std::string_view url,
                       std::string_view access_token, std::string_view nonce, const random_fn& random,
                       time_point now) {
  json::object jwk;
  auto all = key.public_part().to_jwk();
  for (std::string_view name : {"kty", "crv", "x", "y", "n", "e"}) {
    if (const auto* value = all.if_contains(name)) jwk[name] = *value;
  }
  json::object header;
  header["typ"] = "dpop+jwt";
  header["alg"] = text(to_name(key.alg()));
  header["jwk"] = std::move(jwk);
  json::object claims;
  claims["jti"] = text(base64url_encode(random(16)));
  claims["htm"] = text(method);
  claims["htu"] = text(url.substr(0, url.find_first_of("?#")));
  claims["iat"] = to_unix(now);
  if (!access_token.empty()) claims["ath"] = text(base64url_encode(sha256_bytes(access_token)));
  if (!nonce.empty()) claims["nonce"] = text(nonce);
  auto compact = base64url_encode(json::serialize(header)) + '.' + base64url_encode(json::serialize(claims));
  return compact + '.' + base64url_encode(key.sign(compact));
}

}  // namespace mcp_oauth
