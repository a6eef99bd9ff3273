// Rules beyond tools: methods, resources, prompts, the hierarchy of scopes, what a refusal tells.

#include "policy/hierarchy.h"
#include "policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

struct asked {
  envelope about;
  std::string text;
};

asked message(std::string text) {
  envelope_scanner scanner;
  EXPECT_TRUE(scanner.feed(text)) << text;
  EXPECT_TRUE(scanner.finish()) << text;
  return {scanner.seen(), std::move(text)};
}
asked request(const std::string& method, const std::string& params = "{}") {
  return message(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" + params + "}");
}
asked tool(const std::string& name) { return request("tools/call", R"({"name":")" + name + "\"}"); }
asked read(const std::string& uri) { return request("resources/read", R"({"uri":")" + uri + "\"}"); }

class with {
 public:
  explicit with(std::vector<std::string> scopes) : scopes_(std::move(scopes)) {}
  operator caller() const { return {"alice", "client", scopes_}; }

 private:
  std::vector<std::string> scopes_;
};

bool may(const policy& rules, const caller& who, const asked& a) {
  return authorize(rules, who, a.about, a.text).has_value();
}
refusal why(const policy& rules, const caller& who, const asked& a) {
  auto answer = authorize(rules, who, a.about, a.text);
  EXPECT_FALSE(answer) << a.text;
  return answer ? refusal{} : answer.error();
}

access_rule denied(std::string pattern) {
  access_rule rule;
  rule.pattern = std::move(pattern);
  rule.denied = true;
  return rule;
}

TEST(PolicySections, MethodsAreHeldToTheirRules) {
  policy_rules written;
  written.methods = {true, {{"resources/*", {"r"}}, {"tools/call", {"t"}}, denied("logging/setLevel")}};
  policy rules(written);
  EXPECT_TRUE(may(rules, with({"t"}), tool("any")));
  EXPECT_FALSE(may(rules, with({"r"}), tool("any")));
  EXPECT_TRUE(may(rules, with({"r"}), read("x:y")));
  EXPECT_TRUE(may(rules, with({"r"}), request("resources/list")));
  EXPECT_EQ(why(rules, with({"t", "r"}), request("prompts/list")).code, errc::policy_denied);
  auto refused = why(rules, with({"t", "r"}), request("logging/setLevel"));
  EXPECT_EQ(refused.code, errc::policy_denied);
  EXPECT_THAT(refused.scopes, IsEmpty());
  EXPECT_THAT(refused.detail, HasSubstr("methods.logging/setLevel is denied"));
}

TEST(PolicySections, WhatOpensAConversationNeedsNoRuleUnlessOneNamesIt) {
  policy_rules written;
  written.methods = {true, {}};
  policy none(written);
  for (const auto* method : {"initialize", "ping", "server/discover", "notifications/initialized"}) {
    EXPECT_TRUE(may(none, with({}), request(method))) << method;
  }
  for (const auto* method : {"tools/list", "tools/call2", "notifications/own", "Initialize"}) {
    EXPECT_FALSE(may(none, with({}), request(method))) << method;
  }
  EXPECT_TRUE(may(none, with({}), message(R"({"jsonrpc":"2.0","id":1,"result":{}})")));
  written.methods.rules = {denied("ping"), {"*", {"all"}}};
  policy some(written);
  EXPECT_FALSE(may(some, with({"all"}), request("ping")));
  EXPECT_FALSE(may(some, with({}), request("initialize")));
  EXPECT_TRUE(may(some, with({"all"}), request("initialize")));
}

