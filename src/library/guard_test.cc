#include "base/text.h"
#include "library/fixture.h"
#include "oauth/certificate_binding.h"

#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

v1::guard made(const v1::options& o) {
  auto g = v1::guard::make(o);
  EXPECT_TRUE(g) << (g ? "" : g.error().text());
  return *g;
}

struct Library : testing::Test {
  library_world world;
};

TEST_F(Library, SaysWhoseTokenItIs) {
  auto g = made(world.options());
  auto who =
      g.validate(world.token_with({{"preferred_username", "ada.l"}, {"name", "Ada"}, {"team", "engines"}}));
  ASSERT_TRUE(who) << who.error().detail();
  EXPECT_EQ(who->subject(), "ada");
  EXPECT_EQ(who->issuer(), "https://idp.example.com");
  EXPECT_EQ(who->email(), "ada@example.com");
  EXPECT_EQ(who->name(), "Ada");
  EXPECT_EQ(who->username(), "ada.l");
  EXPECT_EQ(who->client_id(), "inspector");
  EXPECT_TRUE(who->has_scope("tools:read"));
  EXPECT_FALSE(who->has_scope("tools:Read"));
  EXPECT_THAT(who->claims(), HasSubstr(R"("team":"engines")"));
  EXPECT_EQ(to_unix(who->expires()), world.seconds_now + 300);
}

TEST_F(Library, CallsAUserWithoutNameByAddressOrSubject) {
  auto g = made(world.options());
  EXPECT_EQ(g.validate(world.token())->username(), "ada@example.com");
  auto claims = world.claims();
  claims.erase("email");
  EXPECT_EQ(g.validate(world.token(claims))->username(), "ada");
}

TEST_F(Library, RefusesEachTokenForItsReason) {
  auto g = made(world.options());
  auto other = signing_key::generate_es256();
  auto now = world.seconds_now.load();
  struct row {
    std::string token;
    const char* reason;
    int status;
  };
  auto unnamed = world.claims();
  unnamed.erase("aud");
  auto good = world.token();
  const std::vector<row> rows = {
      {"", "token_missing", 401},
      {"opaque", "token_opaque", 401},
      {good.substr(0, good.size() / 2), "token_malformed", 401},
      {world.token_with({{"iss", "https://evil.example.com"}}), "token_issuer_mismatch", 401},
      {world.token_with({{"aud", "https://other.example.com"}}), "token_audience_mismatch", 401},
      {world.token(unnamed), "token_audience_absent", 401},
      {world.token_with({{"exp", now - 61}}), "token_expired", 401},
      {world.token_with({{"nbf", now + 120}}), "token_not_yet_valid", 401},
      {sign_jws(other, "at+jwt", world.key.public_part().kid(), json::serialize(world.claims())),
       "token_signature_invalid", 401},
      {sign_jws(other, "at+jwt", "another", json::serialize(world.claims())), "token_key_unknown", 401},
      {sign_jws(world.key, "logout+jwt", world.key.public_part().kid(), json::serialize(world.claims())),
       "token_type_wrong", 401},
  };
  for (const auto& r : rows) {
    auto who = g.validate(r.token);
    ASSERT_FALSE(who) << r.reason;
    EXPECT_EQ(who.error().reason(), r.reason) << who.error().detail();
    EXPECT_EQ(who.error().status(), r.status);
  }
  // No token, and no secret of one, in the log.
  for (const auto& line : world.lines()) {
    for (const auto& r : rows) {
      if (r.token.size() > 20) {
        EXPECT_THAT(line, Not(HasSubstr(r.token.substr(r.token.size() - 20))));
      }
    }
  }
}

TEST_F(Library, RemembersATokenAndNeverBeyondItsEnd) {
  auto g = made(world.options());
  auto token = world.token();
  ASSERT_TRUE(g.validate(token));
  auto fetched = world.fetches.load();
  world.away = true;
  EXPECT_TRUE(g.validate(token));
  EXPECT_EQ(world.fetches, fetched);
  world.seconds_now += 361;
  auto late = g.validate(token);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().reason(), "token_expired");
}

TEST_F(Library, SaysThatTheIssuerIsAwayAndNotThatTheTokenIsBad) {
  world.away = true;
  auto g = made(world.options());
  auto who = g.validate(world.token());
  ASSERT_FALSE(who);
  EXPECT_EQ(who.error().status(), 503);
  auto answer = g.refuse(who.error());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header_value("retry-after"), "5");
  EXPECT_EQ(answer.header_value("www-authenticate"), "");
}

