#include "bridge/talk.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view initialize_text =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}})";
constexpr std::string_view discovered =
    R"({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"instructions":"hi","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"2"}}})";
constexpr std::string_view meta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"m","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}})";

std::string text(std::string_view of) { return std::string(of); }
std::string id_of(const bridge_action& sent) {
  auto facts = scan_message(*sent.body);
  return facts ? facts->id : "null";
}
std::string answer_to(const bridge_action& sent, std::string_view result) {
  return make_result(id_of(sent), result);
}
std::string modern(std::string_view id, std::string_view method, std::string_view params = "") {
  std::string all(params);
  if (!all.empty()) all += ',';
  return make_request(id, method, "{" + all + std::string(meta) + "}");
}

// A client that asked for a session, before a server that has none.
struct to_stateless : talk {
  bridge_action listening;
  void begin() {
    line(text(initialize_text));
    auto first = next();
    answer(
        first.call, 400, "application/json",
        R"({"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28"]}}})");
    auto probe = next();
    EXPECT_NE(probe.body->find("server/discover"), std::string::npos);
    EXPECT_NE(probe.fields.find("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover\r\n"),
              std::string::npos);
    json(probe.call, answer_to(probe, discovered));
    auto answered = read_line(told_one());
    EXPECT_EQ(answered.at("id").to_number<int>(), 0);
    EXPECT_EQ(answered.at("result").at("protocolVersion").as_string(), "2025-06-18");
    EXPECT_EQ(answered.at("result").at("serverInfo").at("name").as_string(), "s");
    EXPECT_EQ(answered.at("result").at("instructions").as_string(), "hi");
    line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    listening = next();
    EXPECT_NE(listening.body->find("subscriptions/listen"), std::string::npos);
    EXPECT_NE(listening.body->find("\"toolsListChanged\":true"), std::string::npos);
    events(listening.call);
    EXPECT_TRUE(sent_nothing());
  }
};

TEST(ToStateless, RequestsGetWhatTheOtherRevisionWants) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"grüße","arguments":{"n":1.0}}})");
  auto sent = t.next();
  EXPECT_NE(sent.fields.find("Mcp-Method: tools/call\r\nMcp-Name: =?base64?Z3LDvMOfZQ==?=\r\n"),
            std::string::npos);
  EXPECT_EQ(sent.fields.find("Mcp-Session-Id"), std::string::npos);
  auto body = read_line(*sent.body);
  auto& sent_meta = body.at("params").at("_meta").as_object();
  EXPECT_EQ(sent_meta.at("io.modelcontextprotocol/protocolVersion").as_string(), "2026-07-28");
  EXPECT_EQ(sent_meta.at("io.modelcontextprotocol/clientInfo").at("name").as_string(), "c");
  EXPECT_TRUE(sent_meta.at("io.modelcontextprotocol/clientCapabilities").as_object().contains("elicitation"));
  EXPECT_NE(sent.body->find("\"n\":1.0"), std::string::npos) << "what is not ours stays as it was";
  t.json(sent.call, R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}})");
  EXPECT_NE(t.told_one().find("\"content\":[]"), std::string::npos);
  // Without params, and with a _meta.
  t.line(R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})");
  EXPECT_TRUE(read_line(*t.next().body).at("params").at("_meta").is_object());
  t.line(R"({"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":{"progressToken":1}}})");
  EXPECT_EQ(read_line(*t.next().body).at("params").at("_meta").as_object().size(), 4U);
}

