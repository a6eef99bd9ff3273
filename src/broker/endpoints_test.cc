// Every endpoint given what no client should send, and what strangers may do as often as they like.

#include "broker/fixture.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

class Endpoints : public BrokerTest {
 protected:
  void SetUp() override { client = register_public(); }
  std::string client;
};

const std::vector<std::string>& hostile_values() {
  static const std::vector<std::string> values = {
      "",
      " ",
      std::string("\0", 1),
      std::string("a\0b", 3),
      "\r\nSet-Cookie: x=1",
      "\xFF\xFE",
      "\xC0\xAF",
      std::string(3000, 'a'),
      std::string(1'000'000, 'a'),
      "%",
      "%zz",
      "<script>alert(1)</script>",
      "{{request}}",
      "../../etc/passwd",
      "' OR '1'='1",
      "null",
      "[]",
      "{\"a\":1}",
      "\xE2\x80\xAE",
      "https://evil.example/#\"",
  };
  return values;
}

// No answer may crash, leak a header line, echo markup, or be a success.
void expect_refused(const http_response& answer, const std::string& what) {
  EXPECT_GE(answer.status, 300) << what;
  EXPECT_LT(answer.status, 500) << what << answer.body;
  EXPECT_THAT(answer.body, Not(HasSubstr("<script"))) << what;
  for (const auto& [n, v] : answer.fields) {
    EXPECT_EQ(v.find_first_of(std::string("\r\n\0", 3)), std::string::npos) << what << n;
  }
  if (answer.fields.first("content-type") == "application/json") {
    EXPECT_NE(error_of(answer), "") << what;
    EXPECT_NE(text_member(body_of(answer), "error_description"), "") << what;
  }
}

form replaced(const form& request, const std::string& name, const std::string& value) {
  form out;
  for (const auto& [n, v] : request) out.add(n, n == name ? value : v);
  return out;
}

TEST_F(Endpoints, AuthorizeJudgesEveryParameter) {
  auto good = authorization(client);
  for (const std::string name : {"response_type", "client_id", "redirect_uri", "state", "code_challenge",
                                 "code_challenge_method", "scope", "resource"}) {
    for (const auto& value : hostile_values()) {
      // Absent or unreadable, these three have a meaning.
      bool optional = name == "state" || name == "scope" || name == "resource" || name == "redirect_uri";
      auto answer = ask(endpoint::authorize, get_request("/oauth/authorize", replaced(good, name, value)));
      if (answer.status == 200 && optional) continue;
      expect_refused(answer, name + "=" + value.substr(0, 30));
    }
    auto twice = good;
    twice.add(name, "https://mcp.example.com/other");
    expect_refused(ask(endpoint::authorize, get_request("/oauth/authorize", twice)), name + " twice");
  }
}

TEST_F(Endpoints, AuthorizeNeverRedirectsBeforeClientAndRedirectUriAreSettled) {
  auto good = authorization(client);
  for (const std::string name : {"client_id", "redirect_uri"}) {
    for (const auto& value : hostile_values()) {
      if (value.empty() && name == "redirect_uri") continue;  // absent: the only one registered
      auto answer = ask(endpoint::authorize, get_request("/oauth/authorize", replaced(good, name, value)));
      EXPECT_EQ(answer.fields.count("location"), 0u) << name << "=" << value.substr(0, 30);
      EXPECT_EQ(answer.fields.first("content-type"), "text/html; charset=utf-8");
    }
  }
}

TEST_F(Endpoints, TokenJudgesEveryParameter) {
  auto code = make_form({{"grant_type", "authorization_code"},
                         {"client_id", client},
                         {"code", "x"},
                         {"redirect_uri", "http://127.0.0.1:7777/callback"},
                         {"code_verifier", std::string(verifier)},
                         {"resource", "https://mcp.example.com/mcp"}});
  auto refresh_form = make_form({{"grant_type", "refresh_token"},
                                 {"client_id", client},
                                 {"refresh_token", "x"},
                                 {"scope", "tools:read"},
                                 {"client_secret", "x"}});
  for (const auto& good : {code, refresh_form}) {
    for (const auto& [name, ignored] : good) {
      for (const auto& value : hostile_values()) {
        auto answer = ask(endpoint::token, post_request("/oauth/token", replaced(good, name, value)));
        EXPECT_GE(answer.status, 400) << name;
        expect_refused(answer, name + "=" + value.substr(0, 30));
        EXPECT_EQ(answer.fields.first("cache-control"), "no-store");
      }
      auto twice = good;
      twice.add(name, "y");
      expect_refused(ask(endpoint::token, post_request("/oauth/token", twice)), name + " twice");
    }
  }
}

