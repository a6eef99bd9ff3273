#include "policy/condition.h"

#include "policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using operation = value_test::operation;
using source = rule_condition::source;
using testing::HasSubstr;

json::object object(std::string_view text) {
  auto read = parse_json_object(text);
  EXPECT_TRUE(read) << text;
  return read ? *read : json::object();
}

rule_condition argument(std::string path, value_test test) {
  return {source::argument, std::move(path), {test}};
}
rule_condition claim(std::string path, value_test test) { return {source::claim, std::move(path), {test}}; }
value_test is(std::vector<std::string> values) { return {operation::equals, std::move(values)}; }
value_test no(value_test test) {
  test.negated = true;
  return test;
}

struct row {
  value_test test;
  std::string value;  // JSON
  bool passes;
};

TEST(Condition, JudgesTheValueOfAnArgument) {
  for (const auto& r : {
           row{is({"a", "b"}), "\"b\"", true},
           row{is({"a"}), "\"A\"", false},
           row{is({"a"}), "\"a \"", false},
           row{is({"10"}), "10", true},
           row{is({"10"}), "10.0", true},
           row{is({"10"}), "1e1", true},
           row{is({"10"}), "\"10\"", true},
           row{is({"10"}), "11", false},
           row{is({"10.5"}), "10.5", true},
           row{is({"9007199254740993"}), "9007199254740992", false},
           row{is({"18446744073709551615"}), "18446744073709551615", true},
           row{is({"-1"}), "-1", true},
           row{is({"true"}), "true", true},
           row{is({"true"}), "false", false},
           row{is({"true"}), "1", false},
           row{is({""}), "\"\"", true},
           row{is({"null"}), "null", false},
           row{is({"x"}), "{}", false},
           row{no(is({"x"})), "{}", false},
           row{no(is({"x"})), "\"y\"", true},
           row{no(is({"x"})), "\"x\"", false},
           row{no(is({"x"})), "null", false},
           row{is({"a", "b"}), R"(["a","b"])", true},
           row{is({"a"}), R"(["a","b"])", false},
           row{is({"a"}), "[]", false},
           row{is({"a"}), R"(["a",null])", false},
           row{is({"a"}), R"(["a",{}])", false},
           row{is({"a"}), R"([["a"],"a"])", true},
           row{no(is({"b"})), R"(["a","b"])", false},
           row{{operation::starts_with, {"/p/", "/q/"}}, "\"/q/x\"", true},
           row{{operation::starts_with, {"/p/"}}, "\"/p\"", false},
           row{{operation::starts_with, {"1"}}, "12", false},
           row{{operation::matches, {"*.txt"}}, "\"a.txt\"", true},
           row{{operation::matches, {"*.txt"}}, "\"a.txt.exe\"", false},
           row{no({operation::starts_with, {"/p/"}}), "\"/q\"", true},
           row{no({operation::matches, {"*.txt"}}), "\"a.exe\"", true},
           row{{operation::exists, {}}, "0", true},
           row{{operation::exists, {}}, "{}", true},
           row{{operation::exists, {}}, "null", false},
           row{no({operation::exists, {}}), "null", true},
           row{no({operation::exists, {}}), "0", false},
       }) {
    auto arguments = object(R"({"v":)" + r.value + "}");
    EXPECT_EQ(holds(argument("v", r.test), {}, &arguments), r.passes)
        << describe(argument("v", r.test)) << r.value;
  }
}

TEST(Condition, AnAbsentArgumentPassesOnlyWhereThatIsSaid) {
  auto none = object("{}");
  for (const auto* given :
       {static_cast<const json::object*>(nullptr), static_cast<const json::object*>(&none)}) {
    EXPECT_FALSE(holds(argument("v", is({"x"})), {}, given));
    EXPECT_FALSE(holds(argument("v", no(is({"x"}))), {}, given));
    EXPECT_FALSE(holds(argument("v", {operation::exists, {}}), {}, given));
    EXPECT_TRUE(holds(argument("v", no({operation::exists, {}})), {}, given));
    auto optional = argument("v", is({"x"}));
    optional.optional = true;
    EXPECT_TRUE(holds(optional, {}, given));
  }
  auto other = object(R"({"v":"y"})");
  auto optional = argument("v", is({"x"}));
  optional.optional = true;
  EXPECT_FALSE(holds(optional, {}, &other));
}

