#include "oauth/authorization_request.h"

#include "oauth/authorization_checks.h"
#include "oauth/client_authentication.h"
#include "oauth/endpoint_form.h"
#include "oauth/error_description.h"
#include "oauth/redirect_uri.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_state = 4096;
constexpr std::size_t longest_login_hint = 256;

// The redirect URI stands first: until it is settled, nobody but the user may be told (RFC 6749 §4.1.2.1).
constexpr std::array<ordered_check, 8> checks = {{
    {"redirect_uri", check_redirect_uri, told_to::user},
    {"parameters", check_parameters, told_to::client},
    {"response_type", check_response_type, told_to::client},
    {"response_mode", check_response_mode, told_to::client},
    {"pkce", check_pkce, told_to::client},
    {"scope", check_scope, told_to::client},
    {"resource", check_resource, told_to::client},
    {"prompt", check_prompt, told_to::client},
}};

// RFC 6749 §4.1.2.1, RFC 8707 §2, OpenID Connect Core §3.1.2.6
constexpr std::array<std::string_view, 11> authorization_errors = {
    "invalid_request", "unauthorized_client",  "access_denied",    "unsupported_response_type",
    "invalid_scope",   "server_error",         "invalid_target",   "temporarily_unavailable",
    "login_required",  "interaction_required", "consent_required",
};

std::string_view authorization_error(const symptom& row) {
  auto known = std::find(authorization_errors.begin(), authorization_errors.end(), row.oauth_error);
  if (known != authorization_errors.end()) return *known;
  if (row.status == 429 || row.status == 503) return "temporarily_unavailable";
  return row.status >= 500 ? "server_error" : "invalid_request";
}

bool is_printable(std::string_view text) {  // VSCHAR of RFC 6749 appendix A
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

std::span<const ordered_check> authorization_checks() { return checks; }

result<authorization_request> parse_authorization_request(const form& parameters) {
  authorization_request request;
  auto client_id = required_parameter(parameters, "client_id", longest_client_id);
  if (!client_id) return tl::unexpected(client_id.error());
  auto valid = check_client_id(*client_id);
  if (!valid) return tl::unexpected(valid.error());
  request.client_id = std::move(*client_id);

  auto redirect_uri = optional_parameter(parameters, "redirect_uri", longest_redirect_uri);
  if (!redirect_uri) return tl::unexpected(redirect_uri.error());
  if (*redirect_uri && !is_printable(**redirect_uri)) return fail(errc::parameter_malformed, "redirect_uri");
  request.redirect_uri = std::move(*redirect_uri);

  auto take = [&](std::string_view name) -> std::string {
    auto values = parameters.all(name);
    if (values.size() > 1) request.repeated.emplace_back(name);
    return values.size() == 1 ? std::string(values.front()) : std::string();
  };
  request.response_type = take("response_type");
  request.response_mode = take("response_mode");
  request.state = take("state");
  request.code_challenge = take("code_challenge");
  request.code_challenge_method = take("code_challenge_method");
  request.scope = take("scope");
  request.prompt = take("prompt");
  request.login_hint = take("login_hint");
  for (auto resource : parameters.all("resource")) request.resources.emplace_back(resource);

  request.state_malformed = request.state.size() > longest_state || !is_printable(request.state);
  if (request.state_malformed) request.state.clear();
  if (request.login_hint.size() > longest_login_hint || !is_printable(request.login_hint))
    request.login_hint.clear();
  return request;
}

tl::expected<approved_request, authorization_refusal> check_authorization_request(
    const authorization_request& request, const client_metadata& client, const server_rules& rules) {
  authorization_terms terms;
  terms.client_id = request.client_id;
  terms.state = request.state;
  terms.login_hint = request.login_hint;
  for (const auto& check : checks) {
    auto passed = check.run(request, client, rules, terms);
    if (passed) continue;
    authorization_refusal refusal{passed.error(), std::nullopt, request.state};
    if (check.whom == told_to::client) refusal.redirect_uri = terms.redirect_uri;
    return tl::unexpected(std::move(refusal));
  }
  return approved_request(std::move(terms));
}

std::string code_location(std::string_view redirect_uri, std::string_view code, std::string_view state,
                          std::string_view issuer) {
  form answer;
  answer.add("code", std::string(code));
  if (!state.empty()) answer.add("state", std::string(state));
  answer.add("iss", std::string(issuer));
  return redirect_with(redirect_uri, answer);
}

std::string error_location(std::string_view redirect_uri, const error& why, std::string_view state,
                           std::string_view issuer) {
  const auto& row = explain(why.code);
  form answer;
  answer.add("error", std::string(authorization_error(row)));
  answer.add("error_description", error_description(why));
  if (!state.empty()) answer.add("state", std::string(state));
  answer.add("iss", std::string(issuer));
  return redirect_with(redirect_uri, answer);
}

}  // namespace mcp_oauth
