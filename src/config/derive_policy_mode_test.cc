#include "config/load.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using variables = std::map<std::string, std::string>;

// A guard as guide 004 sets one up, and more.
config_input input_of(const variables& more) {
  variables all{{"AUTHSEC_ISSUER", "https://auth.example.com"},
                {"AUTHSEC_RESOURCE_URI", "https://mcp.example.com/mcp"},
                {"MCP_SERVER_URL", "http://localhost:3000"}};
  for (const auto& [name, value] : more) all[name] = value;
  config_input input;
  for (const auto& [name, value] : all) input.variables.push_back(name);
  input.environment = [all](std::string_view name) -> std::optional<std::string> {
    auto found = all.find(std::string(name));
    return found == all.end() ? std::nullopt : std::optional(found->second);
  };
  return input;
}

loaded good(const variables& more) {
  auto answer = load(input_of(more));
  if (answer) return *answer;
  for (const auto& e : answer.error()) ADD_FAILURE() << to_string(e);
  return {};
}

std::string bad(const variables& more) {
  auto answer = load(input_of(more));
  std::string all;
  if (answer) return "no error";
  for (const auto& e : answer.error()) all += to_string(e) + "\n";
  return all;
}

const variables credentials{{"AUTHSEC_INTROSPECTION_CLIENT_ID", "525da3b4"},
                            {"AUTHSEC_INTROSPECTION_CLIENT_SECRET", "wVQ0rTiR8bFyYtqzhWm6Lw"},
                            {"AUTHSEC_INTROSPECTION_URL", "https://auth.example.com/introspect"},
                            {"AUTHSEC_RESOURCE_SERVER_ID", "525da3b4-0a1b"}};

variables with(const variables& some, const variables& more) {
  auto all = more;
  all.insert(some.begin(), some.end());
  return all;
}

TEST(PolicyMode, AResourceServerOfAuthSecHasItsPolicyBelowTheIssuer) {
  for (const char* mode : {"", "remote_required", "enforce", "REMOTE"}) {
    auto s = good(with(credentials, {{"AUTHSEC_POLICY_MODE", mode}})).value;
    EXPECT_EQ(s.access.url, "https://auth.example.com/authsec/resource-servers/525da3b4-0a1b/sdk-policy");
    // 525da3b4:wVQ0rTiR8bFyYtqzhWm6Lw
    EXPECT_EQ(s.access.token.reveal(), "Basic NTI1ZGEzYjQ6d1ZRMHJUaVI4YkZ5WXRxemhXbTZMdw==");
    EXPECT_EQ(s.access.fallback, "none");
  }
  auto slashed = good(with(credentials, {{"AUTHSEC_ISSUER", "https://auth.example.com/"}})).value;
  EXPECT_EQ(slashed.access.url, "https://auth.example.com/authsec/resource-servers/525da3b4-0a1b/sdk-policy");
}

TEST(PolicyMode, WhatIsSaidOfThePolicyItselfCountsBeforeTheResourceServer) {
  auto got = good(with(credentials, {{"MCP_OAUTH_POLICY_URL", "https://policy.example.com/p"}}));
  EXPECT_EQ(got.value.access.url, "https://policy.example.com/p");
  EXPECT_TRUE(got.value.access.token.empty());
  EXPECT_THAT(got.warnings, Contains(HasSubstr("AUTHSEC_RESOURCE_SERVER_ID is not used: policy.url")));
  auto token = good(with(credentials, {{"MCP_OAUTH_POLICY_TOKEN", "other"}})).value;
  EXPECT_EQ(token.access.token.reveal(), "other");
}

TEST(PolicyMode, TheCredentialsOfAResourceServerAreThoseForIntrospection) {
  EXPECT_THAT(
      bad({{"AUTHSEC_RESOURCE_SERVER_ID", "525da3b4"}}),
      AllOf(HasSubstr("AUTHSEC_RESOURCE_SERVER_ID"), HasSubstr("requires introspection credentials")));
  EXPECT_THAT(bad({{"AUTHSEC_RESOURCE_SERVER_ID", "../../other"}}), HasSubstr("AUTHSEC_RESOURCE_SERVER_ID"));
  EXPECT_THAT(bad({{"AUTHSEC_ISSUER", ""},
                   {"JWT_SECRET", "0123456789012345678901234567890123456789"},
                   {"OIDC_VALIDATOR_ISSUER", "tests"},
                   {"AUTHSEC_RESOURCE_SERVER_ID", "525da3b4"}}),
              HasSubstr("has no meaning without issuer"));
}