TEST(Condition, InsideTakesPlainPathsInTheFolderOnly) {
  auto inside = [](const char* folder, const std::string& path) {
    json::object arguments{{"p", json::string(path)}};
    return holds(argument("p", {operation::inside, {folder}}), {}, &arguments);
  };
  for (const auto* path :
       {"/public", "/public/", "/public/a", "/public/a/b.txt", "/public/..a", "/public/a..b"}) {
    EXPECT_TRUE(inside("/public", path)) << path;
    EXPECT_TRUE(inside("/public/", path)) << path;
  }
  for (const auto* path :
       {"/publican", "/public/../etc", "/public/..", "/public/./a", "/public//etc", "/public/%2e%2e/etc",
        "/public\\..\\etc", "/public/a\n", "public/a", "/PUBLIC/a", "//public/a", "/private/public/a", ""}) {
    EXPECT_FALSE(inside("/public", path)) << path;
  }
  EXPECT_TRUE(inside("docs", "docs/a"));
  EXPECT_FALSE(inside("docs", "docs/../a"));
  EXPECT_TRUE(inside("/", "/a/b"));
}

TEST(Condition, WhatCannotBeJudgedPassesNeitherATestNorItsNegation) {
  for (const auto& r : {
           row{{operation::inside, {"/secret"}}, "\"/a/../secret/x\"", false},
           row{{operation::inside, {"/secret"}}, "\"//secret/x\"", false},
           row{{operation::inside, {"/secret"}}, "\"/a/..%2Fsecret\"", false},
           row{{operation::inside, {"/secret"}}, "\"\\\\secret\"", false},
           row{{operation::inside, {"/secret"}}, "7", false},
           row{{operation::inside, {"/secret"}}, "\"secret/x\"", false},
           row{{operation::inside, {"/secret"}}, "\"\"", false},
           row{{operation::inside, {"/secret", "a"}}, "\"/x\"", false},
           row{{operation::inside, {"secret"}}, "\"/secret/x\"", false},
           row{{operation::inside, {"/secret"}}, "\" /secret/x\"", false},
           row{{operation::inside, {"/secret"}}, "\"/x \"", false},
           row{{operation::inside, {"x"}}, "\"~/x\"", false},
           row{{operation::inside, {"x"}}, "\"~root\"", false},
           row{{operation::inside, {"x"}}, "\"file:/secret/x\"", false},
           row{{operation::inside, {"C:"}}, "\"C:/secret\"", false},
           row{{operation::starts_with, {"1"}}, "12", false},
           row{{operation::matches, {"1*"}}, "12", false},
           row{{operation::matches, {"t*"}}, "true", false},
           row{{operation::matches, {"t*"}}, "[\"a\",true]", false},
       }) {
    auto arguments = object(R"({"v":)" + r.value + "}");
    EXPECT_FALSE(holds(argument("v", r.test), {}, &arguments)) << r.value;
    EXPECT_FALSE(holds(argument("v", no(r.test)), {}, &arguments)) << r.value;
    EXPECT_FALSE(holds(claim("v", no(r.test)), {nullptr, &arguments}, nullptr)) << r.value;
  }
  auto many = object(R"({"v":["t",1]})");
  EXPECT_TRUE(holds(claim("v", {operation::matches, {"t*"}}), {nullptr, &many}, nullptr));
  for (const auto* path : {"\"/public/x\"", "\"/secrets\"", "\"/x/a:b\"", "\"/x/~a b\""}) {
    auto arguments = object(std::string(R"({"v":)") + path + "}");
    EXPECT_TRUE(holds(argument("v", no({operation::inside, {"/secret"}})), {}, &arguments)) << path;
  }
}

// Servers made with the official Python SDK decode a text that is JSON for whatever is no text to them.
TEST(Condition, WhatAServerCouldDecodeByItselfPassesNothingThatItWouldLeave) {
  auto optional = argument("options.path", {operation::inside, {"/public"}});
  optional.optional = true;
  auto unforced = argument("options.force", no({operation::exists, {}}));
  for (const auto* text : {"{}", R"({"options":null})", R"({"options":{}})", R"({"options":[]})",
                           R"({"options":[{"path":"/public/x"},{}]})"}) {
    auto given = object(text);
    EXPECT_TRUE(holds(unforced, {}, &given)) << text;
  }
  for (const auto* text :
       {R"({"options":"{\"path\":\"/secret/x\",\"force\":true}"})", R"({"options":7})", R"({"options":true})",
        R"({"options":["{}"]})", R"({"options":[{"path":"/public/x"},"{}"]})"}) {
    auto given = object(text);
    EXPECT_FALSE(holds(optional, {}, &given)) << text;
    EXPECT_FALSE(holds(unforced, {}, &given)) << text;
  }
  for (const auto* value : {R"("[\"prod\"]")", R"(" \n[\"prod\"]")", R"("{\"a\":1}")", R"("\"prod\"")",
                            R"(["test","[\"prod\"]"])"}) {
    auto given = object(std::string(R"({"v":)") + value + "}");
    for (const auto& test : {no(is({"prod"})), no({operation::starts_with, {"prod"}}),
                             no({operation::matches, {"prod*"}}), no({operation::inside, {"/secret"}})}) {
      EXPECT_FALSE(holds(argument("v", test), {}, &given)) << value;
    }
  }
  auto text = object(R"({"v":"[\"prod\"]"})");
  EXPECT_TRUE(holds(argument("v", is({"[\"prod\"]"})), {}, &text)) << "what is named may pass";
  EXPECT_TRUE(holds(claim("v", no(is({"prod"}))), {nullptr, &text}, nullptr)) << "nobody decodes a claim";
  auto safe = object(R"({"v":"a[0]"})");
  EXPECT_TRUE(holds(argument("v", no(is({"prod"}))), {}, &safe));
}

