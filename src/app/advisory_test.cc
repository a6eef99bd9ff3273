// Holes that gateways and proxies had, each as it would have shown there. docs/past-mistakes.md has the list.

#include "app/gateway_fixture.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <thread>

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

// The fixture's MCP servers answer by themselves, and keep what they saw.
class AdvisoryGateway : public Gateway {
 protected:
  ~AdvisoryGateway() override {
    {
      std::lock_guard lock(mutex);
      leaving_ = true;
      arrived.notify_all();
    }
    if (answering_.joinable()) answering_.join();
  }

  // Everything that any MCP server was sent since the last look.
  std::vector<std::string> take_seen() {
    std::lock_guard lock(mutex);
    return std::exchange(seen_, {});
  }

  // The answer of the gateway, while the servers behind it answer what reaches them.
  std::string ask(const std::string& request) {
    if (!answering_.joinable()) answering_ = std::thread([this] { answer_all(); });
    return answer_to(request);
  }

  std::string bearer(const std::string& subject, const std::string& audience = resource,
                     const std::string& client = "client") {
    return "Authorization: Bearer " + token([&](access_claims& c) {
             c.subject = subject;
             c.audience = audience;
             c.client_id = client;
             c.grant_id = subject + client;
           }) +
           "\r\n";
  }

  void add_upstream(const std::string& name) {
    auto other = conf.upstreams.front();
    other.name = name;
    other.url = "http://" + name + ":3000/rpc";
    other.paths = {"/" + name};
    other.resource = std::string(origin) + "/" + name;
    conf.upstreams.push_back(other);
  }

 private:
  void answer_all() {
    for (;;) {
      net::test_peer peer(-1);
      {
        std::unique_lock lock(mutex);
        arrived.wait(lock, [this] { return leaving_ || !dialled.empty(); });
        if (leaving_) return;
        peer = std::move(dialled.front());
        dialled.pop_front();
      }
      auto head = peer.until("\r\n\r\n");
      if (head.empty()) continue;  // a look whether the server is there
      auto text = to_lower(head);
      std::string body;
      if (auto at = text.find("\r\ncontent-length: "); at != std::string::npos) {
        body = peer.exactly(std::stoul(text.substr(at + 18)));
      } else if (has(text, "transfer-encoding: chunked")) {
        body = peer.until("0\r\n\r\n");
      }
      {
        std::lock_guard lock(mutex);
        seen_.push_back(head + body);
      }
      peer.send(std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n") +
                (has(body, "initialize") ? "Mcp-Session-Id: given-1\r\n" : "") +
                "Content-Length: 13\r\n\r\n{\"served\":\"\"}");
      peer.close();
    }
  }

  bool leaving_ = false;
  std::vector<std::string> seen_;
  std::thread answering_;
};

std::string field_of(const std::string& message, const std::string& name) {
  auto at = message.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  at += name.size() + 4;
  return message.substr(at, message.find("\r\n", at) - at);
}

// How many lines of a head have the name, `-` and `_` and all cases being one.
int lines_named(const std::string& head, std::string_view name) {
  int count = 0;
  for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    auto line = std::string_view(head).substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    auto found = to_lower(line.substr(0, line.find(':')));
    std::replace(found.begin(), found.end(), '_', '-');
    count += trim(found) == to_lower(name);
  }
  return count;
}

// ---------------------------------------------------------------------------------------------- sessions