TEST_F(Endpoints, RevocationAndIntrospectionJudgeEveryParameter) {
  auto good = make_form({{"client_id", client}, {"token", "x"}});
  for (auto at : {endpoint::revoke, endpoint::introspect}) {
    for (const auto& [name, ignored] : good) {
      for (const auto& value : hostile_values()) {
        auto answer = ask(at, post_request("/", replaced(good, name, value)));
        if (name == "token" && answer.status == 200) continue;
        expect_refused(answer, name + "=" + value.substr(0, 30));
      }
    }
    EXPECT_EQ(ask(at, post_request("/", make_form({{"token", "x"}}))).status, 400) << "nobody";
  }
}

TEST_F(Endpoints, RegistrationJudgesEveryBody) {
  auto before = *store.count("client", now);
  for (const auto& value : hostile_values()) {
    auto request = registration({});
    request.body = value;
    expect_refused(ask(endpoint::register_client, request), value.substr(0, 30));
  }
  json::value types[] = {nullptr,
                         true,
                         7,
                         "text",
                         json::array{},
                         json::array{1},
                         json::object{{"a", 1}},
                         json::array{"javascript:alert(1)"},
                         json::array{"http://evil.example/"}};
  for (const auto& value : types) {
    expect_refused(ask(endpoint::register_client, registration({{"redirect_uris", value}})),
                   json::serialize(value));
  }
  EXPECT_EQ(*store.count("client", now), before) << "no half of a row";
}

TEST_F(Endpoints, EveryOneSaysWhichMethodsItTakes) {
  struct {
    endpoint at;
    const char* allow;
  } cases[] = {{endpoint::authorize, "GET, POST"}, {endpoint::consent, "POST"},
               {endpoint::sign_in, "GET, POST"},   {endpoint::callback, "GET"},
               {endpoint::token, "POST"},          {endpoint::register_client, "POST"},
               {endpoint::revoke, "POST"},         {endpoint::introspect, "POST"},
               {endpoint::sign_out, "GET, POST"},  {endpoint::jwks, "GET, HEAD"}};
  for (const auto& c : cases) {
    for (auto method : {"PUT", "DELETE", "get", "PATCH", ""}) {
      auto request = get_request("/");
      request.method = method;
      auto answer = ask(c.at, request);
      EXPECT_EQ(answer.status, 405) << to_name(c.at) << method;
      EXPECT_EQ(answer.fields.first("allow"), c.allow);
    }
  }
  EXPECT_EQ(ask(endpoint::token, get_request("/oauth/token")).status, 405);
}

TEST_F(Endpoints, FormsHaveToBeForms) {
  for (auto type : {"application/json", "text/plain", "multipart/form-data", ""}) {
    for (auto at :
         {endpoint::token, endpoint::revoke, endpoint::introspect, endpoint::consent, endpoint::authorize}) {
      auto request = post_request("/", authorization(client));
      request.fields.set("Content-Type", type);
      EXPECT_EQ(ask(at, request).status, 415) << to_name(at) << type;
    }
  }
}

TEST_F(Endpoints, NoDetailReachesAClient) {
  auto answer = ask(endpoint::token, post_request("/oauth/token", code_request(client, "made-up-code")));
  EXPECT_NE(noted(log, "detail"), "");
  EXPECT_THAT(answer.body, Not(HasSubstr(noted(log, "detail"))));
  EXPECT_EQ(text_member(body_of(answer), "error_description"), explain(errc::code_invalid).description);
}

TEST_F(Endpoints, RequestsAreBoundedPerAddress) {
  conf.rates.requests_per_minute = 3;
  restart();
  auto request = post_request("/oauth/token", make_form({}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(endpoint::token, request).status, 400);
  auto answer = ask(endpoint::token, request);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.fields.first("retry-after"), "20");
  EXPECT_EQ(ask(endpoint::jwks, get_request("/")).status, 200) << "validators are not counted";
  request.peer = "203.0.113.10";
  EXPECT_EQ(ask(endpoint::token, request).status, 400);
}

