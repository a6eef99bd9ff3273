#include "demo/server.h"

#include "base/json.h"
#include "mcp/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const time_point start = from_unix(1'800'000'000);

random_fn counting() {
  return [n = 0](std::size_t size) mutable {
    std::string bytes(size, '\0');
    bytes[0] = static_cast<char>(++n);
    return bytes;
  };
}

struct server_under_test : testing::Test {
  demo_server server{counting()};
  time_point now = start;

  demo_server::answer send(std::string method, std::string path, std::string body, http_fields fields) {
    http_request r;
    r.method = std::move(method);
    auto question = path.find('?');
    r.path = path.substr(0, question);
    if (question != std::string::npos) r.query = path.substr(question + 1);
    r.body = std::move(body);
    r.fields = std::move(fields);
    return server.handle(r, now);
  }
  demo_server::answer post(std::string body, http_fields fields = {}) {
    fields.add("Content-Type", "application/json");
    fields.add("Accept", "application/json, text/event-stream");
    return send("POST", "/mcp", std::move(body), std::move(fields));
  }
  // A request of 2026-07-28.
  demo_server::answer modern(const std::string& method, std::string params = "", http_fields fields = {}) {
    fields.add("MCP-Protocol-Version", "2026-07-28");
    fields.add("Mcp-Method", method);
    if (!params.empty()) params = "," + params;
    return post(R"({"jsonrpc":"2.0","id":1,"method":")" + method +
                    R"(","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                    R"("io.modelcontextprotocol/clientCapabilities":{},"progressToken":"t"})" +
                    params + "}}",
                std::move(fields));
  }
  std::string open_session(const std::string& version) {
    auto a = post(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" + version +
                  R"(","capabilities":{},"clientInfo":{"name":"c","version":"1"}}})");
    EXPECT_EQ(a.response.status, 200);
    EXPECT_THAT(a.response.body, HasSubstr("\"protocolVersion\":\"" + version + "\""));
    return std::string(a.response.fields.first("Mcp-Session-Id"));
  }
};

using DemoServer = server_under_test;

struct heard {
  std::vector<std::string> messages;
  milliseconds waited{0};
  bool ended = false, aborted = false;
};

// Runs a stream for at most that long.
heard listen(demo_stream& stream, milliseconds most = std::chrono::hours(2)) {
  heard h;
  sse_parser parser;
  while (!h.ended && h.waited <= most) {
    auto item = stream.next();
    h.waited += item.wait;
    auto events = parser.feed(item.bytes);
    EXPECT_TRUE(events);
    for (auto& e : *events) h.messages.push_back(e.data);
    h.ended = item.last;
    h.aborted = item.abort;
  }
  return h;
}

std::string call(const std::string& tool, const std::string& arguments, const std::string& meta = "{}") {
  return R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":")" + tool + R"(","arguments":)" +
         arguments + R"(,"_meta":)" + meta + "}}";
}

TEST_F(DemoServer, HoldsAConversationWithASession) {
  for (std::string version : {"2025-03-26", "2025-06-18", "2025-11-25"}) {
    auto id = open_session(version);
    ASSERT_NE(id, "");
    http_fields session{{"Mcp-Session-Id", id}, {"MCP-Protocol-Version", version}};
    auto ready = post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", session);
    EXPECT_EQ(ready.response.status, 202);
    EXPECT_EQ(ready.response.body, "");

    auto list = post(R"({"jsonrpc":"2.0","id":"a","method":"tools/list"})", session);
    EXPECT_EQ(list.response.status, 200);
    EXPECT_THAT(list.response.body, HasSubstr(R"("id":"a")"));
    for (auto tool : {"echo", "whoami", "progress", "slow", "fail", "big", "announce"}) {
      EXPECT_THAT(list.response.body, HasSubstr("\"name\":\"" + std::string(tool) + "\""));
    }
    EXPECT_THAT(list.response.body, Not(HasSubstr("resultType")));
    EXPECT_EQ(list.response.body.find("\"title\"") != std::string::npos, version != "2025-03-26");

    auto echo = post(call("echo", R"({"text":"hi"})"), session);
    EXPECT_EQ(echo.response.body,
              R"({"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"hi"}]}})");
    EXPECT_EQ(post(R"({"jsonrpc":"2.0","id":2,"method":"ping"})", session).response.body,
              R"({"jsonrpc":"2.0","id":2,"result":{}})");
    auto unknown = post(R"({"jsonrpc":"2.0","id":3,"method":"server/discover"})", session);
    EXPECT_EQ(unknown.response.status, 200);
    EXPECT_THAT(unknown.response.body, HasSubstr("-32601"));

    EXPECT_EQ(send("DELETE", "/mcp", "", session).response.status, 204);
    auto gone = post(R"({"jsonrpc":"2.0","id":2,"method":"ping"})", session);
    EXPECT_EQ(gone.response.status, 404);
    EXPECT_THAT(gone.response.body, HasSubstr("-32001"));
  }
}

