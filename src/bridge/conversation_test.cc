#include "bridge/talk.h"

#include <tuple>

namespace mcp_oauth {
namespace {

constexpr std::string_view call_text =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}})";
constexpr std::string_view answer_text = R"({"jsonrpc":"2.0","id":7,"result":{"content":[]}})";

std::string text(std::string_view of) { return std::string(of); }

// ---- what the client says

TEST(Conversation, AnswersALineThatIsNoJson) {
  talk t;
  t.line("{\"jsonrpc\":");
  auto line = t.told_one();
  EXPECT_EQ(code_in(line), -32700);
  EXPECT_TRUE(read_line(line).at("id").is_null());
  EXPECT_TRUE(t.sent_nothing());
}

TEST(Conversation, AnswersALineThatIsNoMessage) {
  talk t;
  t.line("{\"id\":3}");
  auto line = t.told_one();
  EXPECT_EQ(code_in(line), -32600);
  EXPECT_EQ(read_line(line).at("id").to_number<int>(), 3);
  (*t).on_line_too_long(t.now);
  t.line("{}");
  EXPECT_EQ(t.told().size(), 2U);
}

TEST(Conversation, ARequestThatNoAnswerCouldNameIsRefusedAndNotMade) {
  talk t;
  t.open();
  for (const auto& id : {text("true"), text("null"), text("{}"), text("[1]"), text("{\"id\":1}"),
                         '"' + std::string(1'100, 'x') + '"', std::string(1'100, '1')}) {
    t.line(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":"a"}})");
    auto line = t.told_one();
    EXPECT_EQ(code_in(line), -32600) << id;
    EXPECT_TRUE(read_line(line).at("id").is_null()) << id;
    EXPECT_NE(message_in(line).find("1024 bytes"), std::string::npos) << line;
    EXPECT_TRUE(t.sent_nothing()) << id;
  }
  t.line(R"({"jsonrpc":"2.0","id":null,"method":"notifications/roots/list_changed"})");
  EXPECT_FALSE(t.sent_nothing());
  EXPECT_TRUE(t.told_nothing());
}

TEST(Conversation, SendsAMessageAsItWasWritten) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto sent = t.next();
  EXPECT_EQ(*sent.body, call_text);
  EXPECT_EQ(sent.method, bridge_action::method::post);
  EXPECT_FALSE(sent.may_repeat);
  EXPECT_NE(sent.fields.find("Mcp-Session-Id: s1\r\n"), std::string::npos);
  EXPECT_NE(sent.fields.find("MCP-Protocol-Version: 2025-06-18\r\n"), std::string::npos);
  t.json(sent.call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
}

TEST(Conversation, TheRevisionOfTheConfigurationIsSentFromTheFirstRequestOn) {
  bridge_upstream_settings upstream;
  upstream.protocol_version = "2025-03-26";
  talk t(std::move(upstream));
  t.line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  EXPECT_NE(t.next().fields.find("MCP-Protocol-Version: 2025-03-26\r\n"), std::string::npos);
}

TEST(Conversation, KeepsTheOrderUntilInitializeIsAnsweredAndInitializedDelivered) {
  talk t;
  t.line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  t.line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  t.line(text(call_text));
  auto first = t.next();
  EXPECT_TRUE(t.sent_nothing());
  t.json(first.call,
         R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{}}})");
  auto second = t.next();
  EXPECT_NE(second.body->find("notifications/initialized"), std::string::npos);
  EXPECT_TRUE(t.sent_nothing());
  t.head(second.call, 202);
  auto stream = t.next();
  EXPECT_EQ(stream.method, bridge_action::method::get);
  EXPECT_EQ(*t.next().body, call_text);
  EXPECT_EQ(t.told().size(), 1U);
}

TEST(Conversation, ASecondRequestUnderAnIdThatIsUnderWayIsRefused) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto first = t.next();
  t.line(text(call_text));
  EXPECT_EQ(code_in(t.told_one()), -32600);
  t.json(first.call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
}

// ---- the reply matrix: whatever the server does, there is one answer

struct reply {
  const char* name;
  int status;
  const char* type;
  const char* body;
  std::int64_t code;  // 0: the result
  const char* says;
};

class ReplyMatrix : public testing::TestWithParam<reply> {};

