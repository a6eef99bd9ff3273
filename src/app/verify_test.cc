// /auth/verify as reverse proxies ask it.

#include "app/advisory_fixture.h"

#include <filesystem>
#include <fstream>

namespace mcp_oauth {
namespace {

constexpr const char* metadata =
    "resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp\"";

class Verify : public AdvisoryGateway {
 protected:
  Verify() {
    from_address = "127.0.0.1";
    conf.trusted_proxies = {"127.0.0.1"};
    conf.limits.admission = 2048;
  }
  void with_tools(bool by_headers = false) {
    conf.tools_given = true;
    conf.tools = {{"echo", {"mcp"}, scopes_needed::all}, {"drop", {"admin"}, scopes_needed::all}};
    conf.upstreams.front().trusts_mcp_headers = by_headers;
  }

  // As Traefik asks; `fields` may hold the client's.
  static std::string ask_about(const std::string& method, const std::string& uri, const std::string& fields,
                               const std::string& body = "", const std::string& query = "") {
    return "GET /auth/verify" + query + " HTTP/1.1\r\nHost: gateway:8080\r\nX-Forwarded-Method: " + method +
           "\r\nX-Forwarded-Host: 127.0.0.1:8080\r\nX-Forwarded-Uri: " + uri + "\r\n" + fields +
           (body.empty() ? ""
                         : "Content-Type: application/json\r\nContent-Length: " +
                               std::to_string(body.size()) + "\r\n") +
           "\r\n" + body;
  }
  static std::string calling(const std::string& tool) {
    return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":")" + tool +
           R"(","arguments":{}}})";
  }
};

TEST_F(Verify, SaysYesWithWhoCallsAndReachesNoServer) {
  auto answer = ask(ask_about("POST", "/mcp", with_token(), call));
  EXPECT_EQ(status_of(answer), 200) << answer;
  EXPECT_EQ(field_of(answer, "X-User-Id"), "local:ada");
  EXPECT_EQ(field_of(answer, "X-User-Email"), "ada@example.com");
  EXPECT_EQ(field_of(answer, "X-User-Name"), "Ad%C3%A4");
  EXPECT_EQ(field_of(answer, "X-Client-Id"), "client");
  EXPECT_TRUE(has(answer, "\r\nX-User-Provider: \r\n"));
  EXPECT_TRUE(has(answer, "X-Request-Id: "));
  EXPECT_TRUE(has(answer, "Cache-Control: no-store"));
  EXPECT_TRUE(take_seen().empty());
}

