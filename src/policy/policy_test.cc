#include "policy/policy.h"

#include <type_traits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

static_assert(!std::is_constructible_v<permit, const caller&, std::string, std::string>,
              "a permit that was not earned");
static_assert(!std::is_default_constructible_v<permit>);

envelope scan(std::string_view body) {
  envelope_scanner scanner;
  EXPECT_TRUE(scanner.feed(body)) << body;
  EXPECT_TRUE(scanner.finish()) << body;
  return scanner.seen();
}

std::string text_of_call(std::string_view tool) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + std::string(tool) + R"("}})";
}
envelope call(std::string_view tool) { return scan(text_of_call(tool)); }
envelope plain(std::string_view method) {
  return scan(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"("})");
}
// Somebody with these scopes.
class with {
 public:
  explicit with(std::vector<std::string> scopes) : scopes_(std::move(scopes)) {}
  operator caller() const { return {"alice", "client", scopes_}; }

 private:
  std::vector<std::string> scopes_;
};

policy example() {
  return policy({{"echo", {"tools:read"}, scopes_needed::all},
                 {"delete_*", {"tools:write", "tools:admin"}, scopes_needed::any},
                 {"delete_all", {"tools:danger"}, scopes_needed::all},
                 {"open", {}, scopes_needed::all},
                 {"both", {"a", "b"}, scopes_needed::all}},
                true, {"mcp"});
}