TEST_P(ReplyMatrix, EndsInOneAnswer) {
  const auto& row = GetParam();
  talk t;
  t.open();
  t.line(text(call_text));
  t.answer(t.next().call, row.status, row.type, row.body);
  auto line = t.told_one();
  EXPECT_EQ(code_in(line), row.code) << line;
  EXPECT_NE(line.find(row.says), std::string::npos) << line;
  EXPECT_EQ(read_line(line).at("id").to_number<int>(), 7);
  EXPECT_EQ((*t).waiting(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Conversation, ReplyMatrix,
    testing::Values(
        reply{"json", 200, "application/json", R"({"jsonrpc":"2.0","id":7,"result":{"a":1}})", 0, "\"a\":1"},
        reply{"json_with_charset", 200, "application/json; charset=utf-8",
              R"({"jsonrpc":"2.0","id":7,"result":{"a":1}})", 0, "\"a\":1"},
        reply{"pretty_json", 200, "application/json",
              "{\n \"jsonrpc\":\"2.0\",\r\n \"id\":7,\n \"result\":{\"a\":\"b\\nc\"}\n}\n", 0, "b\\nc"},
        reply{"json_with_byte_order_mark", 200, "application/json",
              "\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", 0, "result"},
        reply{"json_without_type", 200, "", R"({"jsonrpc":"2.0","id":7,"result":{}})", 0, "result"},
        reply{"id_in_other_digits", 200, "application/json", R"({"jsonrpc":"2.0","id":7.0,"result":{}})", 0,
              "result"},
        reply{"array_of_one", 200, "application/json", R"([{"jsonrpc":"2.0","id":7,"result":{}}])", 0,
              "result"},
        reply{"a_notification_first", 200, "text/event-stream",
              "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n", 0, "result"},
        reply{"events_with_cr", 200, "text/event-stream",
              ": hi\rdata: {\"jsonrpc\":\"2.0\",\rdata:\"id\":7,\"result\":{}}\r\r", 0, "result"},
        reply{"events_with_crlf", 200, "text/event-stream",
              "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\r\n\r\n", 0, "result"},
        reply{"error_of_the_server", 200, "application/json",
              R"({"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no such tool"}})", -32602,
              "no such tool"},
        reply{"without_a_version", 200, "application/json", R"( {"id":7,"result":{"a":1}})", 0,
              "\"jsonrpc\":\"2.0\""},
        reply{"error_without_id", 200, "application/json",
              R"({"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"oops"}})", -32603, "oops"},
        reply{"error_status_with_message", 400, "application/json",
              R"({"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request"}})", -32000,
              "Bad Request"},
        reply{"not_found_method", 404, "application/json",
              R"({"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Method not found"}})", -32601,
              "Method not found"},
        reply{"forbidden", 403, "text/plain", "no", -32001, "upstream returned 403"},
        reply{"too_many", 429, "text/plain", "slow down", -32001, "upstream returned 429"},
        reply{"internal", 500, "text/plain", "boom", -32001, "boom"},
        reply{"bad_gateway", 502, "text/html", "<html>", -32001, "upstream returned 502"},
        reply{"moved", 302, "", "", -32001, "302"}, reply{"see_other", 303, "", "", -32001, "303"},
        reply{"broken_json", 200, "application/json", R"({"jsonrpc":"2.0","id":7,"resu)", -32001,
              "MOP-UPS-005"},
        reply{"not_json", 200, "application/json", "hello", -32001, "MOP-UPS-005"},
        reply{"two_messages", 200, "application/json", R"({"jsonrpc":"2.0","id":7,"result":{}} {})", -32001,
              "MOP-UPS-005"},
        reply{"invalid_utf8", 200, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"\xff\"}",
              -32001, "UTF-8"},
        reply{"html", 200, "text/html", "<!doctype html>", -32001, "Unexpected content type: text/html"},
        reply{"empty", 200, "application/json", "", -32001, "without content"},
        reply{"blank", 200, "application/json", " \r\n ", -32001, "without content"},
        reply{"accepted", 202, "", "", -32001, "202 without content"},
        reply{"no_content", 204, "", "", -32001, "204 without content"},
        reply{"another_id", 200, "application/json", R"({"jsonrpc":"2.0","id":8,"result":{}})", -32001,
              "MOP-BRI-004"},
        reply{"no_message", 200, "application/json", R"({"hello":"world"})", -32001, "MOP-BRI-004"},
        reply{"only_a_notification", 200, "text/event-stream",
              "data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}x\n\n", -32001, "no JSON"},
        reply{"empty_stream", 200, "text/event-stream", "", -32001, "MOP-BRI-004"},
        reply{"stream_of_comments", 200, "text/event-stream", ": a\n\n: b\n\n", -32001, "MOP-BRI-004"},
        reply{"half_an_event", 200, "text/event-stream", "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}",
              -32001, "MOP-BRI-004"},
        reply{"broken_event", 200, "text/event-stream", "data: {\"jsonrpc\n\n", -32001, "no JSON"},
        reply{"other_event_type", 200, "text/event-stream",
              "event: ping\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n", -32001, "MOP-BRI-004"}),
    [](const auto& one) { return std::string(one.param.name); });