TEST_F(Endpoints, RegistrationsAreBoundedPerAddress) {
  conf.rates.registrations_per_hour = 2;
  restart();
  register_public();
  register_public();
  auto answer =
      ask(endpoint::register_client, registration({{"redirect_uris", json::array{"http://127.0.0.1/"}}}));
  EXPECT_EQ(answer.status, 429);
  EXPECT_NE(answer.fields.first("retry-after"), "");
  now += std::chrono::minutes(31);
  register_public();
}

TEST_F(Endpoints, RegistrationCanBeTurnedOff) {
  conf.registration.dynamic = false;
  EXPECT_EQ(ask(endpoint::register_client, registration({})).status, 403);
  EXPECT_EQ(noted(log, "result"), "registration_disabled");
}

TEST_F(Endpoints, ARegistrationThatNobodyUsesIsForgotten) {
  auto is_known = [&](const std::string& id) {
    return ask(endpoint::authorize, get_request("/oauth/authorize", authorization(id))).status == 200;
  };
  add_user("ada", "correct horse battery");
  auto used = register_public();
  auto unused = register_public();
  EXPECT_EQ(redeem(used, code_for(used)).status, 200);
  now += std::chrono::hours(24);
  EXPECT_TRUE(is_known(used));
  EXPECT_FALSE(is_known(unused));
  EXPECT_EQ(noted(log, "result"), "client_unknown");
  now += std::chrono::hours(24 * 60);
  EXPECT_EQ(redeem(used, code_for(used)).status, 200);
  now += std::chrono::hours(24 * 60);
  EXPECT_TRUE(is_known(used)) << "renewed by its use";
  now += std::chrono::hours(24 * 31);
  EXPECT_FALSE(is_known(used));
}

TEST_F(Endpoints, PathsAreFoundUnderEveryNameThatClientsTry) {
  for (auto [path, at] : {std::pair{"/oauth/authorize", endpoint::authorize},
                          {"/authorize", endpoint::authorize},
                          {"/token", endpoint::token},
                          {"/auth/token", endpoint::token},
                          {"/register", endpoint::register_client},
                          {"/callback", endpoint::callback},
                          {"/oauth/callback", endpoint::callback},
                          {"/auth/logout", endpoint::sign_out},
                          {"/.well-known/jwks.json", endpoint::jwks}}) {
    EXPECT_EQ(endpoint_of(path), at) << path;
  }
  for (auto path : {"", "/", "/mcp", "/oauth", "/token/", "/TOKEN"})
    EXPECT_EQ(endpoint_of(path), std::nullopt) << path;
}

TEST_F(Endpoints, OnlyThoseWithoutABrowserAreOpenToScripts) {
  EXPECT_TRUE(is_for_scripts(endpoint::token));
  EXPECT_TRUE(is_for_scripts(endpoint::register_client));
  for (auto e :
       {endpoint::authorize, endpoint::consent, endpoint::sign_in, endpoint::callback, endpoint::sign_out}) {
    EXPECT_FALSE(is_for_scripts(e)) << to_name(e);
  }
}

// A client id that is a URL.
class ClientDocument : public BrokerTest {
 protected:
  static constexpr const char* id = "https://app.example.org/client.json";
  void SetUp() override {
    add_user("ada", "correct horse battery");
    fetch = [this](const http_call& call) -> result<http_answer> {
      if (refused) return fail(*refused, "10.0.0.1 is private");
      http_answer answer{200, {{"Content-Type", "application/json"}, {"Cache-Control", "max-age=600"}}, ""};
      answer.body =
          json::serialize(json::object{{"client_id", call.url == id ? name : "https://other.example/"},
                                       {"client_name", "Documented"},
                                       {"redirect_uris", json::array{"https://app.example.org/callback",
                                                                     "steam://run/1", "com.example.app:/cb"}},
                                       {"grant_types", json::array{"authorization_code", "refresh_token"}},
                                       {"token_endpoint_auth_method", "none"}});
      return answer;
    };
  }
  form request() { return authorization(id, "https://app.example.org/callback"); }
  std::optional<errc> refused;
  std::string name = id;
};