TEST(PolicyMode, RemoteWantsAPlaceAndAFallbackWantsTools) {
  EXPECT_THAT(bad({{"AUTHSEC_POLICY_MODE", "remote_required"}}),
              AllOf(HasSubstr("AUTHSEC_POLICY_MODE"), HasSubstr("nothing says where that is")));
  EXPECT_THAT(bad(with(credentials, {{"AUTHSEC_POLICY_MODE", "remote_with_local_fallback"}})),
              HasSubstr("there are no tools to fall back to"));
  auto s = good(with(credentials, {{"AUTHSEC_POLICY_MODE", "remote_with_local_fallback"},
                                   {"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a"]})"}}))
               .value;
  EXPECT_EQ(s.access.fallback, "local");
  EXPECT_THAT(bad(with(credentials, {{"AUTHSEC_POLICY_MODE", "remote_required"},
                                     {"MCP_OAUTH_POLICY_FALLBACK", "local"},
                                     {"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a"]})"}})),
              HasSubstr("contradicts policy.fallback: local"));
}

TEST(PolicyMode, LocalWithoutRulesWouldBeOpen) {
  EXPECT_THAT(bad({{"AUTHSEC_POLICY_MODE", "local_only"}}),
              AllOf(HasSubstr("there are no rules"), HasSubstr("AUTHSEC_TOOL_SCOPES_JSON")));
  EXPECT_TRUE(
      good({{"AUTHSEC_POLICY_MODE", "local_only"}, {"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a"]})"}})
          .value.tools_given);
  EXPECT_THAT(
      bad({{"AUTHSEC_POLICY_MODE", "local_only"}, {"MCP_OAUTH_POLICY_URL", "https://policy.example.com"}}),
      HasSubstr("policy.url names a policy from elsewhere"));
  auto left = good(with(credentials, {{"AUTHSEC_POLICY_MODE", "local_only"},
                                      {"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a"]})"}}));
  EXPECT_THAT(left.value.access.url, IsEmpty());
  EXPECT_THAT(left.warnings,
              Contains(HasSubstr("AUTHSEC_RESOURCE_SERVER_ID is not used with policy.mode: local")));
}

TEST(PolicyMode, OpenIsWarnedAboutAndNeverOverridesRules) {
  for (const char* mode : {"open", "observe"}) {
    EXPECT_THAT(good({{"AUTHSEC_POLICY_MODE", mode}}).warnings,
                Contains(HasSubstr("AUTHSEC_POLICY_MODE is open: every accepted token opens every tool")));
    EXPECT_THAT(bad({{"AUTHSEC_POLICY_MODE", mode}, {"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a"]})"}}),
                HasSubstr("there are rules, which are always enforced here"));
  }
}

// There it silently meant that nothing is enforced.
TEST(PolicyMode, AMisspeltOneIsRefused) {
  EXPECT_THAT(
      bad({{"AUTHSEC_POLICY_MODE", "remote-required"}}),
      AllOf(HasSubstr("AUTHSEC_POLICY_MODE: value \"remote-required\""), HasSubstr("must be one of")));
}

TEST(NamesOfOtherPrograms, AreSaidToDoNothingAndWhatTakesTheirPlace) {
  const variables set{{"OAUTH_FIXED_REDIRECT_URI", "https://a.example/cb"},
                      {"OAUTH_ALLOWED_CLIENT_REDIRECT_DOMAINS", "a.example"},
                      {"AUTHSEC_PUBLISH_MANIFEST", "true"},
                      {"AUTHSEC_TOOL_SCOPE_SUGGESTIONS_JSON", "{}"},
                      {"AUTHSEC_RESOURCE_URL", "https://a.example"},
                      {"AUTHSEC_AUTHORIZATION_SERVER", "https://auth.example.com"}};
  auto warnings = good(set).warnings;
  for (const char* said :
       {"OAUTH_FIXED_REDIRECT_URI is not used: each client registers",
        "OAUTH_ALLOWED_CLIENT_REDIRECT_DOMAINS is not used: each client registers",
        "AUTHSEC_PUBLISH_MANIFEST is not used", "AUTHSEC_TOOL_SCOPE_SUGGESTIONS_JSON is not used",
        "AUTHSEC_RESOURCE_URL sets nothing (did you mean AUTHSEC_RESOURCE_URI?)"}) {
    EXPECT_THAT(warnings, Contains(HasSubstr(said))) << said;
  }
  EXPECT_EQ(warnings.size(), 5U) << "what agrees with issuer needs no word";
}

TEST(NamesOfOtherPrograms, AnAuthorizationServerBesideItsIssuerHasANameHere) {
  EXPECT_THAT(bad({{"AUTHSEC_AUTHORIZATION_SERVER", "https://elsewhere.example"}}),
              AllOf(HasSubstr("AUTHSEC_AUTHORIZATION_SERVER"), HasSubstr("MCP_OAUTH_TOKEN_ISSUER")));
  auto s = good({{"AUTHSEC_AUTHORIZATION_SERVER", "https://elsewhere.example"},
                 {"MCP_OAUTH_ISSUER", "https://elsewhere.example"},
                 {"MCP_OAUTH_TOKEN_ISSUER", "https://auth.example.com"}})
               .value;
  EXPECT_EQ(s.issuers.at(0).stated_issuer(), "https://auth.example.com");
}

TEST(NamesOfOtherPrograms, ANameForPeopleStandsInTheMetadata) {
  EXPECT_EQ(good({{"AUTHSEC_RESOURCE_NAME", "Our tickets"}}).value.upstreams.at(0).resource_name,
            "Our tickets");
}

}  // namespace
}  // namespace mcp_oauth