TEST_F(Library, PreparesOrSaysWhyNot) {
  auto g = made(world.options());
  EXPECT_FALSE(g.prepare());
  EXPECT_EQ(world.fetches, 2);
  world.away = true;
  auto away = made(world.options());
  auto why = away.prepare();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->status(), 503);
  EXPECT_THAT(std::string(why->detail()), HasSubstr("nobody is there"));
}

TEST_F(Library, TellsAClientWithoutATokenWhereToGetOne) {
  auto o = world.options();
  o.scopes = {"mcp"};
  auto g = made(o);
  test_request asked{{}, "POST", "/mcp", "{}"};
  auto let_in = g.admit(asked.view());
  ASSERT_FALSE(let_in.allowed());
  EXPECT_EQ(let_in.answer().status, 401);
  EXPECT_EQ(let_in.answer().header_value("WWW-Authenticate"),
            R"(Bearer scope="mcp", resource_metadata=)"
            R"("https://mcp.example.com/.well-known/oauth-protected-resource/mcp")");
  EXPECT_EQ(let_in.refused()->reason(), "token_missing");
}

TEST_F(Library, RefusesCredentialsThatAreNoBearerToken) {
  auto g = made(world.options());
  auto token = world.token();
  const std::vector<std::pair<std::vector<std::pair<std::string, std::string>>, const char*>> rows = {
      {{{"Authorization", "Basic " + token}}, "authorization_scheme_unsupported"},
      {{{"Authorization", token}}, "token_malformed"},
      {{{"Authorization", "Bearer " + token}, {"authorization", "Bearer " + token}}, "credentials_repeated"},
      {{{"Authorization", "DPoP " + token}}, "authorization_scheme_unsupported"},
  };
  for (const auto& [headers, reason] : rows) {
    auto asked = call_of(token, "echo");
    asked.headers = headers;
    auto let_in = g.admit(asked.view());
    ASSERT_FALSE(let_in.allowed());
    EXPECT_EQ(let_in.refused()->reason(), reason);
  }
}

TEST_F(Library, LetsACallInWithWhoItIsAndWhatItIs) {
  auto g = made(world.options());
  auto token = world.token();
  auto asked = call_of(token, "echo");
  asked.headers[0] = {"authorization", "bearer   " + token};
  auto let_in = g.admit(asked.view());
  ASSERT_TRUE(let_in.allowed()) << let_in.answer().body;
  EXPECT_EQ(let_in.call().user().subject(), "ada");
  EXPECT_EQ(let_in.call().token(), token);
  EXPECT_EQ(let_in.call().method(), "tools/call");
  EXPECT_EQ(let_in.call().name(), "echo");
}

TEST_F(Library, DeniesByRulesWithTheScopesToAskFor) {
  auto o = world.options();
  o.tools = {{"echo", {"tools:read"}}, {"delete_*", v1::any_of({"tools:write", "tools:admin"})}};
  auto g = made(o);
  auto allowed = call_of(world.token(), "echo");
  EXPECT_TRUE(g.admit(allowed.view()).allowed());

  auto asked = call_of(world.token(), "delete_note");
  auto denied = g.admit(asked.view());
  ASSERT_FALSE(denied.allowed());
  EXPECT_EQ(denied.answer().status, 403);
  EXPECT_THAT(std::string(denied.answer().header_value("WWW-Authenticate")),
              AllOf(HasSubstr(R"(error="insufficient_scope")"), HasSubstr(R"(scope="tools:write")")));
  EXPECT_THAT(denied.answer().body, HasSubstr(R"("required_scopes":["tools:write"])"));

  auto unknown = call_of(world.token(), "format_disk");
  auto nobody = g.admit(unknown.view());
  ASSERT_FALSE(nobody.allowed());
  EXPECT_EQ(nobody.refused()->reason(), "policy_denied");
  EXPECT_THAT(nobody.refused()->required_scopes(), ElementsAre());

  auto who = g.validate(world.token());
  EXPECT_FALSE(g.authorize_tool(*who, "echo"));
  EXPECT_EQ(g.authorize_tool(*who, "delete_note")->reason(), "scope_insufficient");
}

// Which of these is the table that denies everything, and which is none, is nothing that may be read two
// ways.
TEST_F(Library, DeniesEveryToolByATableWithoutRules) {
  struct row {
    const char* what;
    std::function<void(v1::options&)> set;
    bool allowed;
  };
  const std::vector<row> rows = {
      {"nothing said", [](v1::options&) {}, true},
      {"not given", [](v1::options& o) { o.tools = v1::rule_table::not_given(); }, true},
      {"{}", [](v1::options& o) { o.tools = {}; }, false},
      {"an empty vector", [](v1::options& o) { o.tools = std::vector<v1::call_rule>(); }, false},
      {"a table of {}", [](v1::options& o) { o.tools = v1::rule_table({}); }, false},
      {"another's rule", [](v1::options& o) { o.tools.add({"other", {}}); }, false},
      {"its rule, added", [](v1::options& o) { o.tools.add({"echo", {}}); }, true},
      {"its rule", [](v1::options& o) { o.tools = {{"echo", {}}}; }, true},
      {"tools of no rule for methods", [](v1::options& o) { o.methods = {}; }, false},
  };
  for (const auto& r : rows) {
    auto o = world.options();
    r.set(o);
    auto g = made(o);
    auto asked = call_of(world.token(), "echo");
    auto let_in = g.admit(asked.view());
    EXPECT_EQ(let_in.allowed(), r.allowed) << r.what;
    if (!r.allowed && !let_in.allowed()) {
      EXPECT_EQ(let_in.answer().status, 403) << r.what;
      EXPECT_EQ(let_in.refused()->reason(), "policy_denied") << r.what;
    }
  }
  const std::vector<std::pair<const char*, bool>> texts = {
      {"{}", true}, {R"({"tools": {}})", false}, {R"({"tools": {"echo": []}})", true}};
  for (const auto& [text, allowed] : texts) {
    auto whole = R"({"issuer": "https://idp.example.com", "resource": "https://mcp.example.com/mcp")" +
                 std::string(text == std::string_view("{}") ? "" : ", ") + (text + 1);
    auto conf = v1::config::from_json(whole, world.options());
    ASSERT_TRUE(conf) << conf.error().text();
    auto asked = call_of(world.token(), "echo");
    EXPECT_EQ(v1::guard::make(*conf)->admit(asked.view()).allowed(), allowed) << text;
  }
  // What nobody may call is in no list.
  auto o = world.options();
  o.tools = {};
  auto g = made(o);
  auto who = g.validate(world.token());
  EXPECT_EQ(*g.filter_list(*who, R"({"result":{"tools":[{"name":"echo"}]}})"), R"({"result":{"tools":[]}})");
  auto denied = g.authorize_tool(*who, "echo");
  ASSERT_TRUE(denied);
  EXPECT_EQ(denied->reason(), "policy_denied");
}

TEST_F(Library, GovernsMethodsResourcesAndPromptsAsWell) {
  auto o = world.options();
  o.methods = {{"tools/*", {}}, {"resources/*", {}}, {"prompts/*", {}}};
  o.resources = {{"file:///public/*", {}}};
  o.prompts = {{"greet", {"prompts"}}};
  auto g = made(o);
  const std::vector<std::pair<const char*, bool>> rows = {
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", true},
      {R"({"jsonrpc":"2.0","id":1,"method":"logging/setLevel"})", false},
      {R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{}})", true},
      {R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///public/a"}})", true},
      {R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}})", false},
      {R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///public/../etc/passwd"}})",
       false},
      {R"({"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"greet"}})", false},
  };
  for (const auto& [body, allowed] : rows) {
    auto asked = call_of(world.token(), "x");
    asked.body = body;
    EXPECT_EQ(g.admit(asked.view()).allowed(), allowed) << body;
  }
}