TEST(PolicySections, ResourcesAreDeniedUnlessARuleNamesThem) {
  policy_rules written;
  written.resources = {true,
                       {{"file:///public/*", {}},
                        {"db://*", {"db:read", "db:admin"}, scopes_needed::any},
                        denied("db://secret*")}};
  policy rules(written);
  auto ada = with({"db:admin"});
  for (const auto* uri : {"file:///public/a", "file:///public/a/b.txt", "db://orders/1", "FILE:///public/a",
                          "file:///public/a%2Eb", "file:///public/a?x=..b", "file:///public/ä"}) {
    EXPECT_TRUE(may(rules, ada, read(uri))) << uri;
  }
  // GHSA-x39c-q2jx-f325: neither a root nor a scheme that nobody thought of is open.
  for (const auto* uri : {"/",
                          "",
                          "*",
                          "root://",
                          "file:///",
                          "file:///etc/passwd",
                          "http://169.254.169.254/",
                          "data:,x",
                          "file:///public",
                          "db:/orders",
                          "db://secrets/1",
                          "DB://secrets/1",
                          "db://%73ecrets/1",
                          "file:///public/../etc/passwd",
                          "file:///public/%2e%2e/etc/passwd",
                          "file:///public/..;x/etc",
                          "file:///public/..\\\\etc",
                          "file:///public/a%2f..%2f..%2fetc",
                          "file:///public/%252e%252e/etc",
                          "file:///public/.",
                          "file:///public/a%00",
                          "file:///public/a?x=../..",
                          "file:///public/x?/../../secret/key",
                          "file:///public/x#/../../secret/key",
                          "file:///public/x?%2F..%2F..%2Fsecret",
                          "db://../orders",
                          "file:///public/%zz"}) {
    EXPECT_FALSE(may(rules, ada, read(uri))) << uri;
  }
  EXPECT_FALSE(may(rules, with({}), read("db://orders/1")));
  for (const auto* method : {"resources/subscribe", "resources/unsubscribe"}) {
    EXPECT_TRUE(may(rules, ada, request(method, R"({"uri":"db://orders"})"))) << method;
    EXPECT_FALSE(may(rules, ada, request(method, R"({"uri":"other://x"})"))) << method;
    EXPECT_FALSE(may(rules, ada, request(method))) << method;
  }
}

TEST(PolicySections, AUriThatServersReadDifferentlyNeedsARuleOfItsOwn) {
  policy_rules written;
  written.resources = {true, {{"*", {}}, {"odd:a/../b", {}}}};
  policy rules(written);
  EXPECT_TRUE(may(rules, with({}), read("odd:a/../b")));
  auto refused = why(rules, with({}), read("odd:a/../c"));
  EXPECT_EQ(refused.code, errc::policy_denied);
  EXPECT_THAT(refused.detail, HasSubstr("dot segments"));
}

TEST(PolicySections, ANarrowLineIsNotLeftByAnotherSpellingOfWhatItNames) {
  policy_rules written;
  written.resources = {true,
                       {{"*", {}},
                        denied("file:///secret/*"),
                        denied("https://intranet.example/*"),
                        denied("file:///public/.env"),
                        denied("db://intranet/*"),
                        denied("file:///a+b")}};
  policy rules(written);
  for (const auto* uri : {"file:///public/a", "https://intranet.example:8443/x", "https://other.example/x",
                          "db://other/x", "file:///public/.envy"}) {
    EXPECT_TRUE(may(rules, with({}), read(uri))) << uri;
  }
  for (const auto* uri : {"file:///secret/key",
                          "FILE:///secret/key",
                          "file:///%73ecret/key",
                          "file:/secret/key",
                          "file:secret/key",
                          "file://localhost/secret/key",
                          " file:///secret/key",
                          "file:////secret/key",
                          "file:///secret/key?x",
                          "https://intranet.example/x",
                          "https://intranet.example:443/x",
                          "https://intranet.example:/x",
                          "https://u@intranet.example/x",
                          "https:intranet.example/x",
                          "https:///intranet.example/x",
                          "https://intranet.example./x",
                          "file:///public/.env",
                          "file:///public/.env?",
                          "file:///public/.env#",
                          "file:///public/.env?x=y",
                          "file:///public/.env ",
                          "db://u@intranet/x",
                          "db://intranet:/x",
                          "file:///a%2Bb"}) {
    EXPECT_FALSE(may(rules, with({}), read(uri))) << uri;
  }
  // A line of its own still opens one of them.
  written.resources.rules.push_back({"file:/srv/a", {}});
  EXPECT_TRUE(may(policy(written), with({}), read("file:/srv/a")));
}

TEST(PolicySections, SubscriptionsAndCompletionsAreHeldToTheRulesOfWhatTheyName) {
  policy_rules written;
  written.resources = {true, {{"open://*", {}}, {"db://*", {"db"}}}};
  written.prompts = {true, {{"greet*", {"p"}}}};
  policy rules(written);
  auto listen = [](const std::string& uris) {
    return request("subscriptions/listen",
                   R"({"notifications":{"toolsListChanged":true,"resourceSubscriptions":)" + uris + "}}");
  };
  EXPECT_TRUE(may(rules, with({}), listen(R"(["open://a"])")));
  EXPECT_TRUE(may(rules, with({"db"}), listen(R"(["open://a","db://x"])")));
  EXPECT_FALSE(may(rules, with({}), listen(R"(["open://a","db://x"])")));
  EXPECT_FALSE(may(rules, with({"db"}), listen(R"(["other://a"])")));
  EXPECT_FALSE(may(rules, with({"db"}), listen("{}")));
  EXPECT_FALSE(may(rules, with({"db"}), listen("[1]")));
  EXPECT_TRUE(may(rules, with({}), request("subscriptions/listen", R"({"notifications":{}})")));
  EXPECT_FALSE(
      may(rules, with({}),
          request("subscriptions/listen", R"({"notifications":{"ResourceSubscriptions":["db://x"]}})")));
  EXPECT_FALSE(
      may(rules, with({}),
          request("subscriptions/listen", R"({"Notifications":{"resourceSubscriptions":["db://x"]}})")));
  auto complete = [](const std::string& ref) {
    return request("completion/complete", R"({"ref":)" + ref + R"(,"argument":{"name":"n","value":"v"}})");
  };
  EXPECT_TRUE(may(rules, with({"p"}), complete(R"({"type":"ref/prompt","name":"greeting"})")));
  EXPECT_FALSE(may(rules, with({}), complete(R"({"type":"ref/prompt","name":"greeting"})")));
  EXPECT_FALSE(may(rules, with({"p"}), complete(R"({"type":"ref/prompt","name":"other"})")));
  EXPECT_TRUE(may(rules, with({}), complete(R"({"type":"ref/resource","uri":"open://{x}"})")));
  EXPECT_TRUE(may(rules, with({}), complete(R"({"type":"ref/resource","uri":"open://x"})")));
  EXPECT_FALSE(may(rules, with({}), complete(R"({"type":"ref/resource","uri":"db://{x}"})")));
  EXPECT_TRUE(may(rules, with({"db"}), complete(R"({"type":"ref/resource","uri":"db://{x}"})")));
  for (const auto* bad :
       {R"({"type":"ref/resource"})", R"({"type":"ref/other","uri":"open://x"})", "null", "[]",
        R"({"uri":"open://x"})", R"({"type":"ref/resource","uri":"open://x","URI":"db://x"})",
        R"({"type":"ref/resource","Type":"ref/prompt","uri":"open://x"})"}) {
    EXPECT_FALSE(may(rules, with({"p", "db"}), complete(bad))) << bad;
  }
  // Without the text nothing of that can be judged.
  auto a = listen(R"(["open://a"])");
  EXPECT_TRUE(rules.wants_text(a.about));
  auto refused = authorize(rules, with({}), a.about);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::body_malformed);
}

TEST(PolicySections, ACompletionIsHeldToTheUrisThatItsValuesAreOf) {
  policy_rules written;
  written.resources = {true, {{"file:///public/*", {}}, {"file:///secret/*", {"secret"}}}};
  policy some(written);
  written.resources = {true, {{"*", {}}, denied("file:///secret/*")}};
  policy most(written);
  auto complete = [](const std::string& uri, const std::string& rest) {
    return request("completion/complete",
                   R"({"ref":{"type":"ref/resource","uri":")" + uri + "\"}," + rest + "}");
  };
  auto in_area = [&](const std::string& area) {
    return complete(
        "file:///{area}/{name}",
        R"("argument":{"name":"name","value":""},"context":{"arguments":{"area":")" + area + "\"}}");
  };
  auto of_path = [&](const std::string& value) {
    return complete("file:///{+path}", R"("argument":{"name":"path","value":")" + value + "\"}");
  };
  for (const auto& rules : {some, most}) {
    EXPECT_TRUE(may(rules, with({}), in_area("public")));
    EXPECT_FALSE(may(rules, with({}), in_area("secret")));
    EXPECT_FALSE(may(rules, with({}), in_area("public/../secret")));
    EXPECT_FALSE(may(rules, with({}), in_area("..")));
    EXPECT_TRUE(may(rules, with({}), in_area("")));
    EXPECT_TRUE(may(rules, with({}), of_path("")));
    EXPECT_TRUE(may(rules, with({}), of_path("pub")));
    EXPECT_TRUE(may(rules, with({}), of_path("public/a b ")));
    EXPECT_FALSE(may(rules, with({}), of_path("secret/")));
    EXPECT_FALSE(may(rules, with({}), of_path("public/../secret/")));
    EXPECT_FALSE(
        may(rules, with({}), complete("FILE:///secret/{name}", R"("argument":{"name":"name","value":""})")));
    EXPECT_TRUE(
        may(rules, with({}), complete("file:///{x}/{name}", R"("argument":{"name":"name","value":"{"})")));
    EXPECT_FALSE(
        may(rules, with({}), complete("file:///{x}", R"("argument":{"name":"x","value":"a","Value":"b"})")));
    EXPECT_FALSE(may(rules, with({}),
                     complete("file:///{x}", R"("argument":{},"context":{"arguments":{},"Arguments":{}})")));
    EXPECT_FALSE(may(rules, with({}), complete("file:///{x}", R"("argument":{},"Argument":{})")));
    EXPECT_FALSE(may(rules, with({}), complete("file:///{x}", R"("context":{},"Context":{})")));
  }
  EXPECT_TRUE(may(some, with({"secret"}), in_area("secret")));
  EXPECT_FALSE(may_list(most, with({}), listed::resource_template, "FILE:///%73ecret/{name}"));
}

TEST(PolicySections, PromptsAreHeldToTheirRules) {
  policy_rules written;
  written.prompts = {true, {{"greet", {"p"}}}};
  policy rules(written);
  EXPECT_TRUE(may(rules, with({"p"}), request("prompts/get", R"({"name":"greet"})")));
  EXPECT_FALSE(may(rules, with({}), request("prompts/get", R"({"name":"greet"})")));
  EXPECT_FALSE(may(rules, with({"p"}), request("prompts/get", R"({"name":"Greet"})")));
  EXPECT_FALSE(may(rules, with({"p"}), request("prompts/get")));
  EXPECT_TRUE(may(rules, with({}), tool("any"))) << "a section that is not given restricts nothing";
}

TEST(PolicySections, AHigherScopeGivesThoseBelowIt) {
  policy_rules written;
  written.tools = {true, {{"read", {"read"}}, {"write", {"write"}}, {"both", {"read", "other"}}}};
  written.base_scopes = {"read"};
  written.hierarchy = {{"admin", {"write"}}, {"write", {"read"}}};
  policy rules(written);
  EXPECT_TRUE(may(rules, with({"admin"}), tool("read")));
  EXPECT_TRUE(may(rules, with({"admin"}), tool("write")));
  EXPECT_TRUE(may(rules, with({"write"}), tool("read")));
  EXPECT_FALSE(may(rules, with({"read"}), tool("write")));
  EXPECT_FALSE(may(rules, with({"Admin"}), tool("read")));
  auto refused = why(rules, with({"admin"}), tool("both"));
  EXPECT_THAT(refused.scopes, ElementsAre("read", "other"));
  EXPECT_THAT(refused.detail, HasSubstr("missing: other"));
}

TEST(PolicySections, TheHierarchyIsTransitiveAndCirclesAreFound) {
  scope_hierarchy steps{{"a", {"b", "x"}}, {"b", {"c"}}, {"z", {"c"}}};
  EXPECT_THAT(scopes_above(steps, "c"), UnorderedElementsAre("a", "b", "z"));
  EXPECT_THAT(scopes_above(steps, "a"), IsEmpty());
  EXPECT_THAT(circle_in(steps), IsEmpty());
  EXPECT_THAT(circle_in({{"x", {"a"}}, {"a", {"b"}}, {"b", {"c", "a"}}}), ElementsAre("a", "b", "a"));
  EXPECT_THAT(circle_in({{"a", {"a"}}}), ElementsAre("a", "a"));
  EXPECT_THAT(scopes_above({{"a", {"b"}}, {"b", {"a"}}}, "a"), ElementsAre("b")) << "even a circle ends";
}

TEST(PolicySections, ARefusalSaysWhichRulesWereLookedAtAndWhatWouldHaveAllowedIt) {
  policy_rules written;
  written.tools = {true,
                   {{"*", {"mcp"}},
                    {"delete_*", {"tools:write", "tools:admin"}, scopes_needed::any},
                    denied("delete_all")}};
  written.base_scopes = {"base"};
  policy rules(written);
  auto refused = why(rules, with({"mcp", "tools:Write"}), tool("delete_x"));
  EXPECT_EQ(refused.code, errc::scope_insufficient);
  EXPECT_THAT(refused.scopes, ElementsAre("base", "mcp", "tools:write"));
  EXPECT_EQ(refused.would_allow, "the scopes base mcp tools:write");
  EXPECT_THAT(refused.detail,
              HasSubstr("the token has tools:Write, which differs from tools:write in case only"));
  ASSERT_EQ(refused.trace.size(), 2U);
  EXPECT_EQ(refused.trace[0].section, "tools");
  EXPECT_EQ(refused.trace[0].pattern, "*");
  EXPECT_TRUE(refused.trace[0].allows());
  EXPECT_EQ(refused.trace[1].pattern, "delete_*");
  EXPECT_THAT(refused.trace[1].missing_scopes, ElementsAre("tools:write", "tools:admin"));
  auto never = why(rules, with({"base", "mcp", "tools:admin"}), tool("delete_all"));
  EXPECT_EQ(never.code, errc::policy_denied);
  EXPECT_THAT(never.scopes, IsEmpty());
  EXPECT_EQ(never.would_allow, "");
  ASSERT_EQ(never.trace.size(), 3U);
  EXPECT_TRUE(never.trace[2].denied);
}

TEST(PolicySections, ATraceIsBounded) {
  policy_rules written;
  written.tools.given = true;
  for (int i = 0; i < 500; ++i) written.tools.rules.push_back({"*", {"s" + std::to_string(i)}});
  EXPECT_LE(why(policy(written), with({}), tool("x")).trace.size(), 64U);
}

TEST(PolicySections, AToolThatNoRuleNamesHasItsNearNamesInTheLog) {
  policy_rules written;
  written.tools = {true, {{"read_file", {}}, {"write_file", {}}, {"search", {}}}};
  policy rules(written);
  EXPECT_THAT(why(rules, with({}), tool("read_fil")).detail, HasSubstr("near: read_file"));
  EXPECT_THAT(why(rules, with({}), tool("Search")).detail, HasSubstr("near: search (differs in case only)"));
  EXPECT_THAT(why(rules, with({}), tool("unrelated")).detail, Not(HasSubstr("near")));
  EXPECT_THAT(why(rules, with({}), tool(std::string(5000, 'x'))).detail, Not(HasSubstr("near")));
}

TEST(PolicySections, ListsShowWhatACallWouldBePermitted) {
  policy_rules written;
  written.tools = {true, {{"open", {}}, {"read", {"r"}}, denied("never")}};
  written.tools.rules.push_back(
      {"path",
       {},
       scopes_needed::all,
       false,
       {{rule_condition::source::argument, "p", {{value_test::operation::equals, {"x"}}}}}});
  written.resources = {true, {{"file:///public/*", {}}, {"db://*", {"d"}}, denied("file:///public/secret*")}};
  policy rules(written);
  for (const auto& scopes : {std::vector<std::string>{}, {"r"}, {"d"}, {"r", "d"}}) {
    with who(scopes);
    for (const auto* name : {"open", "read", "never", "other", "READ", ""}) {
      EXPECT_EQ(may_list(rules, who, listed::tool, name), may(rules, who, tool(name))) << name;
    }
    for (const auto* uri :
         {"file:///public/a", "db://x", "file:///public/secret", "other:x", "file:///public/../x"}) {
      EXPECT_EQ(may_list(rules, who, listed::resource, uri), may(rules, who, read(uri))) << uri;
    }
    EXPECT_TRUE(may_list(rules, who, listed::tool, "path")) << "some arguments would do";
    EXPECT_TRUE(may_list(rules, who, listed::prompt, "any"));
  }
  auto lists = [&](const caller& who, std::string_view text) {
    return may_list(rules, who, listed::resource_template, text);
  };
  EXPECT_TRUE(lists(with({}), "file:///public/{name}"));
  EXPECT_TRUE(lists(with({}), "file:///{+path}"));
  EXPECT_FALSE(lists(with({}), "file:///public/secret/{name}"));
  EXPECT_FALSE(lists(with({}), "file:///private/{name}"));
  EXPECT_FALSE(lists(with({}), "db://{table}/{row}"));
  EXPECT_TRUE(lists(with({"d"}), "db://{table}/{row}"));
  EXPECT_FALSE(lists(with({}), "http://{x}"));
  EXPECT_TRUE(lists(with({}), "{+any}"));
  EXPECT_FALSE(lists(with({}), "file:///public/" + std::string(600, 'x') + "{a}"));
}

TEST(PolicySections, AMethodThatIsDeniedHidesItsItems) {
  policy_rules written;
  written.tools = {true, {{"open", {}}}};
  written.methods = {true, {{"tools/list", {}}, {"tools/call", {"call"}}}};
  policy rules(written);
  EXPECT_FALSE(may_list(rules, with({}), listed::tool, "open"));
  EXPECT_TRUE(may_list(rules, with({"call"}), listed::tool, "open"));
}

TEST(PolicySections, AClosedPolicyRefusesEverythingAndListsNothing) {
  auto shut = policy::closed(errc::policy_unavailable, "none yet");
  auto refused = why(shut, with({"all"}), request("initialize"));
  EXPECT_EQ(refused.code, errc::policy_unavailable);
  EXPECT_EQ(refused.detail, "none yet");
  EXPECT_THAT(refused.scopes, IsEmpty());
  EXPECT_EQ(authorize_stream(shut, with({})).error().code, errc::policy_unavailable);
  EXPECT_TRUE(shut.filters_lists());
  EXPECT_FALSE(may_list(shut, with({}), listed::tool, "x"));
}

TEST(PolicySections, ListsAreFilteredWhereThereAreRules) {
  policy_rules written;
  EXPECT_FALSE(policy(written).filters_lists());
  written.prompts.given = true;
  EXPECT_TRUE(policy(written).filters_lists());
  written.filter_lists = false;
  EXPECT_FALSE(policy(written).filters_lists());
}

}  // namespace
}  // namespace mcp_oauth
