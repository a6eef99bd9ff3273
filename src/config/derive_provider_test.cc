#include "config/load.h"
#include "config/provider_kind.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string upstream = "public_url: https://mcp.example.com\nmcp_server_url: http://localhost:3000\n";

loaded read(const std::string& text, const std::map<std::string, std::string>& environment = {}) {
  config_input input{"config.yaml", upstream + text};
  input.environment = [&](std::string_view name) -> std::optional<std::string> {
    auto found = environment.find(std::string(name));
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  auto answer = load(input);
  if (answer) return *answer;
  for (const auto& e : answer.error()) ADD_FAILURE() << to_string(e);
  return {};
}

settings good(const std::string& text, const std::map<std::string, std::string>& environment = {}) {
  return read(text, environment).value;
}

std::string bad(const std::string& text) {
  auto answer = load({"config.yaml", upstream + text});
  if (answer) {
    ADD_FAILURE() << "loaded: " << text;
    return "";
  }
  std::string errors;
  for (const auto& e : answer.error()) errors += to_string(e) + "\n";
  return errors;
}

TEST(DeriveProvider, KnowsTheIssuerWhereItIsFixed) {
  auto s = good(
      "providers:\n"
      "  google: {client_id: a}\n"
      "  work: {type: google, client_id: a}\n"
      "  named: {issuer: https://idp.example.com, client_id: a}\n"
      "  microsoft: {tenant_id: common, client_id: a}\n"
      "  entra: {type: azure, tenant_id: contoso.onmicrosoft.com, client_id: a}\n"
      "  okta: {issuer: https://x.okta.com, client_id: a, scopes: [openid]}\n"
      "  hub: {type: github, client_id: a}\n");
  std::vector<std::string> seen;
  for (const auto& p : s.providers) seen.push_back(p.type + " " + p.issuer);
  EXPECT_THAT(seen, ElementsAre("google https://accounts.google.com", "google https://accounts.google.com",
                                "oidc https://idp.example.com",
                                "microsoft https://login.microsoftonline.com/common/v2.0",
                                "microsoft https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0",
                                "okta https://x.okta.com", "github https://github.com/login/oauth"));
  EXPECT_THAT(s.providers[0].scopes, ElementsAre("openid", "email", "profile"));
  EXPECT_THAT(s.providers[5].scopes, ElementsAre("openid"));
  EXPECT_THAT(s.providers[6].scopes, ElementsAre("read:user", "user:email"));
}

TEST(DeriveProvider, MayBeInAListOrInAMap) {
  auto list = good("providers:\n  - name: corp\n    type: local\n");
  auto map = good("providers:\n  corp:\n    type: local\n");
  EXPECT_EQ(list.providers[0].name, "corp");
  EXPECT_EQ(map.providers[0].name, "corp");
  EXPECT_EQ(list.providers[0].type, map.providers[0].type);
  EXPECT_EQ(good("providers: {local: }\n").providers[0].type, "local");
}

TEST(DeriveProvider, TakesTheEndpointsOfTheListForm) {
  auto s = good(
      "providers:\n"
      "  - name: google\n"
      "    client_id: 1.apps.googleusercontent.com\n"
      "    auth_url: https://accounts.google.com/o/oauth2/v2/auth\n"
      "    token_url: https://oauth2.googleapis.com/token\n"
      "    scopes: [openid, email]\n"
      "  - name: other\n"
      "    client_id: a\n"
      "    auth_url: https://other.example/authorize?policy=p\n"
      "    token_url: https://other.example/token\n"
      "    userinfo_url: https://other.example/me\n"
      "    subject_field: uid\n");
  EXPECT_EQ(s.providers[0].type, "google");
  EXPECT_EQ(s.providers[0].issuer, "https://accounts.google.com");
  EXPECT_EQ(s.providers[0].token_endpoint, "https://oauth2.googleapis.com/token");
  EXPECT_EQ(s.providers[1].type, "oauth2");
  EXPECT_EQ(fixed_metadata(s.providers[1]).userinfo_endpoint, "https://other.example/me");
  EXPECT_EQ(subject_field_of(s.providers[1]), "uid");
}

TEST(DeriveProvider, AsksForMembershipsOnlyWhereTheyDecide) {
  auto s = good("providers: {github: {client_id: a, allowed_organizations: [acme, acme/platform]}}\n");
  EXPECT_THAT(s.providers[0].scopes, ElementsAre("read:user", "user:email", "read:org"));
  s = good("providers: {github: {client_id: a, allowed_organizations: [acme], scopes: [user]}}\n");
  EXPECT_THAT(s.providers[0].scopes, ElementsAre("user"));
}

TEST(DeriveProvider, HasNoIssuerOfGitHubOnAnotherServer) {
  auto s = good(
      "providers:\n"
      "  hub:\n"
      "    type: github\n"
      "    client_id: a\n"
      "    authorization_endpoint: https://ghe.example/login/oauth/authorize\n"
      "    token_endpoint: https://ghe.example/login/oauth/access_token\n"
      "    userinfo_endpoint: https://ghe.example/api/v3/user\n");
  EXPECT_EQ(s.providers[0].issuer, "");
}

TEST(DeriveProvider, ReadsTheNamesThatItsOwnDocumentsUse) {
  auto s = good("providers:\n  google: {client_id: file}\n  microsoft: {}\n  github: {}\n",
                {{"GOOGLE_CLIENT_ID", "environment"},
                 {"GOOGLE_CLIENT_SECRET", "g-s3cret"},
                 {"MICROSOFT_CLIENT_ID", "11111111-2222-3333-4444-555555555555"},
                 {"MICROSOFT_TENANT_ID", "organizations"},
                 {"GITHUB_CLIENT_ID", "Iv1.0"},
                 {"GITHUB_CLIENT_SECRET", "h-s3cret"}});
  EXPECT_EQ(s.providers[0].client_id, "environment");
  EXPECT_EQ(s.providers[0].client_secret.reveal(), "g-s3cret");
  EXPECT_EQ(s.providers[1].issuer, "https://login.microsoftonline.com/organizations/v2.0");
  EXPECT_EQ(s.providers[2].client_secret.reveal(), "h-s3cret");
}

TEST(DeriveProvider, IsRefusedWhenItCannotWork) {
  struct row {
    const char *provider, *message;
  };
  for (auto [provider, message] : {
           row{"corp: {type: oidc, client_id: a}", "providers.corp.issuer: is missing"},
           row{"corp: {type: oidc, issuer: https://a.example}", "providers.corp.client_id: is missing"},
           row{"corp: {client_id: a}", "providers.corp: has no type"},
           row{"corp: {type: hmac}", "providers.corp.secret: is missing"},
           row{"github: {}", "providers.github.client_id: is missing"},
           row{"okta: {client_id: a}",
               "providers.okta.issuer: is missing (add issuer: https://ORG.okta.com, or"},
           row{"microsoft: {client_id: a}", "providers.microsoft.tenant_id: is missing"},
           row{"google: {client_id: a, tenant_id: common}", "has no meaning for type google"},
           row{"corp: {type: oidc, issuer: http://a.example, client_id: a}", "must use https"},
           row{"corp: {type: oidc, issuer: https://a.example, client_id: a, scopes: [email]}",
               "must contain openid"},
           row{"corp: {type: oidc, issuer: https://a.example, client_id: a, pkce_enabled: false}",
               "must be true"},
           row{"corp: {type: oidc, issuer: https://a.example, client_id: a, code_challenge_method: plain}",
               "code_challenge_method 'plain' is not supported"},
           row{"corp: {type: oidc, issuer: https://a.example, client_id: a, subject_field: id}",
               "sub names the person"},
           row{"corp: {type: oauth2, client_id: a}", "providers.corp.userinfo_endpoint: is missing"},
           row{"corp: {type: oauth2, client_id: a, token_endpoint: \"http://a.example/t\"}",
               "must use https (RFC 6749"},
           row{"google: {client_id: a, prompt: login}", "Google does not know login (use none or consent or"},
           row{"github: {client_id: a, prompt: consent}", "GitHub does not know consent"},
           row{"google: {client_id: a, allowed_groups: [g]}", "Google names no groups (use allowed_domains)"},
           row{"github: {client_id: a, allowed_groups: [g]}", "use allowed_organizations"},
           row{"github: {client_id: a, allowed_organizations: [\"a/b/c\"]}", "must be an organization or"},
           row{"okta: {issuer: https://a.example, client_id: a, allowed_organizations: [a]}",
               "only github can"},
           row{"google: {client_id: a, client_type: confidential}", "there is no client_secret"},
           row{"google: {client_id: a, client_type: public, client_secret: abcdefgh}",
               "and there is a client_secret"},
           row{"google: {client_id: a, callback_url: https://mcp.example.com/auth/callback/other}",
               "must be public_url with the path /auth/callback/google"},
           row{"google: {client_id: a, callback_url: https://a.example/auth/callback/google}",
               "write https://mcp.example.com/auth/callback/google"},
           row{"corp: {type: local, client_id: a}", "has no meaning for local users"},
           row{"corp: {type: local, allowed_groups: [a]}", "has no meaning for local users"},
           row{"\"a b\": {type: local}", "must be a name"},
           row{"a: {type: local}, b: {type: local}", "providers.b: is a second local provider"},
       }) {
    EXPECT_THAT(bad("providers: {" + std::string(provider) + "}\n"), HasSubstr(message)) << provider;
  }
  EXPECT_THAT(bad("providers: [{name: a, type: local}, {name: a, type: local}]\n"),
              HasSubstr("providers.a: is given twice"));
  EXPECT_EQ(good("providers: {a: {type: oidc, issuer: \"http://localhost:1\", client_id: a}}\n")
                .providers[0]
                .issuer,
            "http://localhost:1");
}

TEST(DeriveProvider, WarnsOfWhatDoesNotLookRight) {
  struct row {
    const char *provider, *warning;
  };
  for (auto [provider, warning] : {
           row{"google: {client_id: 1234}", "providers.google.client_id does not look like one of Google"},
           row{"microsoft: {client_id: 1234, tenant_id: common}",
               "providers.microsoft.client_id does not look like one of Microsoft"},
           row{"auth0: {client_id: a, issuer: https://t.auth0.com}",
               "providers.auth0.issuer does not look like one of Auth0"},
           row{"keycloak: {client_id: a, issuer: https://k.example}", "expected https://HOST/realms/REALM"},
       }) {
    EXPECT_THAT(read("providers: {" + std::string(provider) + "}\n").warnings, Contains(HasSubstr(warning)));
  }
  for (const char* fine : {"google: {client_id: 1-a.apps.googleusercontent.com}",
                           "azure: {client_id: 11111111-2222-3333-4444-555555555555, tenant_id: common}",
                           "auth0: {client_id: a, issuer: https://t.auth0.com/}",
                           "keycloak: {client_id: a, issuer: https://k.example/auth/realms/r}",
                           "github: {client_id: Iv1.8a61}"}) {
    EXPECT_THAT(read("providers: {" + std::string(fine) + "}\n").warnings, IsEmpty()) << fine;
  }
}

TEST(DeriveProvider, IsCalledAsPeopleCallIt) {
  auto s = good(
      "providers:\n"
      "  google: {client_id: a}\n"
      "  azure: {client_id: a, tenant_id: common}\n"
      "  work: {type: google, client_id: a}\n"
      "  corp: {issuer: https://idp.example.com, client_id: a}\n");
  std::vector<std::string> titles;
  for (const auto& p : s.providers) titles.push_back(title_of(p));
  EXPECT_THAT(titles, ElementsAre("Google", "Microsoft", "Google (work)", "corp"));
}

}  // namespace
}  // namespace mcp_oauth