TEST_F(Library, RefusesABodyThatTheServerMightReadOtherwise) {
  auto o = world.options();
  o.tools = {{"echo", {}}};
  o.most_body_bytes = 2048;
  auto g = made(o);
  const std::vector<std::pair<std::string, int>> rows = {
      {"", 400},
      {"not json", 400},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"echo"}})", 400},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","METHOD":"ping","params":{"name":"echo"}})", 400},
      {R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}])",
       403},
      {std::string(4096, ' '), 413},
  };
  for (const auto& [body, status] : rows) {
    auto asked = call_of(world.token(), "echo");
    asked.body = body;
    auto let_in = g.admit(asked.view());
    ASSERT_FALSE(let_in.allowed()) << body;
    EXPECT_EQ(let_in.answer().status, status) << body;
  }
  auto asked = call_of(world.token(), "echo");
  asked.headers.emplace_back("Mcp-Name", "delete_note");
  auto let_in = g.admit(asked.view());
  ASSERT_FALSE(let_in.allowed());
  EXPECT_THAT(let_in.answer().body, AllOf(HasSubstr("-32020"), HasSubstr(R"("id":7)")));
}

TEST_F(Library, LetsStreamsInByTheTokenAlone) {
  auto g = made(world.options());
  for (const char* method : {"GET", "DELETE"}) {
    auto asked = call_of(world.token(), "x");
    asked.method = method;
    asked.body = "";
    auto let_in = g.admit(asked.view());
    ASSERT_TRUE(let_in.allowed());
    EXPECT_EQ(let_in.call().method(), "stream");
  }
  auto asked = call_of(world.token(), "x");
  asked.method = "PUT";
  auto let_in = g.admit(asked.view());
  ASSERT_FALSE(let_in.allowed());
  EXPECT_EQ(let_in.answer().status, 405);
  EXPECT_EQ(let_in.answer().header_value("Allow"), "GET, POST, DELETE, OPTIONS");
}

