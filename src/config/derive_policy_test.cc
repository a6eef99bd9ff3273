#include "config/derive_policy.h"

#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::Contains, testing::HasSubstr, testing::Not;

settings good(const std::string& text) {
  auto answer = load({"config.yaml", text});
  if (answer) return answer->value;
  for (const auto& e : answer.error()) ADD_FAILURE() << to_string(e);
  return {};
}

const std::string text =
    "public_url: https://mcp.example.com\n"
    "tools: {echo: [a]}\n"
    "policy: {prompts: {greet: [b]}, scope_hierarchy: {admin: [a]}, filter_lists: false}\n"
    "upstreams:\n"
    "  - {name: one, url: http://localhost:1, paths: [/one], scopes: [base]}\n"
    "  - {name: two, url: http://localhost:2, paths: [/two], tools: {own: [c]}}\n"
    "  - {name: open, url: http://localhost:3, paths: [/open], require_auth: false}\n";

TEST(RulesOf, AServerHasItsOwnSectionsAndTheOthersOfAll) {
  auto s = good(text);
  ASSERT_EQ(s.upstreams.size(), 3U);
  auto one = rules_of(s, s.upstreams[0]);
  EXPECT_EQ(one.tools.rules.at(0).pattern, "echo");
  EXPECT_EQ(one.prompts.rules.at(0).pattern, "greet");
  EXPECT_EQ(one.base_scopes, std::vector<std::string>{"base"});
  EXPECT_FALSE(one.filter_lists);
  EXPECT_EQ(one.hierarchy.size(), 1U);
  auto two = rules_of(s, s.upstreams[1]);
  EXPECT_EQ(two.tools.rules.at(0).pattern, "own");
  EXPECT_EQ(two.tools.rules.size(), 1U);
  EXPECT_TRUE(two.prompts.given);
}

TEST(ScopesOfServer, AreThoseThatAreGoodForSomethingThere) {
  auto s = good(text);
  using list = std::vector<std::string>;
  EXPECT_EQ(s.scopes_supported, (list{"mcp", "base", "c", "a", "b", "admin"}));
  EXPECT_EQ(scopes_of_server(s, s.upstreams[0]), (list{"base", "a", "b", "admin"}));
  EXPECT_EQ(scopes_of_server(s, s.upstreams[1]), (list{"mcp", "c", "a", "b", "admin"}));
}

TEST(RulesOf, APublicServerHasThoseOfAllToo) {
  auto answer = load({"config.yaml", text});
  ASSERT_TRUE(answer);
  const auto& s = answer->value;
  EXPECT_EQ(rules_of(s, s.upstreams.at(2)).tools.rules.at(0).pattern, "echo");
  EXPECT_EQ(rules_of(s, s.upstreams.at(2)).prompts.rules.at(0).pattern, "greet");
  EXPECT_THAT(
      answer->warnings,
      Contains("upstreams: open has require_auth: false and the rules of the top level, so that nobody "
               "there may do what they ask scopes or claims for: tools.echo, policy.prompts.greet; give "
               "the server rules of its own"));
}

TEST(RulesOf, APublicServerWithItsOwnIsNotWarnedOf) {
  auto answer = load({"config.yaml",
                      "public_url: https://mcp.example.com\n"
                      "tools: {echo: [a], del: {denied: true}}\n"
                      "upstreams:\n"
                      "  - {name: open, url: http://localhost:3, paths: [/open], require_auth: false, tools: "
                      "{\"*\": []}}\n"});
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->warnings, Not(Contains(HasSubstr("require_auth"))));
  EXPECT_EQ(rules_of(answer->value, answer->value.upstreams.at(0)).tools.rules.at(0).pattern, "*");
}

TEST(ScopesOfRules, AreThoseOfEachSectionAndOfTheHierarchyOnce) {
  policy_rules rules;
  access_rule tool, prompt;
  tool.scopes = {"a", "b"};
  prompt.scopes = {"b", "c"};
  rules.tools = {true, {tool}};
  rules.prompts = {true, {prompt}};
  rules.hierarchy = {{"admin", {"a", "d"}}};
  std::vector<std::string> named{"had", "c"};
  add_scopes(named, rules);
  EXPECT_EQ(named, (std::vector<std::string>{"had", "c", "a", "b", "admin", "d"}));
}

TEST(RulesOf, APolicyFromElsewhereStandsBetweenAServersOwnAndThoseOfAll) {
  auto s = good(text);
  policy_document remote;
  access_rule far;
  far.pattern = "far";
  remote.rules.tools = {true, {far}};
  EXPECT_EQ(rules_of(s, s.upstreams.at(0), &remote).tools.rules.at(0).pattern, "far");
  EXPECT_EQ(rules_of(s, s.upstreams.at(1), &remote).tools.rules.at(0).pattern, "own");
  EXPECT_EQ(rules_of(s, s.upstreams.at(0), &remote).prompts.rules.at(0).pattern, "greet");
  // A document without tools leaves nothing open.
  policy_document silent;
  auto rules = rules_of(s, s.upstreams.at(0), &silent);
  EXPECT_TRUE(rules.tools.given);
  EXPECT_TRUE(rules.tools.rules.empty());
}

}  // namespace
}  // namespace mcp_oauth