TEST_F(DemoServer, OffersItsNewestRevisionWithSessionsToAClientItDoesNotUnderstand) {
  for (auto offer : {"2026-07-28", "2031-01-01", ""}) {
    auto a = post(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" +
                  std::string(offer) + R"("}})");
    EXPECT_THAT(a.response.body, HasSubstr(R"("protocolVersion":"2025-11-25")")) << offer;
  }
}

TEST_F(DemoServer, AsksForTheSessionOnEveryRequest) {
  std::string ping = R"({"jsonrpc":"2.0","id":2,"method":"ping"})";
  EXPECT_EQ(post(ping).response.status, 400);
  EXPECT_EQ(post(ping, {{"Mcp-Session-Id", "unknown"}}).response.status, 404);
  EXPECT_EQ(send("GET", "/mcp", "", {{"Accept", "text/event-stream"}}).response.status, 400);
  EXPECT_EQ(
      send("GET", "/mcp", "", {{"Accept", "text/event-stream"}, {"Mcp-Session-Id", "x"}}).response.status,
      404);
  EXPECT_EQ(send("GET", "/mcp", "", {{"Accept", "application/json"}}).response.status, 406);
  EXPECT_EQ(send("DELETE", "/mcp", "", {}).response.status, 400);
  EXPECT_EQ(send("DELETE", "/mcp", "", {{"Mcp-Session-Id", "x"}}).response.status, 404);
}

TEST_F(DemoServer, ForgetsASessionThatWasSilentForAnHour) {
  auto old = open_session("2025-06-18");
  now += std::chrono::hours(1) + seconds(1);
  open_session("2025-06-18");
  EXPECT_EQ(post(R"({"jsonrpc":"2.0","id":2,"method":"ping"})", {{"Mcp-Session-Id", old}}).response.status,
            404);
}

TEST_F(DemoServer, RefusesAProtocolVersionThatIsNone) {
  auto id = open_session("2025-06-18");
  auto a = post(R"({"jsonrpc":"2.0","id":2,"method":"ping"})",
                {{"Mcp-Session-Id", id}, {"MCP-Protocol-Version", "1999-01-01"}});
  EXPECT_EQ(a.response.status, 400);
  EXPECT_THAT(a.response.body, HasSubstr("-32022"));
}

TEST_F(DemoServer, TakesBatchesUnderTheOneRevisionThatHasThem) {
  std::string batch =
      R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},)" +
      call("echo", R"({"text":"b"})") + "]";
  auto a = post(batch, {{"Mcp-Session-Id", open_session("2025-03-26")}});
  EXPECT_EQ(a.response.status, 200);
  EXPECT_EQ(
      a.response.body,
      R"([{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"b"}]}}])");
  auto quiet = post(R"([{"jsonrpc":"2.0","method":"notifications/x"}])",
                    {{"Mcp-Session-Id", open_session("2025-03-26")}});
  EXPECT_EQ(quiet.response.status, 202);
  auto streamed =
      post("[" + call("slow", R"({"seconds":1})") + R"(,{"jsonrpc":"2.0","id":1,"method":"ping"}])",
           {{"Mcp-Session-Id", open_session("2025-03-26")}});
  ASSERT_TRUE(streamed.stream);
  EXPECT_EQ(listen(*streamed.stream).messages.size(), 2U);
  for (std::string version : {"2025-06-18", "2025-11-25"}) {
    EXPECT_EQ(post(batch, {{"Mcp-Session-Id", open_session(version)}}).response.status, 400) << version;
  }
}