TEST(ToStateless, WhatOnlySessionsHaveIsAnsweredHere) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"ping"})");
  EXPECT_NE(t.told_one().find("\"result\":{}"), std::string::npos);
  t.line(R"({"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"debug"}})");
  EXPECT_NE(t.told_one().find("\"result\":{}"), std::string::npos);
  t.line(R"({"jsonrpc":"2.0","method":"notifications/roots/list_changed"})");
  EXPECT_TRUE(t.sent_nothing());
  t.line(R"({"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"file:///a"}})");
  EXPECT_NE(t.told_one().find("\"result\":{}"), std::string::npos);
  EXPECT_TRUE(t.was_aborted(t.listening.call));
  auto again = t.next();
  EXPECT_NE(again.body->find(R"("resourceSubscriptions":["file:///a"])"), std::string::npos);
  EXPECT_NE(again.body->find("logLevel\":\"debug\""), std::string::npos);
}

TEST(ToStateless, ChangesReachTheClientAndTheSubscriptionIsRenewed) {
  to_stateless t;
  t.begin();
  t.body(
      t.listening.call,
      "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{}}\n\n"
      "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{}}\n\n");
  EXPECT_NE(t.told_one().find("list_changed"), std::string::npos);
  t.end(t.listening.call);
  t.pass(milliseconds(2'000));
  EXPECT_NE(t.next().body->find("subscriptions/listen"), std::string::npos);
}

TEST(ToStateless, ACancelledCallIsClosed) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e"}})");
  auto call = t.next().call;
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})");
  EXPECT_TRUE(t.was_aborted(call));
  EXPECT_TRUE(t.sent_nothing());
  EXPECT_TRUE(t.told_nothing());
}

TEST(ToStateless, WhatTheServerWantsToKnowTheClientIsAsked) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e","arguments":{"a":1}}})");
  auto sent = t.next();
  t.json(
      sent.call,
      answer_to(
          sent,
          R"({"resultType":"input_required","inputRequests":{"k1":{"method":"elicitation/create","params":{"message":"?"}},"k2":{"method":"roots/list"}},"requestState":"s\u00e9"})"));
  auto questions = t.told();
  ASSERT_EQ(questions.size(), 2U);
  auto first = read_line(questions[0]), second = read_line(questions[1]);
  EXPECT_EQ(first.at("method").as_string(), "elicitation/create");
  EXPECT_EQ(first.at("params").at("message").as_string(), "?");
  t.pass(milliseconds(3'600'000));  // a person may think
  while (!t.sent_nothing()) t.next();
  t.line(make_result(json::serialize(second.at("id")), R"({"roots":[]})"));
  EXPECT_TRUE(t.sent_nothing());
  t.line(make_result(json::serialize(first.at("id")), R"({"action":"accept","content":{"x":1}})"));
  auto again = t.next();
  auto body = read_line(*again.body);
  EXPECT_NE(id_of(again), id_of(sent));
  EXPECT_EQ(body.at("params").at("requestState").as_string(), "s\xC3\xA9");
  EXPECT_EQ(body.at("params").at("inputResponses").at("k1").at("content").at("x").to_number<int>(), 1);
  EXPECT_TRUE(body.at("params").at("inputResponses").at("k2").as_object().contains("roots"));
  EXPECT_EQ(body.at("params").at("arguments").at("a").to_number<int>(), 1);
  t.json(again.call, answer_to(again, R"({"resultType":"complete","content":[]})"));
  auto line = read_line(t.told_one());
  EXPECT_EQ(line.at("id").to_number<int>(), 1);
}

TEST(ToStateless, ACallThatIsCancelledWhileItsClientIsAskedIsOver) {
  to_stateless t;
  t.begin();
  for (auto id : {"1", "2"}) {
    t.line(R"({"jsonrpc":"2.0","id":)" + text(id) + R"(,"method":"tools/call","params":{"name":"e"}})");
    auto sent = t.next();
    t.json(
        sent.call,
        answer_to(sent, R"({"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}}})"));
  }
  auto questions = t.told();
  ASSERT_EQ(questions.size(), 2U);
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})");
  t.line(make_result(json::serialize(read_line(questions[0]).at("id")), "{}"));
  EXPECT_TRUE(t.sent_nothing());
  t.line(make_result(json::serialize(read_line(questions[1]).at("id")), "{}"));
  EXPECT_FALSE(t.sent_nothing());
}

TEST(ToStateless, ACallWhoseClientWasAskedAndEndsIsAnswered) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e"}})");
  auto sent = t.next();
  t.json(sent.call,
         answer_to(sent, R"({"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}}})"));
  t.told();
  t.client_ends();
  EXPECT_NE(t.told_one().find("MOP-BRI-008"), std::string::npos);
  EXPECT_TRUE((*t).finished());
}