TEST(Policy, AsksTheBaseScopesOfEverything) {
  auto rules = example();
  for (const auto& message : {plain("tools/list"), plain("initialize"), call("open"), plain("ping"),
                              scan(R"({"jsonrpc":"2.0","id":1,"result":{}})"),
                              scan(R"({"jsonrpc":"2.0","method":"notifications/initialized"})")}) {
    EXPECT_TRUE(authorize(rules, with({"mcp"}), message)) << message.method;
    auto refused = authorize(rules, with({"other"}), message);
    ASSERT_FALSE(refused) << message.method;
    EXPECT_EQ(refused.error().code, errc::scope_insufficient);
    EXPECT_THAT(refused.error().scopes, ElementsAre("mcp"));
  }
  EXPECT_TRUE(authorize_stream(rules, with({"mcp"})));
  auto refused = authorize_stream(rules, with({}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::scope_insufficient);
  EXPECT_THAT(refused.error().scopes, ElementsAre("mcp"));
}

TEST(Policy, AsksOfAToolWhatEveryMatchingRuleSays) {
  auto rules = example();
  struct row {
    std::string_view tool;
    std::vector<std::string> scopes;
    bool may;
  };
  for (const auto& r :
       {row{"echo", {"mcp", "tools:read"}, true}, row{"echo", {"mcp"}, false},
        row{"echo", {"tools:read"}, false}, row{"echo", {"mcp", "tools:reader"}, false},
        row{"echo", {"mcp", "TOOLS:READ"}, false}, row{"both", {"mcp", "a", "b"}, true},
        row{"both", {"mcp", "a"}, false}, row{"delete_x", {"mcp", "tools:admin"}, true},
        row{"delete_x", {"mcp", "tools:write"}, true}, row{"delete_x", {"mcp"}, false},
        row{"delete_all", {"mcp", "tools:admin"}, false}, row{"delete_all", {"mcp", "tools:danger"}, false},
        row{"delete_all", {"mcp", "tools:danger", "tools:write"}, true}, row{"open", {"mcp"}, true}}) {
    EXPECT_EQ(authorize(rules, with(r.scopes), call(r.tool)).has_value(), r.may) << r.tool;
  }
}

TEST(Policy, DeniesAToolThatNoRuleNames) {
  auto rules = example();
  auto all = with({"mcp", "tools:read", "tools:write", "tools:admin", "tools:danger", "a", "b"});
  for (const auto& message : {call("unknown"), call("Echo"), call("echo "), call("xdelete_x"), call(""),
                              call("ech\\u00f6"), plain("tools/call")}) {
    auto refused = authorize(rules, all, message);
    ASSERT_FALSE(refused) << message.name;
    EXPECT_EQ(refused.error().code, errc::policy_denied);
    EXPECT_THAT(refused.error().scopes, IsEmpty());
  }
  auto refused = authorize(rules, with({}), call("unknown"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::policy_denied);
}

TEST(Policy, DeniesEveryToolWhenRulesAreGivenButEmpty) {
  EXPECT_FALSE(authorize(policy({}, true, {}), with({}), call("echo")));
  EXPECT_TRUE(authorize(policy({}, true, {}), with({}), plain("tools/list")));
}

TEST(Policy, AllowsEveryToolWhenNoRulesAreGiven) {
  EXPECT_TRUE(authorize(policy({}, false, {"mcp"}), with({"mcp"}), call("anything")));
  EXPECT_TRUE(authorize(policy({}, false, {}), with({}), plain("tools/call")));
}

TEST(Policy, NamesAllThatTheOperationNeedsInOneChallenge) {
  auto rules = example();
  auto scopes = [&](std::vector<std::string> held, const envelope& message) {
    auto refused = authorize(rules, with(std::move(held)), message);
    EXPECT_FALSE(refused);
    return refused ? std::vector<std::string>{} : refused.error().scopes;
  };
  EXPECT_THAT(scopes({"mcp"}, call("both")), ElementsAre("mcp", "a", "b"));
  EXPECT_THAT(scopes({"mcp"}, call("delete_x")), ElementsAre("mcp", "tools:write"));
  EXPECT_THAT(scopes({"tools:admin"}, call("delete_x")), ElementsAre("mcp", "tools:admin"));
  EXPECT_THAT(scopes({"mcp"}, scan("[" + text_of_call("both") + "," + text_of_call("echo") + "," +
                                   text_of_call("open") + "]")),
              ElementsAre("mcp", "a", "b", "tools:read"));
}

TEST(Policy, JudgesABatchAsAWhole) {
  auto rules = example();
  auto batch = [](std::string_view a, std::string_view b) {
    return scan("[" + text_of_call(a) + "," + text_of_call(b) + "]");
  };
  EXPECT_TRUE(authorize(rules, with({"mcp", "tools:read"}), batch("open", "echo")));
  EXPECT_FALSE(authorize(rules, with({"mcp"}), batch("open", "echo")));
  EXPECT_FALSE(authorize(rules, with({"mcp"}), batch("echo", "open")));
  auto refused = authorize(rules, with({"mcp", "tools:read"}), batch("echo", "unknown"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::policy_denied);
}

TEST(Policy, RefusesWhatIsNotDecidedYet) {
  auto rules = policy({}, false, {});
  for (std::string_view start :
       {"", "{", R"({"jsonrpc":"2.0","id":1)", R"({"method":"tools/call","params":{)",
        R"([{"jsonrpc":"2.0","id":1,"method":"ping"})"}) {
    envelope_scanner scanner;
    ASSERT_TRUE(scanner.feed(start));
    auto refused = authorize(rules, with({}), scanner.seen());
    ASSERT_FALSE(refused) << start;
    EXPECT_EQ(refused.error().code, errc::body_malformed);
  }
  envelope_scanner scanner;
  ASSERT_TRUE(scanner.feed(R"({"method":"tools/call","params":{"name":"echo",)"));
  EXPECT_TRUE(authorize(rules, with({}), scanner.seen()));
}

TEST(Policy, RemembersInThePermitWhatWasPermittedToWhom) {
  auto rules = example();
  with alice({"mcp", "tools:read"});
  auto message = call("echo");
  auto p = authorize(rules, alice, message);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->subject(), "alice");
  EXPECT_EQ(p->client_id(), "client");
  EXPECT_EQ(p->method(), "tools/call");
  EXPECT_EQ(p->name(), "echo");
  EXPECT_EQ(authorize_stream(rules, with({"mcp"}))->method(), "stream");
  EXPECT_EQ(authorize(rules, with({"mcp"}), scan("[" + text_of_call("open") + "]"))->method(), "batch");
}

TEST(Policy, KeepsAHostileNameOutOfTheLogLine) {
  auto refused = authorize(example(), with({"mcp"}), call("x\\n\\u0000\\u001b[31m"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("x???[31m"));
  EXPECT_THAT(refused.error().detail, Not(HasSubstr("\n")));
}

TEST(RulesForOthers, AreThoseWhosePatternDoesNotFit) {
  policy_rules rules;
  rules.tools = {true, {{"echo", {"a"}}, {"delete_*", {"b"}}, {"*", {"c"}}}};
  rules.methods = {true, {{"tools/*", {}}, {"resources/*", {}}}};
  policy p(rules);
  auto patterns = [&](std::string_view method, std::string_view name, std::size_t most) {
    std::vector<std::string> found;
    for (const auto& r : rules_for_others(p, method, name, most))
      found.push_back(std::string(r.section) + "." + r.pattern);
    return found;
  };
  EXPECT_THAT(patterns("tools/call", "echo", 64), ElementsAre("methods.resources/*", "tools.delete_*"));
  EXPECT_THAT(patterns("tools/call", "other", 2), ElementsAre("methods.resources/*", "tools.echo"));
  EXPECT_THAT(patterns("ping", "", 64), ElementsAre("methods.tools/*", "methods.resources/*"));
  EXPECT_THAT(patterns("tools/call", "echo", 0), IsEmpty());
}

}  // namespace
}  // namespace mcp_oauth
