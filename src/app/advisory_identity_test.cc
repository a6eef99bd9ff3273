// Holes that gateways had in who a request says it is from. Each as it would have shown there;
// docs/past-mistakes.md has the list.

#include "app/advisory_fixture.h"

#include <cctype>

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

// A name in every mixture of cases and of `-`, `_` and `.`.
std::vector<std::string> spellings(const std::string& name) {
  std::vector<std::string> all;
  for (int cases = 0; cases < 4; ++cases) {
    for (int marks = 0; marks < 5; ++marks) {
      std::string spelled;
      int at = 0, mark = 0;
      for (char c : name) {
        if (c == '-') {
          bool low = marks == 1 || (marks == 2 && mark == 0) || (marks == 3 && mark > 0);
          spelled += marks == 4 ? '.' : low ? '_' : '-';
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
                                                 "X-Authenticated-User",
                                                 "X-WebAuth-User",
                                                 "X-Goog-Authenticated-User-Email",
                                                 "X-Goog-IAP-JWT-Assertion",
                                                 "X-MS-CLIENT-PRINCIPAL",
                                                 "X-Auth-Request-User",
                                                 "X-Auth-Request-Email",
                                                 "X-Auth-Request-Access-Token",
                                                 "X-Request-Id",
                                                 "X-Mop-Session",
                                                 "Mcp-Session-Id",
                                                 "X-User",
                                                 "Remote-Groups",
                                                 "Remote-Email",
                                                 "True-Client-IP",
                                                 "CF-Connecting-IP",
                                                 "X-Client-IP",
                                                 "X-Original-URL",
                                                 "X-Rewrite-URL",
                                                 "X-HTTP-Method-Override",
                                                 "X-Method-Override",
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
  for (const auto& line : {"Connection: " + all, "Connection: close, " + all,
                           "Connection: close\r\nConnection: " + all, "connection: " + to_lower(all),
                           "Connection: Host, Content-Length, Content-Type, Authorization, " + all}) {
    check(line, ask(post(call, with_token(line + "\r\n"))), true);
  }
}

}  // namespace
}  // namespace mcp_oauth