TEST(ToStateless, AStateWithoutQuestionsIsSentAgainAtOnceButNotForEver) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e"}})");
  for (int i = 0; i < 11; ++i) {
    auto sent = t.next();
    t.json(sent.call, answer_to(sent, R"({"resultType":"input_required","requestState":"x"})"));
  }
  EXPECT_NE(t.told_one().find("MOP-BRI-009"), std::string::npos);
  EXPECT_TRUE(t.sent_nothing());
}

TEST(ToStateless, AClientThatCannotSayEndsTheCall) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e"}})");
  auto sent = t.next();
  t.json(sent.call,
         answer_to(sent, R"({"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}}})"));
  auto question = read_line(t.told_one());
  t.line(R"({"jsonrpc":"2.0","id":)" + json::serialize(question.at("id")) +
         R"(,"error":{"code":-32601,"message":"no roots"}})");
  EXPECT_NE(message_in(t.told_one()).find("no roots"), std::string::npos);
}

TEST(ToStateless, ArgumentsAreMirroredAndToolsThatCannotBeAreLeftOut) {
  to_stateless t;
  t.begin();
  t.line(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  auto sent = t.next();
  t.json(
      sent.call,
      answer_to(
          sent,
          R"({"resultType":"complete","tools":[{"name":"good","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}},{"name":"bad","inputSchema":{"type":"object","properties":{"n":{"type":"number","x-mcp-header":"N"}}}}]})"));
  auto list = t.told_one();
  EXPECT_NE(list.find("good"), std::string::npos);
  EXPECT_EQ(list.find("\"bad\""), std::string::npos);
  EXPECT_NE(t.logged().find("bad"), std::string::npos);
  t.line(
      R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"good","arguments":{"region":"us"}}})");
  EXPECT_NE(t.next().fields.find("Mcp-Param-Region: us\r\n"), std::string::npos);
}

TEST(ToStateless, AMismatchOfHeadersIsLearnedFrom) {
  to_stateless t;
  t.begin();
  t.line(
      R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"good","arguments":{"region":"us"}}})");
  auto sent = t.next();
  auto mismatch =
      R"({"jsonrpc":"2.0","id":2,"error":{"code":-32020,"message":"Mcp-Param-Region is missing"}})";
  t.answer(sent.call, 400, "application/json", mismatch);
  auto list = t.next();
  EXPECT_NE(list.fields.find("Mcp-Method: tools/list"), std::string::npos);
  t.json(
      list.call,
      answer_to(
          list,
          R"({"tools":[{"name":"good","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}]})"));
  auto again = t.next();
  EXPECT_NE(again.fields.find("Mcp-Param-Region: us\r\n"), std::string::npos);
  t.answer(again.call, 400, "application/json", mismatch);
  EXPECT_EQ(code_in(t.told_one()), -32020);
}

TEST(ToStateless, ASecondInitializeIsAnsweredFromWhatIsKnown) {
  to_stateless t;
  t.begin();
  t.line(text(initialize_text));
  EXPECT_NE(t.told_one().find("2025-06-18"), std::string::npos);
  EXPECT_TRUE(t.sent_nothing());
}

// A client without sessions, before a server that has them.
struct to_sessions : talk {
  explicit to_sessions(conversation_options options = talk::options({})) : talk(std::move(options)) {}
  void begin() {
    line(modern("1", "server/discover"));
    auto first = next();
    EXPECT_NE(first.fields.find("Mcp-Method: server/discover"), std::string::npos);
    answer(
        first.call, 400, "application/json",
        R"({"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: Server not initialized"}})");
    auto opening = next();
    auto body = read_line(*opening.body);
    EXPECT_EQ(body.at("method").as_string(), "initialize");
    EXPECT_EQ(body.at("params").at("clientInfo").at("name").as_string(), "m");
    EXPECT_TRUE(body.at("params").at("capabilities").as_object().contains("elicitation"));
    json(
        opening.call,
        answer_to(
            opening,
            R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"old","version":"1"}})"),
        "s1");
    auto initialized = next();
    head(initialized.call, 202);
    stream = next().call;
    events(stream);
    auto answered = read_line(told_one());
    EXPECT_EQ(answered.at("id").to_number<int>(), 1);
    EXPECT_EQ(answered.at("result").at("supportedVersions").as_array().at(0).as_string(), "2026-07-28");
    EXPECT_EQ(
        answered.at("result").at("_meta").at("io.modelcontextprotocol/serverInfo").at("name").as_string(),
        "old");
  }
  std::uint64_t stream = 0;
};