TEST(Condition, ArgumentsThatAreNoObjectPassNothing) {
  access_rule rule{"t", {}};
  rule.when = {argument("path", {operation::inside, {"/public"}})};
  rule.when[0].optional = true;
  access_rule other{"u", {}};
  other.when = {argument("force", no({operation::exists, {}}))};
  policy rules({rule, other}, true, {});
  caller who{"ada", "client", {}, {}};
  auto may = [&](const std::string& name, const std::string& rest) {
    auto body =
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + name + "\"" + rest + "}}";
    envelope_scanner scanner;
    EXPECT_TRUE(scanner.feed(body) && scanner.finish()) << body;
    return authorize(rules, who, scanner.seen(), body).has_value();
  };
  for (const auto* name : {"t", "u"}) {
    for (const auto* fine : {"", R"(,"arguments":{})", R"(,"arguments":null)"})
      EXPECT_TRUE(may(name, fine)) << name << fine;
    for (const auto* odd :
         {R"(,"arguments":"{\"path\":\"/secret\",\"force\":true}")", R"(,"arguments":[])",
          R"(,"arguments":[{"path":"/secret"}])", R"(,"arguments":7)", R"(,"arguments":false)"}) {
      EXPECT_FALSE(may(name, odd)) << name << odd;
    }
  }
}

TEST(Condition, ADotLeadsIntoAnObjectAndOverLists) {
  auto given = object(R"({"a":{"b":[{"c":"x"},{"c":"x"}],"d":"y"},"a.d":"x"})");
  EXPECT_TRUE(holds(argument("a.b.c", is({"x"})), {}, &given));
  EXPECT_TRUE(holds(argument("a.d", is({"y"})), {}, &given))
      << "a name with a dot of its own is another member";
  EXPECT_FALSE(holds(argument("a.d.e", is({"y"})), {}, &given));
  auto mixed = object(R"({"a":[{"c":"x"},{"d":"z"}]})");
  EXPECT_FALSE(holds(argument("a.c", is({"x"})), {}, &mixed)) << "one of them is not judged";
}

TEST(Condition, MembersThatDifferInCaseOnlyPassNothing) {
  for (const auto* text : {R"({"path":"x","Path":"y"})", R"({"PATH":"y","path":"x"})", R"({"Path":"x"})"}) {
    auto given = object(text);
    EXPECT_FALSE(holds(argument("path", is({"x"})), {}, &given)) << text;
    EXPECT_FALSE(holds(argument("path", no({operation::exists, {}})), {}, &given)) << text;
  }
}

TEST(Condition, ReadsClaimsOfOurTokensAndOfThoseOfOthers) {
  access_claims ours;
  ours.subject = "corp:ada";
  ours.email = "ada@example.com";
  ours.scopes = {"a", "b"};
  claims_view own{&ours, nullptr};
  EXPECT_TRUE(holds(claim("sub", is({"corp:ada"})), own, nullptr));
  EXPECT_TRUE(holds(claim("email", {operation::matches, {"*@example.com"}}), own, nullptr));
  EXPECT_TRUE(holds(claim("scope", is({"b"})), own, nullptr));
  EXPECT_FALSE(holds(claim("name", {operation::exists, {}}), own, nullptr));
  EXPECT_FALSE(holds(claim("department", is({"eng"})), own, nullptr));

  auto theirs = object(
      R"({"sub":"ada","groups":["eng","ops"],"realm_access":{"roles":["admin"]},"level":3,
          "https://example.com/role":"dev","scope":"a b","mfa":true})");
  claims_view other{nullptr, &theirs};
  EXPECT_TRUE(holds(claim("groups", is({"ops", "x"})), other, nullptr)) << "one of many is enough";
  EXPECT_FALSE(holds(claim("groups", no(is({"ops"}))), other, nullptr)) << "and one too many";
  EXPECT_TRUE(holds(claim("groups", no(is({"contractors"}))), other, nullptr));
  EXPECT_TRUE(holds(claim("realm_access.roles", is({"admin"})), other, nullptr));
  EXPECT_TRUE(holds(claim("https://example.com/role", is({"dev"})), other, nullptr));
  EXPECT_TRUE(holds(claim("level", is({"3"})), other, nullptr));
  EXPECT_TRUE(holds(claim("mfa", is({"true"})), other, nullptr));
  EXPECT_TRUE(holds(claim("scope", is({"b"})), other, nullptr));
  EXPECT_FALSE(holds(claim("groups.x", is({"eng"})), other, nullptr));
  EXPECT_FALSE(holds(claim("sub", is({"ada"})), {}, nullptr)) << "nobody has no claims";
}

