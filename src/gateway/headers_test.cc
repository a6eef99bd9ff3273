#include "gateway/headers.h"

#include "base/text.h"
#include "gateway/cors.h"
#include "gateway/refusal.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::string passed_on(std::vector<field> fields, const header_settings& conf = {}) {
  std::string out;
  append_request_fields(out, fields, header_rules(conf));
  return out;
}

TEST(HeaderRules, PassWhatIsTheClientsOwn) {
  EXPECT_EQ(passed_on({{"Accept", "a"},
                       {"X-Custom", "b"},
                       {"MCP-Protocol-Version", "c"},
                       {"Mcp-Param-X", "d"},
                       {"traceparent", "e"}}),
            "Accept: a\r\nX-Custom: b\r\nMCP-Protocol-Version: c\r\nMcp-Param-X: d\r\ntraceparent: e\r\n");
}

TEST(HeaderRules, KnowWhichNamesAServerMayReadAsAnother) {
  for (const char* name : {"content-type", "Content-Type", "CONTENT_TYPE", "content.type", "Content~Type"})
    EXPECT_TRUE(may_be_read_as(name, "content-type")) << name;
  for (const char* name :
       {"contenttype", "content-types", "content-typ", "x-content-type", "content-tyqe", ""})
    EXPECT_FALSE(may_be_read_as(name, "content-type")) << name;
}
TEST(HeaderRules, KeepBackWhatIsOursOrTheConnectionsInEverySpelling) {
  for (const char* name : {"Authorization",
                           "AUTHORIZATION",
                           "Cookie",
                           "DPoP",
                           "X-User-Id",
                           "X_User_Id",
                           "x_USER-id",
                           "X-User-Whatever",
                           "X-Forwarded-For",
                           "X_Forwarded_Proto",
                           "Forwarded",
                           "X-Real-IP",
                           "Remote-User",
                           "Remote_User",
                           "X-Remote-User",
                           "X-Auth-Request-User",
                           "X-Client-Id",
                           "X-Request-Id",
                           "Mcp-Session-Id",
                           "Mcp_Session_Id",
                           "X.User.Id",
                           "X~Forwarded~For",
                           "X-User",
                           "Remote-Groups",
                           "True-Client-IP",
                           "CF-Connecting-IP",
                           "X-Client-IP",
                           "X-Original-URL",
                           "X-Rewrite-URL",
                           "X-HTTP-Method-Override",
                           "X-HTTP-Method",
                           "X-Method-Override",
                           "Origin",
                           "Host",
                           "Connection",
                           "Keep-Alive",
                           "TE",
                           "Trailer",
                           "Transfer-Encoding",
                           "Transfer_Encoding",
                           "Upgrade",
                           "Proxy-Authorization",
                           "Proxy-Connection",
                           "Content-Length",
                           "Content_Length",
                           "Expect",
                           "HTTP2-Settings"}) {
    EXPECT_EQ(passed_on({{name, "x"}}), "") << name;
  }
}

// In which a server could find who calls, as gateways and other proxies write it.
constexpr const char* persons[] = {"X-User",
                                   "X-User-Id",
                                   "X-User-Role",
                                   "X-Client-Id",
                                   "X-Auth-Request-User",
                                   "X-Auth-Request-Groups",
                                   "X-Forwarded-User",
                                   "X-Forwarded-Email",
                                   "X-Forwarded-Groups",
                                   "X-Forwarded-Preferred-Username",
                                   "X-Forwarded-Access-Token",
                                   "Remote-User",
                                   "Remote-Groups",
                                   "X-Remote-User",
                                   "X-Remote-Name",
                                   "X-Authenticated-User",
                                   "X-Authenticated-Userid",
                                   "X-Authenticated-Groups",
                                   "X-WebAuth-User",
                                   "X-WEBAUTH-ROLE",
                                   "X-Goog-Authenticated-User-Email",
                                   "X-Goog-Authenticated-User-Id",
                                   "X-Goog-IAP-JWT-Assertion",
                                   "X-MS-CLIENT-PRINCIPAL",
                                   "X-MS-CLIENT-PRINCIPAL-NAME",
                                   "X-MS-CLIENT-PRINCIPAL-ID",
                                   "X-MS-CLIENT-PRINCIPAL-IDP"};

