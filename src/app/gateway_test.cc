#include "app/gateway_fixture.h"
#include "net/test_visit.h"

#include <stdexcept>

namespace mcp_oauth {
namespace {

TEST_F(Gateway, AsksForATokenWithOneChallengeAndNoError) {
  auto answer = answer_to(post(call, ""));
  EXPECT_EQ(answer.substr(9, 3), "401");
  auto at = answer.find("WWW-Authenticate: ");
  ASSERT_NE(at, std::string::npos);
  auto challenge = answer.substr(at, answer.find("\r\n", at) - at);
  EXPECT_TRUE(
      has(challenge, "resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp\""))
      << challenge;
  EXPECT_TRUE(has(challenge, "scope=\"mcp\""));
  EXPECT_FALSE(has(challenge, "error")) << challenge;
  EXPECT_EQ(answer.find("WWW-Authenticate: ", at + 1), std::string::npos);
  EXPECT_TRUE(has(answer, "X-Request-Id: "));
}

TEST_F(Gateway, SendsIdentityUpstreamAndNeverTheToken) {
  auto client = connect();
  auto t = token();
  client.send(post(call, "authorization: bEaReR " + t + "\r\nX-Custom: kept\r\nCookie: a=b\r\n"));
  auto up = upstream_end();
  auto seen = up.until(call);
  EXPECT_TRUE(has(seen, "POST /rpc HTTP/1.1\r\nHost: up:3000\r\n")) << seen;
  EXPECT_TRUE(has(seen, "X-User-Id: local:ada\r\n"));
  EXPECT_TRUE(has(seen, "X-User-Email: ada@example.com\r\n"));
  EXPECT_TRUE(has(seen, "X-User-Name: Ad%C3%A4\r\n"));
  EXPECT_TRUE(has(seen, "X-Client-Id: client\r\n"));
  EXPECT_TRUE(has(seen, "X-Custom: kept\r\n"));
  EXPECT_TRUE(has(seen, "X-Forwarded-Host: 127.0.0.1:8080\r\n"));
  EXPECT_FALSE(has(seen, t));
  EXPECT_FALSE(has(seen, "\r\nAuthorization:"));
  EXPECT_FALSE(has(seen, "ookie"));
  up.send(ok);
  EXPECT_EQ(client.until("{}").substr(9, 3), "200");
}

TEST_F(Gateway, NamesItselfInViaAndKnowsWhatComesBackToIt) {
  auto client = connect();
  client.send(post(call, with_token("Via: 1.0 before\r\n")));
  auto up = upstream_end();
  auto seen = up.until(call);
  EXPECT_TRUE(has(seen, "\r\nVia: 1.0 before\r\n")) << seen;
  EXPECT_TRUE(has(seen, "\r\nVia: 1.1 mop-test\r\n")) << seen;
  up.send(ok);
  client.until("{}");
  // With a token and without: 401 would send people after the wrong thing.
  for (const auto& fields :
       {with_token("Via: 1.0 before, 1.1 mop-test\r\n"), std::string("Via: 1.1 mop-test\r\n")}) {
    auto answer = answer_to(post(call, fields));
    EXPECT_EQ(answer.substr(9, 3), "508") << answer;
    EXPECT_TRUE(has(answer, "MOP-UPS-008")) << answer;
  }
}

TEST_F(Gateway, RemovesForgedIdentityInEverySpelling) {
  for (const char* name : {"X-User-Id",
                           "x-user-id",
                           "X-USER-ID",
                           "X_User_Id",
                           "x_user-id",
                           "X-User_Email",
                           "X-User-Anything",
                           "X-Forwarded-User",
                           "X_Forwarded_Email",
                           "X-Forwarded-For",
                           "Forwarded",
                           "Remote-User",
                           "Remote_User",
                           "X-Auth-Request-Email",
                           "X-Remote-User",
                           "X-Client-Id",
                           "X_Client_Id",
                           "X-Real-IP",
                           "X-Request-Id",
                           "X-Authenticated-User",
                           "X-WebAuth-User",
                           "X_Goog_Authenticated_User_Email",
                           "X-MS-CLIENT-PRINCIPAL"}) {
    auto client = connect();
    client.send(post(call, with_token(std::string(name) + ": forged\r\n")));
    auto up = upstream_end();
    EXPECT_FALSE(has(up.until(call), "forged")) << name;
    up.send(ok);
    client.until("{}");
    up.close();
  }
}

TEST_F(Gateway, DropsWhatAConnectionFieldNames) {
  auto client = connect();
  client.send(post(call, with_token("Connection: X-Secret, X-User-Id\r\nX-Secret: s\r\nX-Other: o\r\n")));
  auto up = upstream_end();
  auto seen = up.until(call);
  EXPECT_FALSE(has(seen, "X-Secret: s"));
  EXPECT_TRUE(has(seen, "X-Other: o"));
  EXPECT_TRUE(has(seen, "X-User-Id: local:ada")) << "ours cannot be named away";
  up.send(ok);
}

TEST_F(Gateway, DropsWhatAConnectionFieldOfTheAnswerNames) {
  auto client = connect();
  client.send(post(call, with_token()));
  auto server_end = upstream_end();
  server_end.until(call);
  server_end.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX-One: 1\r\nX-Two: 2\r\n"
      "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nMcp-Session-Id: s\r\nX-Other: o\r\n"
      "Connection: X-One, date\r\nConnection: close , x-two\r\nConnection: Mcp-Session-Id\r\n\r\n{}");
  auto answer = client.until("{}");
  EXPECT_EQ(status_of(answer), 200);
  for (const char* named : {"X-One", "X-Two", "Mcp-Session-Id", "1970"}) {
    EXPECT_FALSE(has(answer, named)) << answer;
  }
  EXPECT_TRUE(has(answer, "X-Other: o\r\n"));
  EXPECT_TRUE(has(answer, "\r\nDate: ")) << "one of ours";
}

TEST_F(Gateway, HonoursEveryConnectionLine) {
  auto client = connect();
  client.send(post(call, with_token("Connection: X-One\r\nX-One: 1\r\nX-Two: 2\r\nConnection: X-Two\r\n"
                                    "Connection: keep-alive\r\n")));
  auto up = upstream_end();
  auto seen = up.until(call);
  EXPECT_FALSE(has(seen, "X-One: 1"));
  EXPECT_FALSE(has(seen, "X-Two: 2"));
  up.send(ok);
}

TEST_F(Gateway, RefusesTokensForTheirOwnReason) {
  start();
  struct row {
    std::function<void(access_claims&)> change;
    const char* says;
  } rows[] = {
      {[](access_claims& c) { c.issuer = "http://evil"; }, "issuer mismatch"},
      {[](access_claims& c) { c.audience = "http://127.0.0.1:8080/other"; }, "audience mismatch"},
      {[](access_claims& c) { c.audience = std::string(resource) + "/"; }, "audience mismatch"},
      {[](access_claims& c) { c.expires = now() - seconds(120); }, "expired"},
  };
  for (const auto& r : rows) {
    auto answer = answer_to(post(call, "Authorization: Bearer " + token(r.change) + "\r\n"));
    EXPECT_EQ(answer.substr(9, 3), "401");
    EXPECT_TRUE(has(answer, "error=\"invalid_token\", error_description=\"" + std::string(r.says) + "\""))
        << answer;
    EXPECT_TRUE(has(answer, "\"error_description\":\"" + std::string(r.says) + "\""));
  }
  auto t = token();
  t[t.size() - 3] = t[t.size() - 3] == 'A' ? 'B' : 'A';
  EXPECT_TRUE(has(answer_to(post(call, "Authorization: Bearer " + t + "\r\n")), "signature"));
  EXPECT_EQ(answer_to(post(call, "Authorization: Bearer x\r\nAuthorization: Bearer y\r\n")).substr(9, 3),
            "400");
  EXPECT_EQ(
      answer_to("POST /mcp?access_token=" + token() + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
          .substr(9, 3),
      "401");
}

TEST_F(Gateway, TellsWhoIsNotSignedInToSignInWhateverTheyAsk) {
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"}) {
    for (const char* path : {"/mcp", "/mcp/", "/mcp/x", "/mcp/../admin", "/mcp?access_token=x", "/mcp/%zz"}) {
      auto answer = answer_to(std::string(method) + " " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
      EXPECT_EQ(status_of(answer), 401) << method << " " << path;
      EXPECT_TRUE(has(answer, "WWW-Authenticate: Bearer ")) << method << " " << path;
    }
  }
  EXPECT_EQ(status_of(answer_to("PUT /mcp HTTP/1.1\r\nHost: h\r\n" + with_token() + "\r\n")), 405);
}

TEST_F(Gateway, RefusesARevokedGrantAtOnceAlsoFromItsCache) {
  auto client = connect();
  auto t = token();
  auto request = post(call, "Authorization: Bearer " + t + "\r\n");
  client.send(request);
  auto up = upstream_end();
  up.until(call);
  up.send(ok);
  client.until("{}");
  revoke("grant", now() + seconds(60));
  client.send(request);
  auto answer = client.until("\r\n\r\n");
  EXPECT_EQ(answer.substr(9, 3), "401");
  EXPECT_TRUE(has(answer, "The token has been revoked"));
}

TEST_F(Gateway, DecidesOnTheBodyAndRefusesHeadersThatContradictIt) {
  for (const char* fields :
       {"Mcp-Method: tools/list\r\n", "Mcp-Name: other\r\n",
        "Mcp-Method: tools/call\r\nMcp-Method: tools/call\r\n", "Mcp_Method: tools/call\r\n",
        "mcp-name: echo\r\nMCP_NAME: other\r\n", "MCP_Protocol-Version: 2025-11-25\r\n"}) {
    auto answer = answer_to(post(call, with_token(fields)));
    EXPECT_EQ(answer.substr(9, 3), "400") << fields;
    EXPECT_TRUE(has(answer, "-32020")) << fields;
    EXPECT_TRUE(has(answer, "\"id\":7"));
  }
}

TEST_F(Gateway, RefusesBodiesThatTwoReadersCouldReadDifferently) {
  for (const char* body : {R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"})",
                           R"({"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"x"})",
                           R"({"jsonrpc":"2.0","id":1,"method":"ping","Method":"x"})", "", "{", "[]", "null",
                           R"({"jsonrpc":"1.0","id":1,"method":"ping"})"}) {
    auto answer = answer_to(post(body, with_token()));
    EXPECT_EQ(answer.substr(9, 3), "400") << body;
  }
}

