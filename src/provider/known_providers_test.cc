#include "provider/known_providers.h"

#include "base/text.h"
#include "base/url.h"
#include "jose/jws.h"
#include "jose/key_set.h"
#include "provider/issuer.h"
#include "provider/oidc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view directory = "11111111-2222-3333-4444-555555555555";
constexpr std::string_view other_directory = "99999999-2222-3333-4444-555555555555";

TEST(KnownProviders, HaveOneRowEachThatIsComplete) {
  std::vector<std::string> types;
  for (const auto& row : known_providers()) {
    EXPECT_EQ(find_known_provider(row.type), &row) << row.type << " stands twice";
    EXPECT_FALSE(row.registered_at.empty()) << row.type;
    bool openid = row.speaks == sign_in_protocol::openid;
    EXPECT_EQ(openid, row.scopes.find("openid") != std::string_view::npos) << row.type;
    EXPECT_TRUE(!openid || !row.issuer.empty() || !row.issuer_example.empty()) << row.type;
    EXPECT_THAT(split_words(row.prompts), testing::Contains(std::string(row.prompt_for_another)));
    for (auto endpoint : {row.authorization_endpoint, row.token_endpoint, row.userinfo_endpoint}) {
      EXPECT_TRUE(endpoint.empty() || url::parse(endpoint)->scheme == "https") << endpoint;
    }
  }
  EXPECT_EQ(find_known_provider("azure"), find_known_provider("microsoft"));
  for (auto unknown : {"", "local", "hmac", "Google", "saml"})
    EXPECT_EQ(find_known_provider(unknown), nullptr);
}

TEST(KnownProviders, KnowTheShapeOfTheirClientIds) {
  EXPECT_TRUE(fits(client_id_shape::google, "1234-abc.apps.googleusercontent.com"));
  EXPECT_FALSE(fits(client_id_shape::google, "1234-abc.apps.googleusercontent.com.evil.example"));
  EXPECT_TRUE(fits(client_id_shape::guid, directory));
  for (auto bad : {"", "11111111222233334444555555555555", "1111111-12222-3333-4444-555555555555",
                   "11111111-2222-3333-4444-55555555555g", "{1111111-2222-3333-4444-555555555555}"}) {
    EXPECT_FALSE(fits(client_id_shape::guid, bad)) << bad;
  }
  EXPECT_TRUE(fits(client_id_shape::any, "whatever"));
}

// What the discovery documents state, as Microsoft publishes them for v1 and v2 endpoints.
struct stated {
  std::string configured, states;
};
const std::string v2 = "https://login.microsoftonline.com/", id{directory};

TEST(EntraIssuer, MayBeThatOfTheDirectoryOrOfAny) {
  for (const auto& [configured, states] : {
           stated{v2 + id + "/v2.0", v2 + id + "/v2.0"},
           stated{v2 + "common/v2.0", v2 + "{tenantid}/v2.0"},
           stated{v2 + "organizations/v2.0", v2 + "{tenantid}/v2.0"},
           stated{v2 + "consumers/v2.0", v2 + "9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"},
           stated{v2 + "contoso.onmicrosoft.com/v2.0", v2 + id + "/v2.0"},
           stated{v2 + "common", "https://sts.windows.net/{tenantid}/"},
           stated{v2 + id, "https://sts.windows.net/" + id + "/"},
       }) {
    EXPECT_TRUE(may_state_issuer(issuer_rule::entra, configured, states)) << configured << " " << states;
    if (configured != states) {
      EXPECT_FALSE(may_state_issuer(issuer_rule::exact, configured, states)) << configured;
    }
  }
}

TEST(EntraIssuer, IsNoOther) {
  for (const auto& [configured, states] : {
           stated{v2 + id + "/v2.0", v2 + std::string(other_directory) + "/v2.0"},
           stated{v2 + id + "/v2.0", v2 + "{tenantid}/v2.0"},
           stated{v2 + "common/v2.0", v2 + id + "/v2.0"},
           stated{v2 + "common/v2.0", "https://login.evil.example/{tenantid}/v2.0"},
           stated{v2 + "common/v2.0", "https://sts.windows.net/{tenantid}/"},
           stated{v2 + "common", "https://sts.evil.example/{tenantid}/"},
           stated{v2 + "common", "https://sts.windows.net/{tenantid}"},
           stated{v2 + "consumers/v2.0", v2 + id + "/v2.0"},
           stated{v2 + "contoso.onmicrosoft.com/v2.0", v2 + "{tenantid}/v2.0"},
           stated{v2 + "{tenantid}/v2.0", v2 + "{tenantid}/v2.0"},
           stated{"common/v2.0", "{tenantid}/v2.0"},
           stated{"", ""},
       }) {
    EXPECT_FALSE(may_state_issuer(issuer_rule::entra, configured, states) && !states.empty())
        << configured << " " << states;
  }
}

// https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration, what matters of it.
const std::string common_document = R"({
  "token_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
  "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
  "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
  "response_modes_supported": ["query", "fragment", "form_post"],
  "subject_types_supported": ["pairwise"],
  "id_token_signing_alg_values_supported": ["RS256", "ES256"],
  "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
  "scopes_supported": ["openid", "profile", "email", "offline_access"],
  "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
  "request_uri_parameter_supported": false,
  "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
  "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
  "end_session_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/logout"})";