TEST_F(DemoServer, AnswersStatelessRequests) {
  auto discovered = modern("server/discover");
  EXPECT_EQ(discovered.response.status, 200);
  for (auto part : {R"("supportedVersions":["2026-07-28"])", R"("resultType":"complete")", R"("ttlMs":)",
                    R"("cacheScope":"public")", R"("io.modelcontextprotocol/serverInfo")"}) {
    EXPECT_THAT(discovered.response.body, HasSubstr(part));
  }
  for (auto method : {"tools/list", "prompts/list", "resources/list", "resources/templates/list"}) {
    auto a = modern(method);
    EXPECT_EQ(a.response.status, 200) << method;
    EXPECT_THAT(a.response.body, HasSubstr("ttlMs")) << method;
  }
  auto echo = modern("tools/call", R"("name":"echo","arguments":{"text":"hi"})", {{"Mcp-Name", "echo"}});
  EXPECT_EQ(echo.response.status, 200);
  EXPECT_THAT(echo.response.body, HasSubstr(R"("text":"hi")"));
  EXPECT_THAT(echo.response.body, HasSubstr(R"("resultType":"complete")"));
  EXPECT_EQ(echo.response.fields.count("Mcp-Session-Id"), 0U);
  auto read = modern("resources/read", R"("uri":"demo://readme")", {{"Mcp-Name", "demo://readme"}});
  EXPECT_THAT(read.response.body, HasSubstr("ttlMs"));
  auto prompt =
      modern("prompts/get", R"("name":"greeting","arguments":{"name":"Ada"})", {{"Mcp-Name", "greeting"}});
  EXPECT_THAT(prompt.response.body, HasSubstr("greet Ada"));
}

TEST_F(DemoServer, HasNoPlaceForWhatTheStatelessRevisionRemoved) {
  for (auto method : {"initialize", "ping", "logging/setLevel", "resources/subscribe", "made/up"}) {
    auto a = modern(method);
    EXPECT_EQ(a.response.status, 404) << method;
    EXPECT_THAT(a.response.body, HasSubstr("-32601")) << method;
  }
  for (auto method : {"GET", "DELETE", "PUT"}) {
    auto a =
        send(method, "/mcp", "", {{"MCP-Protocol-Version", "2026-07-28"}, {"Accept", "text/event-stream"}});
    EXPECT_EQ(a.response.status, 405) << method;
  }
}

TEST_F(DemoServer, RefusesStatelessRequestsThatAreIncompleteOrContradictory) {
  std::string meta = R"("io.modelcontextprotocol/protocolVersion":"2026-07-28")";
  auto body = [](const std::string& m) {
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{)" + m + "}}}";
  };
  struct row {
    std::string body;
    http_fields fields;
    std::string code;
  };
  const http_fields good{{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "tools/list"}};
  for (const auto& r : {
           row{body(""), good, "-32602"},
           row{R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", good, "-32602"},
           row{body(meta), good, "-32602"},
           row{body(meta), {{"MCP-Protocol-Version", "2026-07-28"}}, "-32020"},
           row{body(meta), {{"Mcp-Method", "tools/list"}}, "-32020"},
           row{body(meta), {{"MCP-Protocol-Version", "2025-11-25"}, {"Mcp-Method", "tools/list"}}, "-32020"},
           row{body(meta), {{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "tools/call"}}, "-32020"},
           row{body(R"("io.modelcontextprotocol/protocolVersion":"2027-01-01")"),
               {{"MCP-Protocol-Version", "2027-01-01"}, {"Mcp-Method", "tools/list"}},
               "-32022"},
           row{"[" + body(meta) + "]", good, "-32600"},
           row{R"({"jsonrpc":"2.0","id":1,"result":{}})", good, "-32600"},
           row{"{", good, "-32700"},
       }) {
    auto a = post(r.body, r.fields);
    EXPECT_EQ(a.response.status, 400) << r.body;
    EXPECT_THAT(a.response.body, HasSubstr(r.code)) << r.body;
  }
}