struct failing {
  errc why;
  const char* says;
};

TEST(Conversation, WhatFailsOnTheWayIsNamed) {
  for (auto [why, says] :
       {failing{errc::upstream_refused, "MOP-UPS-001"}, failing{errc::upstream_unreachable, "MOP-UPS-002"},
        failing{errc::upstream_closed, "MOP-UPS-004"}, failing{errc::upstream_tls_failed, "MOP-UPS-007"},
        failing{errc::upstream_proxy_refused, "MOP-BRI-006"},
        failing{errc::sign_in_grant_ended, "MOP-SIN-015"}}) {
    talk t;
    t.open();
    t.line(text(call_text));
    t.broken(t.next().call, why, "the detail");
    auto line = t.told_one();
    EXPECT_NE(line.find(says), std::string::npos) << line;
    EXPECT_NE(message_in(line).find("the detail"), std::string::npos) << line;
    EXPECT_EQ(code_in(line), why == errc::sign_in_grant_ended ? -32001 : -32000);
  }
}

TEST(Conversation, WithoutAWordOfTheServerTheDeadlineAnswers) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.pass(milliseconds(299'999));
  EXPECT_TRUE(t.told_nothing());
  t.pass(milliseconds(2));
  EXPECT_NE(message_in(t.told_one()).find("upstream timed out: 300000 ms"), std::string::npos);
  EXPECT_TRUE(t.was_aborted(call));
  EXPECT_NE(t.next().body->find(R"("requestId":7)"), std::string::npos);
}

TEST(Conversation, ProgressMovesTheDeadlineOnWhateverStreamItComes) {
  talk t;
  auto stream = t.open();
  t.line(
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"p"}}})");
  auto call = t.next().call;
  t.pass(milliseconds(200'000));
  t.body(
      stream,
      "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"p\","
      "\"progress\":1}}\n\n");
  EXPECT_EQ(t.told().size(), 1U);
  t.pass(milliseconds(200'000));
  EXPECT_TRUE(t.told_nothing());
  t.json(call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
}

// ---- tokens

TEST(Conversation, ARefusedTokenIsRenewedOnce) {
  auto options = talk::options({});
  options.token_words = [] { return std::string("the token says iss=me"); };
  talk t(std::move(options));
  t.open();
  t.line(text(call_text));
  auto first = t.next();
  upstream_head refused;
  refused.status = 401;
  refused.challenges = "Bearer error=\"invalid_token\"";
  EXPECT_EQ(t.head(first.call, refused), conversation::reading::drain);
  auto renewals = t.renewals();
  ASSERT_EQ(renewals.size(), 1U);
  EXPECT_EQ(renewals[0].challenges, "Bearer error=\"invalid_token\"");
  EXPECT_TRUE(t.sent_nothing());
  t.renewed(renewals[0].call, {});
  auto second = t.next();
  EXPECT_EQ(*second.body, call_text);
  t.head(second.call, refused);
  t.body(second.call, "go away");
  t.end(second.call);
  EXPECT_TRUE(t.renewals().empty());
  auto line = t.told_one();
  EXPECT_EQ(code_in(line), -32001);
  EXPECT_NE(message_in(line).find("upstream returned 401 for a token that was just obtained; the token says "
                                  "iss=me"),
            std::string::npos)
      << line;
  EXPECT_NE(line.find("MOP-SIN-016"), std::string::npos) << line;
  EXPECT_EQ(line.find("Check the URL"), std::string::npos) << line;
}

TEST(Conversation, AccessThatIsRefusedIsNoWrongUrl) {
  talk t;
  t.open();
  t.line(text(call_text));
  t.answer(t.next().call, 403, "text/plain", "no");
  auto line = t.told_one();
  EXPECT_NE(line.find("MOP-BRI-001"), std::string::npos) << line;
  EXPECT_NE(line.find("Access is refused"), std::string::npos) << line;
  EXPECT_EQ(line.find("Check the URL"), std::string::npos) << line;
}

std::string masked(std::string_view said) {
  std::string out(said);
  for (std::string_view value : {"s3cr/et", "471147"}) {
    for (auto at = out.find(value); at != std::string::npos; at = out.find(value))
      out.replace(at, value.size(), "***");
  }
  return out;
}

TEST(Conversation, ATokenThatTheServerRepeatsDoesNotReachTheClient) {
  auto options = talk::options({});
  options.redacted = options.without_secrets = masked;
  talk t(std::move(options));
  t.open();
  for (const auto& [status, type, body] :
       {std::tuple{500, "text/plain", "bad token s3cr/et"}, std::tuple{200, "text/html", "<p>s3cr/et"},
        std::tuple{
            400, "application/json",
            R"({"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"s3cr/et","data":"s3cr/et"}})"},
        std::tuple{
            200, "application/json",
            R"({"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"s3cr/et","data":"s3cr/et"}})"},
        std::tuple{200, "application/json",
                   R"({"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"bad token s3cr\/et"}})"},
        std::tuple{400, "application/json",
                   R"({"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"bad token s3cr\/et"}})"},
        std::tuple{200, "application/json", R"({"id":null,"error":{"code":-32000,"message":"s3cr/et"}})"}}) {
    t.line(text(call_text));
    t.answer(t.next().call, status, type, body);
    auto line = t.told_one();
    EXPECT_EQ(masked(line), line);
    EXPECT_EQ(line.find("s3cr\\/et"), std::string::npos) << line;
    EXPECT_NE(line.find("***"), std::string::npos) << line;
  }
  EXPECT_EQ(masked(t.logged()), t.logged());
}

