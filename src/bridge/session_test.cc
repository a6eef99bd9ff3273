#include "bridge/talk.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view call_text =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}})";
constexpr std::string_view answer_text = R"({"jsonrpc":"2.0","id":7,"result":{"content":[]}})";
constexpr std::string_view initialize_text =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}})";
constexpr std::string_view initialized_text =
    R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}})";

std::string text(std::string_view of) { return std::string(of); }

std::string answer_to(const bridge_action& sent, std::string_view result) {
  auto facts = scan_message(*sent.body);
  return make_result(facts ? facts->id : "null", result);
}

// ---- a session that the server forgot

TEST(Session, IsOpenedAgainAndTheCallRepeatedOnce) {
  talk t;
  auto stream = t.open();
  t.line(text(call_text));
  t.answer(t.next().call, 404, "application/json",
           R"({"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}})");
  EXPECT_TRUE(t.told_nothing());
  EXPECT_TRUE(t.was_aborted(stream));
  auto again = t.next();
  EXPECT_NE(again.body->find("\"initialize\""), std::string::npos);
  EXPECT_EQ(again.fields.find("Mcp-Session-Id"), std::string::npos);
  t.json(again.call, answer_to(again, R"({"protocolVersion":"2025-06-18","capabilities":{}})"), "s2");
  auto initialized = t.next();
  EXPECT_NE(initialized.body->find("notifications/initialized"), std::string::npos);
  t.head(initialized.call, 202);
  auto other_stream = t.next();
  EXPECT_EQ(other_stream.method, bridge_action::method::get);
  EXPECT_NE(other_stream.fields.find("Mcp-Session-Id: s2"), std::string::npos);
  auto repeated = t.next();
  EXPECT_EQ(*repeated.body, call_text);
  EXPECT_NE(repeated.fields.find("Mcp-Session-Id: s2"), std::string::npos);
  // Once: a server that forgets at once is not asked for ever.
  t.answer(repeated.call, 404, "text/plain", "who?");
  auto line = t.told_one();
  EXPECT_NE(line.find("upstream returned 404"), std::string::npos) << line;
}

TEST(Session, IsOpenedAgainOnceForAllThatNeedIt) {
  talk t;
  t.open();
  for (int i = 1; i < 4; ++i)
    t.line(R"({"jsonrpc":"2.0","id":)" + std::to_string(i) + R"(,"method":"tools/list"})");
  std::vector<std::uint64_t> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(t.next().call);
  for (auto call : calls) t.answer(call, 400, "text/plain", "Bad Request: No valid session ID provided");
  auto again = t.next();
  EXPECT_TRUE(t.sent_nothing());
  t.json(again.call, answer_to(again, R"({"protocolVersion":"2025-06-18","capabilities":{}})"), "s2");
  t.head(t.next().call, 202);
  t.next();
  for (int i = 0; i < 3; ++i) {
    auto repeated = t.next();
    t.json(repeated.call, answer_to(repeated, "{}"));
  }
  EXPECT_EQ(t.told().size(), 3U);
}