TEST_F(Gateway, HoldsToolsToTheirScopes) {
  conf.tools_given = true;
  access_rule rule;
  rule.pattern = "echo";
  rule.scopes = {"tools:read", "tools:extra"};
  conf.tools = {rule};
  auto answer = answer_to(post(call, with_token()));
  EXPECT_EQ(answer.substr(9, 3), "403");
  EXPECT_TRUE(has(answer, "error=\"insufficient_scope\"")) << answer;
  EXPECT_TRUE(has(answer, "tools:read tools:extra")) << answer;
  EXPECT_TRUE(has(answer, "\"required_scopes\":[\"tools:read\",\"tools:extra\"]")) << answer;
  auto unnamed = answer_to(
      post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"}})", with_token()));
  EXPECT_EQ(unnamed.substr(9, 3), "403") << "what no rule names is denied";
}

TEST_F(Gateway, StreamsALargeCallAndStopsItWhenItTurnsBad) {
  auto client = connect();
  std::string start_of =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"x":")";
  std::string filler(100'000, 'a');
  std::string end_of = R"("}},"method":"tools/list"})";
  auto whole = start_of + filler + end_of;
  client.send("POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + with_token() +
              "Content-Length: " + std::to_string(whole.size()) + "\r\n\r\n" + start_of);
  client.send(filler);
  auto up = upstream_end();
  EXPECT_TRUE(has(up.until("\"x\":\""), "POST /rpc")) << "forwarded once decided, before its end";
  client.send(end_of);
  auto rest = up.rest();
  EXPECT_FALSE(has(rest, "tools/list")) << "the upstream never sees the end of it";
  EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "400");
}