TEST(HeaderRules, KeepBackWhateverNamesAPerson) {
  header_settings every;
  every.forward = {"*", "X-*", "X-Authenticated-*", "X-Goog-*"};
  for (std::string name : persons) {
    auto low = name, dotted = name;
    std::replace(low.begin(), low.end(), '-', '_');
    dotted[dotted.find('-')] = '.';
    for (const auto& spelled : {name, low, to_lower(name), to_lower(low), dotted}) {
      EXPECT_TRUE(names_a_person(spelled)) << spelled;
      EXPECT_EQ(passed_on({{spelled, "root"}}), "") << spelled;
      EXPECT_EQ(passed_on({{spelled, "root"}}, every), "") << spelled;
      EXPECT_FALSE(header_rules(every).judge(spelled).passes) << spelled;
    }
  }
  for (const char* other :
       {"X-Goog-Api-Client", "X-MS-Request-Id", "X-Webhook", "X-Authenticate", "X-Author"}) {
    EXPECT_FALSE(names_a_person(other)) << other;
    EXPECT_NE(passed_on({{other, "x"}}), "") << other;
  }
}

TEST(HeaderRules, HandOnAnotherProxysWordWhereTheAllowListNamesIt) {
  header_settings conf;
  conf.forward = {"x-goog-authenticated-user-email",
                  "X-WebAuth-User",
                  "X-User-Id",
                  "X-Forwarded-User",
                  "X-Remote-User",
                  "Remote-User"};
  header_rules rules(conf);
  for (const char* name : {"X-Goog-Authenticated-User-Email", "X-WEBAUTH-USER"}) {
    EXPECT_EQ(passed_on({{name, "ada"}}, conf), std::string(name) + ": ada\r\n");
    EXPECT_TRUE(rules.judge(name).passes);
    EXPECT_TRUE(is_handed_on(name, conf.forward));
  }
  // In another spelling it is a client's, and what is the gateway's to say nobody else says.
  for (const char* name :
       {"X_Goog_Authenticated_User_Email", "X_WEBAUTH_USER", "X-Goog-Authenticated-User-Id",
        "X-WebAuth-Email", "X-User-Id", "X-Forwarded-User", "X-Remote-User", "Remote-User"}) {
    EXPECT_EQ(passed_on({{name, "root"}}, conf), "") << name;
    EXPECT_FALSE(rules.judge(name).passes) << name;
    EXPECT_FALSE(is_handed_on(name, conf.forward)) << name;
  }
  EXPECT_EQ(header_rules({}).judge("X-WebAuth-User").rule,
            "says who calls, and is not listed in forward_headers by its whole name");
  conf.blocked = {"X-WebAuth-*"};
  EXPECT_EQ(passed_on({{"X-WebAuth-User", "ada"}}, conf), "") << "blocked is blocked";
}

TEST(HeaderRules, HonourAnAllowListButNeverAgainstMcpOrUs) {
  header_settings conf;
  conf.forward = {"X-User-*", "X-Custom-*", "authorization"};
  conf.blocked = {"x-custom-secret"};
  EXPECT_EQ(passed_on({{"X-Custom-A", "1"},
                       {"x-custom-b", "2"},
                       {"X-CUSTOM-SECRET", "3"},
                       {"X-Other", "4"},
                       {"X-User-Id", "5"},
                       {"Authorization", "6"},
                       {"Content-Type", "7"},
                       {"Mcp-Method", "8"},
                       {"Last-Event-ID", "9"}},
                      conf),
            "X-Custom-A: 1\r\nx-custom-b: 2\r\nContent-Type: 7\r\nMcp-Method: 8\r\nLast-Event-ID: 9\r\n");
}