class EntraSignIn : public testing::Test {
 protected:
  result<identity> sign_in(json::object claims) {
    auto metadata =
        process_discovery_answer(v2 + "common/v2.0", {200, {}, common_document}, issuer_rule::entra);
    EXPECT_TRUE(metadata) << metadata.error().detail;
    json::object all{{"aud", "client"},
                     {"sub", "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"},
                     {"iat", to_unix(now)},
                     {"exp", to_unix(now) + 300},
                     {"nonce", "n"}};
    for (const auto& [name, value] : claims) all[name] = value;
    id_token_rules rules{"microsoft", "client", "n"};
    rules.claims.email_verified = find_known_provider("microsoft")->email_verified_field;
    return process_id_token(sign_jws(key, "JWT", key.public_part().kid(), json::serialize(all)),
                            key_set::of({key.public_part()}), *metadata, rules, now);
  }
  const time_point now = from_unix(1'800'000'000);
  signing_key key = signing_key::generate_es256();
};

TEST_F(EntraSignIn, TakesTheIssuerOfTheDirectoryThatTheTokenIsOf) {
  auto who = sign_in({{"iss", v2 + id + "/v2.0"}, {"tid", id}});
  ASSERT_TRUE(who) << who.error().detail;
  EXPECT_EQ(who->subject, id + "/AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ") << "sub alone may repeat";
}

TEST_F(EntraSignIn, RefusesEveryOtherIssuer) {
  const json::object cases[] = {
      {{"iss", v2 + id + "/v2.0"}},
      {{"iss", v2 + id + "/v2.0"}, {"tid", other_directory}},
      {{"iss", v2 + id + "/v2.0"}, {"tid", ""}},
      {{"iss", v2 + "common/v2.0"}, {"tid", "common"}},
      {{"iss", v2 + "{tenantid}/v2.0"}, {"tid", "{tenantid}"}},
      {{"iss", v2 + "x/../" + id + "/v2.0"}, {"tid", "x/../" + id}},
      {{"iss", "https://sts.windows.net/" + id + "/"}, {"tid", id}},
  };
  for (const auto& claims : cases) {
    auto who = sign_in(claims);
    ASSERT_FALSE(who) << json::serialize(claims);
    EXPECT_EQ(who.error().code, errc::provider_issuer_mismatch) << json::serialize(claims);
  }
}

// "nOAuth": an administrator of any directory writes any address into `email`.
TEST_F(EntraSignIn, BelievesAnAddressOnlyWhereEntraVerifiedItsDomain) {
  json::object claims{{"iss", v2 + id + "/v2.0"}, {"tid", id}, {"email", "ada@example.com"}};
  EXPECT_FALSE(sign_in(claims)->email_verified);
  claims["email_verified"] = true;
  EXPECT_FALSE(sign_in(claims)->email_verified) << "not a claim of Entra";
  claims["xms_edov"] = false;
  EXPECT_FALSE(sign_in(claims)->email_verified);
  for (const json::value& yes : {json::value(true), json::value("1"), json::value(1), json::value("true")}) {
    claims["xms_edov"] = yes;
    EXPECT_TRUE(sign_in(claims)->email_verified) << json::serialize(yes);
  }
}

TEST(CallbackIss, OfADirectoryBelongsToTheCommonIssuer) {
  provider_metadata common;
  common.issuer = v2 + "{tenantid}/v2.0";
  EXPECT_TRUE(check_callback_iss(common, v2 + id + "/v2.0"));
  for (const auto& iss : {v2 + "common/v2.0", v2 + id + "/v2.0/", v2 + id + "x/v2.0",
                          "https://evil.example/" + id + "/v2.0", std::string()}) {
    EXPECT_FALSE(check_callback_iss(common, iss)) << iss;
  }
}

TEST(CallbackIss, IsRefusedFromAProviderWhoseIssuerIsNotKnown) {
  provider_metadata plain;
  plain.speaks = sign_in_protocol::oauth2;
  EXPECT_TRUE(check_callback_iss(plain, std::nullopt));
  auto refused = check_callback_iss(plain, "https://honest.example");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("no issuer configured"));
}

TEST(AuthorizationUrl, OfPlainOAuthHasNoNonceAndNoScopeOfOpenId) {
  provider_metadata hub;
  hub.speaks = sign_in_protocol::oauth2;
  hub.authorization_endpoint = "https://github.com/login/oauth/authorize";
  auto location = authorization_url(hub, {.client_id = "Iv1.1",
                                          .redirect_uri = "https://mcp.example.com/auth/callback",
                                          .scopes = {"read:user"},
                                          .prompt = "",
                                          .state = "s",
                                          .nonce = "n",
                                          .code_challenge = "c",
                                          .also = {{"audience", "https://api.example"}}});
  EXPECT_THAT(location, Not(HasSubstr("nonce")));
  EXPECT_THAT(location, Not(HasSubstr("openid")));
  EXPECT_THAT(location, HasSubstr("code_challenge=c&code_challenge_method=S256"));
  EXPECT_THAT(location, HasSubstr("audience=https%3A%2F%2Fapi.example"));
}

TEST(GroupsClaim, MayBeNamedOrStandInAnObject) {
  auto claims = *parse_json_object(R"({"groups":["a"],"realm_access":{"roles":["b","c"]},
                                       "https://acme.example/groups":["d"],"one":"e","wrong":{"roles":7}})");
  struct row {
    const char* name;
    std::vector<std::string> groups;
  };
  for (const auto& [name, groups] :
       {row{"groups", {"a"}}, row{"realm_access.roles", {"b", "c"}},
        row{"https://acme.example/groups", {"d"}}, row{"one", {"e"}}, row{"wrong.roles", {}},
        row{"absent.roles", {}}, row{"groups.x", {}}, row{"", {}}}) {
    identity who;
    claim_names names;
    names.groups = name;
    read_standard_claims(claims, who, names);
    EXPECT_EQ(who.groups, groups) << name;
  }
}

}  // namespace
}  // namespace mcp_oauth