TEST_F(Gateway, BoundsWhatItHoldsBeforeTheDecision) {
  std::string body = R"({"jsonrpc":"2.0","id":1,"params":{"arguments":{"x":")" + std::string(10'000, 'a') +
                     R"("},"name":"echo"},"method":"tools/call"})";
  auto client = connect();
  client.send("POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + with_token() +
              "Transfer-Encoding: chunked\r\n\r\n");
  for (std::size_t at = 0; at < 6000; at += 1000) client.send("3e8\r\n" + body.substr(at, 1000) + "\r\n");
  EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "413");
}

TEST_F(Gateway, AnswersForAnUpstreamThatFails) {
  upstream_is_down = true;
  auto down = answer_to(post(call, with_token()));
  EXPECT_EQ(down.substr(9, 3), "502");
  EXPECT_TRUE(has(down, "\"id\":7"));
  EXPECT_TRUE(has(down, "\\nFailed to proxy request to MCP server")) << down;

  upstream_is_down = false;
  auto client = connect();
  client.send(post(call, with_token()));
  auto up = upstream_end();
  up.until(call);
  auto slow = client.until("in time");
  EXPECT_EQ(slow.substr(9, 3), "504");
  EXPECT_TRUE(has(slow, "timeout of 500ms exceeded\\nMCP server did not respond in time")) << slow;

  auto page_client = connect();
  page_client.send(post(call, with_token()));
  auto page = upstream_end();
  page.until(call);
  page.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html");
  auto answer = page_client.until("format");
  EXPECT_EQ(answer.substr(9, 3), "502");
  EXPECT_TRUE(has(answer, "invalid_protocol")) << answer;
  EXPECT_FALSE(has(answer, "<html"));
}