TEST(Condition, FindsNoAddressThatTheTokenTakesBack) {
  auto about_email = [](std::string_view verified, const value_test& test) {
    auto claims = object(R"({"email":"boss@corp.example")" + std::string(verified) + "}");
    return holds(claim("email", test), {nullptr, &claims}, nullptr);
  };
  value_test corp{operation::matches, {"*@corp.example"}}, there{operation::exists, {}};
  for (auto denied : {R"(,"email_verified":false)", R"(,"email_verified":"false")"}) {
    EXPECT_FALSE(about_email(denied, corp)) << denied;
    EXPECT_FALSE(about_email(denied, no({operation::matches, {"*@other.example"}}))) << denied;
    EXPECT_FALSE(about_email(denied, there)) << denied;
    EXPECT_TRUE(about_email(denied, no(there))) << denied;
  }
  for (auto stands : {"", R"(,"email_verified":true)", R"(,"email_verified":"true")"})
    EXPECT_TRUE(about_email(stands, corp)) << stands;
}

TEST(Condition, IsPartOfARule) {
  access_rule rule{"read_file", {"files"}};
  rule.when = {argument("path", {operation::inside, {"/public"}}),
               claim("email", {operation::matches, {"*@a.org"}})};
  policy rules({rule, {"other", {}}}, true, {});
  access_claims ada;
  ada.email = "ada@a.org";
  std::vector<std::string> scopes{"files"};
  caller who{"ada", "client", scopes, {&ada, nullptr}};
  auto ask = [&](const std::string& body) {
    envelope_scanner scanner;
    EXPECT_TRUE(scanner.feed(body));
    EXPECT_TRUE(scanner.finish());
    EXPECT_TRUE(rules.wants_text(scanner.seen()));
    return authorize(rules, who, scanner.seen(), body);
  };
  auto call = [](const std::string& arguments) {
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":)" +
           arguments + "}}";
  };
  EXPECT_TRUE(ask(call(R"({"path":"/public/a"})")));
  auto refused = ask(call(R"({"path":"/etc/passwd"})"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::policy_denied);
  EXPECT_THAT(refused.error().detail, HasSubstr("argument.path inside /public"));
  EXPECT_THAT(refused.error().detail, testing::Not(HasSubstr("passwd"))) << "no value is shown";
  ASSERT_EQ(refused.error().trace.size(), 1U);
  EXPECT_THAT(refused.error().trace[0].unmet, testing::ElementsAre("argument.path inside /public"));
  EXPECT_FALSE(ask(call("{}")));
  EXPECT_FALSE(ask(call("null")));
  EXPECT_FALSE(ask(call(R"("/public/a")")));
  // What two readers could read differently is no answer.
  EXPECT_EQ(ask(call(R"({"path":"/public/a","path":"/etc"})")).error().code, errc::body_malformed);
  EXPECT_FALSE(ask(call(R"({"path":"/public/a","Path":"/etc"})")));
  EXPECT_FALSE(ask(call(R"({"path":"/public/a"},"Arguments":{"path":"/etc"})").substr(0)));
  ada.email = "eve@b.org";
  EXPECT_FALSE(ask(call(R"({"path":"/public/a"})")));
  ada.email = "ada@a.org";
  EXPECT_TRUE(ask("[" + call(R"({"path":"/public/a"})") + "," + call(R"({"path":"/public/b"})") + "]"));
  EXPECT_FALSE(ask("[" + call(R"({"path":"/public/a"})") + "," + call(R"({"path":"/b"})") + "]"));
}

TEST(Condition, SaysWhatItWants) {
  EXPECT_EQ(describe(claim("department", is({"eng", "ops"}))), "claim.department is eng or ops");
  auto c = argument("path", no({operation::starts_with, {"/etc"}}));
  c.tests.push_back({operation::exists, {}});
  c.optional = true;
  EXPECT_EQ(describe(c), "argument.path not starts_with /etc and exists or is absent");
}

}  // namespace
}  // namespace mcp_oauth