TEST(Conversation, OnlySecretsAreTakenOutOfAnErrorForPrograms) {
  auto options = talk::options({});
  options.redacted = [](std::string_view) { return std::string("***"); };
  options.without_secrets = masked;
  talk t(std::move(options));
  t.open();
  for (int status : {200, 400}) {
    t.line(text(call_text));
    t.answer(
        t.next().call, status, "application/json",
        R"({"jsonrpc":"2.0","id":7,"error":{"code":-32042,"message":"m","data":{"url":"https:\/\/a.example"}}})");
    auto told = read_line(t.told_one());
    EXPECT_EQ(told.at("error").at("data").at("url").as_string(), "https://a.example") << status;
  }
}

// The id that the client waits for stays, whatever it is.
TEST(Conversation, AnErrorThatCannotBeToldWithoutASecretIsNotTold) {
  auto options = talk::options({});
  options.without_secrets = masked;
  talk t(std::move(options));
  t.open();
  std::string call = R"({"jsonrpc":"2.0","id":471147,"method":"tools/call","params":{"name":"x"}})";
  t.line(call);
  std::string harmless = R"({"jsonrpc":"2.0","id":471147,"error":{"code":-32000,"message":"m"}})";
  t.answer(t.next().call, 200, "application/json", harmless);
  EXPECT_EQ(t.told_one(), harmless);
  t.line(call);
  t.answer(t.next().call, 200, "application/json",
           R"({"jsonrpc":"2.0","id":471147,"error":{"code":-32000,"message":"m","data":471147}})");
  auto line = t.told_one();
  EXPECT_EQ(line.find(R"({"jsonrpc":"2.0","id":471147,"error":{"code":-32001,)"), 0U) << line;
  EXPECT_EQ(line.find("471147", 40), std::string::npos) << line;
  EXPECT_NE(line.find("its error repeats a secret"), std::string::npos) << line;
}

TEST(Conversation, WhyThereIsNoOtherTokenIsTold) {
  talk t;
  t.open();
  t.line(text(call_text));
  upstream_head refused;
  refused.status = 401;
  auto call = t.next().call;
  t.head(call, refused);
  t.renewed(call, fail(errc::sign_in_refused, "access_denied"));
  EXPECT_NE(message_in(t.told_one()).find("access_denied"), std::string::npos);
}

TEST(Conversation, MoreScopesAreAskedForAtMostTwice) {
  talk t;
  t.open();
  t.line(text(call_text));
  upstream_head refused;
  refused.status = 403;
  refused.challenges = "Bearer error=\"insufficient_scope\", scope=\"a\"";
  for (int i = 0; i < 2; ++i) {
    auto call = t.next().call;
    t.head(call, refused);
    ASSERT_EQ(t.renewals().size(), 1U);
    t.renewed(call, {});
  }
  t.answer(t.next().call, 403, "text/plain", "no");
  EXPECT_EQ(code_in(t.told_one()), -32001);
}

// ---- redirects, and servers that ask for patience

struct redirect {
  const char* location;
  const char* target;  // "": refused
};