TEST(Session, ThatCannotBeOpenedAgainIsAnErrorAndTriedWithTheNextCall) {
  talk t;
  t.open();
  t.line(text(call_text));
  t.answer(t.next().call, 404, "", "");
  t.broken(t.next().call, errc::upstream_refused, "connect ECONNREFUSED");
  EXPECT_NE(t.told_one().find("MOP-BRI-005"), std::string::npos);
  t.line(text(call_text));
  auto again = t.next();
  EXPECT_NE(again.body->find("\"initialize\""), std::string::npos);
  t.json(again.call, answer_to(again, R"({"protocolVersion":"2025-06-18","capabilities":{}})"), "s2");
  t.head(t.next().call, 202);
  t.next();
  t.json(t.next().call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
}

TEST(Session, ASecondInitializeGetsASessionOfItsOwn) {
  talk t;
  auto stream = t.open("s1");
  t.line(text(initialize_text));
  auto removed = t.next();
  EXPECT_EQ(removed.method, bridge_action::method::remove);
  EXPECT_NE(removed.fields.find("s1"), std::string::npos);
  EXPECT_TRUE(t.was_aborted(stream));
  auto again = t.next();
  EXPECT_EQ(again.fields.find("Mcp-Session-Id"), std::string::npos);
  t.json(again.call, initialized_text, "s2");
  t.head(removed.call, 200);
  EXPECT_FALSE((*t).finished());
  t.line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  EXPECT_NE(t.next().fields.find("s2"), std::string::npos);
}

TEST(Session, AnErrorToInitializeIsTheServersOwn) {
  bridge_upstream_settings upstream;
  upstream.transport = bridge_transport::http_only;
  upstream.protocol = bridge_protocol::legacy;
  talk t(std::move(upstream));
  t.line(text(initialize_text));
  t.json(t.next().call, R"({"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"no"}})");
  EXPECT_EQ(code_in(t.told_one()), -32602);
  t.line(text(initialize_text));
  t.json(t.next().call, R"({"jsonrpc":"2.0","error":{"code":-32602,"message":"no"}})");
  EXPECT_EQ(read_line(t.told_one()).at("id").to_number<int>(), 0);
  t.line(text(initialize_text));
  t.broken(t.next().call, errc::upstream_refused, "connect ECONNREFUSED 127.0.0.1:1");
  EXPECT_NE(message_in(t.told_one()).find("ECONNREFUSED"), std::string::npos);
  t.line(text(initialize_text));
  t.answer(t.next().call, 500, "text/plain", "boom");
  EXPECT_NE(t.told_one().find("boom"), std::string::npos);
}

// ---- streams

TEST(Session, AStreamThatBreaksIsResumedWhereItStopped) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "id: e1\nretry: 500\ndata:\n\n");
  t.end(call);
  EXPECT_TRUE(t.sent_nothing());
  t.pass(milliseconds(499));
  EXPECT_TRUE(t.sent_nothing());
  t.pass(milliseconds(1));
  auto again = t.next();
  EXPECT_EQ(again.method, bridge_action::method::get);
  EXPECT_NE(again.fields.find("Last-Event-ID: e1\r\n"), std::string::npos);
  t.events(again.call);
  t.body(again.call, "id: e2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n");
  t.broken(again.call, errc::upstream_closed);
  t.pass(milliseconds(500));
  again = t.next();
  EXPECT_NE(again.fields.find("Last-Event-ID: e2\r\n"), std::string::npos);
  t.events(again.call);
  t.body(again.call, "data: " + text(answer_text) + "\n\n");
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1], answer_text);
}