TEST(ToSessions, RequestsAndResultsAreTranslated) {
  to_sessions t;
  t.begin();
  t.line(modern("2", "tools/list"));
  auto sent = t.next();
  EXPECT_EQ(sent.body->find("io.modelcontextprotocol"), std::string::npos);
  EXPECT_NE(sent.fields.find("Mcp-Session-Id: s1"), std::string::npos);
  EXPECT_EQ(sent.fields.find("Mcp-Method"), std::string::npos);
  t.json(sent.call, R"({"jsonrpc":"2.0","id":2,"result":{"tools":[]}})");
  auto result = read_line(t.told_one()).at("result").as_object();
  EXPECT_EQ(result.at("resultType").as_string(), "complete");
  EXPECT_EQ(result.at("ttlMs").to_number<int>(), 0);
}

TEST(ToSessions, AQuestionOfTheServerBecomesInputThatIsRequired) {
  to_sessions t;
  t.begin();
  t.line(modern("2", "tools/call", R"("name":"e","arguments":{})"));
  auto call = t.next().call;
  t.events(call);
  t.body(
      call,
      "data: "
      "{\"jsonrpc\":\"2.0\",\"id\":91,\"method\":\"elicitation/create\",\"params\":{\"message\":\"?\"}}\n\n"
      "data: {\"jsonrpc\":\"2.0\",\"id\":92,\"method\":\"sampling/createMessage\",\"params\":{}}\n\n");
  auto asked = read_line(t.told_one());
  EXPECT_EQ(asked.at("id").to_number<int>(), 2);
  auto& result = asked.at("result").as_object();
  EXPECT_EQ(result.at("resultType").as_string(), "input_required");
  EXPECT_EQ(result.at("inputRequests").at("1").at("method").as_string(), "elicitation/create");
  auto state = json::serialize(result.at("requestState"));
  t.line(modern(
      "3", "tools/call",
      R"("name":"e","arguments":{},"inputResponses":{"1":{"action":"accept"}},"requestState":)" + state));
  auto response = read_line(*t.next().body);
  EXPECT_EQ(response.at("id").to_number<int>(), 91);
  EXPECT_EQ(response.at("result").at("action").as_string(), "accept");
  auto second = read_line(t.told_one());
  EXPECT_EQ(second.at("id").to_number<int>(), 3);
  state = json::serialize(second.at("result").at("requestState"));
  t.line(modern("4", "tools/call",
                R"("name":"e","arguments":{},"inputResponses":{"1":{"role":"x"}},"requestState":)" + state));
  EXPECT_EQ(read_line(*t.next().body).at("id").to_number<int>(), 92);
  EXPECT_TRUE(t.told_nothing());
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n\n");
  auto last = read_line(t.told_one());
  EXPECT_EQ(last.at("id").to_number<int>(), 4);
  EXPECT_EQ(last.at("result").at("resultType").as_string(), "complete");
}

TEST(ToSessions, APersonMayThinkForAsLongAsItTakes) {
  to_sessions t;
  t.begin();
  t.line(modern("2", "tools/call", R"("name":"e")"));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":91,\"method\":\"elicitation/create\",\"params\":{}}\n\n");
  auto state = json::serialize(read_line(t.told_one()).at("result").at("requestState"));
  t.body(call, ": still here\n\n");
  t.pass(milliseconds(3'600'000));
  EXPECT_TRUE(t.sent_nothing());
  t.line(modern("3", "tools/call", R"("name":"e","inputResponses":{"1":{}},"requestState":)" + state));
  EXPECT_EQ(read_line(*t.next().body).at("id").to_number<int>(), 91);
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n\n");
  EXPECT_EQ(read_line(t.told_one()).at("id").to_number<int>(), 3);
}

