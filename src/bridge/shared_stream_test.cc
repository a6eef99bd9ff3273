// Streams that carry more than one answer, and that outlive a session.

#include "bridge/talk.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view meta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":)"
    R"({"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}})";
constexpr std::string_view call_text =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}})";
constexpr std::string_view list_text = R"({"jsonrpc":"2.0","id":5,"method":"tools/list"})";

// In pieces, as they come from a socket.
void send_event(talk& t, std::uint64_t stream, std::string_view message) {
  auto data = "data: " + std::string(message) + "\n\n";
  for (std::size_t at = 0; at < data.size(); at += 16'384) t.body(stream, data.substr(at, 16'384));
}

std::string initialized_by(std::string_view id) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) +
         R"(,"result":{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},)"
         R"("serverInfo":{"name":"s","version":"1"}}})";
}

// HTTP with SSE, where every answer comes on one stream.
struct events_alone : talk {
  std::uint64_t stream = 0;
  explicit events_alone(std::vector<std::string> ignored_tools = {}) : talk(upstream(ignored_tools)) {}
  static bridge_upstream_settings upstream(std::vector<std::string> ignored_tools) {
    bridge_upstream_settings made;
    made.transport = bridge_transport::sse_only;
    made.ignored_tools = std::move(ignored_tools);
    return made;
  }
  void open_stream() {
    stream = next().call;
    events(stream);
    body(stream, "event: endpoint\ndata: /messages\n\n");
    auto sent = next();
    head(sent.call, 202);
    send_event(*this, stream, initialized_by(json::serialize(read_line(*sent.body).at("id"))));
  }
  void begin() {
    line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05"}})");
    open_stream();
    line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    head(next().call, 202);
    told();
  }
};

std::string tools(std::string_view name, std::size_t size) {
  return R"([{"name":")" + std::string(name) + R"(","description":")" + std::string(size, 'x') +
         R"(","inputSchema":{"type":"object"}}])";
}

TEST(SharedStream, ALargeListOfToolsIsFilteredAsASmallOneIs) {
  for (std::size_t size : {10U, 300U * 1024}) {
    auto result = R"("result":{"tools":)" + tools("danger", size) + "}";
    for (const auto& answer :
         {R"({"jsonrpc":"2.0","id":5,)" + result + "}", R"({"jsonrpc":"2.0",)" + result + R"(,"id":5})",
          R"([{"jsonrpc":"2.0","id":5,)" + result + "}]"}) {
      events_alone t({"danger"});
      t.begin();
      t.line(std::string(list_text));
      t.head(t.next().call, 202);
      send_event(t, t.stream, answer);
      auto line = t.told_one();
      EXPECT_EQ(line.find("danger"), std::string::npos) << size << ' ' << answer.substr(0, 40);
      EXPECT_EQ(read_line(line).at("id").to_number<int>(), 5);
      EXPECT_EQ((*t).waiting(), 0U);
    }
  }
}

TEST(SharedStream, ALargeListOnTheStreamOfAnotherCallIsFilteredToo) {
  bridge_upstream_settings upstream;
  upstream.ignored_tools = {"danger"};
  talk t(std::move(upstream));
  t.open();
  t.line(std::string(list_text));
  t.next();
  t.line(std::string(call_text));
  auto call = t.next().call;
  t.events(call);
  send_event(t, call, R"({"jsonrpc":"2.0","id":5,"result":{"tools":)" + tools("danger", 300U * 1024) + "}}");
  EXPECT_EQ(t.told_one().find("danger"), std::string::npos);
  EXPECT_EQ((*t).waiting(), 1U);
}

TEST(SharedStream, WhatIsOnlyPassedOnStillGoesOutInParts) {
  events_alone t({"danger"});
  t.begin();
  t.line(std::string(call_text));
  t.head(t.next().call, 202);
  t.body(t.stream, R"(data: {"jsonrpc":"2.0","id":7,"result":{"x":")" + std::string(300U * 1024, 'x'));
  EXPECT_GT(t.told_so_far(), 0U);
  t.body(t.stream, "\"}}\n\n");
  EXPECT_EQ(read_line(t.told_one()).at("id").to_number<int>(), 7);
}

TEST(SharedStream, ALargeAnswerToACallThatWasParkedGetsItsOwnIdAndItsType) {
  for (std::size_t size : {100U, 300U * 1024}) {
    events_alone t;
    t.line(R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"x","arguments":{},)" +
           std::string(meta) + "}}");
    t.open_stream();
    t.head(t.next().call, 202);  // initialized
    t.head(t.next().call, 202);  // the call
    send_event(t, t.stream,
               R"({"jsonrpc":"2.0","id":77,"method":"elicitation/create","params":{"message":"sure?"}})");
    auto asked = read_line(t.told_one());
    auto state = std::string(asked.at("result").as_object().at("requestState").as_string());
    t.line(
        R"({"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"x","arguments":{},"requestState":")" +
        state + R"(","inputResponses":{"1":{"action":"accept"}},)" + std::string(meta) + "}}");
    t.head(t.next().call, 202);
    send_event(t, t.stream,
               R"({"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":")" +
                   std::string(size, 'y') + "\"}]}}");
    auto answer = read_line(t.told_one());
    EXPECT_EQ(answer.at("id").to_number<int>(), 9) << size;
    EXPECT_TRUE(answer.at("result").as_object().contains("resultType")) << size;
    EXPECT_EQ((*t).waiting(), 0U) << size;
  }
}

TEST(SharedStream, OfANewSessionKnowsNoEventOfTheOldOne) {
  talk t;
  auto stream = t.open("s1");
  t.body(stream, "id: 57\nretry: 40000\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n\n");
  t.told();
  t.line(std::string(list_text));
  t.answer(t.next().call, 404, "text/plain", "no such session");
  auto again = t.next();
  auto id = json::serialize(read_line(*again.body).at("id"));
  t.json(again.call, initialized_by(id), "s2");
  t.head(t.next().call, 202);
  auto fresh = t.next();
  ASSERT_EQ(fresh.method, bridge_action::method::get);
  EXPECT_NE(fresh.fields.find("Mcp-Session-Id: s2\r\n"), std::string::npos) << fresh.fields;
  EXPECT_EQ(fresh.fields.find("Last-Event-ID"), std::string::npos) << fresh.fields;
  t.next();  // the list
  t.head(fresh.call, 503, "text/plain");
  t.pass(milliseconds(5'000));
  EXPECT_FALSE(t.sent_nothing()) << "nor how long the old one wanted to be left alone";
}

}  // namespace
}  // namespace mcp_oauth