TEST_F(Gateway, DoesNotPassTheUpstreamsOwnChallengeOn) {
  auto client = connect();
  client.send(post(call, with_token()));
  auto up = upstream_end();
  up.until(call);
  up.send(
      "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"other\"\r\nContent-Length: 0\r\n\r\n");
  auto answer = client.until("\r\n\r\n");
  EXPECT_EQ(answer.substr(9, 3), "502");
  EXPECT_FALSE(has(answer, "realm"));
}

TEST_F(Gateway, PassesAnUpstreamsErrorsThrough) {
  for (const char* status : {"400 Bad Request", "404 Not Found", "405 Method Not Allowed", "500 Oops"}) {
    auto client = connect();
    client.send(post(call, with_token()));
    auto up = upstream_end();
    up.until(call);
    up.send("HTTP/1.1 " + std::string(status) +
            "\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"e\":123}");
    EXPECT_EQ(client.until("{\"e\":123}").substr(9, 3), std::string(status).substr(0, 3));
    up.close();
  }
}

TEST_F(Gateway, RefusesForeignPagesAndAnswersPreflights) {
  EXPECT_EQ(answer_to(post(call, with_token("Origin: http://evil.example\r\n"))).substr(9, 3), "403");
  EXPECT_EQ(answer_to(post(call, with_token("Origin: http://localhost.evil:1\r\n"))).substr(9, 3), "403");
  EXPECT_EQ(answer_to(post(call, with_token("Origin: null\r\n"))).substr(9, 3), "403");
  auto refused = answer_to(post(call, "Origin: http://localhost:6274\r\n"));
  EXPECT_EQ(refused.substr(9, 3), "401");
  EXPECT_TRUE(has(refused, "Access-Control-Allow-Origin: http://localhost:6274\r\n")) << "on errors, too";
  EXPECT_TRUE(has(refused, "WWW-Authenticate, Mcp-Session-Id"));
  auto preflight = answer_to(
      "OPTIONS /mcp HTTP/1.1\r\nHost: h\r\nOrigin: http://localhost:6274\r\nAccess-Control-Request-Method: "
      "POST\r\n\r\n");
  EXPECT_EQ(preflight.substr(9, 3), "204");
  for (const char* part : {"Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS", "Mcp-Protocol-Version",
                           "Mcp-Session-Id", "Last-Event-ID", "Mcp-Method"}) {
    EXPECT_TRUE(has(preflight, part) || has(preflight, "MCP-Protocol-Version")) << part;
  }
  EXPECT_FALSE(has(answer_to("OPTIONS /mcp HTTP/1.1\r\nHost: h\r\nOrigin: http://evil.example\r\n\r\n"),
                   "Access-Control-Allow-Origin"));
}

TEST_F(Gateway, AllowsPagesTheHeadersThatMcpMirrorsParametersInto) {
  auto preflight = answer_to(
      "OPTIONS /mcp HTTP/1.1\r\nHost: h\r\nOrigin: http://localhost:6274\r\n"
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: "
      "mcp-param-region, x-evil, mcp-(bad)\r\n\r\n");
  auto at = preflight.find("Access-Control-Allow-Headers: ");
  ASSERT_NE(at, std::string::npos) << preflight;
  auto line = preflight.substr(at, preflight.find("\r\n", at) - at);
  EXPECT_TRUE(has(line, ", mcp-param-region")) << line;
  EXPECT_TRUE(has(line, "traceparent, tracestate, DPoP")) << line;
  EXPECT_FALSE(has(line, "x-evil")) << line;
  EXPECT_FALSE(has(line, "bad")) << line;
  EXPECT_TRUE(has(preflight, "Vary: Access-Control-Request-Headers"));
  EXPECT_TRUE(has(answer_to(get("/.well-known/oauth-protected-resource", "")), "Vary: Origin\r\n"))
      << "also to a request without an Origin";
}