TEST(Conversation, ARedirectIsFollowedWithinTheOriginOnly) {
  for (auto [location, target] :
       {redirect{"/mcp/", "/mcp/"}, redirect{"https://mcp.example.com/v2?x=1", "/v2?x=1"},
        redirect{"https://mcp.example.com:443/v3", "/v3"}, redirect{"https://evil.example/mcp", ""},
        redirect{"//evil.example/mcp", ""}, redirect{"http://mcp.example.com/mcp", ""},
        redirect{"https://mcp.example.com:444/mcp", ""},
        redirect{"https://mcp.example.com@evil.example/", ""}, redirect{"/a\r\nX: y", ""}, redirect{"", ""},
        redirect{"javascript:alert(1)", ""}}) {
    talk t;
    t.open();
    t.line(text(call_text));
    upstream_head moved;
    moved.status = 307;
    moved.location = location;
    t.head(t.next().call, moved);
    if (std::string_view(target).empty()) {
      auto line = t.told_one();
      EXPECT_NE(line.find("MOP-BRI-003"), std::string::npos) << location;
      EXPECT_TRUE(t.sent_nothing());
      continue;
    }
    auto again = t.next();
    EXPECT_EQ(again.target, target);
    EXPECT_EQ(*again.body, call_text);
    t.json(again.call, answer_text);
    EXPECT_EQ(t.told_one(), answer_text);
    // For this time only (RFC 9110 §15.4.8).
    t.line(text(call_text));
    EXPECT_EQ(t.next().target, "");
  }
}

TEST(Conversation, APermanentRedirectCountsForOthersOnceTheServerHasAnsweredThere) {
  talk t;
  t.open();
  auto call = [&](int status_there) {
    t.line(text(call_text));
    auto sent = t.next();
    upstream_head moved;
    moved.status = 308;
    moved.location = "/new";
    if (sent.target.empty()) {
      t.head(sent.call, moved);
      sent = t.next();
    }
    EXPECT_EQ(sent.target, "/new");
    if (status_there == 200) {
      t.json(sent.call, answer_text);
    } else {
      t.answer(sent.call, status_there, "text/plain", "no");
    }
    EXPECT_EQ(t.told().size(), 1U);
    // Where the next one goes.
    t.line(R"({"jsonrpc":"2.0","id":8,"method":"tools/list"})");
    auto next = t.next();
    t.json(next.call, R"({"jsonrpc":"2.0","id":8,"result":{"tools":[]}})");
    EXPECT_EQ(t.told().size(), 1U);
    return next.target;
  };
  EXPECT_EQ(call(503), "");
  EXPECT_EQ(call(200), "/new");
  EXPECT_EQ(call(400), "/new") << "that says nothing of the place";
  EXPECT_EQ(call(500), "");
  EXPECT_EQ(call(200), "/new");
}

// A slash at the end, as many frameworks want it: the session is where it was opened, its stream as well.
TEST(Conversation, ATemporaryRedirectOfInitializeCountsForItsSession) {
  talk t;
  upstream_head moved;
  moved.status = 307;
  moved.location = "/mcp/";
  std::string initialize =
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}})";
  for (auto session : {"s1", "s2"}) {
    t.line(initialize);
    auto sent = t.next();
    if (sent.method == bridge_action::method::remove) {
      EXPECT_EQ(sent.target, "/mcp/");
      sent = t.next();
    }
    EXPECT_EQ(sent.target, "");
    t.head(sent.call, moved);
    t.json(t.next().call,
           R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{}}})",
           session);
    EXPECT_EQ(t.told().size(), 1U);
    t.line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    auto initialized = t.next();
    EXPECT_EQ(initialized.target, "/mcp/");
    t.head(initialized.call, 202);
    EXPECT_EQ(t.next().target, "/mcp/") << "the stream";
  }
}