TEST(ToSessions, ConsentToACallThatHasEndedDoesNotMakeItAgain) {
  to_sessions t;
  t.begin();
  t.line(modern("2", "tools/call", R"("name":"pay")"));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":91,\"method\":\"elicitation/create\",\"params\":{}}\n\n");
  auto state = json::serialize(read_line(t.told_one()).at("result").at("requestState"));
  t.end(call);
  for (const auto& late : {state, text(R"("mcp-oauth-proxy-of-another-process-1")")}) {
    t.line(modern("3", "tools/call", R"("name":"pay","inputResponses":{"1":{}},"requestState":)" + late));
    auto line = t.told_one();
    EXPECT_EQ(code_in(line), -32600) << line;
    EXPECT_NE(message_in(line).find("has ended"), std::string::npos) << line;
    EXPECT_TRUE(t.sent_nothing());
  }
}

TEST(ToSessions, StatesOfTwoProcessesAreNeverTheSame) {
  std::vector<std::string> states;
  for (auto instance : {"a", "b"}) {
    auto options = talk::options({});
    options.instance = instance;
    to_sessions t(std::move(options));
    t.begin();
    t.line(modern("2", "tools/call", R"("name":"e")"));
    auto call = t.next().call;
    t.events(call);
    t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":91,\"method\":\"elicitation/create\",\"params\":{}}\n\n");
    states.push_back(json::serialize(read_line(t.told_one()).at("result").at("requestState")));
  }
  EXPECT_NE(states[0], states[1]);
}

TEST(ToSessions, CallsThatWaitForAPersonAreBounded) {
  to_sessions t;
  t.begin();
  std::vector<std::uint64_t> calls;
  for (int i = 100; i < 165; ++i) {
    t.line(modern(std::to_string(i), "tools/call", R"("name":"e")"));
    calls.push_back(t.next().call);
    t.events(calls.back());
    t.body(calls.back(),
           "data: {\"jsonrpc\":\"2.0\",\"id\":91,\"method\":\"elicitation/create\",\"params\":{}}\n\n");
    EXPECT_EQ(t.told().size(), 1U) << i;
  }
  EXPECT_EQ(t.aborted(), std::vector<std::uint64_t>{calls.front()});
}

TEST(ToSessions, AnAnswerThatComesBeforeTheInputIsKept) {
  to_sessions t;
  t.begin();
  t.line(modern("2", "tools/call", R"("name":"e")"));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":91,\"method\":\"elicitation/create\",\"params\":{}}\n\n");
  auto state = json::serialize(read_line(t.told_one()).at("result").at("requestState"));
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n\n");
  EXPECT_TRUE(t.told_nothing());
  t.line(modern("3", "tools/call", R"("name":"e","inputResponses":{"1":{}},"requestState":)" + state));
  auto last = read_line(t.told_one());
  EXPECT_EQ(last.at("id").to_number<int>(), 3);
  EXPECT_TRUE(last.at("result").as_object().contains("content"));
}

TEST(ToSessions, OneOfSeveralCallsThatWaitForInputIsOverWithoutTheOther) {
  to_sessions t;
  t.begin();
  std::vector<std::uint64_t> calls;
  std::vector<std::string> states;
  for (auto id : {"2", "3"}) {
    t.line(modern(id, "tools/call", R"("name":"e")"));
    calls.push_back(t.next().call);
    t.events(calls.back());
    t.body(calls.back(), "data: {\"jsonrpc\":\"2.0\",\"id\":9" + text(id) +
                             ",\"method\":\"elicitation/create\",\"params\":{}}\n\n");
    states.push_back(json::serialize(read_line(t.told_one()).at("result").at("requestState")));
  }
  t.line(modern("4", "tools/call", R"("name":"e","inputResponses":{"1":{}},"requestState":)" + states[0]));
  EXPECT_EQ(read_line(*t.next().body).at("id").to_number<int>(), 92);
  t.body(calls[0], "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n");
  EXPECT_EQ(read_line(t.told_one()).at("id").to_number<int>(), 4);
  t.line(modern("5", "tools/call", R"("name":"e","inputResponses":{"1":{}},"requestState":)" + states[1]));
  EXPECT_EQ(read_line(*t.next().body).at("id").to_number<int>(), 93);
}

