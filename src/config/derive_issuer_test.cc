#include "config/load.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Which mode it is, and what the issuers of a guard must say. Whole files are in
// tests/golden/config/native_*.txt.

namespace mcp_oauth {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using variables = std::map<std::string, std::string, std::less<>>;

const variables server = {{"MCP_SERVER_URL", "http://localhost:3000"}};
constexpr auto long_secret = "JfPoQ0wbVqJ9bKpS1y6mXvQp0aZrT3uE";

auto load_from(std::string text, variables environment) {
  environment.insert(server.begin(), server.end());
  config_input input{"config.yaml", std::move(text)};
  if (input.text->empty()) input.text.reset();
  input.file = config_file::optional;
  input.environment = [environment](std::string_view name) -> std::optional<std::string> {
    auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  return load(input);
}

loaded good(const std::string& text, variables environment = {}) {
  auto answer = load_from(text, std::move(environment));
  if (answer) return *answer;
  for (const auto& e : answer.error()) ADD_FAILURE() << to_string(e);
  return {};
}

std::string bad(const std::string& text, variables environment = {}) {
  auto answer = load_from(text, std::move(environment));
  std::string errors;
  if (answer) {
    ADD_FAILURE() << "loaded: " << text;
  } else {
    for (const auto& e : answer.error()) errors += to_string(e) + "\n";
  }
  return errors;
}

TEST(Mode, FollowsFromWhatIsGiven) {
  struct {
    std::string file;
    variables environment;
    std::string mode;
  } const cases[] = {
      {"", {}, "gateway"},
      {"", {{"OAUTH_ISSUER_URL", "https://idp.example.com"}}, "native"},
      {"tools: {a: [b]}\n", {{"OAUTH_ISSUER_URL", "https://idp.example.com"}}, "native"},
      {"", {{"OIDC_ISSUER", "https://idp.example.com"}, {"OIDC_CLIENT_ID", "x"}}, "gateway"},
      {"",
       {{"OIDC_ISSUER", "https://a.example"}, {"OIDC_CLIENT_ID", "x"}, {"OAUTH_MODE", "native"}},
       "native"},
      {"",
       {{"OAUTH_PROVIDER", "hmac"}, {"JWT_SECRET", long_secret}, {"OIDC_ISSUER", "https://a.example"}},
       "native"},
      {"", {{"JWT_SECRET", long_secret}, {"OAUTH_CLIENT_ID", "x"}}, "gateway"},
      {"", {{"OAUTH_AUDIENCE", "https://mcp.example.com"}}, "gateway"},
      {"providers: {local: {}}\n", {{"OAUTH_ISSUER_URL", "https://idp.example.com"}}, "gateway"},
      {"mode: proxy\nproviders: {local: {}}\n", {}, "gateway"},
      {"mode: Native\nissuer: https://idp.example.com\n", {}, "native"},
      {"issuers: [{issuer: https://idp.example.com}]\n", {}, "native"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.file + (c.environment.empty() ? "" : c.environment.begin()->first));
    auto s = good(c.file, c.environment).value;
    EXPECT_EQ(s.mode, c.mode);
    EXPECT_EQ(s.providers.empty(), c.mode == "native");
    EXPECT_EQ(s.issuers.empty(), c.mode == "gateway");
  }
}

TEST(Mode, AnIssuerInAFileMayBeMeantAsTheGatewaysOwn) {
  auto errors = bad("issuer: https://mcp.example.com\n");
  EXPECT_THAT(errors, HasSubstr("mode: is missing"));
  EXPECT_THAT(errors, HasSubstr("write mode: native; the address of a gateway itself is public_url"));
  EXPECT_THAT(bad("issuers: [{issuer: https://a.example}]\nproviders: {local: {}}\n"),
              HasSubstr("mode: is missing: providers and clients belong to a gateway, issuers to a guard"));
}

TEST(Mode, WhatItHasNoUseForIsSaid) {
  EXPECT_THAT(bad("mode: gateway\nissuer: https://a.example\n"),
              HasSubstr("config.yaml:2: issuer: value \"https://a.example\": is not used by a gateway"));
  EXPECT_THAT(good("", {{"JWT_SECRET", long_secret}}).warnings,
              ElementsAre("environment: JWT_SECRET is not used by a gateway, whose tokens are its own"));
  EXPECT_THAT(
      good("providers: {local: {}}\n", {{"OAUTH_ISSUER_URL", "https://a.example"}}).warnings,
      ElementsAre("environment: OAUTH_ISSUER_URL is not used by a gateway: its own address is public_url"));
}

// The words of guides 000, 003 and 004, each with the key and what to do.
TEST(Issuer, MistakesAreToldInTheWordsOfTheGuides) {
  struct {
    std::string file;
    variables environment;
    std::string words;
  } const cases[] = {
      {"mode: native\n", {}, "issuer: invalid config: provider is required"},
      {"", {{"OAUTH_MODE", "proxy"}}, "provider: invalid config: provider is required"},
      {"",
       {{"OAUTH_PROVIDER", "hmac"}},
       "jwt_secret: invalid config: JWTSecret is required for HMAC provider"},
      {"", {{"OAUTH_PROVIDER", "okta"}}, "issuer: invalid config: Issuer is required for OIDC provider"},
      {"mode: proxy\nprovider: azure\nclient_id: 00000000-0000-0000-0000-000000000000\n",
       {},
       "tenant_id: is missing"},
      {"",
       {{"OAUTH_MODE", "proxy"}, {"OAUTH_PROVIDER", "okta"}, {"OIDC_ISSUER", "https://company.okta.com"}},
       "client_id: invalid config: proxy mode requires ClientID"},
      {"", {{"OAUTH_MODE", "other"}}, "OAUTH_MODE: value \"other\": must be 'native' or 'proxy', got: other"},
      {"",
       {{"OAUTH_PROVIDER", "gitlab"}},
       "OAUTH_PROVIDER: value \"gitlab\": unknown provider: gitlab (supported: hmac, google"},
      {"", {{"OAUTH_ISSUER_URL", "http://keycloak:8080/realms/x"}}, "Issuer URL must be HTTPS"},
      {"",
       {{"OAUTH_ISSUER_URL", "company.okta.com"}},
       "must be an absolute URL (begin with http:// or https://)"},
      {"",
       {{"AUTHSEC_ISSUER", "https://a.example"}, {"AUTHSEC_VALIDATION_MODE", "introspection_only"}},
       "introspection client credentials are required when introspection is enabled"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.words);
    EXPECT_THAT(bad(c.file, c.environment), HasSubstr(c.words));
  }
}

TEST(Issuer, EveryMistakeIsToldAtOnce) {
  auto errors = bad("", {{"OAUTH_PROVIDER", "okta"}, {"PORT", "x"}, {"OAUTH_MODE", "native"}});
  EXPECT_THAT(errors, HasSubstr("PORT"));
  EXPECT_THAT(errors, HasSubstr("Issuer is required"));
}

TEST(Issuer, HowItIsValidatedFollowsFromWhatIsGiven) {
  const std::string start = "mode: native\nissuer: https://a.example\n";
  const std::string asks =
      "introspection_client_id: rs\nintrospection_client_secret: wVQ0rTiR8bFyYtqzhWm6Lw\n";
  EXPECT_EQ(good(start).value.issuers[0].validation, "jwt");
  EXPECT_EQ(good(start + asks).value.issuers[0].validation, "either");
  EXPECT_EQ(good(start + asks + "introspection_url: https://a.example/i\n").value.issuers[0].validation,
            "either");
  EXPECT_EQ(good(start + asks + "jwks_url: https://a.example/k\n").value.issuers[0].validation,
            "jwt_and_introspection");
  EXPECT_EQ(good(start + asks + "validation: introspection_only\n").value.issuers[0].validation,
            "introspection");
  EXPECT_EQ(good(start + asks + "validation: auto\n").value.issuers[0].validation, "either");
}

TEST(Issuer, OneAtTheTopLevelAndAListExcludeEachOther) {
  EXPECT_THAT(bad("issuers: [{issuer: https://a.example}]\naudience: x\n"),
              HasSubstr("config.yaml:2: audience: is given together with issuers"));
  EXPECT_THAT(bad("mode: native\nissuer: https://a.example\nissuers: [{issuer: https://b.example}]\n"),
              HasSubstr("config.yaml:3: issuers: is given together with an issuer at the top level"));
  EXPECT_THAT(bad("issuers: [{issuer: https://a.example}]\n", {{"OAUTH_AUDIENCE", "x"}}),
              HasSubstr("environment: OAUTH_AUDIENCE: is given together with issuers"));
}

TEST(Issuer, EnvironmentWinsOverTheFileAndReachesItemsByName) {
  auto s = good("mode: native\nissuer: https://a.example\naudience: x\n",
                {{"OAUTH_ISSUER_URL", "https://b.example"}, {"MCP_OAUTH_AUDIENCE", "y z"}})
               .value;
  EXPECT_EQ(s.issuers[0].issuer, "https://b.example");
  EXPECT_THAT(s.issuers[0].audience, ElementsAre("y", "z"));
  s = good("issuers: [{name: corp, issuer: https://a.example}]\n", {{"MCP_OAUTH_ISSUERS_CORP_AUDIENCE", "y"}})
          .value;
  EXPECT_THAT(s.issuers[0].audience, ElementsAre("y"));
}

TEST(Issuer, AnyAudienceIsWarnedAbout) {
  auto got = good("", {{"OIDC_SKIP_AUDIENCE_CHECK", "true"}, {"OAUTH_ISSUER_URL", "https://a.example"}});
  EXPECT_TRUE(got.value.issuers[0].danger_any_audience);
  EXPECT_THAT(got.warnings,
              Contains(HasSubstr("OIDC_SKIP_AUDIENCE_CHECK is true: a token that https://a.example "
                                 "gave for any other API opens these tools, too")));
}

TEST(Issuer, AnotherIssInTokensThanTheUrlOfDiscovery) {
  auto s = good("danger_allow_http: true\n", {{"OIDC_ISSUER", "http://keycloak:8080/realms/x"},
                                              {"OIDC_VALIDATOR_ISSUER", "https://id.example.com/realms/x"}})
               .value;
  EXPECT_EQ(s.issuers[0].issuer, "http://keycloak:8080/realms/x");
  EXPECT_EQ(s.issuers[0].stated_issuer(), "https://id.example.com/realms/x");
}

TEST(Tools, MayBeJsonInTheEnvironment) {
  auto s =
      good("", {{"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a", "b"], "ping": [], "*": {"all_of": ["c"]}})"}})
          .value;
  ASSERT_TRUE(s.tools_given);
  ASSERT_EQ(s.tools.size(), 3U);
  EXPECT_EQ(s.tools[0].needed, scopes_needed::any);
  EXPECT_EQ(s.tools[1].needed, scopes_needed::all);
  EXPECT_THAT(s.tools[1].scopes, IsEmpty());
  EXPECT_EQ(s.tools[2].needed, scopes_needed::all);
  s = good("tools: {old: [x]}\n", {{"MCP_OAUTH_TOOLS", R"({"echo": ["a", "b"]})"}}).value;
  ASSERT_EQ(s.tools.size(), 1U);
  EXPECT_EQ(s.tools[0].needed, scopes_needed::all);
}

TEST(Tools, JsonThatIsNoTableIsRefused) {
  for (std::string text :
       {"[", "[]", "{\"a\": 1}", "{\"a\": [1]}", "{\"a\": [\"b c\"]}", "{\"\": [\"b\"]}",
        "{\"a\": {\"any_of\": []}}", "{\"a\": {\"x\": []}}", "{\"a\": [\"b\"], \"a\": [\"c\"]}"}) {
    EXPECT_THAT(bad("", {{"AUTHSEC_TOOL_SCOPES_JSON", text}}), HasSubstr("AUTHSEC_TOOL_SCOPES_JSON")) << text;
  }
}

TEST(Lists, MayBeJsonInOneText) {
  auto s = good("", {{"AUTHSEC_SUPPORTED_SCOPES", R"(["a", "b"])"}}).value;
  EXPECT_THAT(s.scopes_supported, ElementsAre("a", "b"));
  EXPECT_THAT(bad("", {{"AUTHSEC_SUPPORTED_SCOPES", R"(["a", 1])"}}), Not(IsEmpty()));
}

TEST(Guard, WantsTlsOfItsOwnWhereClientsMustShowCertificates) {
  const std::string native = "mode: native\nissuer: https://a.example\n";
  EXPECT_THAT(
      bad(native + "certificate_binding: require\n"),
      HasSubstr("certificate_binding: value \"require\": is require, and only a gateway that speaks TLS"));
  EXPECT_THAT(good(native + "certificate_binding: accept\n").warnings,
              ElementsAre(HasSubstr("certificate_binding: accept has no effect without tls")));
  EXPECT_THAT(good(native + "certificate_binding: require\ntls: {cert_file: a, key_file: b}\n").warnings,
              IsEmpty());
}

TEST(Guard, WarnsInOneLineOfWhatOnlyAGatewayUses) {
  const std::string native = "mode: native\nissuer: https://a.example\n";
  EXPECT_THAT(
      good(native + "database_url: sqlite://a.db\nsession_timeout: 900\nregistration: {dynamic: false}\n",
           {{"MCP_OAUTH_CODE_LIFETIME", "30"}})
          .warnings,
      ElementsAre("not used, as mode: native has no sign-in, no tokens and no database of its own: "
                  "database_url, registration.dynamic, session_timeout"));
  EXPECT_THAT(good(native).warnings, IsEmpty());
}

}  // namespace
}  // namespace mcp_oauth
