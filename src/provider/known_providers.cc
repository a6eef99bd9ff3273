#include "provider/known_providers.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr auto rows = std::to_array<known_provider>({
    {
        .type = "google",
        .title = "Google",
        .issuer = "https://accounts.google.com",
        .offline_parameter = "access_type=offline",
        .offline_prompt = "consent",
        .prompts = "none consent select_account",
        .prompt_for_another = "select_account",
        .groups_claim = "",
        .client_id = client_id_shape::google,
        .registered_at = "https://console.cloud.google.com/apis/credentials",
    },
    {
        .type = "microsoft",
        .title = "Microsoft",
        .issuer = "https://login.microsoftonline.com/{tenant_id}/v2.0",
        .stated_issuer = issuer_rule::entra,
        .offline_scope = "offline_access",
        // `email` is what a directory's administrator wrote; only this says that the domain is theirs.
        .email_verified_field = "xms_edov",
        .client_id = client_id_shape::guid,
        .registered_at = "https://entra.microsoft.com, App registrations, Authentication, platform Web",
    },
    {
        .type = "github",
        .title = "GitHub",
        .speaks = sign_in_protocol::oauth2,
        .issuer = "https://github.com/login/oauth",
        .authorization_endpoint = "https://github.com/login/oauth/authorize",
        .token_endpoint = "https://github.com/login/oauth/access_token",
        .userinfo_endpoint = "https://api.github.com/user",
        .token_endpoint_auth_method = "client_secret_post",
        .emails_path = "/emails",
        .organization_path = "/memberships/orgs/{organization}",
        .team_path = "/orgs/{organization}/teams/{team}/memberships/{login}",
        .scopes = "read:user user:email",
        .organization_scope = "read:org",
        .refresh_ends_access_token = true,
        .prompts = "select_account",
        .prompt_for_another = "select_account",
        .subject_field = "id",
        .email_field = "email",
        .email_verified_field = "",
        .name_field = "name",
        .login_field = "login",
        .groups_claim = "",
        .registered_at = "https://github.com/settings/developers",
    },
    {
        .type = "okta",
        .title = "Okta",
        .issuer_example = "https://ORG.okta.com, or https://ORG.okta.com/oauth2/default",
        .offline_scope = "offline_access",
        .prompts = "none login consent",
        .registered_at = "the Okta admin console, Applications, Sign-in redirect URIs",
    },
    {
        .type = "auth0",
        .title = "Auth0",
        .issuer_example = "https://TENANT.auth0.com/",
        .issuer_part = "$/",
        .offline_scope = "offline_access",
        .prompts = "none login consent select_account",
        .audience_parameter = "audience",
        .registered_at = "https://manage.auth0.com, Applications, Allowed Callback URLs",
    },
    {
        .type = "keycloak",
        .title = "Keycloak",
        .issuer_example = "https://HOST/realms/REALM",
        .issuer_part = "/realms/",
        .offline_scope = "offline_access",
        .prompts = "none login consent select_account",
        .registered_at = "the Keycloak admin console, Clients, Valid redirect URIs",
    },
    {
        .type = "oidc",
        .title = "",
        .issuer_example = "https://idp.example.com",
        .offline_scope = "offline_access",
        .offline_prompt = "consent",
        .audience_parameter = "resource",
        .registered_at = "the provider's page for this gateway's registration",
    },
    {
        .type = "oauth2",
        .title = "",
        .speaks = sign_in_protocol::oauth2,
        .scopes = "",
        .audience_parameter = "resource",
        .registered_at = "the provider's page for this gateway's registration",
    },
});

}  // namespace

std::span<const known_provider> known_providers() { return rows; }

const known_provider* find_known_provider(std::string_view type) {
  if (type == "azure") type = "microsoft";
  auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.type == type; });
  return found == rows.end() ? nullptr : &*found;
}

bool fits(client_id_shape shape, std::string_view client_id) {
  switch (shape) {
    case client_id_shape::any: return true;
    case client_id_shape::google: return client_id.ends_with(".apps.googleusercontent.com");
    case client_id_shape::guid: return is_guid(client_id);
  }
  return true;
}

}  // namespace mcp_oauth