TEST_F(DemoServer, KeepsAListeningClientConnected) {
  auto a = modern("subscriptions/listen", R"("notifications":{})");
  ASSERT_TRUE(a.stream);
  auto h = listen(*a.stream, std::chrono::minutes(10));
  EXPECT_FALSE(h.ended);
  ASSERT_EQ(h.messages.size(), 1U);
  EXPECT_THAT(h.messages[0], HasSubstr("notifications/subscriptions/acknowledged"));
  EXPECT_THAT(h.messages[0], HasSubstr(R"("io.modelcontextprotocol/subscriptionId":1)"));
}

TEST_F(DemoServer, SpeaksTheTwoEndpointsOfTheFirstRevision) {
  auto opened = send("GET", "/sse", "", {{"Accept", "text/event-stream"}});
  ASSERT_TRUE(opened.stream);
  EXPECT_EQ(opened.response.fields.first("Content-Type"), "text/event-stream");
  auto first = opened.stream->next();
  ASSERT_TRUE(first.bytes.starts_with("event: endpoint\ndata: /messages?sessionId="));
  auto path = first.bytes.substr(22, first.bytes.size() - 24);

  auto tell = [&](const std::string& body) {
    return send("POST", path, body, {{"Content-Type", "application/json"}}).response.status;
  };
  EXPECT_EQ(
      tell(
          R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{}}})"),
      202);
  EXPECT_EQ(tell(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"), 202);
  auto hello = listen(*opened.stream, milliseconds(100));
  ASSERT_EQ(hello.messages.size(), 1U);
  EXPECT_THAT(hello.messages[0], HasSubstr(R"("protocolVersion":"2024-11-05")"));

  // Two at once: the quick one does not wait for the slow one.
  EXPECT_EQ(tell(call("progress", R"({"steps":2,"interval_ms":300})", R"({"progressToken":1})")), 202);
  EXPECT_EQ(tell(R"({"jsonrpc":"2.0","id":9,"method":"ping"})"), 202);
  auto h = listen(*opened.stream, milliseconds(1000));
  ASSERT_EQ(h.messages.size(), 4U);
  EXPECT_THAT(h.messages[0], HasSubstr(R"("id":9)"));
  EXPECT_THAT(h.messages[1], HasSubstr(R"("progress":1)"));
  EXPECT_THAT(h.messages[2], HasSubstr(R"("progress":2)"));
  EXPECT_THAT(h.messages[3], HasSubstr(R"("id":5)"));
  EXPECT_FALSE(h.ended);

  EXPECT_EQ(tell("{"), 400);
  opened.stream.reset();
  EXPECT_EQ(tell(R"({"jsonrpc":"2.0","id":9,"method":"ping"})"), 404);
  path = "/messages";
  EXPECT_EQ(tell(R"({"jsonrpc":"2.0","id":9,"method":"ping"})"), 400);
}

TEST_F(DemoServer, ReportsProgressWhileItWorks) {
  http_fields session{{"Mcp-Session-Id", open_session("2025-11-25")}};
  auto a = post(call("progress", R"({"steps":3,"interval_ms":250})", R"({"progressToken":"t"})"), session);
  ASSERT_TRUE(a.stream);
  EXPECT_EQ(a.response.fields.first("Content-Type"), "text/event-stream");
  auto h = listen(*a.stream);
  EXPECT_TRUE(h.ended);
  EXPECT_EQ(h.waited, milliseconds(750));
  ASSERT_EQ(h.messages.size(), 4U);
  EXPECT_EQ(
      h.messages[1],
      R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":2,"total":3,"message":"step 2"}})");
  EXPECT_THAT(h.messages[3], HasSubstr("done after 3 steps"));

  auto silent = post(call("progress", R"({"steps":3,"interval_ms":250})"), session);
  ASSERT_TRUE(silent.stream);
  auto s = listen(*silent.stream);
  EXPECT_EQ(s.messages.size(), 1U);
  EXPECT_EQ(s.waited, milliseconds(750));
}

TEST_F(DemoServer, AnswersAClientThatTakesNoEventsWithTheResponseAlone) {
  http_fields fields{{"Mcp-Session-Id", open_session("2025-06-18")},
                     {"Content-Type", "application/json"},
                     {"Accept", "application/json"}};
  auto a = send("POST", "/mcp", call("progress", R"({"steps":2,"interval_ms":50})", R"({"progressToken":1})"),
                fields);
  ASSERT_TRUE(a.stream);
  EXPECT_EQ(a.response.fields.first("Content-Type"), "application/json");
  std::string body;
  for (;;) {
    auto item = a.stream->next();
    body += item.bytes;
    if (item.last) break;
  }
  EXPECT_EQ(body,
            R"({"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"done after 2 steps"}]}})");
}