// The line of the log that a question about this address leaves.
TEST_F(Verify, WritesNoSecretOfAPathIntoTheLog) {
  auto pattern = (std::filesystem::temp_directory_path() / "mop-verify-XXXXXX").string();
  std::filesystem::path folder = ::mkdtemp(pattern.data());
  log_file = folder / "log";
  start();
  const std::string paths[] = {"/mcp/access_token=SECRET", "/mcp%3Fapi_key2%3DSECRET",
                               "/mcp/access_token%3DSECRET", "/mcp%253Fcode%253DSECRET"};
  for (const auto& path : paths) {
    (void)ask(ask_about("GET", path, ""));
    (void)ask("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
  }
  (void)ask(ask_about("GET", "/mcp/plain", ""));
  server->stop();
  server.reset();
  audit.reset();
  log.reset();  // and what is left is written
  std::ifstream file(log_file);
  std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(has(text, R"("path":"/mcp/access_token=***")")) << text;
  EXPECT_TRUE(has(text, R"("path":"/mcp?***")"));
  EXPECT_TRUE(has(text, R"("original_path":"/mcp/access_token=***")"));
  EXPECT_TRUE(has(text, R"("original_path":"/mcp/plain")"));
  EXPECT_FALSE(has(text, "SECRET"));
  std::filesystem::remove_all(folder);
}

TEST_F(Verify, SaysNoWithTheChallengeOfTheResource) {
  auto none = ask(ask_about("POST", "/mcp", "", call));
  EXPECT_EQ(status_of(none), 401);
  EXPECT_TRUE(has(none, metadata)) << none;
  EXPECT_FALSE(has(none, "error=")) << "no credentials, no error";
  EXPECT_FALSE(has(none, "X-User-Id"));
  auto expired = ask(ask_about("GET", "/mcp", "Authorization: Bearer " + token([](access_claims& c) {
                                                c.expires = now() - seconds(120);
                                              }) + "\r\n"));
  EXPECT_EQ(status_of(expired), 401);
  EXPECT_TRUE(has(expired, "error_description=\"expired\""));
  auto other = ask(ask_about("GET", "/mcp", bearer("ada", std::string(origin) + "/other")));
  EXPECT_TRUE(has(other, "audience mismatch"));
  auto query = ask(ask_about("GET", "/mcp?access_token=" + token(), ""));
  EXPECT_EQ(status_of(query), 401) << "a token in the address is none";
  EXPECT_EQ(status_of(ask(ask_about("GET", "/mcp?access_token=x", with_token()))), 400);
}

TEST_F(Verify, JudgesACallByTheBodyThatIsShown) {
  with_tools();
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", with_token(), calling("echo")))), 200);
  auto refused = ask(ask_about("POST", "/mcp", with_token(), calling("drop")));
  EXPECT_EQ(status_of(refused), 403);
  EXPECT_TRUE(has(refused, "error=\"insufficient_scope\"")) << refused;
  EXPECT_TRUE(has(refused, "scope=\"admin\""));
  EXPECT_TRUE(has(refused, "\"required_scopes\":[\"admin\"]"));
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", with_token(), calling("unheard")))), 403);
  EXPECT_EQ(
      status_of(ask(ask_about("POST", "/mcp", with_token(), R"({"jsonrpc":"2.0","id":1,"method":"ping"})"))),
      200);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/mcp", with_token()))), 200) << "a stream";
  EXPECT_EQ(status_of(ask(ask_about("DELETE", "/mcp", with_token()))), 200);
}

TEST_F(Verify, JudgesNothingByABodyThatServersCouldReadDifferently) {
  with_tools();
  struct row {
    std::string fields, body;
    int status;
  } rows[] = {
      {"", R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"drop"}})", 400},
      {"", R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"n\u0061me":"drop"}})", 403},
      {"",
       R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"drop"}}])",
       403},
      {"", calling("echo") + calling("drop"), 400},
      {"", "{}", 400},
      {"", "not json", 400},
      {"", calling("echo").substr(0, 60), 400},
      {"Mcp-Method: tools/call\r\nMcp-Name: drop\r\n", calling("echo"), 400},
      {"Content-Encoding: gzip\r\n", calling("echo"), 415},
      {"Content_Type: text/plain\r\n", calling("echo"), 415},
      {"X-Envoy-Auth-Partial-Body: true\r\n", calling("echo"), 413},
      {"", calling(std::string(4000, 'x')), 413},
  };
  for (const auto& r : rows) {
    auto answer = ask(ask_about("POST", "/mcp", with_token(r.fields), r.body));
    EXPECT_EQ(status_of(answer), r.status) << r.fields << r.body.substr(0, 120) << "\n" << answer;
    EXPECT_FALSE(has(answer, "X-User-Id: ")) << r.body;
  }
  auto plain = "POST /auth/verify/mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + with_token() +
               "Content-Length: 2\r\n\r\n{}";
  EXPECT_EQ(status_of(ask(plain)), 415) << "no Content-Type was handed on";
  auto get = ask(ask_about("GET", "/mcp", with_token(), call));
  EXPECT_EQ(status_of(get), 400) << "a GET with content";
}

TEST_F(Verify, RefusesACallThatIsNotShownWhereItsToolMatters) {
  with_tools();
  auto answer = ask(ask_about("POST", "/mcp",
                              with_token("Mcp-Method: tools/call\r\nMcp-Name: echo\r\n"
                                         "MCP-Protocol-Version: 2026-07-28\r\n")));
  EXPECT_EQ(status_of(answer), 403) << answer;
  EXPECT_TRUE(has(answer, "MOP-VER-004")) << answer;
  EXPECT_EQ(field_of(answer, "WWW-Authenticate"), "") << "no other scope would help";
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", ""))), 401) << "who is not signed in hears of that first";
}

TEST_F(Verify, GoesByTheBaseScopesWhereNoToolMatters) {
  conf.upstreams.front().scopes = {"files"};
  auto answer = ask(ask_about("POST", "/mcp", with_token()));
  EXPECT_EQ(status_of(answer), 403);
  EXPECT_TRUE(has(answer, "scope=\"files\""));
  auto scoped = "Authorization: Bearer " + token([](access_claims& c) { c.scopes = {"files"}; }) + "\r\n";
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", scoped))), 200);
}