TEST_F(ClientDocument, IsFetchedOnceAndLeadsToATokenAndNamesItsHost) {
  test_browser b;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", request()));
  ASSERT_EQ(page.status, 200) << page.body;
  EXPECT_THAT(page.body, HasSubstr("<dd>app.example.org</dd>"));
  EXPECT_THAT(page.body, HasSubstr("Documented"));
  auto done = enter(b, open_sign_in(b, approve(b, page)), "ada", "correct horse battery");
  auto answer = redeem(id, parameter_of(done.fields.first("location"), "code"));
  EXPECT_NE(answer.status, 200) << "another redirect_uri";
  auto tokens =
      ask(endpoint::token,
          post_request("/oauth/token",
                       replaced(code_request(id, parameter_of(done.fields.first("location"), "code")),
                                "redirect_uri", "https://app.example.org/callback")));
  EXPECT_EQ(tokens.status, 200) << tokens.body;
  EXPECT_EQ(fetched.size(), 1u);
  now += seconds(601);
  visit(b, endpoint::authorize, get_request("/oauth/authorize", request()));
  EXPECT_EQ(fetched.size(), 2u);
}

TEST_F(ClientDocument, OfAHostThatIsAwayCountsForADayMore) {
  test_browser b;
  auto asked = [&] {
    return visit(b, endpoint::authorize, get_request("/oauth/authorize", request())).status;
  };
  ASSERT_EQ(asked(), 200);
  refused = errc::fetch_timeout;
  now += seconds(601);
  EXPECT_EQ(asked(), 200);
  EXPECT_EQ(fetched.size(), 2u);
  EXPECT_EQ(asked(), 200);
  EXPECT_EQ(fetched.size(), 2u) << "not asked at each request";
  now += seconds(61);
  EXPECT_EQ(asked(), 200);
  EXPECT_EQ(fetched.size(), 3u);
  refused = errc::address_refused;
  now += seconds(61);
  EXPECT_EQ(asked(), 400) << "an answer of another kind is an answer";
  refused = errc::fetch_timeout;
  now += std::chrono::hours(24);
  EXPECT_EQ(asked(), 400);
}

TEST_F(ClientDocument, MayNameNoSchemeThatARegistrationMayNot) {
  test_browser b;
  auto asked = [&](const char* uri) {
    return visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(id, uri)));
  };
  EXPECT_EQ(asked("com.example.app:/cb").status, 200);
  auto answer = asked("steam://run/1");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.fields.count("location"), 0u);
  EXPECT_EQ(noted(log, "result"), "redirect_uri_refused");
  conf.registration.private_use_schemes = {"steam"};
  EXPECT_EQ(asked("steam://run/1").status, 200);
}

TEST_F(ClientDocument, IsFetchedFromPublicAddressesOnlyAndBounded) {
  broker_log mine;
  auto next = as->handle(endpoint::authorize, get_request("/oauth/authorize", request()), now, mine);
  auto* wanted = std::get_if<outbound>(&next);
  ASSERT_NE(wanted, nullptr);
  EXPECT_EQ(wanted->call.url, id);
  EXPECT_EQ(wanted->rules.allowed, addresses::public_only);
  EXPECT_LE(wanted->rules.most_bytes, 64u * 1024);
}

TEST_F(ClientDocument, ThatIsNotValidIsNotUsedAndNotKept) {
  test_browser b;
  name = "https://app.example.org/other.json";
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", request()));
  EXPECT_EQ(page.fields.count("location"), 0u);
  EXPECT_EQ(noted(log, "result"), "client_document_invalid");
  refused = errc::address_refused;
  visit(b, endpoint::authorize, get_request("/oauth/authorize", request()));
  EXPECT_EQ(noted(log, "result"), "client_document_refused");
  refused = errc::fetch_timeout;
  visit(b, endpoint::authorize, get_request("/oauth/authorize", request()));
  EXPECT_EQ(noted(log, "result"), "client_document_unreachable");
  refused.reset();
  name = id;
  EXPECT_EQ(visit(b, endpoint::authorize, get_request("/oauth/authorize", request())).status, 200);
}

TEST_F(ClientDocument, IsNotFetchedForAUrlThatCannotBeOneOrWhenTurnedOff) {
  for (auto bad :
       {"https://app.example.org", "https://app.example.org/", "https://app.example.org/a/../b",
        "https://u:p@app.example.org/c", "https://app.example.org/c#f", "http://app.example.org/c"}) {
    ask(endpoint::authorize, get_request("/oauth/authorize", replaced(request(), "client_id", bad)));
    EXPECT_TRUE(noted(log, "result") == "client_document_refused" || noted(log, "result") == "client_unknown")
        << bad;
  }
  conf.registration.client_documents = false;
  ask(endpoint::authorize, get_request("/oauth/authorize", request()));
  EXPECT_EQ(noted(log, "result"), "client_unknown");
  EXPECT_TRUE(fetched.empty());
}

}  // namespace
}  // namespace mcp_oauth