TEST_F(Gateway, AnswersToEachNameOfThisMachineAndToNoOther) {
  auto named = post(call, "");
  named.replace(named.find("127.0.0.1:8080"), 14, "localhost:8080");
  EXPECT_TRUE(has(answer_to(named),
                  "resource_metadata=\"http://localhost:8080/.well-known/oauth-protected-resource/mcp\""));
  auto metadata =
      answer_to("GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
  EXPECT_TRUE(has(metadata, "\"resource\":\"http://localhost:8080/mcp\"")) << metadata;
  EXPECT_TRUE(has(metadata, "\"authorization_servers\":[\"http://127.0.0.1:8080\"]"))
      << "the issuer has one name";
  auto stranger =
      answer_to("GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: evil:8080\r\n\r\n");
  EXPECT_TRUE(has(stranger, "\"resource\":\"http://127.0.0.1:8080/mcp\"")) << stranger;
}

TEST_F(Gateway, ServesMetadataInEveryFormThatClientsTry) {
  for (const char* path :
       {"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"}) {
    auto answer =
        answer_to(std::string("GET ") + path + " HTTP/1.1\r\nHost: h\r\nOrigin: http://any.page\r\n\r\n");
    EXPECT_EQ(answer.substr(9, 3), "200") << path;
    EXPECT_TRUE(has(answer, "\"resource\":\"http://127.0.0.1:8080/mcp\"")) << answer;
    EXPECT_TRUE(has(answer, "Access-Control-Allow-Origin: *"));
  }
  for (const char* path :
       {"/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration", "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration"}) {
    auto answer = answer_to(std::string("GET ") + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(answer.substr(9, 3), "200") << path;
    EXPECT_TRUE(has(answer, "\"issuer\":\"http://127.0.0.1:8080\"")) << path;
  }
  EXPECT_EQ(
      answer_to("GET /.well-known/oauth-protected-resource/other HTTP/1.1\r\nHost: h\r\n\r\n").substr(9, 3),
      "404");
}

TEST_F(Gateway, RefusesPathsThatTwoServersCouldResolveDifferently) {
  for (const char* path :
       {"/mcp/../admin", "/mcp/%2e%2e/admin", "/mcp/.%2E/admin", "/mcp/./x", "/mcp/a%2fb", "/mcp/a%5cb",
        "/mcp/%00", "/mcp/%zz", "/mcp/..;/admin", "/mcp/..;a=b/admin", "/mcp/..%3b/admin", "/mcp/.;/x",
        "/mcp//admin", "/mcp//evil.example/x", "/mcp/%c0%ae%c0%ae/admin"}) {
    auto answer = answer_to(std::string("GET ") + path + " HTTP/1.1\r\nHost: h\r\n" + with_token() + "\r\n");
    EXPECT_EQ(answer.substr(9, 3), "404") << path;
  }
}

TEST_F(Gateway, CountsForNoPageOfAnotherOrigin) {
  auto asked = [this](const std::string& path) {
    return answer_to("GET " + path + " HTTP/1.1\r\nHost: h\r\nOrigin: https://page.example\r\n\r\n");
  };
  auto counted = asked("/metrics");
  EXPECT_TRUE(has(counted, "mop_requests_total"));
  EXPECT_FALSE(has(counted, "Access-Control-Allow-Origin"));
  EXPECT_TRUE(has(asked("/.well-known/oauth-protected-resource/nowhere"), "Access-Control-Allow-Origin: *"))
      << "a page has to see that a document is not there";
}

TEST_F(Gateway, ChangesTheHeadOfAnAnswerAsItIsTold) {
  auto& t = conf.upstreams[0].transform;
  t.remove = {"X-Internal-*"};
  t.rename = {{"X-Old", "X-New"}};
  t.add = {{"X-Served-By", "gateway"}};
  auto client = connect();
  client.send(post(call, with_token("Origin: http://localhost:5173\r\n")));
  auto up = upstream_end();
  up.until("\r\n\r\n");
  up.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Internal-Host: up7\r\nx-old: a\r\n"
      "X-Served-By: up7\r\nMcp-Session-Id: s\r\nContent-Length: 2\r\n\r\n{}");
  auto answer = client.until("{}");
  EXPECT_TRUE(has(answer, "\r\nX-New: a\r\n")) << answer;
  EXPECT_TRUE(has(answer, "\r\nX-Served-By: gateway\r\n"));
  EXPECT_FALSE(has(answer, "up7"));
  EXPECT_FALSE(has(answer, "x-old"));
  for (auto kept : {"Content-Type: application/json", "Content-Length: 2",
                    "Mcp-Session-Id: ", "Access-Control-Allow-Origin: http://localhost:5173", "\r\nDate: "})
    EXPECT_TRUE(has(answer, kept)) << kept;
}

TEST_F(Gateway, HidesItsCountsFromWhomAProxyServes) {
  auto hidden = answer_to(get("/metrics", "X-Forwarded-For: 203.0.113.7\r\n"));
  EXPECT_EQ(status_of(hidden), 404);
  EXPECT_FALSE(has(hidden, "mop_requests_total"));
  EXPECT_EQ(status_of(answer_to(get("/metrics", ""))), 200);
}

TEST_F(Gateway, CountsThoseWhoReachedALimit) {
  conf.rates.requests_per_minute = 1;
  EXPECT_EQ(status_of(answer_to(get("/auth/login", ""))), 400);
  auto refused = answer_to(get("/auth/login", ""));
  EXPECT_EQ(status_of(refused), 429);
  EXPECT_TRUE(has(refused, "Retry-After: 60\r\n")) << refused;
  EXPECT_TRUE(has(refused, "\"limit\":\"rate_limits.requests_per_minute\"")) << refused;
  EXPECT_TRUE(has(answer_to(get("/metrics", "")),
                  "mop_rate_limited_total{by=\"address\",limit=\"rate_limits.requests_per_minute\"} 1"));
}

TEST_F(Gateway, CountsRequestsUnderTheAddressThatATrustedProxySaw) {
  conf.rates.requests_per_minute = 1;
  conf.trusted_proxies = {"127.0.0.1"};
  for (auto spoofed : {"1.1.1.1", "2.2.2.2", "127.0.0.1"}) {
    auto answer = answer_to(get("/auth/login", std::string("X-Forwarded-For: ") + spoofed + "\r\n"));
    EXPECT_EQ(status_of(answer), spoofed == std::string("1.1.1.1") ? 400 : 429)
        << "the peer is no proxy of ours";
  }
}

TEST_F(Gateway, TellsItsHealth) {
  auto well = answer_to("GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(has(well, "\"status\": \"healthy\", \"database\": \"connected\", \"uptime\": ")) << well;
  upstream_is_down = true;
  auto ready = answer_to("GET /ready HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(ready.substr(9, 3), "503");
  EXPECT_TRUE(has(ready, "\"mcp_server\": \"unreachable\""));
  EXPECT_TRUE(has(answer_to("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"),
                  "mop_requests_total{area=\"health\",status=\"5xx\"} 1"));
}

TEST_F(Gateway, AsksTheUpstreamOnceForManyHealthRequests) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(status_of(answer_to(get("/ready", ""))), 200);
  std::lock_guard lock(mutex);
  EXPECT_EQ(dialled.size(), 1U);
}