TEST(ToSessions, ARetryWithoutTheInputIsAskedAgain) {
  to_sessions t;
  t.begin();
  t.line(modern("2", "tools/call", R"("name":"e")"));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "data: {\"jsonrpc\":\"2.0\",\"id\":91,\"method\":\"elicitation/create\",\"params\":{}}\n\n");
  auto state = json::serialize(read_line(t.told_one()).at("result").at("requestState"));
  t.line(modern("3", "tools/call", R"("name":"e","requestState":)" + state));
  EXPECT_NE(t.told_one().find("input_required"), std::string::npos);
  EXPECT_TRUE(t.sent_nothing());
}

TEST(ToSessions, APingOfTheServerIsAnsweredHere) {
  to_sessions t;
  t.begin();
  t.body(t.stream, "data: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n\n");
  EXPECT_EQ(*t.next().body, R"({"jsonrpc":"2.0","id":5,"result":{}})");
  t.body(t.stream, "data: {\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"roots/list\"}\n\n");
  EXPECT_NE(t.next().body->find("-32601"), std::string::npos);
  EXPECT_TRUE(t.told_nothing());
}

TEST(ToSessions, AFloodOfPingsIsAnsweredAFewAtATimeAndNotReadOn) {
  to_sessions t;
  t.begin();
  t.line(modern("2", "tools/call", R"("name":"e")"));
  auto call = t.next().call;
  t.events(call);
  std::string flood;
  for (int i = 0; i < 1'000; ++i)
    flood += "data: {\"jsonrpc\":\"2.0\",\"id\":\"p" + std::to_string(i) + "\",\"method\":\"ping\"}\n\n";
  t.body(call, flood);
  EXPECT_FALSE((*t).may_read(call));
  EXPECT_TRUE((*t).may_read(t.stream)) << "another one does not wait for it";
  std::deque<bridge_action> open;
  std::size_t answered = 0, most = 0;
  for (;;) {
    while (!t.sent_nothing()) open.push_back(t.next());
    most = std::max(most, open.size());
    if (open.empty()) break;
    EXPECT_NE(open.front().body->find("\"p" + std::to_string(answered) + '"'), std::string::npos);
    ++answered;
    // Also one that comes to nothing makes room.
    if (answered % 2 == 0) {
      t.head(open.front().call, 202);
    } else {
      t.broken(open.front().call, errc::upstream_closed);
    }
    open.pop_front();
  }
  EXPECT_EQ(answered, 1'000U);
  EXPECT_EQ(most, 32U);
  EXPECT_TRUE((*t).may_read(call));
  EXPECT_EQ(t.resumed, std::vector<std::uint64_t>{call});
  // Of a stream that is gone nobody waits for answers.
  t.body(call, flood);
  t.broken(call, errc::upstream_closed);
  t.told();
  answered = 0;
  while (!t.sent_nothing()) {
    t.head(t.next().call, 202);
    ++answered;
  }
  EXPECT_EQ(answered, 32U);
}

TEST(ToSessions, ASubscriptionHearsWhatItAskedFor) {
  to_sessions t;
  t.begin();
  t.line(modern("\"sub\"", "subscriptions/listen",
                R"("notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]})"));
  auto subscribed = t.next();
  EXPECT_NE(subscribed.body->find("resources/subscribe"), std::string::npos);
  t.json(subscribed.call, answer_to(subscribed, "{}"));
  auto acknowledged = read_line(t.told_one());
  EXPECT_EQ(acknowledged.at("method").as_string(), "notifications/subscriptions/acknowledged");
  EXPECT_EQ(acknowledged.at("params").at("_meta").at("io.modelcontextprotocol/subscriptionId").as_string(),
            "sub");
  t.body(t.stream,
         "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"
         "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\"}\n\n"
         "data: "
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"file:///"
         "a\"}}\n\n"
         "data: "
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"file:///"
         "b\"}}\n\n");
  auto lines = t.told();
  ASSERT_EQ(lines.size(), 2U);
  for (const auto& line : lines)
    EXPECT_NE(line.find(R"("io.modelcontextprotocol/subscriptionId":"sub")"), std::string::npos);
  t.pass(milliseconds(3'600'000));
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sub"}})");
  EXPECT_TRUE(t.told_nothing());
  EXPECT_EQ((*t).waiting(), 0U);
}

