// Holes that gateways had in what needs a token, and where it leads. Each as it would have shown there;
// docs/past-mistakes.md has the list.

#include "app/advisory_fixture.h"

#include <cstring>

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(AdvisoryGateway, CVE_2026_7663_EveryRouteMethodAndShapeAsksForATokenAlike) {
  add_upstream("mail");
  start();
  auto expired = token([](access_claims& c) { c.expires = now() - seconds(600); });
  auto foreign = token([](access_claims& c) { c.audience = "http://127.0.0.1:8080/elsewhere"; });
  std::vector<std::string> shapes;
  for (const std::string body : {"", "{}", "[]", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
                                 "null", "not json", "{\"jsonrpc\":", "a=b&c=d", call}) {
    for (const std::string type : {"Content-Type: application/json\r\n", "Content-Type: text/plain\r\n",
                                   "Content-Type: application/x-www-form-urlencoded\r\n", ""}) {
      shapes.push_back(type + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
  }
  for (const std::string version :
       {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "none"}) {
    shapes.push_back("MCP-Protocol-Version: " + version + "\r\nMcp-Method: ping\r\n\r\n");
  }
  shapes.push_back("Accept: text/event-stream\r\nLast-Event-ID: 1\r\n\r\n");
  shapes.push_back("Accept: text/html\r\nUser-Agent: Mozilla/5.0\r\n\r\n");
  for (const std::string& credential :
       {std::string(), "Authorization: Bearer " + expired + "\r\n",
        "Authorization: Bearer " + foreign + "\r\n", std::string("Authorization: Bearer junk\r\n"),
        std::string("Authorization: Basic YTpi\r\n"), "Authorization: " + token() + "\r\n"}) {
    for (const std::string path : {"/mcp", "/mcp/", "/mcp/sse", "/mcp/messages?sessionId=1", "/mcp/health",
                                   "/mcp/metrics", "/mail", "/mail/mcp"}) {
      for (const std::string method : {"POST", "GET", "DELETE", "HEAD", "PUT", "PATCH", "TRACE", "QUERY"}) {
        // Each shape with every method on one route; elsewhere one is as good as another.
        for (std::size_t i = 0; i < (path == "/mcp" ? shapes.size() : 2); ++i) {
          auto answer =
              ask(method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + credential + shapes[i]);
          ASSERT_EQ(status_of(answer), 401) << method << path << credential << shapes[i] << "\n" << answer;
          ASSERT_EQ(lines_named(answer, "www-authenticate"), 1) << answer;
        }
      }
    }
  }
  EXPECT_TRUE(take_seen().empty());
}

TEST_F(AdvisoryGateway, GHSA_5hvv_m4w4_gf6v_NoHeaderExemptsFromSigningIn) {
  conf.trusted_proxies = {"127.0.0.1/32", "0.0.0.0/0"};
  for (const char* fields : {"User-Agent: GoogleHC/1.0\r\n",
                             "User-Agent: kube-probe/1.31\r\n",
                             "User-Agent: ELB-HealthChecker/2.0\r\n",
                             "User-Agent: Mozilla/5.0\r\n",
                             "X-Forwarded-Uri: /health\r\n",
                             "X-Forwarded-Path: /health\r\n",
                             "X-Original-URL: /health\r\n",
                             "X-Rewrite-URL: /health\r\n",
                             "X-Original-URI: /.well-known/oauth-protected-resource\r\n",
                             "X-Forwarded-Method: OPTIONS\r\n",
                             "X-HTTP-Method-Override: OPTIONS\r\n",
                             "X-Forwarded-For: 127.0.0.1\r\n",
                             "Forwarded: for=127.0.0.1;host=localhost\r\n",
                             "X-Real-IP: 127.0.0.1\r\n",
                             "X-Forwarded-User: ada\r\nX-User-Id: local:ada\r\n",
                             "X-Mcp-Oauth-Proxy-URL: http://evil.example\r\n",
                             "Upgrade: websocket\r\nConnection: Upgrade\r\n",
                             "Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n",
                             "MCP-Protocol-Version: 2024-11-05\r\n",
                             "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n",
                             "X-Forwarded-Prefix: /health\r\n",
                             "Mcp-Session-Id: x\r\n",
                             "Purpose: prefetch\r\n"}) {
    for (const char* method : {"POST", "GET", "DELETE"}) {
      auto answer = ask(std::string(method) + " /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + fields + "\r\n");
      EXPECT_EQ(status_of(answer), 401) << fields;
      EXPECT_THAT(answer, Not(HasSubstr("evil"))) << fields;
      EXPECT_THAT(answer, HasSubstr("resource_metadata=\"http://127.0.0.1:8080/.well-known/")) << fields;
    }
  }
  EXPECT_TRUE(take_seen().empty());
}

TEST_F(AdvisoryGateway, CVE_2026_40575_ForwardedHeadersDoNotChooseTheRoute) {
  add_upstream("mail");
  for (const char* fields :
       {"X-Forwarded-Uri: /mail\r\n", "X-Original-URL: /mail\r\n", "X-Rewrite-URL: /mail\r\n",
        "X-Forwarded-Host: mail\r\n", "X-Host: mail:3000\r\n", "mcp-init-host: evil.example\r\n",
        "router-key: secret-api-key\r\n", "X-Mcp-Init-Host: evil.example\r\n",
        "X-Upstream: http://evil.example\r\n", "Host-Override: mail\r\n"}) {
    EXPECT_EQ(status_of(ask(post(call, with_token(fields)))), 200) << fields;
    auto seen = take_seen();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].rfind("POST /rpc HTTP/1.1\r\nHost: up:3000\r\n", 0), 0U) << seen[0];
    EXPECT_EQ(field_of(seen[0], "X-Forwarded-Host"), "127.0.0.1:8080") << fields;
    for (const char* name : {"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri"})
      EXPECT_EQ(field_of(seen[0], name), "") << fields;
  }
}

// obot and matheus, 2026: links and redirects of the server behind were made of whatever Host a request
// named.
TEST_F(AdvisoryGateway, Matheus_2026_AForeignHostIsNotPassedOn) {
  for (const char* host :
       {"evil.example", "127.0.0.1:8080.evil.example", "127.0.0.1:9", "h", "EVIL.example:8080"}) {
    auto request = post(call, with_token());
    std::string ours = "127.0.0.1:8080";
    EXPECT_EQ(status_of(ask(request.replace(request.find(ours), ours.size(), host))), 200) << host;
    auto seen = take_seen();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(field_of(seen[0], "X-Forwarded-Host"), "127.0.0.1:8080") << host;
    EXPECT_EQ(field_of(seen[0], "Host"), "up:3000") << host;
  }
}

TEST_F(AdvisoryGateway, CVE_2025_54576_NoPathIsPublicToOneReaderAndProtectedToAnother) {
  for (const char* path : {"/mcp?x=/health",
                           "/mcp?/health",
                           "/mcp?/.well-known/oauth-protected-resource",
                           "/mcp/..;/health",
                           "/mcp/../health",
                           "/mcp/%2e%2e/health",
                           "/mcp/%252e%252e/health",
                           "/mcp/;/health",
                           "/mcp/health;x",
                           "/mcp/.%2fhealth",
                           "/mcp//health",
                           "/mcp/./health",
                           "/mcp%20",
                           "/mcp%2f",
                           "/mcp%2fhealth",
                           "/mcp%00/health",
                           "/mcp;/health",
                           "/MCP",
                           "/Mcp",
                           "/%6dcp",
                           "/%6Dcp",
                           "//mcp",
                           "/./mcp",
                           "/health/../mcp",
                           "/health/..;/mcp",
                           "/health%2f..%2fmcp",
                           "/metrics/%2e%2e/mcp",
                           "/.well-known/../mcp",
                           "/.well-known/%2e%2e/mcp",
                           "/mcp/.well-known/../x",
                           "/mcp/x/.well-known/../../y",
                           "/mcp/.well-known/oauth-protected-resource/../../x",
                           "/mcp.",
                           "/mcp.json",
                           "/mcpx",
                           "/mc%70",
                           "/mcp/%",
                           "/mcp/%2",
                           "/mcp/%zz",
                           "/health;/../mcp",
                           "/ready/mcp",
                           "/oauth/token/../../mcp",
                           "/mcp/%c0%ae%c0%ae/x",
                           "/mcp/%ef%bc%8e%ef%bc%8e/x"}) {
    auto open = ask(get(path, ""));
    EXPECT_TRUE(status_of(open) == 401 || status_of(open) == 404 || status_of(open) == 400) << path << "\n"
                                                                                            << open;
    EXPECT_TRUE(take_seen().empty()) << path;
    // With a token: either not at all, or below the server's own path in one reading only.
    auto let_in = ask(get(path, with_token()));
    for (const auto& head : take_seen()) {
      auto target = head.substr(4, head.find(' ', 4) - 4);
      EXPECT_EQ(target.rfind("/rpc", 0), 0U) << path << " -> " << target;
      EXPECT_EQ(target.find("/../"), std::string::npos) << target;
      EXPECT_EQ(target.find("..;"), std::string::npos) << target;
      EXPECT_EQ(target.find("//"), std::string::npos) << target;
      EXPECT_EQ(status_of(let_in), 200);
    }
  }
  for (const char* target : {"/mcp#/health", "/mcp\\health", "/mcp/\\..\\health", "http://evil.example/mcp",
                             "evil.example/mcp", "/mcp /health", "http:///mcp", "*"}) {
    EXPECT_EQ(status_of(ask(get(target, with_token()))), 400) << target;
    EXPECT_TRUE(take_seen().empty()) << target;
  }
}

class NestedServers : public AdvisoryGateway {
 protected:
  // All of them are one server's, and `outer` has the stricter ones below it.
  void nest(bool outer_is_open) {
    add_upstream("outer");
    conf.upstreams.back().url = "http://one:3000/mcp";
    conf.upstreams.back().require_auth = !outer_is_open;
    add_upstream("inner");
    conf.upstreams.back().url = "http://one:3000/mcp/inner";
    conf.upstreams.back().paths = {"/outer/inner"};
    conf.upstreams.back().resource = std::string(origin) + "/outer/inner";
  }
  // Without what differs in any two answers.
  static std::string content_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n")); }

  const std::vector<std::string> ways_in_ = {"/outer/%69nner",   "/outer/Inner",       "/outer/INNER/x",
                                             "/outer/inner;x=1", "/outer/inner;x=1/y", "/outer/inne%72/x",
                                             "/outer/%3b/inner", "/outer/;x/inner",    "/outer/inner%3bx"};
};

TEST_F(NestedServers, AreNotReachedPastTheirDoorByAPathThatAServerReadsAsTheirs) {
  nest(true);
  EXPECT_EQ(status_of(ask(post_to("/outer/inner", ""))), 401);
  EXPECT_TRUE(take_seen().empty());
  auto unknown = ask(post_to("/nowhere", ""));
  EXPECT_EQ(status_of(unknown), 404);
  for (const auto& path : ways_in_) {
    for (const auto& fields : {std::string(), bearer("ada", std::string(origin) + "/outer/inner")}) {
      auto answer = ask(post_to(path, fields));
      EXPECT_EQ(status_of(answer), 404) << path << answer;
      EXPECT_EQ(content_of(answer), content_of(unknown)) << path;
      EXPECT_EQ(status_of(ask("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + fields + "\r\n")),
                404)
          << path;
      EXPECT_TRUE(take_seen().empty()) << path;
    }
  }
  for (const char* path : {"/outer", "/outer/other", "/outer/Other;x=1/%41", "/outer/inners"}) {
    EXPECT_EQ(status_of(ask(post_to(path, ""))), 200) << path;
    EXPECT_EQ(take_seen().size(), 1U) << path;
  }
}

TEST_F(NestedServers, AreNotOpenedByTheTokenOfTheServerAbove) {
  nest(false);
  auto outer = bearer("ada", std::string(origin) + "/outer");
  auto inner = bearer("ada", std::string(origin) + "/outer/inner");
  EXPECT_EQ(status_of(ask(post_to("/outer/inner", outer))), 401);
  for (const auto& path : ways_in_) {
    EXPECT_EQ(status_of(ask(post_to(path, outer))), 404) << path;
    EXPECT_TRUE(take_seen().empty()) << path;
  }
  EXPECT_EQ(status_of(ask(post_to("/outer/inner", inner))), 200);
  EXPECT_EQ(status_of(ask(post_to("/outer", outer))), 200);
}

TEST_F(AdvisoryGateway, CVE_2025_64443_APageOnAnotherNameGetsNothing) {
  for (const char* page : {"http://evil.test",
                           "https://evil.test",
                           "null",
                           "http://127.0.0.1.evil.test",
                           "http://localhost.evil.test:1",
                           "http://127.0.0.1:8081",
                           "https://127.0.0.1:8080",
                           "http://127.0.0.1",
                           "http://[::1]:8080",
                           "http://0.0.0.0:8080",
                           "http://127.0.0.1:8080.evil.test",
                           "http://evil.test#http://127.0.0.1:8080",
                           "http://user@127.0.0.1:8080",
                           "file://",
                           "chrome-extension://abc",
                           "http://127.0.0.1:8080/",
                           "HTTP://127.0.0.1:8080",
                           "http://2130706433:8080",
                           "http://127.1:8080",
                           "http://localhost:8080@evil.test",
                           "http://localhost:",
                           "http://localhost:80a",
                           "*",
                           "",
                           "http://127.0.0.1:8080, http://evil.test",
                           "undefined",
                           "about:blank",
                           "data:",
                           "http://localhost%00.evil.test"}) {
    for (const char* method : {"POST", "GET", "DELETE"}) {
      for (const char* path : {"/mcp", "/mcp/sse"}) {
        auto answer =
            ask(std::string(method) + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nOrigin: " + page +
                "\r\nContent-Type: application/json\r\n" + with_token("Content-Length: 0\r\n") + "\r\n");
        EXPECT_EQ(status_of(answer), 403) << method << " " << page;
        EXPECT_EQ(field_of(answer, "Access-Control-Allow-Origin"), "") << page;
      }
    }
  }
  EXPECT_TRUE(take_seen().empty());
  EXPECT_EQ(status_of(ask(post(call, with_token("Origin: http://127.0.0.1:8080\r\n")))), 200)
      << "our own pages";
}

TEST_F(AdvisoryGateway, CVE_2026_34742_ANameThatLeadsHereByRebindingGetsNothingWithoutAToken) {
  for (const char* host :
       {"evil.test", "evil.test:8080", "127.0.0.1.evil.test:8080", "localhost.evil.test", "0.0.0.0:8080",
        "169.254.169.254", "[::ffff:1.2.3.4]:8080", "xn--e1afmkfd:8080", "", "-"}) {
    for (const char* method : {"POST", "GET", "DELETE"}) {
      auto answer = ask(std::string(method) + " /mcp HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
      EXPECT_EQ(status_of(answer), 401) << host;
      EXPECT_THAT(answer, HasSubstr("resource_metadata=\"http://127.0.0.1:8080/"))
          << "its name is not taken up";
      EXPECT_THAT(answer, Not(HasSubstr("evil")));
    }
    for (const char* path :
         {"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"}) {
      auto answer = ask(std::string("GET ") + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
      EXPECT_EQ(status_of(answer), 200);
      EXPECT_THAT(answer, Not(HasSubstr("evil")));
    }
  }
  EXPECT_TRUE(take_seen().empty());
}

TEST_F(AdvisoryGateway, CVE_2024_24814_NoCookieHeaderBreaksOrStallsAPage) {
  std::vector<std::string> cookies = {"",
                                      ";",
                                      ";;;;",
                                      "=",
                                      "==",
                                      "a",
                                      "a=",
                                      "=a",
                                      "a=b;",
                                      "; a=b",
                                      "a=b;;c=d",
                                      "\xff\xfe=\xff",
                                      "a=\"b",
                                      "a=b\tc",
                                      "mop_browser",
                                      "mop_browser=",
                                      "__Host-mop_browser=",
                                      "$Version=1",
                                      "mod_auth_openidc_session=; mod_auth_openidc_session_chunks=99999999",
                                      "mop_browser_chunks=-1",
                                      "mop_session_chunks=18446744073709551616"};
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "a" + std::to_string(i % 10) + "=b; ";
  cookies.push_back(many);
  cookies.push_back(std::string(20'000, ';'));
  cookies.push_back("mop_browser=" + std::string(20'000, 'x'));
  for (const auto& value : cookies) {
    for (const char* path :
         {"/oauth/authorize?client_id=x", "/auth/callback?state=x&code=y", "/auth/logout", "/mcp"}) {
      auto status =
          status_of(ask(get(path, "Cookie: " + value + "\r\nCookie: " + value.substr(0, 100) + "\r\n")));
      EXPECT_TRUE(status >= 200 && status < 500) << path << " " << value.substr(0, 60) << " " << status;
    }
  }
  EXPECT_EQ(status_of(ask(get("/health", ""))), 200);
}

TEST_F(AdvisoryGateway, Matheus_2026_NoPathOrNameOfAClientBecomesALabel) {
  start();
  auto lines = [this] {
    auto text = answer_to(get("/metrics", ""));
    return std::count(text.begin(), text.end(), '\n');
  };
  ask(get("/nowhere", ""));
  ask(get("/mcp", ""));
  ask(post(call, with_token()));
  lines();
  auto before = lines();
  for (int i = 0; i < 200; ++i) {
    auto n = std::to_string(i);
    ask(get("/nowhere/" + n, "Host-X: " + n + "\r\n"));
    ask(get("/mcp/" + n, ""));
    ask("M" + n + " /mcp HTTP/1.1\r\nHost: h" + n + "\r\n\r\n");
    ask(post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t)" + n + "\"}}",
             with_token()));
  }
  EXPECT_EQ(lines(), before);
}

}  // namespace
}  // namespace mcp_oauth
