#include "doctor/token_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const explained_section& section(const std::vector<explained_section>& all, std::string_view name) {
  for (const auto& one : all) {
    if (one.name == name) return one;
  }
  static const explained_section none;
  ADD_FAILURE() << name;
  return none;
}

class ExplainAccess : public testing::Test {
 protected:
  std::vector<explained_section> told() { return explain_access(rules, {"ada", "inspector", scopes}); }
  policy_rules rules;
  std::vector<std::string> scopes = {"read"};
};

TEST_F(ExplainAccess, WithoutRulesNothingIsRestricted) {
  for (const auto& one : told()) EXPECT_FALSE(one.restricted) << one.name;
}

TEST_F(ExplainAccess, EverySectionIsJudgedByThePolicyItself) {
  for (auto* set : {&rules.prompts, &rules.methods}) set->given = true;
  rules.prompts.rules = {{"greet", {"read"}}, {"secret*", {"write"}}};
  rules.methods.rules = {{"tools/*", {"read"}}, {"prompts/*", {"read"}}, {"logging/*", {"admin"}}};
  rules.resources.given = true;
  rules.resources.rules = {{"file:///public/*", {"read"}}, {"file:///etc/*", {"admin"}}};
  auto all = told();
  const auto& prompts = section(all, "prompts").items;
  EXPECT_TRUE(prompts[0].open);
  EXPECT_FALSE(prompts[1].open);
  EXPECT_THAT(prompts[1].missing_scopes, ElementsAre("write"));
  EXPECT_THAT(prompts[1].would_allow, HasSubstr("write"));
  const auto& methods = section(all, "methods").items;
  EXPECT_TRUE(methods[0].open);
  EXPECT_FALSE(methods[2].open);
  // resources/read is a method that no rule allows.
  EXPECT_FALSE(section(all, "resources").items[0].open);
  rules.methods = {};
  all = told();
  EXPECT_TRUE(section(all, "resources").items[0].open);
  EXPECT_THAT(section(all, "resources").items[1].missing_scopes, ElementsAre("admin"));
}

TEST_F(ExplainAccess, ARuleOnArgumentsIsOpenAndSaysSo) {
  rules.tools.given = true;
  rule_condition inside{
      rule_condition::source::argument, "path", {{value_test::operation::starts_with, {"/public/"}}}};
  rules.tools.rules = {{"read_file", {"read"}, scopes_needed::all, false, {inside}}};
  auto all = told();
  const auto& item = section(all, "tools").items[0];
  EXPECT_TRUE(item.open);
  EXPECT_THAT(item.why, HasSubstr("argument.path"));
  EXPECT_THAT(item.missing_scopes, IsEmpty());
}

TEST_F(ExplainAccess, AConditionOnAClaimIsNamed) {
  rules.tools.given = true;
  rule_condition admins{rule_condition::source::claim, "role", {{value_test::operation::equals, {"admin"}}}};
  rules.tools.rules = {{"drop", {}, scopes_needed::all, false, {admins}}};
  auto all = told();
  EXPECT_FALSE(section(all, "tools").items[0].open);
  EXPECT_THAT(section(all, "tools").items[0].why, HasSubstr("claim.role"));
}

TEST_F(ExplainAccess, AHigherScopeCounts) {
  rules.tools.given = true;
  rules.tools.rules = {{"echo", {"low"}}};
  rules.hierarchy = {{"read", {"low"}}};
  EXPECT_TRUE(section(told(), "tools").items[0].open);
}

}  // namespace
}  // namespace mcp_oauth