TEST(Session, AStreamIsNotResumedForEver) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "id: e1\ndata:\n\n");
  t.end(call);
  for (int i = 0; i < 10 && (*t).waiting() > 0; ++i) {
    t.pass(milliseconds(31'000));
    if (!t.sent_nothing()) t.broken(t.next().call, errc::upstream_refused);
  }
  EXPECT_NE(t.told_one().find("MOP-BRI-004"), std::string::npos);
}

// Each resumption brings another id, and no message.
TEST(Session, AStreamThatSaysNothingIsResumedTwiceASecondAndNotForEver) {
  for (bool with_message : {false, true}) {
    bridge_upstream_settings upstream;
    upstream.timeout = milliseconds(2'000);
    talk t(std::move(upstream));
    t.open();
    t.line(text(call_text));
    auto call = t.next().call;
    int resumed = 0;
    auto began = t.now;
    while (t.now - began < milliseconds(60'000)) {
      t.events(call);
      t.body(call, "retry: 0\nid: e" + std::to_string(resumed) + "\ndata:\n\n");
      if (with_message) t.body(call, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n");
      t.end(call);
      t.pass(milliseconds(499));
      EXPECT_TRUE(t.sent_nothing());
      t.pass(milliseconds(1));
      if (t.sent_nothing()) break;
      call = t.next().call;
      ++resumed;
    }
    if (with_message) {
      EXPECT_EQ(resumed, 120);
      EXPECT_EQ((*t).waiting(), 1U);
      continue;
    }
    EXPECT_EQ(resumed, 80);
    auto line = t.told_one();
    EXPECT_EQ(code_in(line), -32000);
    EXPECT_NE(message_in(line).find("without a message"), std::string::npos) << line;
  }
}

TEST(Session, TheServersStreamIsOpenedTwiceASecondAtMost) {
  talk t;
  auto stream = t.open();
  for (int i = 0; i < 20; ++i) {
    t.body(stream, "retry: 0\nid: " + std::to_string(i) + "\ndata:\n\n");
    t.end(stream);
    t.pass(milliseconds(499));
    EXPECT_TRUE(t.sent_nothing());
    t.pass(milliseconds(1));
    stream = t.next().call;
    t.events(stream);
  }
}

TEST(Session, AResumptionThatTheServerDoesNotKnowIsTheEnd) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "id: e1\ndata:\n\n");
  t.end(call);
  t.pass(milliseconds(1'000));
  t.head(t.next().call, 405);
  EXPECT_NE(t.told_one().find("405"), std::string::npos);
}

TEST(Session, TheServersStreamIsOpenedAgainWithItsLastId) {
  talk t;
  auto stream = t.open();
  t.body(stream, "id: 41\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n");
  EXPECT_EQ(t.told().size(), 1U);
  t.broken(stream, errc::upstream_closed);
  t.pass(milliseconds(2'000));
  auto again = t.next();
  EXPECT_NE(again.fields.find("Last-Event-ID: 41\r\n"), std::string::npos);
  // It is never given up, but asked for less and less often.
  int asked = 0;
  for (auto call = again.call;; call = t.next().call) {
    t.broken(call, errc::upstream_refused);
    ++asked;
    t.pass(milliseconds(61'000));
    if (asked > 12 || t.sent_nothing()) break;
  }
  EXPECT_GT(asked, 12);
}

TEST(Session, TheServersStreamIsNotAskedForWhereThereIsNone) {
  talk t;
  t.line(text(initialize_text));
  t.json(t.next().call, initialized_text);
  t.line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  t.head(t.next().call, 202);
  t.head(t.next().call, 405);
  t.pass(milliseconds(600'000));
  EXPECT_TRUE(t.sent_nothing());
}

TEST(Session, AStreamThatHearsOf404IsASessionThatIsGone) {
  talk t;
  auto stream = t.open();
  t.end(stream);
  t.pass(milliseconds(2'000));
  t.head(t.next().call, 404);
  auto again = t.next();
  EXPECT_NE(again.body->find("\"initialize\""), std::string::npos);
}

// A server, or a proxy before it, that has the stream once and then no more.
TEST(Session, AStreamThatIsNowhereToBeFoundDoesNotOpenSessionsWithoutEnd) {
  for (bool works_each_time : {false, true}) {
    talk t;
    t.end(t.open());
    int sessions = 0, asked = 0;
    for (auto until = t.now + milliseconds(600'000); t.now < until; t.pass(milliseconds(100))) {
      while (!t.sent_nothing()) {
        auto sent = t.next();
        if (sent.method == bridge_action::method::get) {
          bool works = works_each_time && ++asked % 2 == 0;
          t.head(sent.call, works ? 200 : 404, works ? "text/event-stream" : "");
          if (works) t.end(sent.call);
        } else if (sent.body->find("\"initialize\"") != std::string::npos) {
          ++sessions;
          t.json(sent.call, answer_to(sent, R"({"protocolVersion":"2025-06-18","capabilities":{}})"),
                 "s" + std::to_string(sessions));
        } else {
          t.head(sent.call, 202);
        }
      }
    }
    EXPECT_GE(sessions, 2) << works_each_time;
    EXPECT_LE(sessions, works_each_time ? 30 : 3) << works_each_time;
    EXPECT_EQ(t.logged().find("has no stream of its own") == std::string::npos, works_each_time);
    // Calls go on in the last session.
    t.line(text(call_text));
    auto sent = t.next();
    EXPECT_NE(sent.fields.find("Mcp-Session-Id: s" + std::to_string(sessions)), std::string::npos);
    t.json(sent.call, answer_text);
    EXPECT_EQ(t.told_one(), answer_text);
  }
}

TEST(Session, AStreamThatHearsOf404LeavesTheSessionToTheCallsThatUseIt) {
  talk t;
  auto stream = t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.end(stream);
  t.pass(milliseconds(2'000));
  t.head(t.next().call, 404);
  t.pass(milliseconds(20'000));
  EXPECT_TRUE(t.sent_nothing());
  t.json(call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
  // A call that was begun later shows that the session is there.
  t.line(text(call_text));
  auto later = t.next();
  EXPECT_NE(later.fields.find("Mcp-Session-Id: s1"), std::string::npos);
  t.json(later.call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
  t.pass(milliseconds(60'000));
  EXPECT_EQ(t.next().method, bridge_action::method::get);
}

TEST(Session, TheStreamOfTheServerGetsATokenToo) {
  talk t;
  auto stream = t.open();
  t.end(stream);
  t.pass(milliseconds(2'000));
  auto call = t.next().call;
  upstream_head refused;
  refused.status = 401;
  t.head(call, refused);
  EXPECT_EQ(t.renewals().size(), 1U);
  t.renewed(call, {});
  EXPECT_EQ(t.next().method, bridge_action::method::get);
}

TEST(Session, ARefusedTokenOfTheStreamIsRenewedOnceUntilOneIsTaken) {
  talk t;
  auto stream = t.open();
  upstream_head refused;
  refused.status = 401;
  for (int round = 0; round < 2; ++round) {
    t.end(stream);
    std::size_t renewed = 0, asked = 0;
    for (int i = 0; i < 12; ++i) {
      t.pass(milliseconds(61'000));
      while (!t.sent_nothing()) {
        auto call = t.next().call;
        ++asked;
        t.head(call, refused);
        for (const auto& renewal : t.renewals()) {
          EXPECT_TRUE(renewal.unattended);
          ++renewed;
          t.renewed(call, {});
        }
      }
    }
    EXPECT_EQ(renewed, 1U);
    EXPECT_GT(asked, 8U) << "it is not given up";
    // One that is taken begins the count anew.
    for (int i = 0; i < 2 && t.sent_nothing(); ++i) t.pass(milliseconds(61'000));
    stream = t.next().call;
    t.events(stream);
    t.pass(milliseconds(10'000));
  }
}

TEST(Session, ForWhatNobodyWaitsForNobodyIsAsked) {
  bridge_upstream_settings upstream;
  upstream.ping_interval = seconds(30);
  talk t(std::move(upstream));
  upstream_head refused;
  refused.status = 401;
  auto expect = [&](const bridge_action& sent, bool unattended, std::string_view what) {
    EXPECT_EQ(sent.unattended, unattended) << what;
    t.head(sent.call, refused);
    auto renewals = t.renewals();
    ASSERT_EQ(renewals.size(), 1U) << what;
    EXPECT_EQ(renewals[0].unattended, unattended) << what;
  };
  auto stream = t.open();
  t.line(text(call_text));
  expect(t.next(), false, "a call");
  t.line(R"({"jsonrpc":"2.0","id":"q","result":{}})");
  expect(t.next(), false, "the answer to a question of the server");
  t.line(R"({"jsonrpc":"2.0","method":"notifications/roots/list_changed"})");
  expect(t.next(), true, "a notification");
  t.pass(milliseconds(31'000));
  expect(t.next(), true, "a ping");
  t.end(stream);
  t.pass(milliseconds(2'000));
  expect(t.next(), true, "the stream");
}

TEST(Session, ASessionThatIsOpenedForNobodyIsOpenedAgainForWhoComesMeanwhile) {
  talk t;
  t.end(t.open());
  t.pass(milliseconds(2'000));
  t.head(t.next().call, 404);
  auto opening = t.next();
  EXPECT_NE(opening.body->find("\"initialize\""), std::string::npos);
  EXPECT_TRUE(opening.unattended);
  t.line(text(call_text));
  EXPECT_TRUE(t.sent_nothing());
  t.broken(opening.call, errc::sign_in_person_needed, "sign in");
  EXPECT_TRUE(t.told_nothing());
  auto again = t.next();
  EXPECT_NE(again.body->find("\"initialize\""), std::string::npos);
  EXPECT_FALSE(again.unattended);
  t.broken(again.call, errc::sign_in_person_needed, "sign in");
  EXPECT_NE(t.told_one().find("sign in"), std::string::npos);
  EXPECT_TRUE(t.sent_nothing());
}

TEST(Session, QuestionsOfTheServerReachTheClientAndItsAnswersTheServer) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.events(call);
  std::string question =
      R"({"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"?"}})";
  t.body(call, "data: " + question + "\n\n");
  EXPECT_EQ(t.told_one(), question);
  t.line(R"({"jsonrpc":"2.0","id":"q1","result":{"action":"accept"}})");
  auto sent = t.next();
  EXPECT_NE(sent.body->find("accept"), std::string::npos);
  t.head(sent.call, 202);
  t.body(call, "data: " + text(answer_text) + "\n\n");
  EXPECT_EQ(t.told_one(), answer_text);
}

// ---- HTTP with SSE of 2024-11-05

struct legacy_talk : talk {
  std::uint64_t stream = 0;
  explicit legacy_talk(bridge_upstream_settings upstream = {}) : talk(std::move(upstream)) {}
  void begin() {
    line(text(initialize_text));
    answer(next().call, 405, "text/plain", "Method Not Allowed");
    stream = next().call;
    events(stream);
    body(stream, "event: endpoint\ndata: /messages?sessionId=1\n\n");
    auto sent = next();
    EXPECT_EQ(sent.target, "/messages?sessionId=1");
    head(sent.call, 202);
    body(stream, "data: " + text(initialized_text) + "\n\n");
    EXPECT_EQ(told_one(), initialized_text);
    line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    head(next().call, 202);
  }
};

TEST(LegacyTransport, ItsStreamIsForWhoWaitsForTheSession) {
  legacy_talk t;
  t.line(text(initialize_text));
  t.answer(t.next().call, 405, "text/plain", "Method Not Allowed");
  upstream_head refused;
  refused.status = 401;
  auto stream = t.next();
  EXPECT_FALSE(stream.unattended);
  t.head(stream.call, refused);
  ASSERT_EQ(t.renewals().size(), 1U);
  t.renewed(stream.call, {});
  t.head(t.next().call, refused);
  EXPECT_TRUE(t.renewals().empty()) << "once for one attempt, over all its streams";
  EXPECT_NE(t.told_one().find("MOP-"), std::string::npos);
}

TEST(LegacyTransport, IsFoundAndSpoken) {
  legacy_talk t;
  t.begin();
  t.line(text(call_text));
  auto sent = t.next();
  EXPECT_EQ(sent.target, "/messages?sessionId=1");
  EXPECT_EQ(sent.fields, "");
  t.head(sent.call, 202);
  EXPECT_TRUE(t.told_nothing());
  t.body(t.stream, "data: " + text(answer_text) + "\n\n");
  EXPECT_EQ(t.told_one(), answer_text);
}

TEST(LegacyTransport, ALargeAnswerOnItsStreamIsTheAnswerToItsRequest) {
  legacy_talk t;
  t.begin();
  t.line(text(call_text));
  t.head(t.next().call, 202);
  for (auto id : {"7", "8"}) {
    t.body(t.stream, "data: {\"jsonrpc\":\"2.0\",\"id\":" + text(id) + ",\"result\":{\"x\":\"" +
                         std::string(500'000, 'x') + "\"}}\n\n");
  }
  EXPECT_EQ(read_line(t.told_one()).at("id").to_number<int>(), 7);
  EXPECT_EQ((*t).waiting(), 0U);
  t.end(t.stream);
  EXPECT_TRUE(t.told_nothing());
  t.client_ends();
  EXPECT_TRUE((*t).finished());
}

// The error is the last that the client waits for, so the session ends in the middle of breaking the line
// off.
TEST(LegacyTransport, ALargeAnswerThatBreaksOffBehindTheEndOfTheClientIsTheEnd) {
  for (bool properly : {true, false}) {
    legacy_talk t;
    t.begin();
    t.line(text(call_text));
    t.head(t.next().call, 202);
    t.body(t.stream, "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"x\":\"" + std::string(500'000, 'x'));
    EXPECT_GT(t.told_so_far(), 0U);
    t.client_ends();
    EXPECT_FALSE((*t).finished());
    if (properly) {
      t.end(t.stream);
    } else {
      t.broken(t.stream, errc::upstream_closed);
    }
    auto lines = t.told();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[1].find("MOP-BRI-004"), std::string::npos) << lines[1];
    EXPECT_TRUE((*t).finished());
    EXPECT_FALSE(t.was_aborted(t.stream)) << "it has ended, and is no request any more";
  }
}

TEST(LegacyTransport, AnAnswerOfTheClientUnderTheSameIdDoesNotTakeTheServersForItself) {
  legacy_talk t;
  t.begin();
  t.body(t.stream, "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}\n\n");
  EXPECT_NE(t.told_one().find("roots/list"), std::string::npos);
  t.line(R"({"jsonrpc":"2.0","id":7,"result":{"roots":[]}})");
  auto slow = t.next();  // not acknowledged yet
  t.line(text(call_text));
  t.head(t.next().call, 202);
  t.body(t.stream, "data: " + text(answer_text) + "\n\n");
  EXPECT_EQ(t.told_one(), answer_text);
  EXPECT_EQ((*t).waiting(), 0U);
  t.head(slow.call, 202);
  EXPECT_TRUE(t.told_nothing());
}

TEST(LegacyTransport, WhatItsStreamTookAlongIsAnsweredWithAnError) {
  legacy_talk t;
  t.begin();
  t.line(text(call_text));
  t.head(t.next().call, 202);
  t.end(t.stream);
  EXPECT_NE(t.told_one().find("MOP-BRI-004"), std::string::npos);
  t.pass(milliseconds(1'000));
  auto again = t.next();
  EXPECT_EQ(again.method, bridge_action::method::get);
  t.events(again.call);
  t.body(again.call, "event: endpoint\ndata: https://mcp.example.com/messages?sessionId=2\n\n");
  auto sent = t.next();
  EXPECT_NE(sent.body->find("\"initialize\""), std::string::npos);
  EXPECT_EQ(sent.target, "/messages?sessionId=2");
}

TEST(LegacyTransport, AnEndpointIsReadAsAReference) {
  struct row {
    const char *uri, *target;
  };
  for (auto [uri, target] :
       {row{"/messages?x=1", "/messages?x=1"}, row{"messages?x=1", "/messages?x=1"}, row{"?x=1", "/mcp?x=1"},
        row{"https://mcp.example.com", "/"}, row{"//mcp.example.com/m?y#z", "/m?y"}, row{"/m#z", "/m"}}) {
    talk t;
    t.line(text(initialize_text));
    t.answer(t.next().call, 404, "text/plain", "");
    auto stream = t.next().call;
    t.events(stream);
    t.body(stream, "event: endpoint\ndata: " + text(uri) + "\n\n");
    EXPECT_EQ(t.next().target, target) << uri;
  }
  talk t;
  t.line(text(initialize_text));
  t.answer(t.next().call, 404, "text/plain", "");
  auto stream = t.next().call;
  t.events(stream);
  t.body(stream, "event: endpoint\ndata: /a b\n\n");
  EXPECT_EQ(t.told().size(), 1U);
}

TEST(LegacyTransport, AnEndpointElsewhereIsRefused) {
  for (auto uri : {"https://evil.example/messages", "//evil.example/x", "http://mcp.example.com/x"}) {
    talk t;
    t.line(text(initialize_text));
    t.answer(t.next().call, 404, "text/plain", "");
    auto stream = t.next().call;
    t.events(stream);
    t.body(stream, "event: endpoint\ndata: " + text(uri) + "\n\n");
    EXPECT_EQ(t.told().size(), 1U) << uri;
    EXPECT_TRUE(t.was_aborted(stream));
    EXPECT_TRUE(t.sent_nothing());
  }
}

TEST(LegacyTransport, IsTriedFirstWhereThatIsAskedFor) {
  bridge_upstream_settings upstream;
  upstream.transport = bridge_transport::sse_first;
  talk t(std::move(upstream));
  t.line(text(initialize_text));
  auto stream = t.next();
  EXPECT_EQ(stream.method, bridge_action::method::get);
  t.head(stream.call, 405);
  auto posted = t.next();
  EXPECT_EQ(posted.method, bridge_action::method::post);
  t.json(posted.call, initialized_text);
  EXPECT_EQ(t.told_one(), initialized_text);
}

TEST(LegacyTransport, AServerThatSpeaksNeitherIsNamed) {
  talk t;
  t.line(text(initialize_text));
  t.answer(t.next().call, 404, "text/html", "<html>not here");
  t.head(t.next().call, 404);
  auto line = t.told_one();
  EXPECT_NE(line.find("upstream returned 404"), std::string::npos) << line;
  EXPECT_NE(line.find("not here"), std::string::npos) << line;
}

// ---- the end

TEST(End, WaitsForWhatIsUnderWayAndRemovesTheSession) {
  talk t;
  auto stream = t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.client_ends();
  EXPECT_TRUE(t.was_aborted(stream));
  EXPECT_FALSE((*t).finished());
  t.json(call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
  auto removed = t.next();
  EXPECT_EQ(removed.method, bridge_action::method::remove);
  EXPECT_NE(removed.fields.find("Mcp-Session-Id: s1"), std::string::npos);
  EXPECT_FALSE((*t).finished());
  t.head(removed.call, 405);
  EXPECT_TRUE((*t).finished());
}

TEST(End, DoesNotWaitForeverForTheRemoval) {
  talk t;
  t.open();
  t.client_ends();
  t.next();
  t.pass(milliseconds(2'001));
  EXPECT_TRUE((*t).finished());
}

TEST(End, IsAtOnceWhereThereIsNothingToRemove) {
  talk t;
  t.client_ends();
  EXPECT_TRUE((*t).finished());
}

TEST(End, WhatIsOpenWhenWeAreToldToStopIsAnswered) {
  talk t;
  t.open();
  t.line(text(call_text));
  auto call = t.next().call;
  t.stop();
  EXPECT_NE(t.told_one().find("MOP-BRI-008"), std::string::npos);
  EXPECT_TRUE(t.was_aborted(call));
  EXPECT_EQ(t.next().method, bridge_action::method::remove);
  t.line(text(call_text));
  EXPECT_TRUE(t.sent_nothing());
}

// ---- while a person signs in

TEST(Waiting, InitializeIsAnsweredByTheBridgeAndChangesAreAnnounced) {
  talk t;
  t.line(text(initialize_text));
  auto first = t.next();
  t.waiting("open https://idp.example/authorize");
  auto log_line = t.told_one();
  EXPECT_NE(log_line.find("notifications/message"), std::string::npos);
  t.pass(milliseconds(7'000));
  EXPECT_TRUE(t.told_nothing());
  t.pass(milliseconds(2'000));
  auto answer = read_line(t.told_one());
  EXPECT_EQ(answer.at("result").at("protocolVersion").as_string(), "2025-06-18");
  EXPECT_TRUE(answer.at("result").at("capabilities").at("tools").at("listChanged").as_bool());
  t.line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  t.pass(milliseconds(25'000));
  EXPECT_NE(t.told_one().find("\"tools\":[]"), std::string::npos);
  t.line(text(call_text));
  t.waiting("");
  t.json(first.call, initialized_text, "s1");
  EXPECT_EQ(t.told().size(), 3U);  // list_changed of each kind
  auto initialized = t.next();
  t.head(initialized.call, 202);
  t.next();
  t.json(t.next().call, answer_text);
  EXPECT_EQ(t.told_one(), answer_text);
  EXPECT_TRUE(t.sent_nothing());
}

TEST(Waiting, ACallHearsOfItAsProgressOrAsAnErrorInTime) {
  talk t;
  t.open();
  t.line(text(call_text));
  t.line(
      R"({"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"e","_meta":{"progressToken":5}}})");
  t.waiting("open https://idp.example/authorize");
  t.told();
  t.pass(milliseconds(15'000));
  EXPECT_NE(t.told_one().find("\"progressToken\":5"), std::string::npos);
  t.pass(milliseconds(32'000));
  bool told = false;
  for (const auto& line : t.told()) told = told || line.find("MOP-BRI-010") != std::string::npos;
  EXPECT_TRUE(told);
  EXPECT_EQ((*t).waiting(), 1U);
}

TEST(Waiting, ForATokenThatWasAskedForIsToldToo) {
  talk t;
  t.line(text(initialize_text));
  t.head(t.next().call, 401);
  ASSERT_EQ(t.renewals().size(), 1U);
  t.waiting("open https://idp.example/authorize");
  t.told();
  t.pass(milliseconds(9'000));
  EXPECT_NE(t.told_one().find("\"protocolVersion\""), std::string::npos);
}

TEST(Waiting, EndsWithTheClient) {
  talk t;
  t.line(text(initialize_text));
  t.next();
  t.waiting("open https://idp.example/authorize");
  t.client_ends();
  EXPECT_TRUE((*t).finished());
}

TEST(Waiting, ThatBeginsBehindTheEndOfTheClientIsTheEnd) {
  talk t;
  t.line(text(initialize_text));
  t.next();
  t.client_ends();
  EXPECT_FALSE((*t).finished());
  t.waiting("open https://idp.example/authorize");
  EXPECT_NE(t.told_one().find("MOP-BRI-008"), std::string::npos);
  EXPECT_TRUE((*t).finished());
}

TEST(Session, ARevisionThatIsNoHeaderValueDoesNotBecomeOne) {
  talk t;
  t.line(text(initialize_text));
  t.json(t.next().call,
         R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"1\r\nX: y","capabilities":{}}})");
  t.line(text(call_text));
  EXPECT_EQ(t.next().fields.find("X: y"), std::string::npos);
}

TEST(Keeping, PingsOfItsOwnStayItsOwn) {
  bridge_upstream_settings upstream;
  upstream.ping_interval = milliseconds(30'000);
  talk t(std::move(upstream));
  t.open();
  t.pass(milliseconds(31'000));
  auto ping = t.next();
  EXPECT_NE(ping.body->find("\"ping\""), std::string::npos);
  t.json(ping.call, answer_to(ping, "{}"));
  EXPECT_TRUE(t.told_nothing());
}

}  // namespace
}  // namespace mcp_oauth
