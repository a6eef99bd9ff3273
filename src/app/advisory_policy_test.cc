// Holes that gateways had between what they show and what they allow. docs/past-mistakes.md has the list.

#include "app/advisory_fixture.h"

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

class AdvisoryPolicy : public Gateway {
 protected:
  AdvisoryPolicy() {
    conf.tools_given = true;
    conf.tools = {{"open", {}},
                  {"read_*", {"tools:read"}},
                  {"write", {"tools:write", "tools:admin"}, scopes_needed::any}};
    access_rule never;
    never.pattern = "read_secret";
    never.denied = true;
    conf.tools.push_back(never);
    conf.access.resources = {true, {{"file:///public/*", {}}, {"db://*", {"tools:read"}}}};
    conf.access.prompts = {true, {{"greet", {"tools:write"}}}};
    conf.access.hierarchy = {{"tools:admin", {"tools:write"}}, {"tools:write", {"tools:read"}}};
  }

  // What the client gets for the call while the server behind gives `body`; "" is no answer of the server's.
  std::string ask(const std::string& request, const std::string& scopes, const std::string& body) {
    auto client = connect();
    client.send(post(request, "Authorization: Bearer " + token([&](access_claims& c) {
                                c.scopes = split_words(scopes);
                                c.token_id = scopes;
                              }) + "\r\nConnection: close\r\n"));
    if (!body.empty()) {
      auto up = upstream_end();
      up.until("}}");
      up.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    return client.rest();
  }
  static std::string message(const std::string& method, const std::string& params) {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + params + "}}";
  }
  bool may_call(const std::string& method, const std::string& params, const std::string& scopes) {
    auto request = message(method, params);
    envelope_scanner scanner;
    EXPECT_TRUE(scanner.feed(request));
    EXPECT_TRUE(scanner.finish());
    auto granted = split_words(scopes);
    caller who{"ada", "client", granted};
    bool allowed = authorize(rules->upstreams[0].rules, who, scanner.seen(), request).has_value();
    auto answer = ask(request, scopes, allowed ? R"({"served":true})" : "");
    EXPECT_EQ(status_of(answer), allowed ? 200 : 403) << request << scopes << answer;
    return status_of(answer) == 200;
  }
};

// For every kind of item and every set of scopes: it is in the list exactly when it may be called.
TEST_F(AdvisoryPolicy, Obot_0_21_WhatIsListedAndWhatIsServedAgreeForEverybody) {
  start();
  struct kind {
    const char *list, *member, *name, *call;
    std::vector<std::string> items;
  };
  const kind kinds[] = {
      {"tools/list",
       "tools",
       "name",
       "tools/call",
       {"open", "read_file", "read_secret", "write", "unnamed", "Open", "read"}},
      {"resources/list",
       "resources",
       "uri",
       "resources/read",
       {"file:///public/a", "file:///etc/passwd", "db://x", "file:///public/../etc", "root://",
        "FILE:///public/b"}},
      {"prompts/list", "prompts", "name", "prompts/get", {"greet", "other"}},
  };
  int listed = 0, hidden = 0;
  for (const auto* scopes : {"mcp", "tools:read", "tools:write", "tools:admin", "tools:Read"}) {
    for (const auto& k : kinds) {
      std::string items;
      for (const auto& item : k.items)
        items += std::string(items.empty() ? "" : ",") + "{\"" + k.name + "\":\"" + item + "\"}";
      auto answer =
          ask(message(k.list, ""), scopes,
              std::string(R"({"jsonrpc":"2.0","id":1,"result":{")") + k.member + "\":[" + items + "]}}");
      EXPECT_EQ(status_of(answer), 200);
      for (const auto& item : k.items) {
        bool shown = has(answer, ":\"" + item + "\"}");
        auto params =
            std::string("\"") + (k.name == std::string("uri") ? "uri" : "name") + "\":\"" + item + "\"";
        EXPECT_EQ(may_call(k.call, params, scopes), shown) << k.call << " " << item << " with " << scopes;
        ++(shown ? listed : hidden);
      }
    }
  }
  EXPECT_GT(listed, 10);
  EXPECT_GT(hidden, 10);
}

TEST_F(AdvisoryPolicy, Kuadrant_2026_AToolThatIsHiddenCannotBeCalledByItsName) {
  start();
  auto body = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"open"},{"name":"write"}]}})";
  auto shown = ask(message("tools/list", ""), "mcp", body);
  EXPECT_THAT(shown, HasSubstr("open"));
  EXPECT_THAT(shown, Not(HasSubstr("write")));
  auto refused = ask(message("tools/call", R"("name":"write")"), "mcp", "");
  EXPECT_EQ(status_of(refused), 403);
  EXPECT_THAT(refused, HasSubstr(R"("required_scopes":["tools:write"])"));
  for (const auto* name :
       {R"("name":"wr\u0069te")", R"("n\u0061me":"write")", R"("arguments":{},"name":"write")"}) {
    EXPECT_EQ(status_of(ask(message("tools/call", name), "mcp", "")), 403) << name;
  }
}

TEST_F(AdvisoryPolicy, GHSA_x39c_q2jx_f325_NoRootAndNoSchemeIsOpenThatNobodyNamed) {
  start();
  for (const auto* uri :
       {"/", "", "root://", "file:///", "http://169.254.169.254/latest", "data:text/plain,x", "*",
        "file:///public/../etc/passwd", "file:///public/%2e%2e/etc/passwd"}) {
    for (const auto* method : {"resources/read", "resources/subscribe", "resources/unsubscribe"}) {
      EXPECT_FALSE(may_call(method, std::string("\"uri\":\"") + uri + "\"", "mcp tools:admin"))
          << method << uri;
    }
    EXPECT_FALSE(may_call("completion/complete",
                          std::string(R"("ref":{"type":"ref/resource","uri":")") + uri + "\"}",
                          "tools:admin"));
    EXPECT_FALSE(may_call("subscriptions/listen",
                          std::string(R"("notifications":{"resourceSubscriptions":[")") + uri + "\"]}",
                          "tools:admin"));
  }
  EXPECT_TRUE(may_call("resources/read", R"("uri":"file:///public/a")", "mcp"));
}

}  // namespace
}  // namespace mcp_oauth