TEST_F(DemoServer, TakesItsTimeAndCountsWhoDoesNotWait) {
  http_fields session{{"Mcp-Session-Id", open_session("2025-11-25")}};
  auto waited = post(call("slow", R"({"seconds":1.5})"), session);
  auto h = listen(*waited.stream);
  EXPECT_EQ(h.waited, milliseconds(1500));
  EXPECT_EQ(h.messages.size(), 1U);
  waited.stream.reset();
  EXPECT_EQ(server.counters().abandoned, 0U);

  auto left = post(call("slow", R"({"seconds":60})"), session);
  left.stream->next();
  left.stream.reset();
  EXPECT_EQ(server.counters().abandoned, 1U);
  EXPECT_THAT(send("GET", "/health", "", {}).response.body, HasSubstr(R"("abandoned":1)"));
}

TEST_F(DemoServer, StopsWorkingWhenTheRequestIsCancelled) {
  http_fields session{{"Mcp-Session-Id", open_session("2025-11-25")}};
  auto a = post(call("slow", R"({"seconds":60})"), session);
  a.stream->next();
  post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}})", session);
  EXPECT_FALSE(a.stream->next().last);
  post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}})", session);
  auto h = listen(*a.stream);
  EXPECT_TRUE(h.ended);
  EXPECT_EQ(h.waited, milliseconds(0));
  EXPECT_TRUE(h.messages.empty());
  EXPECT_EQ(server.counters().cancelled, 1U);
}

TEST_F(DemoServer, FailsInEveryWayItIsTold) {
  http_fields session{{"Mcp-Session-Id", open_session("2025-11-25")}};
  auto fails = [&](const std::string& kind) {
    return post(call("fail", R"({"kind":")" + kind + R"("})"), session);
  };
  EXPECT_THAT(fails("tool_error").response.body, HasSubstr(R"("isError":true)"));
  EXPECT_THAT(fails("jsonrpc_error").response.body, HasSubstr("-32603"));
  EXPECT_EQ(fails("http_500").response.status, 500);
  EXPECT_EQ(fails("html").response.fields.first("Content-Type"), "text/html");
  auto closed = fails("close");
  ASSERT_TRUE(closed.stream);
  auto h = listen(*closed.stream);
  EXPECT_TRUE(h.aborted);
  EXPECT_TRUE(h.messages.empty());
  EXPECT_THAT(fails("nicely").response.body, HasSubstr("-32602"));
}

TEST_F(DemoServer, ShowsTheIdentityItWasGivenAndNeverACredential) {
  http_fields fields{{"Mcp-Session-Id", open_session("2025-11-25")},
                     {"X-User-Id", "u1"},
                     {"x-user-email", "a@b"},
                     {"X-Other", "no"}};
  auto without = post(call("whoami", "{}"), fields);
  EXPECT_THAT(
      without.response.body,
      HasSubstr(
          R"({\"identity\":{\"x-user-id\":\"u1\",\"x-user-email\":\"a@b\"},\"authorization_received\":false})"));
  fields.add("Authorization", "Bearer s3cret");
  auto with = post(call("whoami", "{}"), fields);
  EXPECT_THAT(with.response.body, HasSubstr(R"(\"authorization_received\":true)"));
  EXPECT_THAT(with.response.body, Not(HasSubstr("s3cret")));
}