TEST_F(AdvisoryGateway, GHSA_mvgg_jvj2_4frq_ASessionIsGoodOnItsRouteAndForItsUserOnly) {
  add_upstream("cal");  // as long as the other, so that only what it says differs
  auto opened =
      ask(post(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})",
               bearer("local:ada")));
  auto id = field_of(opened, "Mcp-Session-Id");
  ASSERT_EQ(id.rfind("given-1.", 0), 0U) << opened;
  take_seen();

  const std::vector<std::pair<std::string, std::string>> methods = {
      {"POST", ""}, {"GET", ""}, {"GET", "Last-Event-ID: 1\r\n"}, {"DELETE", ""}};
  int passed = 0;
  for (const std::string route : {"mcp", "cal"}) {
    for (const std::string user : {"local:ada", "local:eve", "oidc:ada", "local:ada ", "LOCAL:ADA", "ada"}) {
      for (const std::string client : {"client", "another"}) {
        for (const std::string meant_for : {"mcp", "cal"}) {
          for (const auto& [method, more] : methods) {
            auto fields = bearer(user, std::string(origin) + "/" + meant_for, client) +
                          "Mcp-Session-Id: " + id + "\r\n" + more;
            auto request = method == "POST" ? post_to("/" + route, fields)
                                            : method + " /" + route +
                                                  " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + fields + "\r\n";
            auto status = status_of(ask(request));
            auto seen = take_seen();
            // One user's clients share what is that user's.
            bool good = route == "mcp" && meant_for == "mcp" && user == "local:ada";
            int expected = good ? 200 : route != meant_for ? 401 : 404;
            EXPECT_EQ(status, expected)
                << method << more << " /" << route << " " << user << " for " << meant_for;
            EXPECT_EQ(seen.size(), good ? 1U : 0U);
            if (good) {
              EXPECT_EQ(field_of(seen[0], "Mcp-Session-Id"), "given-1") << seen[0];
              ++passed;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(passed, 8);
}

TEST_F(AdvisoryGateway, CVE_2026_52869_AnIdInAnyOtherFormIsNoSession) {
  auto opened = ask(post(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{}})", with_token()));
  auto id = field_of(opened, "Mcp-Session-Id");
  ASSERT_FALSE(id.empty());
  take_seen();
  auto flipped = id;
  flipped.back() = flipped.back() == 'A' ? 'B' : 'A';
  auto upper = id;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const auto& form : {std::string("given-1"),
                           std::string("given-1."),
                           id.substr(7),
                           flipped,
                           upper,
                           id + "=",
                           id + " ",
                           id + ".",
                           id + id,
                           id + "," + id,
                           id + ", given-1",
                           "given-1, " + id,
                           "\"" + id + "\"",
                           "given-2" + id.substr(7),
                           "given-1%2e" + id.substr(8),
                           id.substr(1),
                           std::string("null"),
                           std::string("*"),
                           std::string("../given-1"),
                           std::string()}) {
    for (const std::string method : {"POST", "GET", "DELETE"}) {
      auto fields = with_token("Mcp-Session-Id: " + form + "\r\n");
      auto request =
          method == "POST" ? post(call, fields) : method + " /mcp HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
      auto status = status_of(ask(request));
      auto seen = take_seen();
      if (trim(form) == id) {
        EXPECT_EQ(status, 200) << "blanks around a value are no part of it";
        continue;
      }
      if (form.empty()) {
        ASSERT_EQ(seen.size(), 1U);
        EXPECT_EQ(lines_named(seen[0], "mcp-session-id"), 0) << "an empty value names none";
        continue;
      }
      EXPECT_EQ(status, 404) << method << " " << form;
      EXPECT_TRUE(seen.empty()) << form;
    }
  }
  for (const char* again : {"Mcp-Session-Id: ", "mcp-session-id: ", "MCP-SESSION-ID:"}) {
    auto twice = with_token("Mcp-Session-Id: " + id + "\r\n" + again + "given-1\r\n");
    EXPECT_EQ(status_of(ask(post(call, twice))), 404);
    EXPECT_TRUE(take_seen().empty());
  }
  auto underscored = ask(post(call, with_token("Mcp_Session_Id: given-1\r\n")));
  auto seen = take_seen();
  ASSERT_EQ(seen.size(), 1U) << underscored;
  EXPECT_EQ(lines_named(seen[0], "mcp-session-id"), 0) << "a spelling that we do not read goes nowhere";
}

// ---------------------------------------------------------------------------------- identity, forged

// A name in every mixture of cases and of `-` and `_`.
std::vector<std::string> spellings(const std::string& name) {
  std::vector<std::string> all;
  for (int cases = 0; cases < 4; ++cases) {
    for (int marks = 0; marks < 4; ++marks) {
      std::string spelled;
      int at = 0, mark = 0;
      for (char c : name) {
        if (c == '-') {
          bool low = marks == 1 || (marks == 2 && mark == 0) || (marks == 3 && mark > 0);
          spelled += low ? '_' : '-';
          ++mark;
          continue;
        }
        auto u = static_cast<unsigned char>(c);
        bool up = cases == 1 || (cases == 2 && at % 2 == 0);
        spelled += static_cast<char>(up ? std::toupper(u) : cases == 3 ? c : std::tolower(u));
        ++at;
      }
      if (std::find(all.begin(), all.end(), spelled) == all.end()) all.push_back(spelled);
    }
  }
  return all;
}

const std::vector<std::string> identity_names = {"X-User-Id",
                                                 "X-User-Email",
                                                 "X-User-Name",
                                                 "X-User-Provider",
                                                 "X-User-Groups",
                                                 "X-User-Sub",
                                                 "X-Client-Id",
                                                 "X-Forwarded-For",
                                                 "X-Forwarded-Host",
                                                 "X-Forwarded-Proto",
                                                 "X-Forwarded-User",
                                                 "X-Forwarded-Email",
                                                 "X-Forwarded-Access-Token",
                                                 "X-Forwarded-Preferred-Username",
                                                 "X-Forwarded-Uri",
                                                 "Forwarded",
                                                 "X-Real-IP",
                                                 "Remote-User",
                                                 "X-Remote-User",
                                                 "X-Auth-Request-User",
                                                 "X-Auth-Request-Email",
                                                 "X-Auth-Request-Access-Token",
                                                 "X-Request-Id",
                                                 "X-Mop-Session",
                                                 "Mcp-Session-Id",
                                                 "Cookie"};
const std::vector<std::string> ours_upstream = {"X-User-Id",         "X-User-Email",    "X-User-Name",
                                                "X-Client-Id",       "X-Forwarded-For", "X-Forwarded-Host",
                                                "X-Forwarded-Proto", "X-Request-Id"};

class AdvisoryIdentity : public AdvisoryGateway {
 protected:
  // Every way in which lines with the name may stand in a head that is well formed.
  static std::vector<std::string> ways_of(const std::string& name) {
    auto all = spellings(name);
    std::string once, before, tabbed, with_empty, listed = "Connection: keep-alive";
    for (const auto& spelled : all) {
      once += spelled + ": forged\r\n";
      before += spelled + ":forged\r\n" + spelled + ": forged, forged\r\n";
      tabbed += spelled + ":\t forged \t \r\n";
      with_empty += spelled + ":\r\n" + spelled + ": forged\r\n";
      listed += ", " + spelled;
    }
    return {once,
            before,
            tabbed,
            with_empty,
            listed + "\r\n" + once,
            once + "Connection: " + name + "\r\nConnection: X-User-Id, X-Client-Id, X-Forwarded-For\r\n"};
  }

  void check(const std::string& what, const std::string& answer, bool goes_on) {
    auto seen = take_seen();
    EXPECT_EQ(seen.size(), goes_on ? 1U : 0U) << what << "\n" << answer;
    for (const auto& head : seen) {
      EXPECT_THAT(head, Not(HasSubstr("forged"))) << what;
      for (const auto& name : ours_upstream)
        EXPECT_EQ(lines_named(head, name), 1) << name << " " << what << head;
      EXPECT_EQ(field_of(head, "X-User-Id"), "local:ada") << what;
      EXPECT_EQ(field_of(head, "X-Client-Id"), "client") << what;
    }
  }

  void forge_everything() {
    auto t = with_token();
    auto body_of = [](const std::string& start, const std::string& fields) {
      return start + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + fields + "\r\n";
    };
    std::string chunked =
        "Content-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n56\r\n" +
        std::string(call) + "\r\n0\r\n";
    ASSERT_EQ(std::strlen(call), 0x56U);
    std::string notification = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
    for (const auto& name : identity_names) {
      for (const auto& way : ways_of(name)) {
        // A session id is judged before anything is forwarded; only its other spellings pass by.
        bool judged = name == "Mcp-Session-Id";
        auto all = t + way;
        check(name + " POST", ask(post(call, all)), !judged);
        check(name + " GET", ask(body_of("GET /mcp", all)), !judged);
        check(name + " DELETE", ask(body_of("DELETE /mcp/x", all)), !judged);
        check(name + " legacy", ask(body_of("GET /mcp/sse", all + "Accept: text/event-stream\r\n")), !judged);
        check(name + " notification", ask(post(notification, all)), !judged);
        check(name + " chunks", ask(body_of("POST /mcp/y", all + chunked)), !judged);
        check(name + " preflight", ask(body_of("OPTIONS /mcp", all)), false);
        check(name + " no token", ask(post(call, way)), false);
        check(name + " health", ask(body_of("GET /ready", way)), false);
        check(name + " metadata", ask(body_of("GET /mcp/.well-known/oauth-protected-resource", way)), false);
      }
    }
  }
};

TEST_F(AdvisoryIdentity, CVE_2025_64484_NoSpellingOfAForgedIdentityReachesTheServer) { forge_everything(); }

TEST_F(AdvisoryIdentity, CVE_2025_64484_NorWhenTheOperatorForwardsEverything) {
  conf.headers.forward = {"*", "X-User-*", "X_User_*", "x-forwarded-*", "cookie", "mcp-session-id"};
  forge_everything();
}

TEST_F(AdvisoryIdentity, CVE_2025_64484_ALineThatIsNoFieldIsNoWayAround) {
  for (const auto& name : identity_names) {
    for (const std::string& line :
         {name + " : forged", " " + name + ": forged", "\t" + name + ": forged",
          "X-A: b\r\n " + name + ": forged", "X-A: b\n" + name + ": forged", "X-A: b\r" + name + ": forged",
          name + "\v: forged", name + ":: \x01 forged", name + std::string("\0: forged", 9),
          "X-A: b" + std::string(1, '\0') + name + ": forged"}) {
      EXPECT_EQ(status_of(ask(post(call, with_token(line + "\r\n")))), 400) << line;
      EXPECT_TRUE(take_seen().empty()) << line;
    }
  }
}

TEST_F(AdvisoryIdentity, CVE_2025_48865_WhatConnectionNamesNeverTakesOursAway) {
  std::string all;
  for (const auto& name : ours_upstream) all += (all.empty() ? "" : ", ") + name;
  for (const auto& line : {"Connection: " + all, "Connection: close, " + all, "connection: " + to_lower(all),
                           "Connection: Host, Content-Length, Content-Type, Authorization, " + all}) {
    check(line, ask(post(call, with_token(line + "\r\n"))), true);
  }
}

// ---------------------------------------------------------------------------- the same door everywhere

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

// -------------------------------------------------------------------------------- header against body

class AdvisoryMismatch : public AdvisoryGateway {
 protected:
  static std::string modern(const std::string& name, const std::string& more = "") {
    return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":)" + name +
           R"(,"arguments":{})" + more +
           R"(,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  }
  static constexpr const char* version = "MCP-Protocol-Version: 2026-07-28\r\n";
  static constexpr const char* right =
      "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n";
};

TEST_F(AdvisoryMismatch, SEP_2243_AHeaderThatSaysAnotherThingThanTheBodyIsRefused) {
  auto echo = modern("\"echo\"");
  for (const std::string& fields :
       {std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: printEnv\r\n",
        std::string(version) + "Mcp_Method: tools/call\r\nMcp_Name: echo\r\n",
        std::string("MCP_Protocol_Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
        std::string(version) + "Mcp-Method: tools/list\r\nMcp-Name: echo\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\n",
        std::string(version) + "Mcp-Name: echo\r\n",
        std::string(version),
        std::string("Mcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
        std::string("MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
        std::string(right) + "Mcp-Name: echo\r\n",
        std::string(right) + "mcp-name: printEnv\r\n",
        std::string(right) + "MCP-METHOD: tools/call\r\n",
        std::string(right) + "Mcp_Name: printEnv\r\n",
        std::string(right) + "MCP_METHOD: tools/list\r\n",
        std::string(right) + "MCP_PROTOCOL_VERSION: 2024-11-05\r\n",
        std::string(right) + "MCP-Protocol-Version: 2024-11-05\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: Echo\r\n",
        std::string(version) + "Mcp-Method: Tools/Call\r\nMcp-Name: echo\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: echo, printEnv\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: \"echo\"\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: \\u0065cho\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: %65cho\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: ech\xc3\xb6\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?cHJpbnRFbnY=?=\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?ZWNobw==\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?!!!!?=\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name:\r\n"}) {
    auto answer = ask(post(echo, with_token(fields)));
    EXPECT_EQ(status_of(answer), 400) << fields << answer;
    EXPECT_THAT(answer, HasSubstr("-32020")) << fields;
    EXPECT_TRUE(take_seen().empty()) << fields;
  }
  EXPECT_EQ(status_of(ask(post(echo, with_token(std::string(version) +
                                                "Mcp-Method: tools/call\r\nMcp-Name: ech\r\n o\r\n")))),
            400)
      << "a folded line";
  // The same said in other words.
  for (const std::string& fields :
       {std::string(right),
        std::string("mcp-protocol-version: 2026-07-28\r\nMCP-METHOD: tools/call\r\nmcp-NAME:   echo  \r\n"),
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?ZWNobw==?=\r\n"}) {
    EXPECT_EQ(status_of(ask(post(echo, with_token(fields)))), 200) << fields;
  }
  EXPECT_EQ(status_of(ask(post(modern("\"\\u0065cho\""), with_token(right)))), 200)
      << "escapes are a spelling";
}

TEST_F(AdvisoryMismatch, SEP_2243_ABodyThatSaysTwoThingsIsRefused) {
  for (const std::string& body :
       {modern("\"echo\"", R"(,"name":"printEnv")"), modern("\"printEnv\"", R"(,"name":"echo")"),
        modern("\"echo\"", R"(,"n\u0061me":"printEnv")"), modern("\"echo\"", R"(,"Name":"printEnv")"),
        modern("\"echo\"", R"(,"NAME":"printEnv")"), modern("[\"echo\"]"), modern("{\"a\":\"echo\"}"),
        modern("\"echo\"").insert(1, R"("method":"tools/list",)"),
        modern("\"echo\"").insert(1, R"("params":{"name":"printEnv"},)"),
        modern("\"echo\"").insert(1, R"("Method":"tools/list",)"),
        modern("\"echo\"") + modern("\"printEnv\""), modern("\"echo\"") + "\n{}",
        "\xef\xbb\xbf" + modern("\"echo\""), modern("\"ech\\ud800o\""), modern("\"ech\xff\""),
        "/* */" + modern("\"echo\""), modern("'echo'")}) {
    auto answer = ask(post(body, with_token(right)));
    EXPECT_EQ(status_of(answer), 400) << body << answer;
    EXPECT_TRUE(take_seen().empty()) << body;
  }
}

TEST_F(AdvisoryGateway, Kuadrant_2026_AToolThatNoRuleNamesIsDeniedByAnyName) {
  conf.tools_given = true;
  tool_rule rule;
  rule.pattern = "echo";
  rule.scopes = {"mcp"};
  conf.tools = {rule};
  EXPECT_EQ(status_of(ask(post(call, with_token()))), 200);
  take_seen();
  for (const char* name : {"printEnv",
                           "Echo",
                           "ECHO",
                           "echo ",
                           " echo",
                           "echo\\u0000",
                           "echo\\n",
                           "echo/../printEnv",
                           "./echo",
                           "echo;printEnv",
                           "echo,printEnv",
                           "echo*",
                           "*",
                           "",
                           "ech\\u043e",
                           "e\\u0301cho",
                           "echo\\u200b",
                           "server_echo",
                           "server__echo",
                           "echo.echo"}) {
    auto body =
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + std::string(name) + "\"}}";
    auto answer = ask(post(body, with_token()));
    EXPECT_EQ(status_of(answer), 403) << name << answer;
    EXPECT_TRUE(take_seen().empty()) << name;
  }
  for (const char* body : {R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})",
                           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}})",
                           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":null})"}) {
    EXPECT_EQ(status_of(ask(post(body, with_token()))), 403) << body;
    EXPECT_TRUE(take_seen().empty()) << body;
  }
}

// --------------------------------------------------------------------------------------- pages, cookies

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

// ------------------------------------------------------------------------------------------------- others

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

TEST_F(AdvisoryGateway, CVE_2026_25536_IdsAloneMatchNothing) {
  // Ten clients with one id each wait at once; the servers answer in the opposite order.
  std::vector<net::test_peer> clients, servers;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect());
    clients.back().send(post(call, with_token("X-Who: " + std::to_string(i) + "\r\n")));
    servers.push_back(upstream_end());
  }
  for (std::size_t i = servers.size(); i-- > 0;) {
    auto who = field_of(servers[i].until(call), "X-Who");
    servers[i].send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[" + who + "]");
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_THAT(clients[i].until("]"), HasSubstr("\r\n\r\n[" + std::to_string(i) + "]"));
  }
}

TEST_F(AdvisoryGateway, ResponseQueuePoisoning_2021_NoAnswerOfOneCallReachesAnother) {
  const std::string poison =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n\"poison\"";
  struct row {
    const char* what;
    std::string answer;
  };
  for (const auto& r :
       {row{"a second answer behind the first", ok + poison},
        row{"a second answer behind chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + poison},
        row{"a second answer in a trailer",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + poison + "\r\n\r\n"},
        row{"a body where none may be", "HTTP/1.1 204 No Content\r\nContent-Length: 99\r\n\r\n" + poison},
        row{"a body of 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n" + poison},
        row{"both lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}" + poison},
        row{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 99\r\n\r\n{}" + poison},
        row{"a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}" + poison},
        row{"an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n{}" + poison},
        row{"a bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}" + poison},
        row{"a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + poison},
        row{"a chunk that is longer than it says",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n" + poison}}) {
    auto first = connect();
    first.send(post(call, with_token()));
    auto up = upstream_end();
    up.until(call);
    up.send(r.answer);
    EXPECT_THAT(first.until("\r\n\r\n"), Not(HasSubstr("poison"))) << r.what;
    // By now the rest of what the server sent has been seen, too.
    answer_to(get("/health", ""));
    auto second = connect();
    second.send(post(call, with_token("Connection: close\r\n")));
    auto fresh = upstream_end();
    EXPECT_TRUE(fresh.open()) << r.what << ": the connection was used again";
    fresh.until(call);
    fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\"mine\"");
    auto answer = second.rest();
    EXPECT_THAT(answer, HasSubstr("\"mine\"")) << r.what;
    EXPECT_THAT(answer, Not(HasSubstr("poison"))) << r.what;
  }
}

TEST_F(AdvisoryGateway, ResponseQueuePoisoning_2021_AnAnswerThatNobodyAskedForIsNobodys) {
  auto first = connect();
  first.send(post(call, with_token()));
  auto up = upstream_end();
  up.until(call);
  up.send(ok);
  first.until("{}");
  up.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\"poison\"");
  answer_to(get("/health", ""));
  auto second = connect();
  second.send(post(call, with_token("Connection: close\r\n")));
  auto fresh = upstream_end();
  fresh.until(call);
  fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\"mine\"");
  EXPECT_THAT(second.rest(), HasSubstr("\"mine\""));
}

}  // namespace
}  // namespace mcp_oauth
