#include "base/base64url.h"
#include "base/form.h"
#include "base/json.h"
#include "base/text.h"
#include "oauth/endpoint_form.h"
#include "provider/issuer.h"
#include "provider/oidc.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

bool holds(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// A provider's own words, short and on one line.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 300;
  std::string line(text.substr(0, longest));
  std::replace_if(line.begin(), line.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, ' ');
  return line;
}

std::string refusal(const json::object& body, int status) {
  auto code = text_member(body, "error");
  auto words = text_member(body, "error_description");
  std::string detail = code.empty() ? "status " + std::to_string(status) : in_quotes(code);
  if (!words.empty()) detail += ": " + in_quotes(words);
  return detail;
}

// A number, or the digits some providers send as a string.
std::optional<seconds> lifetime(const json::object& body) {
  constexpr std::int64_t longest = 10LL * 365 * 24 * 3600;
  std::int64_t value = 0;
  if (read(body, "expires_in", value) != member::present) {
    auto digits = parse_decimal(text_member(body, "expires_in"));
    if (!digits) return std::nullopt;
    value = static_cast<std::int64_t>(std::min<std::uint64_t>(*digits, static_cast<std::uint64_t>(longest)));
  }
  return seconds(std::clamp<std::int64_t>(value, 0, longest));
}

// What is not printable ASCII could end the header that it is sent in.
bool is_usable_bearer(const json::object& body, const secret& token) {
  std::string type;
  auto found = read(body, "token_type", type);
  if (found != member::absent && !equal_ignoring_case(type, "Bearer")) return false;
  auto text = token.reveal();
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; });
}

// GitHub answers form-encoded unless it takes notice of Accept.
result<json::object> read_token_body(const http_answer& answer) {
  if (!is_media_type(answer.fields.only("content-type").value_or(""), "application/x-www-form-urlencoded")) {
    return parse_json_object(answer.body);
  }
  auto pairs = form::parse(answer.body);
  if (!pairs) return tl::unexpected(pairs.error());
  json::object body;
  for (const auto& [name, value] : *pairs) {
    if (body.contains(name)) return fail(errc::json_malformed, "a parameter twice");
    body[name] = value;
  }
  return body;
}

}  // namespace

std::string authorization_url(const provider_metadata& provider, const sign_in_request& request) {
  auto scopes = request.scopes;
  bool openid = provider.speaks == sign_in_protocol::openid;
  if (openid && !holds(scopes, "openid")) scopes.insert(scopes.begin(), "openid");

  form parameters;
  parameters.add("response_type", "code");
  parameters.add("client_id", request.client_id);
  parameters.add("redirect_uri", request.redirect_uri);
  if (!scopes.empty()) parameters.add("scope", join(scopes, " "));
  parameters.add("state", request.state);
  if (openid) parameters.add("nonce", request.nonce);
  parameters.add("code_challenge", request.code_challenge);
  parameters.add("code_challenge_method", "S256");
  if (!request.prompt.empty()) parameters.add("prompt", request.prompt);

  for (const auto& [name, value] : request.also) parameters.add(name, value);

  const auto& endpoint = provider.authorization_endpoint;
  return endpoint + (endpoint.find('?') == std::string::npos ? "?" : "&") + parameters.encode();
}

result<void> check_callback_iss(const provider_metadata& provider, std::optional<std::string_view> iss) {
  if (!iss && !provider.sends_iss) return {};
  if (!iss)
    return fail(errc::provider_issuer_mismatch, "no iss in the callback of a provider that announces it");
  if (provider.issuer.empty()) {
    return fail(errc::provider_issuer_mismatch, "iss of the callback is '" + in_quotes(*iss) +
                                                    "', and the provider has no issuer configured");
  }
  if (!is_issuer_of_callback(provider.issuer, *iss)) {
    return fail(errc::provider_issuer_mismatch,
                "iss of the callback is '" + in_quotes(*iss) + "', expected '" + provider.issuer + "'");
  }
  return {};
}

http_call code_exchange_request(const provider_metadata& provider, const code_exchange& exchange) {
  http_call call{"POST",
                 provider.token_endpoint,
                 {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}},
                 ""};
  form body;
  body.add("grant_type", "authorization_code");
  body.add("code", exchange.code);
  body.add("redirect_uri", exchange.redirect_uri);
  body.add("code_verifier", std::string(exchange.code_verifier.reveal()));

  const auto& methods = provider.token_endpoint_auth_methods;
  bool only_in_body = !holds(methods, "client_secret_basic") && holds(methods, "client_secret_post");
  if (exchange.client_secret.empty()) {
    body.add("client_id", exchange.client_id);
  } else if (only_in_body) {
    body.add("client_id", exchange.client_id);
    body.add("client_secret", std::string(exchange.client_secret.reveal()));
  } else {
    auto pair = percent_encode(exchange.client_id) + ":" + percent_encode(exchange.client_secret.reveal());
    call.fields.add("Authorization", "Basic " + base64_encode(pair));
  }
  call.body = body.encode();
  return call;
}

result<token_answer> process_token_answer(const http_answer& answer, sign_in_protocol spoken) {
  if (answer.status >= 500 || answer.status == 429) {
    return fail(errc::provider_unreachable,
                "status " + std::to_string(answer.status) + " from the token endpoint");
  }
  auto body = read_token_body(answer);
  // Some providers answer errors with status 200.
  if (answer.status != 200 || (body && body->contains("error"))) {
    return fail(errc::provider_refused, refusal(body.value_or(json::object()), answer.status));
  }
  if (!body) return fail(errc::provider_token_invalid, "the token answer is no JSON object");

  auto text = [&](std::string_view name) { return secret(text_member(*body, name)); };
  token_answer tokens{text("id_token"), text("access_token"), text("refresh_token"), lifetime(*body),
                      text_member(*body, "scope")};
  if (!is_usable_bearer(*body, tokens.access_token)) tokens.access_token.clear();
  if (spoken == sign_in_protocol::openid && tokens.id_token.empty()) {
    return fail(errc::provider_token_invalid, "no id_token in the token answer");
  }
  if (spoken == sign_in_protocol::oauth2 && tokens.access_token.empty()) {
    return fail(errc::provider_token_invalid, "no Bearer access_token in the token answer");
  }
  return tokens;
}

}  // namespace mcp_oauth