TEST_F(Verify, GoesByHeadersOnlyWhereTheOperatorSaysThatTheServerComparesThem) {
  with_tools(true);
  auto ask_with = [&](const std::string& headers) {
    return status_of(ask(ask_about("POST", "/mcp", with_token(headers))));
  };
  const std::string now = "MCP-Protocol-Version: 2026-07-28\r\n";
  EXPECT_EQ(ask_with(now + "Mcp-Method: tools/call\r\nMcp-Name: echo\r\n"), 200);
  EXPECT_EQ(ask_with(now + "Mcp-Method: tools/call\r\nMcp-Name: drop\r\n"), 403);
  EXPECT_EQ(ask_with(now + "Mcp-Method: tools/list\r\n"), 200);
  // What is not said is no contradiction: the client is an older one.
  for (const auto& headers :
       {now + "Mcp-Method: tools/call\r\n", now, std::string("Mcp-Method: tools/list\r\n"),
        std::string("MCP-Protocol-Version: 2025-06-18\r\n"), std::string()}) {
    auto older = ask(ask_about("POST", "/mcp", with_token(headers)));
    EXPECT_EQ(status_of(older), 403) << headers;
    EXPECT_TRUE(has(older, "MOP-VER-005")) << older;
    EXPECT_TRUE(has(older, "this client sends no Mcp-Method and Mcp-Name")) << older;
  }
  EXPECT_EQ(ask_with(now + "Mcp-Method: tools/call\r\nMcp-Method: tools/list\r\nMcp-Name: echo\r\n"), 400);
  // What is shown counts before what is said.
  auto shown = ask(ask_about("POST", "/mcp", with_token(now + "Mcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
                             calling("drop")));
  EXPECT_EQ(status_of(shown), 400);
}

TEST_F(Verify, SaysNoToAPathThatAServerCouldReadAsAnotherServers) {
  add_upstream("open");
  conf.upstreams.back().require_auth = false;
  add_upstream("closed");
  conf.upstreams.back().paths = {"/open/closed"};
  EXPECT_EQ(status_of(ask(ask_about("POST", "/open/x", "", call))), 200);
  EXPECT_EQ(status_of(ask(ask_about("POST", "/open/closed", "", call))), 401);
  for (const char* uri : {"/open/%63losed", "/open/Closed", "/open/closed;x=1", "/open/;/closed"}) {
    for (const char* query : {"", "?upstream=open", "?resource=http%3A%2F%2F127.0.0.1%3A8080%2Fopen"}) {
      auto answer = ask(ask_about("POST", uri, "", call, query));
      EXPECT_EQ(status_of(answer), 404) << uri << query << answer;
      EXPECT_FALSE(has(answer, "X-User-Id")) << uri;
    }
    EXPECT_EQ(status_of(ask(ask_about("POST", uri, "", call, "?upstream=closed"))), 401) << uri;
  }
  EXPECT_EQ(status_of(ask(ask_about("POST", "/open/X;y=1/%41", "", call))), 200) << "of one server";
}

TEST_F(Verify, AnswersOnlyTrustedProxies) {
  conf.trusted_proxies = {"10.0.0.0/8"};
  for (const auto& request :
       {ask_about("POST", "/mcp", with_token(), call), ask_about("GET", "/mcp", ""),
        ask_about("GET", "/x", ""), std::string("GET /auth/verify HTTP/1.1\r\nHost: h\r\n\r\n"),
        std::string("POST /auth/verify/mcp HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: "
                    "10.0.0.1\r\nContent-Length: 0\r\n\r\n")}) {
    auto answer = ask(request);
    EXPECT_EQ(status_of(answer), 403) << request;
    EXPECT_TRUE(has(answer, "\"error\":\"verify_peer_refused\"")) << answer;
    EXPECT_FALSE(has(answer, "X-User-Id"));
  }
}

TEST_F(Verify, AnswersNobodyWhereNoProxyIsTrusted) {
  conf.trusted_proxies = {};
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", with_token(), call))), 403);
}

TEST_F(Verify, TakesTheServerThatTheOperatorNamedOrThatTheAddressLeadsTo) {
  add_upstream("mail");
  add_upstream("open");
  conf.upstreams.back().require_auth = false;
  auto mail = bearer("ada", std::string(origin) + "/mail");
  EXPECT_EQ(status_of(ask(ask_about("GET", "/mail", mail))), 200);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/mail/deeper", mail))), 200);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/mcp", mail))), 401);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/anything", mail))), 404) << "there are several";
  EXPECT_EQ(status_of(ask(ask_about("GET", "/%6dail", mail))), 404) << "the proxy reads it as /mail";
  EXPECT_EQ(status_of(ask(ask_about("GET", "/MAIL;x", mail))), 404) << "or a server does";
  EXPECT_EQ(status_of(ask(ask_about("GET", "/anything", mail, "", "?upstream=mail"))), 200);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/open", mail, "", "?upstream=mail"))), 200);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/open", "", "", "?upstream=mail"))), 401)
      << "the operator's word counts";
  EXPECT_EQ(
      status_of(ask(ask_about("GET", "/x", mail, "", "?resource=http%3A%2F%2F127.0.0.1%3A8080%2Fmail"))),
      200);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/mail", mail, "", "?upstream=nothing"))), 400);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/mail", mail, "", "?skip=/public"))), 400);
  auto anybody = ask(ask_about("POST", "/open", "", call));
  EXPECT_EQ(status_of(anybody), 200);
  EXPECT_TRUE(has(anybody, "\r\nX-User-Id: \r\n")) << "who needs no token is nobody";
  // Behind Envoy the query is the client's, and names no server.
  auto envoy = "GET /auth/verify/mcp?upstream=open HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
  EXPECT_EQ(status_of(ask(envoy)), 401);
}