// Maintenance that sends every request elsewhere for a while.
TEST(Conversation, ATemporaryRedirectOfACallIsForgottenBehindIt) {
  talk t;
  t.open();
  upstream_head moved, busy;
  moved.status = 307;
  moved.location = "/maintenance";
  busy.status = 503;
  busy.retry_after = "2";
  t.line(text(call_text));
  t.head(t.next().call, moved);
  auto there = t.next();
  EXPECT_EQ(there.target, "/maintenance");
  t.head(there.call, busy);
  t.pass(milliseconds(2'000));
  auto again = t.next();
  EXPECT_EQ(again.target, "") << "asked where it is when it is over";
  t.json(again.call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
}

TEST(Conversation, ARedirectInACircleEnds) {
  talk t;
  t.open();
  t.line(text(call_text));
  upstream_head moved;
  moved.status = 308;
  moved.location = "/mcp";
  for (int i = 0; i < 6; ++i) t.head(t.next().call, moved);
  EXPECT_NE(t.told_one().find("more than 5"), std::string::npos);
}

TEST(Conversation, RetryAfterIsWaitedForWithinTheDeadline) {
  talk t;
  t.open();
  t.line(text(call_text));
  upstream_head busy;
  busy.status = 429;
  busy.retry_after = "3";
  t.head(t.next().call, busy);
  EXPECT_TRUE(t.told_nothing());
  t.pass(milliseconds(2'900));
  EXPECT_TRUE(t.sent_nothing());
  t.pass(milliseconds(200));
  busy.retry_after = "400";
  auto call = t.next().call;
  t.head(call, busy);
  t.end(call);
  EXPECT_NE(message_in(t.told_one()).find("upstream returned 429"), std::string::npos);
}

TEST(Conversation, A503ThatNamesATimeIsThrottlingAndOtherOnesAreFaults) {
  for (auto [after, id] : {std::pair{"400", "MOP-BRI-002"}, std::pair{"", "MOP-BRI-001"}}) {
    talk t;
    t.open();
    t.line(text(call_text));
    upstream_head busy;
    busy.status = 503;
    busy.retry_after = after;
    auto call = t.next().call;
    t.head(call, busy);
    t.end(call);
    auto line = t.told_one();
    EXPECT_NE(line.find(id), std::string::npos) << line;
    EXPECT_NE(message_in(line).find("upstream returned 503"), std::string::npos) << line;
  }
}

// ---- large answers

std::string large(std::size_t size) {
  return R"({"jsonrpc":"2.0","id":7,"result":{"text":")" + std::string(size, 'x') + "\"}\n}";
}

TEST(Conversation, ALargeAnswerIsOneLineThatIsWrittenWhileItComes) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  auto whole = large(1'000'000);
  t.head(call, 200, "application/json");
  std::size_t written = 0;
  for (std::size_t at = 0; at < whole.size(); at += 64 * 1024) {
    t.body(call, std::string_view(whole).substr(at, 64 * 1024));
    if (at > 512 * 1024) {
      EXPECT_GT((*t).output().capacity() + t.told_so_far(), 0U);
    }
  }
  written = t.told_so_far();
  EXPECT_GT(written, 900'000U);
  t.end(call);
  auto line = t.told_one();
  EXPECT_EQ(line.size(), whole.size());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ((*t).waiting(), 0U);
}

TEST(Conversation, OthersWaitForTheEndOfALineThatIsWrittenInParts) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto big = t.next().call;
  t.line(R"({"jsonrpc":"2.0","id":8,"method":"tools/list"})");
  auto small = t.next().call;
  t.line(R"({"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"e"}})");
  auto other_big = t.next().call;
  auto whole = large(600'000);
  t.head(big, 200, "application/json");
  t.body(big, std::string_view(whole).substr(0, 400'000));
  t.json(small, R"({"jsonrpc":"2.0","id":8,"result":{"tools":[]}})");
  t.head(other_big, 200, "application/json");
  auto other = large(300'000);
  other.replace(other.find(":7"), 2, ":9");
  t.body(other_big, std::string_view(other).substr(0, 280'000));
  EXPECT_TRUE((*t).may_read(big));
  EXPECT_FALSE((*t).may_read(other_big));
  t.body(big, std::string_view(whole).substr(400'000));
  t.end(big);
  EXPECT_TRUE((*t).may_read(other_big));
  EXPECT_FALSE(t.resumed.empty());
  t.body(other_big, std::string_view(other).substr(280'000));
  t.end(other_big);
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(read_line(lines[0]).at("id").to_number<int>(), 7);
  EXPECT_EQ(read_line(lines[1]).at("id").to_number<int>(), 8);
  EXPECT_EQ(read_line(lines[2]).at("id").to_number<int>(), 9);
}

// What ended while it waited for the line was never looked at again where it held no answer.
TEST(Conversation, AStreamThatEndedWhileItWaitedForTheLineIsOpenedAgain) {
  talk t;
  auto stream = t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  auto whole = large(600'000);
  t.head(call, 200, "application/json");
  t.body(call, std::string_view(whole).substr(0, 500'000));
  auto news = R"({"jsonrpc":"2.0","method":"notifications/message","params":{"data":")" +
              std::string(400'000, 'y') + "\"}}";
  t.body(stream, "data: " + news + "\n\n");
  t.end(stream);
  EXPECT_TRUE(t.sent_nothing());
  t.body(call, std::string_view(whole).substr(500'000));
  t.end(call);
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(read_line(lines[0]).at("id").to_number<int>(), 7);
  EXPECT_EQ(lines[1], news);
  t.pass(seconds(10));
  ASSERT_FALSE(t.sent_nothing());
  EXPECT_EQ(t.next().method, bridge_action::method::get);
}

TEST(Conversation, ACallWhoseStreamEndedInsteadWhileItWaitedForTheLineFailsAtOnce) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.line(R"({"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"e"}})");
  auto other = t.next().call;
  auto whole = large(600'000);
  t.head(call, 200, "application/json");
  t.body(call, std::string_view(whole).substr(0, 500'000));
  t.events(other);
  t.body(other, R"(data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":")" +
                    std::string(400'000, 'y') + "\"}}\n\n");
  t.end(other);
  t.body(call, std::string_view(whole).substr(500'000));
  t.end(call);
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(code_in(lines[2]), -32001);
  EXPECT_EQ(read_line(lines[2]).at("id").to_number<int>(), 8);
  EXPECT_EQ((*t).waiting(), 0U);
}

TEST(Conversation, ATransportThatKeepsTheTwoApartIsNamed) {
  bridge_upstream_settings only_http, only_sse;
  only_http.transport = bridge_transport::http_only;
  only_sse.transport = bridge_transport::sse_only;
  for (const auto& [settings, flag] :
       {std::pair{only_http, "--transport http-only"}, std::pair{only_sse, "--transport sse-only"}}) {
    talk t(settings);
    t.line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
    for (int tries = 0; tries < 3 && !t.sent_nothing(); ++tries)
      t.answer(t.next().call, 404, "text/plain", "not found");
    auto line = t.told_one();
    EXPECT_NE(line.find(flag), std::string::npos) << line;
  }
  talk t;
  t.line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  for (int tries = 0; tries < 3 && !t.sent_nothing(); ++tries)
    t.answer(t.next().call, 404, "text/plain", "not found");
  EXPECT_EQ(t.told_one().find("--transport"), std::string::npos);
}

TEST(Conversation, WithEventsAloneNothingIsPostedWithoutTheirStream) {
  bridge_upstream_settings settings;
  settings.transport = bridge_transport::sse_only;
  talk failed(settings);
  failed.line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  failed.answer(failed.next().call, 404, "text/plain", "not found");
  EXPECT_NE(failed.told_one().find("--transport sse-only"), std::string::npos);
  talk stateless(settings), first(settings);
  for (auto [t, line] :
       {std::pair{&failed, text(call_text)}, std::pair{&first, text(call_text)},
        std::pair{&stateless, text(R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo",)"
                                   R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                                   R"("io.modelcontextprotocol/clientCapabilities":{}}}})")}}) {
    t->line(line);
    auto asked = t->next();
    EXPECT_EQ(asked.method, bridge_action::method::get);
    t->answer(asked.call, 405, "text/plain", "no");
    EXPECT_TRUE(t->sent_nothing());
    EXPECT_NE(t->told_one().find("--transport sse-only"), std::string::npos);
  }
}

TEST(Conversation, AnAnswerThatBreaksOffInItsMiddleIsFollowedByItsError) {
  for (int how = 0; how < 3; ++how) {
    talk t;
    t.open();
    t.line(text(call_text));
    auto call = t.next().call;
    t.head(call, 200, "application/json");
    t.body(call, std::string_view(large(600'000)).substr(0, 500'000));
    if (how == 0) t.broken(call, errc::upstream_closed);
    if (how == 1) t.body(call, "\x01");
    if (how == 2) t.end(call);
    auto lines = t.told();
    ASSERT_EQ(lines.size(), 2U) << how;
    EXPECT_FALSE(parse_json(lines[0])) << how;
    EXPECT_EQ(code_in(lines[1]), -32001) << how;
    EXPECT_EQ((*t).waiting(), 0U);
  }
}

// ---- cancellation

TEST(Conversation, ACancelledRequestIsAbortedAndNeverAnswered) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})");
  EXPECT_TRUE(t.sent_nothing());  // it must not be there before the call is
  t.pass(milliseconds(150));
  auto told = t.next();
  EXPECT_NE(told.body->find("notifications/cancelled"), std::string::npos);
  t.head(told.call, 202);
  t.json(call, answer_text);
  EXPECT_TRUE(t.told_nothing());
  t.pass(milliseconds(5'000));
  EXPECT_TRUE(t.was_aborted(call));
}

TEST(Conversation, AnIdThatIsSpelledInAnotherWayIsTheSameId) {
  talk t;
  t.open();
  t.line(R"({"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"e"}})");
  auto call = t.next().call;
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0061"}})");
  EXPECT_EQ((*t).waiting(), 0U);
  t.json(call, R"({"jsonrpc":"2.0","id":"a","result":{}})");
  EXPECT_TRUE(t.told_nothing());
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{}})");
  EXPECT_TRUE(t.told_nothing());
}

TEST(Conversation, WhatWasNotSentIsCancelledWithoutAWordToTheServer) {
  talk t;
  t.line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  auto first = t.next();
  t.line(text(call_text));
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})");
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}})");
  t.json(first.call, R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18"}})");
  EXPECT_EQ(t.told().size(), 1U);
  EXPECT_TRUE(t.sent_nothing());
}

// ---- batches

TEST(Conversation, ABatchGoesAsItIsWhereTheRevisionHasThem) {
  talk t;
  t.open("s1", "2025-03-26");
  std::string batch =
      R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}])";
  t.line(batch);
  auto sent = t.next();
  EXPECT_EQ(*sent.body, batch);
  t.json(sent.call, R"([{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}])");
  EXPECT_TRUE(t.told_one().starts_with('['));
  EXPECT_EQ((*t).waiting(), 0U);
}

TEST(Conversation, ABatchWithASecretInAnErrorIsToldWithoutIt) {
  auto options = talk::options({});
  options.without_secrets = masked;
  talk t(std::move(options));
  t.open("s1", "2025-03-26");
  t.line(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}])");
  t.json(t.next().call, R"([{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"bad s3cr/et"}},)"
                        R"({"jsonrpc":"2.0","id":2,"result":{}}])");
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(message_in(lines[0]), "bad ***");
  EXPECT_EQ(read_line(lines[1]).at("id").to_number<int>(), 2);
  EXPECT_EQ((*t).waiting(), 0U);
}

TEST(Conversation, WhatABatchWasNotAnsweredIsAnsweredWithAnError) {
  talk t;
  t.open("s1", "2025-03-26");
  t.line(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}])");
  auto call = t.next().call;
  t.events(call);
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n");
  t.end(call);
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(read_line(lines[0]).at("id").to_number<int>(), 2);
  EXPECT_EQ(code_in(lines[1]), -32001);
}

TEST(Conversation, ABatchIsRefusedForEachRequestWhereTheRevisionHasNone) {
  talk t;
  t.open("s1", "2025-06-18");
  t.line(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}])");
  EXPECT_EQ(t.told().size(), 2U);
  t.line(R"([{"jsonrpc":"2.0","method":"notifications/x"}])");
  EXPECT_EQ(code_in(t.told_one()), -32600);
  t.line("[]");
  EXPECT_EQ(code_in(t.told_one()), -32600);
  EXPECT_TRUE(t.sent_nothing());
}

// ---- tools that are switched off

TEST(Conversation, AnIgnoredToolIsNeitherListedNorCalled) {
  bridge_upstream_settings upstream;
  upstream.ignored_tools = {"delete_*"};
  talk t(std::move(upstream));
  t.open();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  t.json(t.next().call,
         R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete_all"},{"name":"read"}]}})");
  auto list = t.told_one();
  EXPECT_EQ(list.find("delete_all"), std::string::npos);
  EXPECT_NE(list.find("read"), std::string::npos);
  t.line(R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"delete_all"}})");
  EXPECT_EQ(code_in(t.told_one()), -32603);
  EXPECT_TRUE(t.sent_nothing());
}