TEST_F(Library, KeepsOtherWebPagesOut) {
  auto o = world.options();
  o.allowed_origins = {"https://app.example.com"};
  auto g = made(o);
  const std::vector<std::pair<const char*, bool>> rows = {{"https://mcp.example.com", true},
                                                          {"https://app.example.com", true},
                                                          {"https://evil.example.com", false},
                                                          {"null", false},
                                                          {"https://app.example.com.evil.com", false}};
  for (const auto& [origin, allowed] : rows) {
    auto asked = call_of(world.token(), "echo");
    asked.headers.emplace_back("Origin", origin);
    auto let_in = g.admit(asked.view());
    EXPECT_EQ(let_in.allowed(), allowed) << origin;
    if (!allowed) {
      EXPECT_EQ(let_in.answer().status, 403);
    }
    asked.method = "OPTIONS";
    asked.headers.erase(asked.headers.begin());
    asked.headers.emplace_back("Access-Control-Request-Headers", "authorization, mcp-param-city, x-evil\r\n");
    auto preflight = g.admit(asked.view());
    ASSERT_FALSE(preflight.allowed());
    EXPECT_EQ(preflight.answer().status, allowed ? 204 : 403) << origin;
    if (!allowed) continue;
    EXPECT_EQ(preflight.answer().header_value("Access-Control-Allow-Origin"), origin);
    EXPECT_THAT(std::string(preflight.answer().header_value("Access-Control-Allow-Headers")),
                AllOf(HasSubstr("Authorization"), HasSubstr("mcp-param-city"), Not(HasSubstr("evil"))));
    EXPECT_FALSE(preflight.refused());
  }
}