TEST_F(Gateway, AnswersAnExceptionWith500AndGoesOn) {
  start();
  parts.connections = []() -> std::size_t { throw std::runtime_error("broken"); };
  auto client = connect();
  client.send(get("/metrics", ""));
  EXPECT_EQ(status_of(client.until("\r\n\r\n")), 500);
  EXPECT_EQ(status_of(answer_to(get("/health", ""))), 200);
}

TEST_F(Gateway, CallsAServerByItsNameThoughEveryThreadOfTheStoreIsHeld) {
  net::one_visit mcp_server([](int client) {
    net::received(client);
    net::send_all(client,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                  "Connection: close\r\n\r\n{}");
  });
  dials = false;
  conf.upstreams[0].url = "http://localhost:" + std::to_string(mcp_server.port()) + "/rpc";
  auto bearer = with_token();
  std::promise<void> open;
  auto opened = open.get_future().share();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(blocking.submit([opened] { opened.wait(); }));
  EXPECT_EQ(status_of(answer_to(post(call, bearer))), 200);
  open.set_value();
}

TEST_F(Gateway, SaysThatItIsOverloadedWhenTooMuchWaits) {
  net::blocking_pool full(1, 0);
  start();
  parts.blocking = &full;
  auto answer = answer_to(get("/auth/login", ""));
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_TRUE(has(answer, "temporarily_unavailable")) << answer;
}

}  // namespace
}  // namespace mcp_oauth
