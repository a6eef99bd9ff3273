#include "base/base64url.h"
#include "base/form.h"
#include "base/json.h"
#include "base/text.h"
#include "oauth/endpoint_form.h"
#include "provider/oidc.h"
#include "provider/words_of_provider.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

std::string refusal(const json::object& body, int status, sent_secrets sent) {
  auto code = text_member(body, "error");
  auto words = text_member(body, "error_description");
  std::string detail = code.empty() ? "status " + std::to_string(status) : words_of_provider(code, sent);
  if (!words.empty()) detail += ": " + words_of_provider(words, sent);
  return detail;
}

// A number, or the digits some providers send as a string. None, and no moment either: not said.
std::optional<seconds> lifetime(const json::object& body) {
  constexpr std::int64_t longest = 10LL * 365 * 24 * 3600;
  std::int64_t value = 0;
  if (read(body, "expires_in", value) != member::present) {
    auto digits = parse_decimal(text_member(body, "expires_in"));
    if (!digits) return std::nullopt;
    value = static_cast<std::int64_t>(std::min<std::uint64_t>(*digits, static_cast<std::uint64_t>(longest)));
  }
  if (value <= 0) return std::nullopt;
  return seconds(std::min(value, longest));
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

http_call token_request(const provider_metadata& provider, const std::string& client_id,
                        const secret& client_secret, form body) {
  http_call call{"POST",
                 provider.token_endpoint,
                 {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}},
                 ""};
  const auto& methods = provider.token_endpoint_auth_methods;
  bool only_in_body = !holds(methods, "client_secret_basic") && holds(methods, "client_secret_post");
  if (client_secret.empty()) {
    body.add("client_id", client_id);
  } else if (only_in_body) {
    body.add("client_id", client_id);
    body.add("client_secret", std::string(client_secret.reveal()));
  } else {
    auto pair = percent_encode(client_id) + ":" + percent_encode(client_secret.reveal());
    call.fields.add("Authorization", "Basic " + base64_encode(pair));
  }
  call.body = body.encode();
  return call;
}

token_answer read_tokens(const json::object& body) {
  auto text = [&](std::string_view name) { return secret(text_member(body, name)); };
  token_answer tokens{text("id_token"), text("access_token"), text("refresh_token"), lifetime(body),
                      text_member(body, "scope")};
  if (!is_usable_bearer(body, tokens.access_token)) tokens.access_token.clear();
  return tokens;
}

// Which refusals of a refresh are about the person, and end what was granted (RFC 6749 §5.2, OpenID Connect
// Core §3.1.2.6, GitHub), and which say that the provider cannot answer just now.
constexpr auto endings = std::to_array<std::string_view>(
    {"invalid_grant", "bad_refresh_token", "interaction_required", "consent_required", "login_required",
     "account_selection_required", "access_denied"});
constexpr auto pauses =
    std::to_array<std::string_view>({"temporarily_unavailable", "server_error", "slow_down"});

}  // namespace

http_call code_exchange_request(const provider_metadata& provider, const code_exchange& exchange) {
  form body;
  body.add("grant_type", "authorization_code");
  body.add("code", exchange.code);
  body.add("redirect_uri", exchange.redirect_uri);
  body.add("code_verifier", std::string(exchange.code_verifier.reveal()));
  return token_request(provider, exchange.client_id, exchange.client_secret, std::move(body));
}

http_call token_refresh_request(const provider_metadata& provider, const token_refresh& refresh) {
  form body;
  body.add("grant_type", "refresh_token");
  body.add("refresh_token", std::string(refresh.refresh_token.reveal()));
  return token_request(provider, refresh.client_id, refresh.client_secret, std::move(body));
}

result<token_answer> process_token_answer(const http_answer& answer, sign_in_protocol spoken,
                                          sent_secrets sent) {
  if (answer.status >= 500 || answer.status == 429) {
    return fail(errc::provider_unreachable,
                "status " + std::to_string(answer.status) + " from the token endpoint");
  }
  auto body = read_token_body(answer);
  // Some providers answer errors with status 200.
  if (answer.status != 200 || (body && body->contains("error"))) {
    return fail(errc::provider_refused, refusal(body.value_or(json::object()), answer.status, sent));
  }
  if (!body) return fail(errc::provider_token_invalid, "the token answer is no JSON object");

  auto tokens = read_tokens(*body);
  if (spoken == sign_in_protocol::openid && tokens.id_token.empty()) {
    return fail(errc::provider_token_invalid, "no id_token in the token answer");
  }
  if (spoken == sign_in_protocol::oauth2 && tokens.access_token.empty()) {
    return fail(errc::provider_token_invalid, "no Bearer access_token in the token answer");
  }
  return tokens;
}

result<token_answer> process_refresh_answer(const http_answer& answer, sent_secrets sent) {
  auto body = read_token_body(answer);
  auto said = body ? text_member(*body, "error") : std::string();
  auto is_one_of = [&](const auto& list) { return std::find(list.begin(), list.end(), said) != list.end(); };
  // Before the status: what a provider says of the person counts with any but that of a failure.
  if (answer.status >= 500 || answer.status == 429 || is_one_of(pauses)) {
    return fail(errc::provider_unreachable,
                "status " + std::to_string(answer.status) + " from the token endpoint");
  }
  if (is_one_of(endings)) return fail(errc::provider_sign_in_needed, refusal(*body, answer.status, sent));
  if (answer.status != 200 || !said.empty()) {
    return fail(errc::provider_refused, refusal(body.value_or(json::object()), answer.status, sent));
  }
  if (!body) return fail(errc::provider_token_invalid, "the token answer is no JSON object");
  auto tokens = read_tokens(*body);
  if (tokens.access_token.empty()) {
    return fail(errc::provider_token_invalid, "no Bearer access_token in the token answer");
  }
  return tokens;
}

}  // namespace mcp_oauth