TEST(ToSessions, AServerThatKnowsNoSuchMethodIsOneWithSessions) {
  talk t;
  t.line(modern("1", "server/discover"));
  t.json(t.next().call, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}})");
  EXPECT_NE(t.next().body->find("\"initialize\""), std::string::npos);
  EXPECT_TRUE(t.told_nothing());
}

TEST(ToStateless, AServerThatKnowsNoInitializeIsOneWithoutSessions) {
  talk t;
  t.line(text(initialize_text));
  t.json(t.next().call, R"({"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"Method not found"}})");
  EXPECT_TRUE(t.told_nothing());
  auto probe = t.next();
  t.json(probe.call, answer_to(probe, discovered));
  EXPECT_NE(t.told_one().find("2025-06-18"), std::string::npos);
}

TEST(ToStateless, AServerThatAnswersInitializeWithARevisionWithoutItIsAskedInThatRevision) {
  for (bool known : {true, false}) {
    talk t;
    t.line(text(initialize_text));
    std::string answer =
        R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2026-07-28","capabilities":{},"serverInfo":{"name":"s","version":"1"}}})";
    t.json(t.next().call, answer);
    EXPECT_TRUE(t.told_nothing());
    auto probe = t.next();
    EXPECT_NE(probe.body->find("server/discover"), std::string::npos);
    if (known) {
      t.json(probe.call, answer_to(probe, discovered));
      EXPECT_NE(t.told_one().find("2025-06-18"), std::string::npos);
    } else {
      t.answer(probe.call, 404, "text/plain", "no");
      EXPECT_EQ(t.told_one(), answer);
    }
  }
}

TEST(Stateless, BothSidesOfOneKindPassUntouched) {
  talk t;
  auto first = modern("1", "server/discover");
  t.line(first);
  t.line(modern("2", "tools/list"));
  auto sent = t.next();
  EXPECT_EQ(*sent.body, first);
  EXPECT_TRUE(t.sent_nothing());
  auto answer = make_result("1", discovered);
  t.json(sent.call, answer);
  EXPECT_EQ(t.told_one(), answer);
  EXPECT_NE(t.next().fields.find("Mcp-Method: tools/list"), std::string::npos);
  // Its own words where it does not know the revision: the client picks another one.
  talk other;
  other.line(first);
  other.answer(
      other.next().call, 400, "application/json",
      R"({"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"no","data":{"supported":["2027-01-01"]}}})");
  EXPECT_EQ(code_in(other.told_one()), -32022);
  EXPECT_TRUE(other.sent_nothing());
}

TEST(Stateless, ACancelledRequestClosesItsStream) {
  talk t;
  t.line(modern("1", "tools/list"));
  auto sent = t.next();
  t.json(sent.call, make_result("1", R"({"tools":[]})"));
  t.line(modern("2", "subscriptions/listen", R"("notifications":{})"));
  auto listening = t.next().call;
  t.events(listening);
  t.pass(milliseconds(3'600'000));
  EXPECT_FALSE(t.was_aborted(listening));
  t.line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}})");
  EXPECT_TRUE(t.was_aborted(listening));
}

TEST(Stateless, NothingIsResumed) {
  talk t;
  t.line(modern("1", "tools/list"));
  t.json(t.next().call, make_result("1", R"({"tools":[]})"));
  t.line(modern("2", "tools/call", R"("name":"e")"));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "id: 1\ndata:\n\n");
  t.end(call);
  t.told();
  t.pass(milliseconds(10'000));
  EXPECT_TRUE(t.sent_nothing());
  EXPECT_EQ((*t).waiting(), 0U);
}

}  // namespace
}  // namespace mcp_oauth