TEST(HeaderRules, BlockWithoutAnAllowList) {
  header_settings conf;
  conf.blocked = {"X-Internal-*"};
  EXPECT_EQ(passed_on({{"x-internal-y", "1"}, {"X-Other", "2"}}, conf), "X-Other: 2\r\n");
}

TEST(HeaderRules, BlockInEverySpellingWhateverIsAllowed) {
  header_settings conf;
  conf.forward = {"*", "X_Secret_*"};
  conf.blocked = {"X-Secret-*", "x_under_score"};
  header_rules rules(conf);
  for (auto name :
       {"X-Secret-A", "x-secret-", "X_SECRET_A", "X-Secret_A", "X-Under-Score", "X_Under_Score"}) {
    EXPECT_EQ(passed_on({{name, "x"}}, conf), "") << name;
    EXPECT_FALSE(rules.judge(name).passes) << name;
  }
  EXPECT_EQ(passed_on({{"X-Secret", "1"}, {"X-Secre-t", "2"}}, conf), "X-Secret: 1\r\nX-Secre-t: 2\r\n");
}

TEST(HeaderRules, DropWhatConnectionNames) {
  EXPECT_EQ(passed_on({{"Connection", "keep-alive, X-A"}, {"X-A", "1"}, {"X-B", "2"}}), "X-B: 2\r\n");
  EXPECT_EQ(
      passed_on({{"Connection", "X-A"}, {"Connection", "X-B"}, {"X-A", "1"}, {"X-B", "2"}, {"X-C", "3"}}),
      "X-C: 3\r\n");
}

TEST(IdentityLines, HoldNothingThatCouldBeAnotherLine) {
  access_claims who;
  who.subject = "a\r\nX-Admin: 1";
  who.email = "ada@example.com";
  who.name = "J\xC3\xB6rg 100%";
  who.client_id = std::string("c\0d", 3);
  auto lines = identity_lines(who);
  EXPECT_EQ(lines,
            "X-User-Id: a%0D%0AX-Admin: 1\r\nX-User-Email: ada@example.com\r\nX-User-Name: J%C3%B6rg "
            "100%25\r\nX-Client-Id: c%00d\r\n");
}

TEST(ResponseFields, KeepBackWhatSpeaksOfAnotherServer) {
  for (const char* name :
       {"WWW-Authenticate", "www_authenticate", "Set-Cookie", "Server", "Access-Control-Allow-Origin",
        "access-control-expose-headers", "Connection", "Transfer-Encoding", "Content-Length", "Alt-Svc",
        "Strict-Transport-Security", "X-Request-Id", "Mcp-Session-Id", "Clear-Site-Data", "Keep-Alive"}) {
    EXPECT_FALSE(response_field_passes(name)) << name;
  }
  for (const char* name : {"Content-Type", "Date", "Cache-Control", "ETag", "MCP-Protocol-Version",
                           "X-Custom", "Retry-After", "Allow", "Vary"}) {
    EXPECT_TRUE(response_field_passes(name)) << name;
  }
}

TEST(Cors, KnowsItsOriginsExactly) {
  cors_settings conf;
  conf.origins = {"https://app.example.com", "http://localhost:*"};
  cors_rules rules(conf, "https://mcp.example.com");
  for (const char* origin : {"https://mcp.example.com", "https://app.example.com", "http://localhost",
                             "http://localhost:1", "http://localhost:65535"}) {
    EXPECT_TRUE(rules.may_call_mcp(origin)) << origin;
  }
  for (const char* origin : {"", "null", "https://app.example.com.evil", "https://evil-app.example.com",
                             "http://app.example.com", "https://app.example.com:443", "http://localhost.evil",
                             "http://localhost:1.evil", "http://localhost:", "http://localhost:1@evil",
                             "https://localhost:1", "HTTPS://APP.EXAMPLE.COM", "https://mcp.example.com/"}) {
    EXPECT_FALSE(rules.may_call_mcp(origin)) << origin;
  }
}