TEST_F(Verify, TakesTheOnlyServerWhateverTheAddress) {
  auto answer = ask(ask_about("GET", "/elsewhere", with_token()));
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_EQ(status_of(ask(ask_about("GET", "/.well-known/oauth-protected-resource", ""))), 401)
      << "no address is open by itself";
}

TEST_F(Verify, AnswersEnvoyBelowItsPathAndKeepsTheTokenHere) {
  auto envoy =
      "POST /auth/verify/mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n" +
      with_token() + "Content-Length: " + std::to_string(std::string(call).size()) + "\r\n\r\n" + call;
  auto answer = ask(envoy);
  EXPECT_EQ(status_of(answer), 200) << answer;
  EXPECT_EQ(field_of(answer, "X-Envoy-Auth-Headers-To-Remove"), "authorization");
  EXPECT_TRUE(take_seen().empty()) << "a question is never forwarded";
}

TEST_F(Verify, ChecksTheOriginOfPages) {
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", with_token("Origin: https://evil.example\r\n"), call))),
            403);
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", with_token("Origin: null\r\n"), call))), 403);
  EXPECT_EQ(status_of(ask(ask_about("POST", "/mcp", with_token("Origin: http://localhost:5173\r\n"), call))),
            200);
}

TEST_F(Verify, TranslatesForNginx) {
  auto nginx = [&](const std::string& fields, const std::string& method = "POST") {
    return ask("GET /auth/verify?for=nginx HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Original-Method: " + method +
               "\r\nX-Original-URI: /mcp\r\n" + fields + "\r\n");
  };
  auto no = nginx("");
  EXPECT_EQ(status_of(no), 401);
  EXPECT_EQ(field_of(no, "X-Auth-Status"), "401");
  EXPECT_TRUE(has(field_of(no, "WWW-Authenticate"), metadata));
  EXPECT_TRUE(has(field_of(no, "X-Auth-Body"), "{\"error\":")) << no;
  auto twice = nginx(with_token("Authorization: Bearer x\r\n"));
  EXPECT_EQ(status_of(twice), 403);
  EXPECT_EQ(field_of(twice, "X-Auth-Status"), "400");
  EXPECT_EQ(field_of(nginx(with_token(), "PUT"), "X-Auth-Status"), "405");
  EXPECT_EQ(status_of(nginx(with_token())), 200);
}

TEST_F(Verify, KeepsTheConnectionAndTakesEveryMethodToAskWith) {
  start();
  auto client = connect();
  for (const char* method : {"GET", "HEAD", "POST", "OPTIONS", "PUT"}) {
    client.send(std::string(method) +
                " /auth/verify HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Original-Method: GET\r\n" +
                "X-Original-URI: /mcp\r\n" + with_token() + "\r\n");
    auto answer = client.until("\r\n\r\n");
    EXPECT_EQ(status_of(answer), 200) << method << answer;
    EXPECT_FALSE(has(answer, "Connection: close")) << method;
  }
}

TEST_F(Verify, IsCountedByItself) {
  ask(ask_about("POST", "/mcp", with_token(), call));
  ask(ask_about("POST", "/mcp", "", call));
  auto shown = counts.expose({});
  EXPECT_TRUE(has(shown, "mop_requests_total{area=\"verify\",status=\"2xx\"} 1")) << shown;
  EXPECT_TRUE(has(shown, "mop_requests_total{area=\"verify\",status=\"4xx\"} 1"));
  EXPECT_TRUE(has(shown, "mop_requests_total{area=\"mcp\",status=\"2xx\"} 0"));
}

class AdvisoryVerify : public Verify {};

