// Lists that show what may be called, rules that look at arguments, and what a refusal says.

#include "app/gateway_fixture.h"

#include <cstdio>

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

const std::string list = R"({"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}})";
const std::string three_tools =
    R"({"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo","n":1.10},{"name":"hidden"},{"name":"unnamed"}]}})";
const std::string one_tool = R"({"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo","n":1.10}]}})";

class GatewayPolicy : public Gateway {
 protected:
  GatewayPolicy() {
    conf.tools_given = true;
    conf.tools = {{"echo", {}}, {"hidden", {"tools:hidden"}}};
  }
  static std::string json(const std::string& body, const std::string& fields = "") {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  // The content of an answer, whichever framing it has.
  static std::string dechunked(const std::string& answer) {
    auto at = answer.find("\r\n\r\n") + 4;
    if (answer.find("Transfer-Encoding: chunked") == std::string::npos) return answer.substr(at);
    std::string content;
    while (at < answer.size()) {
      auto size = std::stoul(answer.substr(at), nullptr, 16);
      at = answer.find("\r\n", at) + 2;
      if (size == 0) break;
      content += answer.substr(at, size);
      at += size + 2;
    }
    return content;
  }
  // What the MCP server got, and what the client got for its answer.
  struct exchanged {
    std::string request, answer;
  };
  exchanged ask(const std::string& body, const std::string& answer, const std::string& fields = "") {
    auto client = connect();
    client.send(post(body, with_token(fields + "Connection: close\r\nAccept-Encoding: gzip\r\n")));
    auto up = upstream_end();
    auto request = up.until(body);
    up.send(answer);
    up.close();
    return {request, client.rest()};
  }
};

TEST_F(GatewayPolicy, AListHoldsWhatTheCallerMayCall) {
  auto [request, answer] = ask(list, json(three_tools, "ETag: \"x\"\r\nContent-Digest: y\r\nX-Own: z\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n" + one_tool));
  EXPECT_THAT(answer, HasSubstr("Content-Length: " + std::to_string(one_tool.size()) + "\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Own: z\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("ETag")));
  EXPECT_THAT(answer, Not(HasSubstr("Digest")));
  EXPECT_THAT(request, HasSubstr("Accept-Encoding: identity\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("gzip")));
}

TEST_F(GatewayPolicy, AListInAStreamIsFilteredAsItComes) {
  auto client = connect();
  client.send(post(list, with_token()));
  auto up = upstream_end();
  up.until(list);
  up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.until("\r\n\r\n");
  auto chunk = [](const std::string& text) {
    char size[17];
    auto n = std::snprintf(size, sizeof size, "%zx", text.size());
    return std::string(size, static_cast<std::size_t>(n)) + "\r\n" + text + "\r\n";
  };
  std::string note = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
  up.send(chunk(note));
  EXPECT_EQ(client.until(note + "\r\n"), chunk(note)) << "before the list came";
  auto event = "event: message\ndata: " + three_tools + "\n\n";
  up.send(chunk(event) + "0\r\n\r\n");
  EXPECT_EQ(client.until("0\r\n\r\n"), chunk("event: message\ndata: " + one_tool + "\n\n") + "0\r\n\r\n");
}

TEST_F(GatewayPolicy, AStreamWithALengthGetsFramingOfItsOwn) {
  auto event = "data: " + three_tools + "\n\n";
  auto answer = ask(list, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: " +
                              std::to_string(event.size()) + "\r\n\r\n" + event)
                    .answer;
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_THAT(answer, HasSubstr(one_tool));
  EXPECT_THAT(answer, Not(HasSubstr("hidden")));
}

// Some servers say so to keep proxies from compressing a stream.
TEST_F(GatewayPolicy, AStreamThatSaysItIsNotCompressedIsFilteredLikeAnyOther) {
  auto event = "data: " + three_tools + "\n\n";
  auto answer = ask(list,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: identity\r\n"
                    "Content-Length: " +
                        std::to_string(event.size()) + "\r\n\r\n" + event)
                    .answer;
  EXPECT_THAT(answer, HasSubstr(one_tool));
  EXPECT_THAT(answer, Not(HasSubstr("hidden")));
}

TEST_F(GatewayPolicy, AListThatCannotBeReadIsKeptBack) {
  conf.limits.list = 2048;
  std::string large = R"({"result":{"x":")" + std::string(4096, 'x') + "\"}}";
  for (const auto& answer :
       {json("{\"result\":{\"tools\":[\"hidden\"]}}"), json("<html>"), json(""),
        json("{\"result\":{\"tools\":["), json(three_tools, "Content-Encoding: gzip\r\n"), json(large),
        std::string("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        std::string("HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n"
                    "[hidden]"),
        std::string("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: "
                    "br\r\nContent-Length: 2\r\n\r\n{}")}) {
    auto got = ask(list, answer).answer;
    EXPECT_EQ(status_of(got), 502) << answer << got;
    EXPECT_THAT(got, HasSubstr("MOP-POL-003"));
    EXPECT_THAT(got, HasSubstr("\"id\":7"));
    EXPECT_THAT(got, Not(HasSubstr("hidden")));
  }
  auto stream =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: "
      "{\"result\":{\"tools\":[\"hidden\"]}}\n\n";
  EXPECT_THAT(ask(list, stream).answer, Not(HasSubstr("hidden")));
}

TEST_F(GatewayPolicy, WhatWentWrongAtTheServerIsSaidAsItIs) {
  for (const auto* answer :
       {"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ngone",
        "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\ngone"}) {
    auto got = ask(list, answer).answer;
    EXPECT_THAT(got, EndsWith("gone"));
  }
  EXPECT_EQ(status_of(ask(list, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").answer), 202);
  auto refused = R"({"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no"}})";
  EXPECT_THAT(ask(list, json(refused)).answer, EndsWith(refused));
}

TEST_F(GatewayPolicy, AnswersToOtherCallsPassAsTheyAre) {
  std::string result = R"({"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":")";
  result += std::string(100'000, 'x') + R"("}],"n":1.10}})";
  for (const auto& [body, fields] :
       {std::pair<std::string, std::string>{result, ""},
        {"{\"result\":{\"content\":NaN", ""},
        {"no JSON", ""},
        {"{\"result\":{\"tools\":[nonsense", "Content-Encoding: gzip\r\nETag: \"x\"\r\n"}}) {
    auto answer = ask(call, json(body, fields)).answer;
    EXPECT_EQ(status_of(answer), 200);
    std::string content = fields.empty() ? dechunked(answer) : answer;
    EXPECT_THAT(content, EndsWith(body));
    if (!fields.empty()) {
      EXPECT_THAT(answer, HasSubstr("ETag"));
    }
  }
  auto other = ask(call, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi").answer;
  EXPECT_THAT(other, EndsWith("\r\n\r\nhi"));
  EXPECT_THAT(other, HasSubstr("Content-Length: 2\r\n"));
}

// Two calls with one id: the answer to one may come where that to the other is waited for.
TEST_F(GatewayPolicy, AListIsFilteredInTheAnswerToAnotherCallToo) {
  auto [request, answer] = ask(call, json(three_tools));
  EXPECT_THAT(request, HasSubstr("Accept-Encoding: identity\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("gzip")));
  EXPECT_THAT(dechunked(answer), EndsWith(one_tool));
  EXPECT_THAT(answer, Not(HasSubstr("hidden")));
  auto batch = std::string("[") + call + "]";
  EXPECT_THAT(ask(batch, json("[" + three_tools + "]")).answer, Not(HasSubstr("hidden")));

  auto client = connect();
  client.send(post(call, with_token()));
  auto up = upstream_end();
  up.until(call);
  up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  client.until("\r\n\r\n");
  std::string odd = "data: {\"method\":\"notifications/progress\",\"params\":{\"progress\":NaN}}\n\n";
  up.send(odd);
  EXPECT_THAT(client.until("\n\n\r\n"), HasSubstr(odd)) << "as it comes, before the next one";
  up.send("data: " + three_tools + "\n\n");
  EXPECT_THAT(client.until("\n\n\r\n"), HasSubstr("data: " + one_tool + "\n\n"));
}

// Only what is filtered costs anything.
TEST_F(GatewayPolicy, AnswersToNotificationsAreNotLookedAt) {
  std::string note = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  auto [request, answer] = ask(note, json("{}", "ETag: \"x\"\r\n"));
  EXPECT_THAT(request, HasSubstr("Accept-Encoding: gzip"));
  EXPECT_THAT(answer, HasSubstr("ETag"));
}

TEST_F(GatewayPolicy, ABatchWithAListIsFiltered) {
  auto batch = R"([{"jsonrpc":"2.0","id":1,"method":"ping"},)" + list + "]";
  auto answer = ask(batch, json("[{\"id\":1,\"result\":{}}," + three_tools + "]")).answer;
  EXPECT_THAT(answer, EndsWith("[{\"id\":1,\"result\":{}}," + one_tool + "]"));
}

TEST_F(GatewayPolicy, AStreamOfItsOwnIsFilteredToo) {
  auto client = connect();
  client.send(get("/mcp", with_token("Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n")));
  auto up = upstream_end();
  EXPECT_THAT(up.until("\r\n\r\n"), Not(HasSubstr("gzip")));
  up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\ndata: /m?s=1\n\n");
  EXPECT_THAT(client.until("\n\n\r\n"), HasSubstr("data: /mcp"));
  up.send("event: message\ndata: " + three_tools + "\n\n");
  auto event = client.until("\n\n\r\n");
  EXPECT_THAT(event, HasSubstr("data: " + one_tool + "\n"));
  EXPECT_THAT(event, Not(HasSubstr("hidden")));
  up.send("data: {\"result\":{\"tools\":[\"hidden\"]}}\n\n");
  EXPECT_THAT(client.rest(), Not(HasSubstr("hidden"))) << "what cannot be read ends the stream";
}

TEST_F(GatewayPolicy, AnAnswerToAGetThatIsNoStreamIsNotLookedAt) {
  auto client = connect();
  client.send(get("/mcp/picture", with_token("Connection: close\r\n")));
  auto up = upstream_end();
  up.until("\r\n\r\n");
  up.send("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\x89PNG");
  EXPECT_THAT(client.rest(), EndsWith("\x89PNG"));
}

TEST_F(GatewayPolicy, WithoutRulesOrWhereThatIsSaidListsPassAsTheyAre) {
  conf.access.filter_lists = false;
  EXPECT_THAT(ask(list, json(three_tools)).answer, EndsWith(three_tools));
}

TEST_F(GatewayPolicy, WithoutRulesNothingIsFiltered) {
  conf.tools_given = false;
  conf.tools.clear();
  auto [request, answer] = ask(list, json(three_tools));
  EXPECT_THAT(answer, EndsWith(three_tools));
  EXPECT_THAT(request, HasSubstr("Accept-Encoding: gzip"));
}

TEST_F(GatewayPolicy, ARuleThatLooksAtArgumentsWaitsForAllOfThem) {
  access_rule rule{"echo"};
  rule.when = {{rule_condition::source::argument, "path", {{value_test::operation::inside, {"/public"}}}}};
  conf.tools = {rule};
  auto body = [](const std::string& path) {
    return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"path":")" +
           path + "\"}}}";
  };
  auto client = connect();
  auto request = post(body("/public/a"), with_token());
  client.send(request.substr(0, request.size() - 12));
  client.send(request.substr(request.size() - 12));
  auto up = upstream_end();
  EXPECT_THAT(up.until("}}}"), HasSubstr("/public/a"));
  up.send(ok);
  client.until("{}");
  auto refused = answer_to(post(body("/etc"), with_token()));
  EXPECT_EQ(status_of(refused), 403);
  EXPECT_THAT(refused, Not(HasSubstr("/etc"))) << refused;
  EXPECT_THAT(refused, Not(HasSubstr("scope=\""))) << "no scope would help";
  // Neither may it stand where it is not read.
  EXPECT_EQ(status_of(answer_to(post(body(std::string(4096, 'x')), with_token()))), 403);
  std::string chunked = "POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + with_token() +
                        "Transfer-Encoding: chunked\r\n\r\n";
  auto long_body = body("/public/" + std::string(4096, 'x'));
  auto half = long_body.substr(0, 3000);
  chunked += "bb8\r\n" + half + "\r\n";
  auto other = connect();
  other.send(chunked);
  auto early = other.until("\r\n\r\n");
  EXPECT_EQ(status_of(early), 413) << "limits.admission is the end of waiting";
}

// A call of which only the beginning was sent, so that its end can come when it would not be allowed any
// more.
class GatewayKeptCall : public GatewayPolicy {
 protected:
  GatewayKeptCall() { conf.timeouts.request = seconds(60); }
  void begin(const std::string& fields) {
    keeper = connect();
    auto request = post(call, fields + "Connection: close\r\n");
    auto begun = request.size() - std::string(call).size() + 10;
    keeper->send(request.substr(0, begun));
    rest = request.substr(begun);
    // Until its beginning was taken up: whatever comes later on the same worker finds it there.
    EXPECT_EQ(status_of(answer_to(get("/health", ""))), 200);
  }
  void name_other_tools() {
    auto changed = conf;
    changed.tools = {{"other", {}}};
    auto later = make_snapshot(changed, authorization_server, secret("session key"));
    ASSERT_TRUE(later);
    use(**later);
  }
  void use(const snapshot& next) {
    auto taken = std::make_shared<const snapshot>(next);
    std::promise<void> used;
    server->workers()[0]->post([&, this] {
      static_cast<gateway_service&>(server->service_of(0)).use(taken);
      used.set_value();
    });
    used.get_future().wait();
  }
  std::string end() {
    keeper->send(rest);
    return keeper->rest();
  }
  std::optional<net::test_peer> keeper;
  std::string rest;
};

TEST_F(GatewayKeptCall, IsHeldToTheRulesInForceWhenItIsWhole) {
  begin(with_token());
  name_other_tools();
  EXPECT_EQ(status_of(end()), 403);
}

// What decides was read, and the rest waits for its end at the MCP server.
TEST_F(GatewayKeptCall, IsHeldToThemWhereItsBeginningHasPassed) {
  std::string body =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"x":"begun"}}})";
  for (bool revoked : {false, true}) {
    auto request = post(body, with_token("Connection: close\r\n"));
    auto client = connect();
    client.send(request.substr(0, request.size() - 6));
    auto up = upstream_end();
    up.until("begu");
    if (revoked) {
      revoke("grant", now() + seconds(60));
    } else {
      name_other_tools();
    }
    client.send(request.substr(request.size() - 6));
    EXPECT_EQ(status_of(client.rest()), revoked ? 401 : 403);
    EXPECT_THAT(up.rest(), Not(HasSubstr("}}}"))) << "the MCP server cannot act on it";
    if (!revoked) use(*rules);
  }
}

TEST_F(GatewayKeptCall, IsRefusedWhenItsTokenWasRevoked) {
  begin(with_token());
  revoke("grant", now() + seconds(60));
  EXPECT_EQ(status_of(end()), 401);
}

TEST_F(GatewayKeptCall, IsRefusedWhenItsTokenHasExpired) {
  conf.leeway = seconds(0);
  auto field =
      "Authorization: Bearer " + token([](access_claims& c) { c.expires = now() + seconds(2); }) + "\r\n";
  begin(field);
  while (status_of(answer_to(get("/mcp/x", field + "Mcp-Session-Id: x\r\n"))) != 401) {
  }
  EXPECT_EQ(status_of(end()), 401);
}

TEST_F(GatewayKeptCall, PassesWhenNothingChanged) {
  begin(with_token());
  keeper->send(rest);
  auto up = upstream_end();
  up.until(call);
  up.send(ok);
  up.close();
  EXPECT_EQ(status_of(keeper->rest()), 200);
}

TEST_F(GatewayPolicy, ARefusalNamesEveryScopeAndADenialNone) {
  conf.upstreams[0].scopes = {"mcp"};
  conf.tools = {{"echo", {"a", "b"}}, {"*", {"c"}}};
  auto answer = answer_to(post(call, with_token()));
  EXPECT_EQ(status_of(answer), 403);
  EXPECT_THAT(answer, HasSubstr("scope=\"mcp a b c\""));
  EXPECT_THAT(answer, HasSubstr(R"("error":"insufficient_scope")"));
  EXPECT_THAT(answer, HasSubstr(R"("required_scopes":["mcp","a","b","c"])"));
  EXPECT_THAT(answer, HasSubstr(R"("error_description")"));
}

TEST_F(GatewayPolicy, AToolThatNoRuleNamesHasNoScopeInItsChallenge) {
  conf.upstreams[0].scopes = {"mcp"};
  conf.tools = {{"other", {"a"}}};
  auto answer = answer_to(post(call, with_token()));
  EXPECT_EQ(status_of(answer), 403);
  EXPECT_THAT(answer, HasSubstr("insufficient_scope"));
  EXPECT_THAT(answer, Not(HasSubstr("scope=\"")));
  EXPECT_THAT(answer, Not(HasSubstr("required_scopes")));
}

}  // namespace
}  // namespace mcp_oauth