TEST(Cors, GivesStrangersOnlyWhatIsOpen) {
  cors_settings conf;
  conf.allow_credentials = true;
  conf.origins = {"https://app.example.com"};
  cors_rules rules(conf, "https://mcp.example.com");
  auto open = rules.fields_for("https://stranger.example", true);
  EXPECT_EQ(open.first("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(open.count("Access-Control-Allow-Credentials"), 0u);
  EXPECT_EQ(rules.fields_for("https://stranger.example", false).count("Access-Control-Allow-Origin"), 0u);
  auto known = rules.fields_for("https://app.example.com", false);
  EXPECT_EQ(known.first("Access-Control-Allow-Origin"), "https://app.example.com");
  EXPECT_EQ(known.first("Access-Control-Allow-Credentials"), "true");
  EXPECT_NE(known.first("Access-Control-Expose-Headers").find("WWW-Authenticate"), std::string_view::npos);
  EXPECT_EQ(rules.fields_for("https://stranger.example", false).first("Vary"), "Origin");
}

TEST(Cors, SwitchedOffKnowsOnlyItself) {
  cors_settings conf;
  conf.enabled = false;
  conf.origins = {"*"};
  cors_rules rules(conf, "https://mcp.example.com");
  EXPECT_FALSE(rules.may_call_mcp("https://app.example.com"));
  EXPECT_TRUE(rules.may_call_mcp("https://mcp.example.com"));
}

TEST(Refusal, KeepsItsDetailForTheLog) {
  for (int i = 0; i < static_cast<int>(errc::count_); ++i) {
    auto code = static_cast<errc>(i);
    if (code == errc::upstream_refused || code == errc::upstream_unreachable ||
        code == errc::upstream_timeout)
      continue;
    auto answer = refuse_call(error{code, "INNER"}, "https://h/.well-known/x", {"a"}, "7");
    auto all = answer.body;
    for (const auto& [name, value] : answer.fields) all += name + value;
    EXPECT_EQ(all.find("INNER"), std::string::npos) << i;
    EXPECT_GE(answer.status, 400) << i;
    EXPECT_EQ(refuse_plain(code).body.find("INNER"), std::string::npos);
  }
}

TEST(Refusal, Carries401And403WithExactlyOneChallenge) {
  for (auto code : {errc::token_missing, errc::token_expired, errc::scope_insufficient, errc::policy_denied,
                    errc::token_revoked}) {
    auto answer = refuse_call(error{code, {}}, "https://h/.well-known/x", {"a", "b"}, "");
    EXPECT_EQ(answer.fields.count("WWW-Authenticate"), 1u);
    EXPECT_NE(answer.fields.first("WWW-Authenticate").find("resource_metadata=\"https://h/.well-known/x\""),
              std::string_view::npos);
  }
  EXPECT_EQ(refuse_call(error{errc::origin_refused, {}}, "u", {}, "").fields.count("WWW-Authenticate"), 0u)
      << "signing in would not help";
}

TEST(Refusal, AnswersAFailingUpstreamInTheGuidesWords) {
  auto refused =
      refuse_call(error{errc::upstream_refused, "connect ECONNREFUSED 127.0.0.1:3000"}, "u", {}, "\"x\"");
  EXPECT_EQ(refused.status, 502);
  EXPECT_NE(refused.body.find("\"id\":\"x\""), std::string::npos);
  EXPECT_NE(refused.body.find("connect ECONNREFUSED 127.0.0.1:3000\\nFailed to proxy request to MCP server"),
            std::string::npos)
      << refused.body;
  auto slow = refuse_call(
      error{errc::upstream_timeout, "timeout of 30000ms exceeded: connected, request sent, no answer"}, "u",
      {}, "");
  EXPECT_EQ(slow.status, 504);
  EXPECT_NE(slow.body.find("timeout of 30000ms exceeded\\nMCP server did not respond in time"),
            std::string::npos)
      << slow.body;
  EXPECT_NE(slow.body.find("\"id\":null"), std::string::npos);
  auto page = refuse_call(error{errc::upstream_not_mcp, "status 200 text/html"}, "u", {}, "1");
  EXPECT_NE(page.body.find("invalid_protocol\\nMCP server response does not match expected format"),
            std::string::npos)
      << page.body;
}

TEST(HeaderRules, SayWhyAndSayTheSame) {
  header_settings conf;
  conf.forward = {"X-Custom-*", "X-Both"};
  conf.blocked = {"X-Both", "X-Custom-Secret"};
  header_rules lists(conf), none{header_settings{}};
  struct row {
    const char *name, *why;
  };
  for (const auto& r : {row{"X-Custom-A", "listed in forward_headers (x-custom-*)"},
                        row{"X-CUSTOM-SECRET", "listed in blocked_headers (x-custom-secret)"},
                        row{"x-both", "listed in blocked_headers (x-both)"},
                        row{"X-Other", "not listed in forward_headers"}, row{"Mcp-Param-A", "needed by MCP"},
                        row{"Accept", "needed by MCP"}, row{"Connection", "belongs to the connection"},
                        row{"Authorization", "replaced: see upstream_authorization"},
                        row{"X_User_Id", "is set by the gateway alone"},
                        row{"Mcp-Session-Id", "replaced by the MCP server's own"}}) {
    EXPECT_EQ(lists.judge(r.name).rule, r.why) << r.name;
    EXPECT_EQ(lists.judge(r.name).passes, lists.passes(r.name)) << r.name;
    EXPECT_EQ(none.judge(r.name).passes, none.passes(r.name)) << r.name;
  }
}

TEST(HeaderRules, LeaveATraceContextAloneUnlessItIsOurs) {
  header_settings blocked;
  blocked.blocked = {"trace*"};
  for (const char* name : {"traceparent", "TraceState", "trace_parent"}) {
    EXPECT_TRUE(header_rules({}).passes(name)) << name;
    EXPECT_TRUE(header_rules({}).judge(name).passes) << name;
    bool theirs = std::string_view(name) == "trace_parent";
    EXPECT_EQ(header_rules({}, header_rules::traces::are_ours).passes(name), theirs) << name;
    EXPECT_EQ(header_rules({}, header_rules::traces::are_ours).judge(name).passes, theirs) << name;
  }
  EXPECT_TRUE(header_rules({}, header_rules::traces::are_ours).sends_trace());
  EXPECT_FALSE(header_rules(blocked, header_rules::traces::are_ours).sends_trace());
  EXPECT_FALSE(header_rules(blocked, header_rules::traces::are_ours).sends_trace_state());
  header_settings state;
  state.blocked = {"TraceState"};
  EXPECT_TRUE(header_rules(state, header_rules::traces::are_ours).sends_trace());
  EXPECT_FALSE(header_rules(state, header_rules::traces::are_ours).sends_trace_state());
  EXPECT_TRUE(header_rules({}, header_rules::traces::are_ours).sends_trace_state());
}

TEST(HeaderRules, TellWhatMayHoldACredential) {
  for (auto name : {"Authorization", "proxy-authorization", "Cookie", "X-Api-Key", "X-Auth-Whatever",
                    "X-TOKEN", "Mcp-Session-Id", "X-Hub-Signature"})
    EXPECT_TRUE(names_a_credential(name)) << name;
  for (auto name : {"Accept", "X-Custom-Header", "Content-Type", "X-User-Id"})
    EXPECT_FALSE(names_a_credential(name)) << name;
}

TEST(InjectedLines, AreTheOnesAskedForAndHoldNoLineOfTheirOwn) {
  access_claims who;
  who.subject = "local:ada";
  who.email = "a@b\r\nX-Evil: 1";
  std::vector<std::string> names = {"x-forwarded-user", "X-Forwarded-Email", "X-Forwarded-Token"};
  EXPECT_EQ(injected_lines(who, names),
            "X-Forwarded-User: local:ada\r\nX-Forwarded-Email: a@b%0D%0AX-Evil: 1\r\n");
  EXPECT_EQ(injected_lines(who, {}), "");
}

}  // namespace
}  // namespace mcp_oauth