TEST(Conversation, WhatIsRefusedByItselfIsRefusedInABatchToo) {
  bridge_upstream_settings upstream;
  upstream.ignored_tools = {"delete_*"};
  talk t(std::move(upstream));
  t.open("s1", "2025-03-26");
  auto call = [](std::string_view id, std::string_view tool) {
    return R"({"jsonrpc":"2.0","id":)" + text(id) + R"(,"method":"tools/call","params":{"name":")" +
           text(tool) + "\"}}";
  };
  auto kept = call("2", "read");
  auto notification = text(R"({"jsonrpc":"2.0","method":"notifications/x"})");
  t.line("[" + call("1", "delete_all") + " , " + kept + ',' + call("true", "read") + ",5,[" +
         call("3", "delete_all") + "]," + call("2", "write") + ", " + notification + "]");
  auto sent = t.next();
  EXPECT_EQ(*sent.body, "[" + kept + "," + notification + "]");
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(code_in(lines[0]), -32603);
  EXPECT_EQ(read_line(lines[0]).at("id").to_number<int>(), 1);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(code_in(lines[i]), -32600) << lines[i];
  t.json(sent.call, R"([{"jsonrpc":"2.0","id":2,"result":{}}])");
  EXPECT_EQ(t.told_one(), R"([{"jsonrpc":"2.0","id":2,"result":{}}])");
  EXPECT_EQ((*t).waiting(), 0U);
  // Nothing is left of it: nothing is sent.
  t.line("[" + call("4", "delete_all") + "]");
  EXPECT_EQ(code_in(t.told_one()), -32603);
  EXPECT_TRUE(t.sent_nothing());
}

}  // namespace
}  // namespace mcp_oauth