TEST_F(DemoServer, RefusesWrongArguments) {
  http_fields session{{"Mcp-Session-Id", open_session("2025-11-25")}};
  for (const auto& body :
       {call("echo", "{}"), call("echo", R"({"text":1})"), call("echo", "7"), call("nothing", "{}"),
        call("slow", R"({"seconds":"1"})"), call("big", R"({"bytes":[]})"),
        call("progress", R"({"steps":"x"})"), call("announce", "{}"),
        std::string(R"({"jsonrpc":"2.0","id":5,"method":"prompts/get","params":{"name":"greeting"}})"),
        std::string(R"({"jsonrpc":"2.0","id":5,"method":"tools/call"})")}) {
    auto a = post(body, session);
    EXPECT_EQ(a.response.status, 200) << body;
    EXPECT_THAT(a.response.body, HasSubstr("-32602")) << body;
  }
  auto missing =
      post(R"({"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"demo://no"}})", session);
  EXPECT_THAT(missing.response.body, HasSubstr("-32002"));
}

TEST_F(DemoServer, ReturnsAsMuchAsItIsAskedFor) {
  auto a = post(call("big", R"({"bytes":100000})"), {{"Mcp-Session-Id", open_session("2025-11-25")}});
  EXPECT_THAT(a.response.body, HasSubstr(std::string(100'000, 'x')));
  EXPECT_LT(a.response.body.size(), 100'200U);
}

TEST_F(DemoServer, AnnouncesOnTheStreamOfTheSession) {
  http_fields session{{"Mcp-Session-Id", open_session("2025-11-25")}, {"Accept", "text/event-stream"}};
  auto stream = send("GET", "/mcp", "", session);
  ASSERT_TRUE(stream.stream);
  EXPECT_EQ(stream.stream->next().bytes, sse_keep_alive);
  EXPECT_EQ(stream.stream->next().bytes, "");
  EXPECT_THAT(post(call("announce", R"({"text":"news"})"), session).response.body, HasSubstr("announced"));
  auto h = listen(*stream.stream, milliseconds(50));
  ASSERT_EQ(h.messages.size(), 1U);
  EXPECT_THAT(h.messages[0], HasSubstr(R"("data":"news")"));

  auto second = send("GET", "/mcp", "", session);
  EXPECT_TRUE(stream.stream->next().last);
  second.stream->next();
  EXPECT_FALSE(second.stream->next().last);
  send("DELETE", "/mcp", "", session);
  EXPECT_TRUE(second.stream->next().last);

  auto modern_call =
      modern("tools/call", R"("name":"announce","arguments":{"text":"news"})", {{"Mcp-Name", "announce"}});
  EXPECT_FALSE(modern_call.stream);
  EXPECT_THAT(modern_call.response.body, HasSubstr("announced"));
}

TEST_F(DemoServer, KnowsItsPathsAndMethods) {
  EXPECT_EQ(send("GET", "/health", "", {}).response.status, 200);
  EXPECT_EQ(send("GET", "/", "", {{"Accept", "text/event-stream"}}).response.status, 400);
  EXPECT_EQ(send("GET", "/nowhere", "", {}).response.status, 404);
  EXPECT_EQ(send("PUT", "/mcp", "", {}).response.status, 405);
  EXPECT_EQ(send("POST", "/sse", "", {}).response.status, 405);
  EXPECT_EQ(send("GET", "/messages", "", {}).response.status, 405);
  EXPECT_EQ(send("POST", "/mcp", "{}", {{"Content-Type", "text/plain"}}).response.status, 415);
  EXPECT_EQ(send("POST", "/mcp", "{}", {{"Content-Type", "Application/JSON; charset=utf-8"}}).response.status,
            400);
}

TEST(DemoSessions, MakesRoomByForgettingTheOneSilentLongest) {
  demo_sessions sessions(counting(), 2);
  auto a = sessions.create(revision::v2025_06_18, start);
  auto b = sessions.create(revision::v2025_06_18, start + seconds(1));
  EXPECT_TRUE(sessions.find(a->id(), start + seconds(2)));
  auto c = sessions.create(revision::v2025_06_18, start + seconds(3));
  EXPECT_TRUE(sessions.find(a->id(), start));
  EXPECT_FALSE(sessions.find(b->id(), start));
  EXPECT_TRUE(b->closed());
  EXPECT_TRUE(sessions.find(c->id(), start));
}

}  // namespace
}  // namespace mcp_oauth