// The client's header chose the path by which the request was judged.
TEST_F(AdvisoryVerify, CVE_2026_40575_NoHeaderOfAClientChoosesTheAddress) {
  add_upstream("open");
  conf.upstreams.back().require_auth = false;
  for (const char* spoofed : {"X-Forwarded-Uri: /open\r\n", "X-Original-URI: /open\r\n",
                              "X-Original-URL: http://127.0.0.1:8080/open\r\n", "X_Forwarded_Uri: /open\r\n",
                              "X-Forwarded-Method: OPTIONS\r\n", "X-Original-Method: OPTIONS\r\n",
                              "X-Forwarded-Host: open.example\r\n", "X-Forwarded-Uri: /mcp\r\n"}) {
    auto traefik = ask(ask_about("POST", "/mcp", spoofed, call));
    EXPECT_EQ(status_of(traefik), 400) << spoofed << traefik;
    EXPECT_FALSE(has(traefik, "X-User-Id"));
    auto envoy = "POST /auth/verify/mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + std::string(spoofed) +
                 "Content-Length: 0\r\n\r\n";
    auto status = status_of(ask(envoy));
    EXPECT_TRUE(status == 400 || status == 401) << spoofed << status;
  }
}

TEST_F(AdvisoryVerify, GHSA_5hvv_m4w4_gf6v_NoProbeAndNoMethodIsLetThrough) {
  for (const char* agent : {"kube-probe/1.31", "GoogleHC/1.0", "ELB-HealthChecker/2.0",
                            "GoogleStackdriverMonitoring", "Envoy/HC", "HAProxy", ""}) {
    for (const char* method : {"GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"}) {
      for (const char* uri : {"/mcp", "/health", "/ping", "/ready", "/favicon.ico", "/mcp?/health"}) {
        auto answer = ask(ask_about(method, uri, std::string("User-Agent: ") + agent + "\r\n"));
        EXPECT_EQ(status_of(answer), 401) << method << uri << agent;
      }
    }
  }
  EXPECT_EQ(status_of(ask(ask_about("OPTIONS", "/mcp", with_token()))), 405);
}

TEST_F(AdvisoryVerify, CVE_2025_64484_NoIdentityOfAClientSurvivesAVerdict) {
  for (const char* name : {"X_User_Id", "x-user_id", "X-User-Role", "X_Client_Id", "Remote-User",
                           "X_Forwarded_Email", "X-Auth-Request-Groups", "X_Auth_Request_User",
                           "X-Goog-Authenticated-User-Email", "X_MS_CLIENT_PRINCIPAL"}) {
    for (const char* method : {"POST", "GET", "OPTIONS"}) {
      auto answer = ask(ask_about(method, "/mcp", with_token(std::string(name) + ": root\r\n")));
      EXPECT_EQ(status_of(answer), 400) << name;
      EXPECT_FALSE(has(answer, "X-User-Id")) << name;
    }
  }
  // Those that a verdict has are in every verdict, so that a proxy that copies them replaces the client's.
  auto replaced = ask(ask_about("GET", "/mcp", with_token("X-User-Id: root\r\nX-User-Provider: root\r\n")));
  EXPECT_EQ(field_of(replaced, "X-User-Id"), "local:ada");
  EXPECT_TRUE(has(replaced, "\r\nX-User-Provider: \r\n"));
}

TEST_F(AdvisoryVerify, CVE_2025_54576_OnlyTheAddressDecidesAndNothingWithinIt) {
  add_upstream("open");
  conf.upstreams.back().require_auth = false;
  for (const char* uri :
       {"/mcp?x=/open", "/mcp?/open", "/mcp#/open", "/mcp/../open", "/mcp/%2e%2e/open", "/mcp%2f..%2fopen",
        "/open/../mcp", "/mcp;/open", "//open", "/mcp\\open", "/%6fpen", "/open%2f..%2fmcp"}) {
    auto answer = ask(ask_about("POST", uri, "", call));
    EXPECT_GE(status_of(answer), 400) << uri;
    EXPECT_FALSE(has(answer, "X-User-Id")) << uri;
  }
}

TEST_F(Verify, RefusesAQuestionAboutTheQuestion) {
  for (const char* uri :
       {"/auth/verify", "/auth/verify/mcp", "/auth/verify/auth/verify/mcp", "/auth/%76erify"})
    EXPECT_EQ(status_of(ask(ask_about("GET", uri, with_token()))), 400) << uri;
  EXPECT_EQ(
      status_of(ask("GET /auth/verify/auth/verify/mcp HTTP/1.1\r\nHost: h\r\n" + with_token() + "\r\n")),
      400);
}

}  // namespace
}  // namespace mcp_oauth
