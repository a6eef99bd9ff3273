#include "config/policy_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

policy_document good(std::string_view text) {
  auto read = read_policy_document(text);
  EXPECT_TRUE(read) << text << (read ? "" : read.error().detail);
  return read ? *read : policy_document();
}
std::string bad(std::string_view text) {
  auto read = read_policy_document(text);
  EXPECT_FALSE(read) << text;
  if (!read) {
    EXPECT_EQ(read.error().code, errc::policy_document_invalid);
  }
  return read ? "" : read.error().detail;
}

TEST(PolicyJson, SaysTheSameAsYamlAndIsRefusedForTheSame) {
  const std::vector<std::string> same = {
      R"({"tools":{"echo":["a"],"read":{"any_of":["b"],"when":{"argument.p":{"inside":"/x"}}}},
          "resources":{"f:*":[]},"scope_hierarchy":{"b":["a"]}})",
      R"({"policy":{"tools":{"x":{"public":true},"y":{"denied":true}}},"complete":true,"state":"fine"})",
      R"({"complete":false,"state":"needs_setup"})",
      R"({"policy_complete":true,"tool_policy":[{"name":"a","required_scopes":["s"]},{"name":"b","is_public":true},
          {"name":"c","required_scopes":null}]})",
      R"({"tools":{}})"};
  for (const auto& text : same) {
    auto read = read_policy_json(text);
    ASSERT_TRUE(read) << text << read.error().detail;
    EXPECT_EQ(*read, good(text)) << text;
  }
  std::string deep(40, '['), wide = "[0";
  for (int i = 0; i < 60'000; ++i) wide += ",0";
  std::string nested = R"({"tools":)";
  for (int i = 0; i < 20; ++i) nested += R"({"a":)";
  nested += "1" + std::string(21, '}');
  const std::vector<std::pair<std::string, const char*>> rows = {
      {"", "no JSON"},
      {"tools: {}", "no JSON"},
      {R"({"tools":{},"tools":{}})", "no JSON"},
      {deep, "no JSON"},
      {nested, "deeper or larger"},
      {R"({"state":)" + wide + "]}", "deeper or larger"},
      {std::string(1024 * 1024 + 1, ' '), "over 1 MiB"},
      {"[]", "must be a map"},
      {"{}", "every tool would be open"},
      {R"({"tools":null})", "must be a map"},
      {R"({"tools":{"a":5.5}, "x":1})", "is no part of a policy"},
      {R"({"tools":{"a":["two words"]}})", "must be a scope"},
  };
  for (const auto& [text, words] : rows) {
    auto read = read_policy_json(text);
    ASSERT_FALSE(read) << text.substr(0, 80);
    EXPECT_EQ(read.error().code, errc::policy_document_invalid);
    EXPECT_THAT(read.error().detail, HasSubstr(words)) << text.substr(0, 80);
    EXPECT_EQ(read.error().detail.find("line 0"), std::string::npos);
  }
}

TEST(PolicyDocument, ReadsWhatConfigYamlWouldSay) {
  auto yaml = good(
      "tools:\n  echo: [a]\n  read: {any_of: [b], when: {argument.p: {inside: /x}}}\npolicy:\n  resources:\n"
      "    \"f:*\": []\n  scope_hierarchy: {b: [a]}\n");
  EXPECT_TRUE(yaml.complete);
  ASSERT_EQ(yaml.rules.tools.rules.size(), 2U);
  EXPECT_EQ(yaml.rules.tools.rules[1].when.size(), 1U);
  EXPECT_TRUE(yaml.rules.resources.given);
  EXPECT_FALSE(yaml.rules.prompts.given);
  EXPECT_EQ(yaml.rules.hierarchy.size(), 1U);
  auto json = good(R"({"tools":{"echo":["a"],"read":{"any_of":["b"],"when":{"argument.p":{"inside":"/x"}}}},
                       "resources":{"f:*":[]},"scope_hierarchy":{"b":["a"]}})");
  EXPECT_EQ(json, yaml);
  EXPECT_EQ(good("tools: {a: [\"${HOME}\"]}").rules.tools.rules[0].scopes[0], "${HOME}")
      << "no variable of ours";
}

TEST(PolicyDocument, AHierarchyWithoutStepsTakesThePlaceOfTheFiles) {
  policy_rules own;
  own.hierarchy = {{"admin", {"write"}}};
  EXPECT_TRUE(rules_for(good("{tools: {t: [write]}, scope_hierarchy: {}}"), own, {}).hierarchy.empty());
  EXPECT_TRUE(
      rules_for(good("{tools: {t: [write]}, policy: {scope_hierarchy: {}}}"), own, {}).hierarchy.empty());
  EXPECT_EQ(rules_for(good("{tools: {t: [write]}}"), own, {}).hierarchy, own.hierarchy);
}

