#include "oauth/token_request.h"

#include "oauth/endpoint_form.h"
#include "oauth/pkce.h"
#include "oauth/redirect_uri.h"
#include "oauth/scope.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_grant_type = 256;
constexpr std::size_t longest_code = 1024;
constexpr std::size_t longest_refresh_token = 4096;
constexpr std::size_t longest_verifier = 1024;  // over 128 is malformed; beyond this it is not even looked at

std::vector<std::string> resources_of(const form& body) {
  std::vector<std::string> resources;
  for (auto resource : body.all("resource")) resources.emplace_back(resource);
  return resources;
}

result<token_grant> parse_code_grant(const form& body) {
  auto code = required_parameter(body, "code", longest_code);
  if (!code) return tl::unexpected(code.error());
  auto redirect_uri = optional_parameter(body, "redirect_uri", longest_redirect_uri);
  if (!redirect_uri) return tl::unexpected(redirect_uri.error());
  auto verifier = optional_parameter(body, "code_verifier", longest_verifier);
  if (!verifier) return tl::unexpected(verifier.error());
  if (!*verifier) return fail(errc::pkce_missing, "no code_verifier");
  if (!is_code_verifier(**verifier))
    return fail(errc::pkce_malformed, diagnose_code_verifier(**verifier, {}));
  return code_grant{secret(std::move(*code)), std::move(*redirect_uri), secret(std::move(**verifier)),
                    resources_of(body)};
}

result<token_grant> parse_refresh_grant(const form& body) {
  auto token = required_parameter(body, "refresh_token", longest_refresh_token);
  if (!token) return tl::unexpected(token.error());
  auto scope = optional_parameter(body, "scope", longest_scope);
  if (!scope) return tl::unexpected(scope.error());
  refresh_grant grant{secret(std::move(*token)), std::nullopt, resources_of(body)};
  if (*scope) {
    auto scopes = parse_scope(**scope);
    if (!scopes) return tl::unexpected(scopes.error());
    if (!scopes->empty()) grant.scopes = std::move(*scopes);
  }
  return grant;
}

}  // namespace

result<token_request> parse_token_request(const http_fields& fields, const form& body) {
  auto client = parse_client_credentials(fields, body);
  if (!client) return tl::unexpected(client.error());
  auto grant_type = required_parameter(body, "grant_type", longest_grant_type);
  if (!grant_type) return tl::unexpected(grant_type.error());
  if (*grant_type != "authorization_code" && *grant_type != "refresh_token") {
    return fail(errc::grant_type_unsupported, "neither authorization_code nor refresh_token");
  }
  auto grant = *grant_type == "refresh_token" ? parse_refresh_grant(body) : parse_code_grant(body);
  if (!grant) return tl::unexpected(grant.error());
  return token_request{std::move(*client), std::move(*grant)};
}

result<void> check_grant_type(const token_grant& grant, const client_metadata& client) {
  std::string_view type = std::holds_alternative<code_grant>(grant) ? "authorization_code" : "refresh_token";
  const auto& registered = client.grant_types;
  bool named = std::find(registered.begin(), registered.end(), type) != registered.end();
  bool by_default = registered.empty() && type == "authorization_code";  // RFC 7591 §2
  if (!named && !by_default) {
    return fail(errc::client_not_allowed, "the client did not register for " + std::string(type));
  }
  return {};
}

result<void> check_code_redirect_uri(const code_grant& grant, std::string_view redirect_uri_of_code) {
  if (grant.redirect_uri && *grant.redirect_uri != redirect_uri_of_code) {
    return fail(errc::code_client_mismatch, "redirect_uri differs from the authorization request");
  }
  return {};
}

}  // namespace mcp_oauth
