#include "provider/provider_errors.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

// clang-format off
constexpr auto rows = std::to_array<provider_explanation>({
    // Microsoft Entra: the AADSTS codes of its reference of authentication errors.
    {"AADSTS50011", errc::provider_redirect_uri_mismatch,
     "The reply URL of the request is not among the redirect URIs of the app registration.",
     "In {registered_at}, add exactly {callback_url}."},
    {"AADSTS500113", errc::provider_redirect_uri_mismatch,
     "The app registration has no reply address at all.",
     "In {registered_at}, add exactly {callback_url}."},
    {"AADSTS65001", errc::provider_consent_missing,
     "Nobody consented yet to what providers.{name}.scopes asks for.",
     "Sign in again and consent (providers.{name}.prompt: consent asks every time), or let an administrator grant it: "
     "https://login.microsoftonline.com/{tenant_id}/adminconsent?client_id={client_id}"},
    {"AADSTS90094", errc::provider_consent_missing,
     "A scope needs the consent of an administrator.",
     "Remove the scope, or let an administrator open "
     "https://login.microsoftonline.com/{tenant_id}/adminconsent?client_id={client_id}"},
    {"AADSTS700016", errc::provider_client_refused,
     "The directory does not know the client id: it belongs to another directory, or is mistyped.",
     "Compare providers.{name}.client_id ({client_id}) and tenant_id with the Overview page of the app registration."},
    {"AADSTS7000215", errc::provider_client_refused,
     "The client secret is wrong. Often the secret's id was copied in place of its value.",
     "Create a secret under Certificates & secrets and set providers.{name}.client_secret to its Value, not its Secret ID."},
    {"AADSTS7000222", errc::provider_client_refused,
     "The client secret has expired.",
     "Create a new one under Certificates & secrets and set providers.{name}.client_secret."},
    {"AADSTS900144", errc::provider_setup_incomplete,
     "The request lacks a parameter that Entra needs.",
     "Look at providers.{name}: client_id and scopes must not be empty."},
    {"AADSTS9010010", errc::provider_setup_incomplete,
     "The resource parameter and the scopes name different APIs.",
     "Ask for one API in providers.{name}.scopes, and remove its audience if the type is oidc: use type microsoft."},
    {"AADSTS50020", errc::provider_account_refused,
     "The account is of another directory than the one that this registration admits.",
     "Sign in with an account of that directory, invite the account as a guest, or set providers.{name}.tenant_id: common with a multi-tenant registration."},
    {"AADSTS50194", errc::provider_setup_incomplete,
     "The app registration is for one directory, and tenant_id is {tenant_id}.",
     "Set providers.{name}.tenant_id to the directory's id, or make the registration multi-tenant."},
    {"AADSTS70008", errc::provider_sign_in_needed,
     "The code or refresh token has expired through age or disuse.",
     "Sign in again. If it happens at once, compare the clocks."},
    {"AADSTS700082", errc::provider_sign_in_needed,
     "The refresh token expired because it was not used for long.",
     "Sign in again."},
    {"AADSTS50173", errc::provider_sign_in_needed,
     "What was granted was revoked: the password was changed, or an administrator ended the sessions.",
     "Sign in again."},

    // Google
    {"redirect_uri_mismatch", errc::provider_redirect_uri_mismatch,
     "The redirect URI of the request is not registered for this client id.",
     "At {registered_at}, register exactly this: {callback_url}"},
    {"access_not_configured", errc::provider_setup_incomplete,
     "The API is not enabled for the project. Signing in needs none: a further scope in providers.{name}.scopes does.",
     "Remove the scopes beyond openid email profile, or enable their API at https://console.cloud.google.com/apis/library"},
    {"accessNotConfigured", errc::provider_setup_incomplete,
     "The API is not enabled for the project. Signing in needs none: a further scope in providers.{name}.scopes does.",
     "Remove the scopes beyond openid email profile, or enable their API at https://console.cloud.google.com/apis/library"},
    {"org_internal", errc::provider_account_refused,
     "The consent screen is of the user type Internal: only accounts of that Google Workspace organisation may sign in.",
     "Sign in with an account of the organisation, or make the user type External at https://console.cloud.google.com/apis/credentials/consent"},
    {"admin_policy_enforced", errc::provider_account_refused,
     "A policy of the Google Workspace administrator forbids this app, or one of its scopes.",
     "Let the administrator allow client id {client_id} under Security, API controls."},

    // GitHub: the codes of its page on errors of access token requests.
    {"redirect_uri MUST match the registered callback URL", errc::provider_redirect_uri_mismatch,
     "The callback URL of the OAuth App is another one. GitHub knows one for each OAuth App.",
     "At {registered_at}, set Authorization callback URL to exactly {callback_url}"},
    {"redirect_uri is not associated with this application", errc::provider_redirect_uri_mismatch,
     "The callback URL of the app is another one.",
     "At {registered_at}, set the callback URL to exactly {callback_url}"},
    {"incorrect_client_credentials", errc::provider_client_refused,
     "client_id or client_secret is wrong.",
     "Generate a client secret at {registered_at} and set providers.{name}.client_secret."},
    {"application_suspended", errc::provider_client_refused,
     "GitHub has suspended the app.",
     "Look at the app's page at {registered_at}."},
    {"bad_verification_code", errc::provider_sign_in_needed,
     "The code was used already, has expired, or was changed on the way.",
     "Sign in again. If it persists, see whether something before the gateway repeats requests."},
    {"bad_refresh_token", errc::provider_sign_in_needed,
     "The refresh token was used already or has expired.",
     "Sign in again."},
    {"unverified_user_email", errc::provider_account_refused,
     "The account has no verified primary e-mail address.",
     "Verify the address in the account's settings."},

    // RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6
    {"invalid_client", errc::provider_client_refused,
     "The provider does not accept client_id and client_secret together.",
     "Compare providers.{name}.client_id ({client_id}) and client_secret with the registration at {registered_at}"},
    {"unauthorized_client", errc::provider_client_refused,
     "The registration does not allow the authorization code grant.",
     "Allow it at {registered_at}"},
    {"invalid_scope", errc::provider_setup_incomplete,
     "The provider does not know a scope of providers.{name}.scopes, or does not allow it to this client.",
     "Compare the scopes with the registration at {registered_at}"},
    {"consent_required", errc::provider_consent_missing,
     "The provider needs a consent, and was not allowed to ask for it.",
     "Remove prompt: none from providers.{name}, and sign in again."},
    {"interaction_required", errc::provider_sign_in_needed,
     "The provider has to ask the person something, such as a second factor.",
     "Sign in again; remove prompt: none from providers.{name} if it is there."},
    {"login_required", errc::provider_sign_in_needed,
     "Nobody is signed in at the provider, and it was not allowed to ask.",
     "Sign in again; remove prompt: none from providers.{name} if it is there."},
    {"account_selection_required", errc::provider_sign_in_needed,
     "Several accounts are signed in at the provider, and it was not allowed to ask which.",
     "Sign in again; set providers.{name}.prompt: select_account."},
    {"temporarily_unavailable", errc::provider_unreachable,
     "The provider is overloaded or under maintenance.",
     "Try again in a minute; look at the provider's status page."},
    {"server_error", errc::provider_unreachable,
     "The provider failed.",
     "Try again in a minute; look at the provider's status page."},
    {"invalid_grant", errc::provider_code_lost,
     "The provider does not know the code that it gave: it started anew, or its answer to the code was lost on the way.",
     "Sign in again; if it happens each time, compare providers.{name}.callback_url and client_id ({client_id}) with the registration at {registered_at}"},
    {"access_denied", errc::provider_refused,
     "The person, or a rule of the provider, said no.",
     "Sign in again and allow it. If nobody refused, look at who is assigned to the app at {registered_at}"},
});
// clang-format on

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// So that AADSTS50011 is not seen in AADSTS500113.
bool stands_alone(std::string_view pattern, std::string_view words) {
  auto same = [](char a, char b) { return to_lower(a) == to_lower(b); };
  for (auto from = words.begin();;) {
    auto at = std::search(from, words.end(), pattern.begin(), pattern.end(), same);
    if (at == words.end()) return false;
    auto end = at + static_cast<std::ptrdiff_t>(pattern.size());
    bool begins = at == words.begin() || !is_word(*(at - 1));
    if (begins && (end == words.end() || !is_word(*end))) return true;
    from = at + 1;
  }
}

}  // namespace

std::span<const provider_explanation> provider_explanations() { return rows; }

const provider_explanation* explain_provider_error(std::string_view words) {
  auto found = std::find_if(rows.begin(), rows.end(), [&](const provider_explanation& row) {
    return stands_alone(row.pattern, words);
  });
  return found == rows.end() ? nullptr : &*found;
}

std::string with_values(std::string_view text, const deployment_values& values) {
  using pair = std::pair<std::string_view, const std::string*>;
  std::string out;
  while (!text.empty()) {
    bool replaced = false;
    for (auto [name, value] :
         {pair{"{callback_url}", &values.callback_url}, pair{"{client_id}", &values.client_id},
          pair{"{name}", &values.name}, pair{"{tenant_id}", &values.tenant_id},
          pair{"{registered_at}", &values.registered_at}}) {
      if (!text.starts_with(name)) continue;
      out += value->empty() ? std::string(name.substr(1, name.size() - 2)) : *value;
      text.remove_prefix(name.size());
      replaced = true;
      break;
    }
    if (replaced) continue;
    out += text.front();
    text.remove_prefix(1);
  }
  return out;
}

}  // namespace mcp_oauth