TEST(PolicyDocument, ReadsAScopeMatrix) {
  auto read = good(R"({"state":"ready","policy_complete":true,"reason":"","rs_id":"1","generation":7,
    "scopes_supported":["x"],"tools":{"legacy":["x"]},"fetched_at":"now","ttl_seconds":30,"tool_policy":[
    {"name":"open","is_public":true,"required_scopes":[]},
    {"name":"read","is_public":false,"required_scopes":["r","admin"]},
    {"name":"nobody","is_public":false,"required_scopes":[]},
    {"name":"silent"},
    {"name":"every*","is_public":true}]})");
  EXPECT_TRUE(read.complete);
  EXPECT_EQ(read.state, "ready");
  const auto& tools = read.rules.tools;
  EXPECT_TRUE(tools.given);
  ASSERT_EQ(tools.rules.size(), 2U);
  EXPECT_EQ(tools.rules[0].pattern, "open");
  EXPECT_THAT(tools.rules[0].scopes, IsEmpty());
  EXPECT_EQ(tools.rules[0].needed, scopes_needed::all);
  EXPECT_THAT(tools.rules[1].scopes, ElementsAre("r", "admin"));
  EXPECT_EQ(tools.rules[1].needed, scopes_needed::any);
}

TEST(PolicyDocument, AMatrixThatIsNotFinishedAllowsNothing) {
  auto read = good(R"({"state":"needs_setup","policy_complete":false,"reason":"rs_needs_setup"})");
  EXPECT_FALSE(read.complete);
  EXPECT_EQ(read.state, "needs_setup, rs_needs_setup");
  EXPECT_FALSE(good(R"({"tool_policy":[{"name":"a","is_public":true}]})").complete)
      << "what is not said is not so";
  EXPECT_EQ(good(R"({"tool_policy":[]})").state, "policy_complete is missing");
  EXPECT_FALSE(good("complete: false\nstate: being written\n").complete);
}

TEST(PolicyDocument, RefusesAllOfWhatItCannotRead) {
  struct row {
    const char *text, *why;
  };
  for (auto [text, why] : {
           row{"", "must be a map"},
           row{"{}", "tools is missing"},
           row{"[]", "must be a map"},
           row{"prompts: {}", "tools is missing"},
           row{"<html><body>sign in</body></html>", "a web page"},
           row{"\n  <!DOCTYPE html>", "a web page"},
           row{"{\"tools\":", "neither YAML nor JSON"},
           row{"tools: {a: [b], a: [c]}", "given twice"},
           row{"tools: {a: [b]}\npolicy: {tools: {c: []}}", "given twice"},
           row{"tools: {a: {any_of: []}}", "names no scope"},
           row{"tools: {a: {anyof: [b]}}", "must be a list of scopes"},
           row{"tools: {a: {when: {argument.p: {inside: /a/../b}}}}",
               "must name folders without dot segments"},
           row{"tools: {a: {when: {argument.p: {not: {inside: [/b, '']}}}}}", "inside must name folders"},
           row{"tools: [a]", "must be a map, and is a list"},
           row{"tools: {}\nrules: {}", "is no part of a policy"},
           row{"tools: {}\npolicy: {policy: {}}", "is no part of a policy"},
           row{"tools: {}\nscope_hierarchy: {a: [a]}", "circle"},
           row{"tools: {}\ncomplete: perhaps", "must be true or false"},
           row{"policy_complete: perhaps", "must be true or false"},
           row{"{policy_complete: true, tool_policy: {a: b}}", "must be a list"},
           row{"policy_complete: true", "tool_policy is missing"},
           row{"{policy_complete: true, tool_policy: [{name: a, requred_scopes: [b]}]}",
               "line 1: tool_policy.requred_scopes is no part of a tool (did you mean required_scopes?)"},
           row{"{policy_complete: true, tool_policy: [{name: a, public: true}]}",
               "tool_policy.public is no part"},
           row{"{policy_complete: true, tool_policy: [{name: a, required_scopes: [b], when: {}}]}",
               "tool_policy.when"},
           row{"{policy_complete: true, tool_policy: [a]}", "must be a map"},
           row{"{policy_complete: true, tool_policy: [{is_public: true}]}", "without a name"},
           row{"{policy_complete: true, tool_policy: [{name: a, required_scopes: b}]}", "must be a list"},
           row{"{policy_complete: true, tool_policy: [{name: a, required_scopes: [[b]]}]}",
               "must hold texts"},
           row{"{policy_complete: true, tool_policy: [{name: a, is_public: x}]}", "must be true or false"},
           row{"{policy_complete: true, tool_policy: [{name: a, is_public: true, required_scopes: [b]}]}",
               "is public and asks for scopes"},
           row{"tools: {a: ''}", "tools.a names no scope"},
           row{"tools: {a: ', '}", "tools.a names no scope"},
           row{"{\"tools\": {\"a\": \"\"}}", "tools.a names no scope"},
           row{"tools: {a: {all_of: ''}}", "tools.a.all_of names no scope"},
           row{"tools: {a: {any_of: ''}}", "tools.a.any_of names no scope"},
           row{"tools: {a: ['']}", "must be a scope"},
           row{"tools: {a: {when: {argument.p: {starts_with: ''}}}}", "every text begins so"},
           row{"tools: {a: {when: {argument.p: {not: {starts_with: [x, '']}}}}}", "every text begins so"},
           row{"tools: {a: {when: {argument.p: {inside: '~/x'}}}}", "must name folders"},
           row{"tools: {a: {when: {argument.p: {inside: 'C:/x'}}}}", "must name folders"},
       }) {
    EXPECT_THAT(bad(text), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace mcp_oauth
