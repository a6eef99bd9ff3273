#include "base/form.h"
#include "base/text.h"
#include "provider/issuer.h"
#include "provider/oidc.h"
#include "provider/words_of_provider.h"

namespace mcp_oauth {
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
    return fail(errc::provider_issuer_mismatch, "iss of the callback is '" + words_of_provider(*iss) +
                                                    "', and the provider has no issuer configured");
  }
  if (!is_issuer_of_callback(provider.issuer, *iss)) {
    return fail(errc::provider_issuer_mismatch, "iss of the callback is '" + words_of_provider(*iss) +
                                                    "', expected '" + provider.issuer + "'");
  }
  return {};
}

}  // namespace mcp_oauth