TEST_F(Library, ServesTheMetadataInEveryFormThatClientsTry) {
  auto g = made(world.options());
  EXPECT_EQ(g.metadata_url(), "https://mcp.example.com/.well-known/oauth-protected-resource/mcp");
  for (const auto& path : g.metadata_paths()) {
    test_request asked{{}, "GET", path, ""};
    auto document = g.metadata(asked.view());
    ASSERT_TRUE(document) << path;
    EXPECT_EQ(document->status, 200);
    EXPECT_EQ(document->header_value("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(
        document->body,
        R"({"resource":"https://mcp.example.com/mcp","authorization_servers":["https://idp.example.com"],)"
        R"("bearer_methods_supported":["header"]})");
    asked.method = "POST";
    EXPECT_EQ(g.metadata(asked.view())->status, 405);
    asked.method = "OPTIONS";
    EXPECT_EQ(g.metadata(asked.view())->status, 204);
  }
  for (const char* path :
       {"/mcp", "/", "/.well-known/oauth-protected-resource/other", "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resourcexyz"}) {
    test_request asked{{}, "GET", path, ""};
    EXPECT_FALSE(g.metadata(asked.view())) << path;
  }
}

TEST_F(Library, MountsEverythingInOneCall) {
  auto o = world.options();
  o.tools = {{"echo", {"tools:read"}}, {"delete_note", {"tools:write"}}};
  auto g = made(o);
  std::string seen;
  auto serve = g.mount([&](const v1::request&, const v1::call& call) -> v1::response {
    EXPECT_EQ(v1::current_call(), &call);
    seen = call.user().subject();
    if (call.method() == "tools/list") {
      return {200,
              {{"Content-Type", "application/json"}, {"Content-Length", "1000"}},
              R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"},{"name":"delete_note"}]}})"};
    }
    return {200, {{"Content-Type", "application/json"}}, "{}"};
  });
  test_request document{{}, "GET", "/.well-known/oauth-protected-resource", ""};
  EXPECT_EQ(serve(document.view()).status, 200);
  test_request nobody{{}, "POST", "/mcp", "{}"};
  EXPECT_EQ(serve(nobody.view()).status, 401);
  EXPECT_EQ(seen, "");
  auto asked = call_of(world.token(), "echo");
  EXPECT_EQ(serve(asked.view()).status, 200) << testing::PrintToString(world.lines());
  EXPECT_EQ(seen, "ada");
  EXPECT_EQ(v1::current_call(), nullptr);

  asked.body = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
  auto list = serve(asked.view());
  EXPECT_EQ(list.body, R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"}]}})");
  EXPECT_EQ(list.header_value("Content-Length"), "");
}

TEST_F(Library, LeavesWhatAHandlerThrowsToItsCaller) {
  auto g = made(world.options());
  auto serve =
      g.wrap([](const v1::request&, const v1::call&) -> v1::response { throw std::runtime_error("mine"); });
  auto asked = call_of(world.token(), "echo");
  EXPECT_THROW(serve(asked.view()), std::runtime_error);
  EXPECT_EQ(v1::current_call(), nullptr);
}

TEST_F(Library, HoldsBackAListThatItCannotRead) {
  auto o = world.options();
  o.tools = {{"echo", {"tools:read"}}};
  auto g = made(o);
  auto asked = call_of(world.token(), "echo");
  asked.body = R"({"jsonrpc":"2.0","id":"a","method":"tools/list"})";
  auto let_in = g.admit(asked.view());
  ASSERT_TRUE(let_in.allowed()) << let_in.answer().body;
  EXPECT_TRUE(let_in.call().filters());
  for (const char* body :
       {"{", "<html>", R"({"result":{"tools":[{"name":"secret"},]}})", R"({"result":{"tools":[{}]}})"}) {
    auto answer = let_in.call().filtered({200, {{"Content-Type", "application/json; charset=utf-8"}}, body});
    EXPECT_EQ(answer.status, 502) << body;
    EXPECT_THAT(answer.body, AllOf(HasSubstr(R"("id":"a")"), Not(HasSubstr("secret"))));
  }
  auto events = let_in.call().filtered({200,
                                        {{"content-type", "text/event-stream"}},
                                        "data: {\"result\":{\"tools\":[{\"name\":\"x\"}]}}\n\n"});
  EXPECT_EQ(events.body, "data: {\"result\":{\"tools\":[]}}\n\n");

  auto who = g.validate(world.token());
  auto kept = g.filter_list(*who, R"({"result":{"tools":[{"name":"x"},{"name":"echo"}]}})");
  ASSERT_TRUE(kept);
  EXPECT_EQ(*kept, R"({"result":{"tools":[{"name":"echo"}]}})");
  EXPECT_EQ(g.filter_list(*who, "{").error().reason(), "list_unreadable");
  for (auto type : {"", "text/plain", "application/json-rpc"})
    EXPECT_EQ(g.filter_list(*who, "{}", type).error().reason(), "list_unreadable") << type;

  auto call = call_of(world.token(), "echo");
  auto plain = g.admit(call.view());
  ASSERT_TRUE(plain.allowed());
  EXPECT_FALSE(plain.call().filters());
}

TEST_F(Library, FiltersAnAnswerInPieces) {
  auto o = world.options();
  o.tools = {{"echo", {"tools:read"}}};
  auto g = made(o);
  auto asked = call_of(world.token(), "echo");
  asked.body = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
  auto let_in = g.admit(asked.view());
  auto filter = let_in.call().begin_filter("application/json");
  std::string whole = R"({"result":{"tools":[{"name":"x"},{"name":"echo"}]}})", out;
  for (char c : whole) ASSERT_FALSE(filter.feed({&c, 1}, out));
  EXPECT_FALSE(filter.finish(out));
  EXPECT_EQ(out, R"({"result":{"tools":[{"name":"echo"}]}})");

  filter = let_in.call().begin_filter("text/event-stream");
  out.clear();
  EXPECT_FALSE(filter.feed("data: " + whole + "\n\n", out));
  EXPECT_EQ(out, "data: {\"result\":{\"tools\":[{\"name\":\"echo\"}]}}\n\n");

  auto broken = let_in.call().begin_filter("application/json");
  EXPECT_TRUE(broken.feed("<", out));
  EXPECT_TRUE(broken.feed("{}", out));
  EXPECT_TRUE(broken.finish(out));
}

TEST_F(Library, WantsTheCertificateThatATokenIsBoundTo) {
  auto g = made(world.options());
  std::string der = "some certificate";
  json::object cnf;
  cnf["x5t#S256"] = json::string(certificate_thumbprint(der));
  auto token = world.token_with({{"cnf", cnf}});
  EXPECT_EQ(g.validate(token).error().reason(), "token_certificate_missing");
  auto asked = call_of(token, "echo");
  EXPECT_FALSE(g.admit(asked.view()).allowed());
  asked.certificate = "another certificate";
  EXPECT_EQ(g.admit(asked.view()).refused()->reason(), "certificate_mismatch");
  asked.certificate = der;
  EXPECT_TRUE(g.admit(asked.view()).allowed());
}

TEST_F(Library, ReadsARequestOfManyHeaders) {
  auto g = made(world.options());
  auto asked = call_of(world.token(), "echo");
  for (int i = 0; i < 100; ++i) asked.headers.emplace_back("X-" + std::to_string(i), "v");
  EXPECT_TRUE(g.admit(asked.view()).allowed());
  asked.headers.emplace_back("Authorization", "Bearer other");
  EXPECT_EQ(g.admit(asked.view()).answer().status, 400) << "the last one is seen as well";
}

TEST_F(Library, AsksForDpopWhereItIsRequired) {
  auto o = world.options();
  o.dpop = "required";
  auto g = made(o);
  test_request nobody{{}, "POST", "/mcp", "{}"};
  auto let_in = g.admit(nobody.view());
  ASSERT_FALSE(let_in.allowed());
  EXPECT_THAT(std::string(let_in.answer().header_value("WWW-Authenticate")), HasSubstr("DPoP "));
  test_request asked{{}, "GET", "/.well-known/oauth-protected-resource", ""};
  EXPECT_THAT(g.metadata(asked.view())->body, HasSubstr(R"("dpop_bound_access_tokens_required":true)"));
}

TEST_F(Library, LogsEachDecisionAndNothingSecret) {
  auto o = world.options();
  o.tools = {{"echo", {"tools:read"}}};
  auto g = made(o);
  auto token = world.token();
  auto asked = call_of(token, "echo");
  (void)g.admit(asked.view());
  auto denied = call_of(token, "x\\ny");
  (void)g.admit(denied.view());
  auto lines = world.lines();
  EXPECT_THAT(lines,
              Contains(HasSubstr("0 allowed subject=ada client_id=inspector method=tools/call name=echo")));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("1 refused reason=policy_denied symptom=MOP-SCP-002"),
                                    HasSubstr("subject=ada"), HasSubstr("name=x?y"))));
  EXPECT_THAT(lines, Each(Not(HasSubstr(token.substr(token.size() - 20)))));
}

