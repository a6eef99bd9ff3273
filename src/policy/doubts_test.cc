#include "policy/doubts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

access_rule denied(std::string pattern) {
  access_rule rule;
  rule.pattern = std::move(pattern);
  rule.denied = true;
  return rule;
}

TEST(Doubts, NamesLinesThatCanHaveNoEffect) {
  policy_rules rules;
  rules.tools = {true, {denied("delete_*"), {"delete_x", {"a"}}, {"delete", {"a"}}, {"*", {}}}};
  rules.methods = {true,
                   {{"tools/cal", {}}, {"resources/*", {}}, denied("prompts/*"), denied("prompts/get")}};
  rules.resources = {true, {{"/public/*", {}}, {"nowhere", {}}, {"file:///x", {}}, {"*", {}}, {"f*", {}}}};
  rules.prompts = {true, {{"p", {}}}};
  EXPECT_THAT(doubts_about(rules, "tools", "policy."),
              ElementsAre("tools.delete_x allows nothing: delete_* is denied to everybody",
                          HasSubstr("policy.methods.tools/cal names no method of MCP; near: tools/call"),
                          HasSubstr("policy.resources./public/* fits no URI"),
                          HasSubstr("policy.resources.nowhere fits no URI"),
                          "tools has no effect: methods allows tools/call to nobody",
                          "policy.prompts has no effect: methods allows prompts/get to nobody"));
}

TEST(Doubts, HasNoneAboutOrdinaryRules) {
  policy_rules rules;
  rules.tools = {true, {{"echo", {"a"}}, {"delete_*", {"b"}}, denied("delete_all")}};
  rules.methods = {true, {{"tools/*", {}}, {"*", {"m"}}, {"resources/read", {}}}};
  rules.resources = {true, {{"db://*", {}}}};
  EXPECT_THAT(doubts_about(rules, "tools", "policy."), IsEmpty());
  EXPECT_THAT(doubts_about({}, "tools", "policy."), IsEmpty());
}

}  // namespace
}  // namespace mcp_oauth