TEST_F(Library, SurvivesALogAndAClockThatThrow) {
  auto o = world.options();
  o.log = [](const v1::log_entry&) { throw std::runtime_error("no disk"); };
  o.clock = []() -> time_point { throw 7; };
  auto g = made(o);
  auto who = g.validate(world.token());
  ASSERT_FALSE(who);  // the real time is not that of the test
  EXPECT_THAT(std::string(who.error().reason()), testing::AnyOf("token_not_yet_valid", "token_expired"));
}

TEST_F(Library, ForgetsATokenWhenItIsTold) {
  auto g = made(world.options());
  auto token = world.token();
  ASSERT_TRUE(g.validate(token));
  auto rotated = signing_key::generate_es256();
  g.forget(token);
  EXPECT_TRUE(g.validate(token));
}

TEST(LibraryOutcome, EndsTheProgramRatherThanReadingWhatIsNotThere) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  v1::outcome<int, std::string> good(1), bad(std::string("no"));
  EXPECT_DEATH((void)good.error(), "");
  EXPECT_DEATH((void)bad.value(), "");
}

TEST(LibraryUser, IsNeverEmptyEvenWhenItWasMovedFrom) {
  library_world world;
  auto g = made(world.options());
  auto who = *g.validate(world.token());
  auto taken = std::move(who);
  EXPECT_EQ(who.subject(), "ada");  // NOLINT(bugprone-use-after-move): a move is a copy
  EXPECT_EQ(taken.subject(), "ada");
}

}  // namespace
}  // namespace mcp_oauth
