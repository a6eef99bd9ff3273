#include "mcp/envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using kind = enum envelope::kind;

result<envelope> scan(std::string_view body, std::size_t piece_size = 0) {
  envelope_scanner scanner;
  for (std::size_t at = 0; at < body.size();) {
    auto piece = body.substr(at, piece_size == 0 ? body.size() : piece_size);
    at += piece.size();
    if (auto fed = scanner.feed(piece); !fed) return tl::unexpected<error>(fed.error());
  }
  if (auto done = scanner.finish(); !done) return tl::unexpected<error>(done.error());
  return scanner.seen();
}

// Length of the shortest prefix after which the message counts as decided; 0 when none does.
std::size_t decided_after(std::string_view body) {
  envelope_scanner scanner;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (!scanner.feed(body.substr(i, 1))) return 0;
    if (scanner.decided()) return i + 1;
  }
  return 0;
}

TEST(Envelope, TellsWhatAMessageIs) {
  struct row {
    std::string_view body;
    kind what;
    std::string_view method, id, name;
  };
  for (
      const auto& r : {
          row{R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", kind::request, "tools/list", "1", ""},
          row{R"({"method":"ping","id":"a\u0062","jsonrpc":"2.0"})", kind::request, "ping", R"("a\u0062")",
              ""},
          row{R"({"jsonrpc":"2.0","method":"notifications/initialized"})", kind::notification,
              "notifications/initialized", "", ""},
          row{R"({"jsonrpc":"2.0","id":7,"result":{"method":"x"}})", kind::response, "", "7", ""},
          row{R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}})", kind::response, "", "", ""},
          row{R"({"jsonrpc":"2.0","error":{"code":1,"message":"m"}})", kind::response, "", "", ""},
          row{R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"name":"other"}}})",
              kind::request, "tools/call", "1", "echo"},
          row{R"({"params":{"uri":"file:///x","name":"other"},"method":"resources/read","id":2,"jsonrpc":"2.0"})",
              kind::request, "resources/read", "2", "file:///x"},
          row{R"({"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"uri":"u","name":"n"}})",
              kind::request, "prompts/get", "1", "n"},
          row{R"({"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"u"}})",
              kind::request, "resources/subscribe", "1", "u"},
          row{R"({"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"u"}})",
              kind::request, "resources/unsubscribe", "1", "u"},
          row{R"({"jsonrpc":"2.0","id":1,"m\u0065thod":"tools/\u0063all","par\u0061ms":{"n\u0061me":"d\u0065lete"}})",
              kind::request, "tools/call", "1", "delete"},
          row{R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":null})", kind::request, "tools/list",
              "1", ""},
          row{R"({"jsonrpc":"2.0","id":1,"method":"x/y","params":{"name":{"a":1}}})", kind::request, "x/y",
              "1", ""},
      }) {
    for (std::size_t size = 0; size < 8; ++size) {
      auto e = scan(r.body, size);
      ASSERT_TRUE(e) << r.body << ": " << e.error().detail;
      EXPECT_EQ(e->kind, r.what) << r.body;
      EXPECT_EQ(e->method, r.method) << r.body;
      EXPECT_EQ(e->id, r.id) << r.body;
      EXPECT_EQ(e->name, r.name) << r.body;
      EXPECT_EQ(e->has_name, !r.name.empty()) << r.body;
      EXPECT_TRUE(e->complete);
    }
  }
}

TEST(Envelope, RefusesWhatTwoReadersCouldReadDifferently) {
  for (
      std::string_view body : {
          // a member twice
          R"({"jsonrpc":"2.0","method":"a","method":"b"})",
          R"({"jsonrpc":"2.0","method":"a","m\u0065thod":"b"})",
          R"({"jsonrpc":"2.0","jsonrpc":"2.0","method":"a"})",
          R"({"jsonrpc":"2.0","id":1,"id":1,"method":"a"})",
          R"({"jsonrpc":"2.0","method":"a","params":{},"params":{}})",
          R"({"jsonrpc":"2.0","method":"a","x":1,"x":1})",
          R"({"jsonrpc":"2.0","method":"a","x":1,"\u0078":1})",
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}})",
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}})",
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{},"arguments":{}}})",
          R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":1,"name":2}})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{},"_meta":{}}})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"k":1,"k":2}}})",
          R"({"jsonrpc":"2.0","id":1,"result":1,"result":2})",
          // another case
          R"({"jsonrpc":"2.0","method":"a","Method":"b"})",
          R"({"jsonrpc":"2.0","METHOD":"b"})",
          R"({"jsonrpc":"2.0","method":"a","ID":1})",
          R"({"jsonrpc":"2.0","method":"a","Params":{}})",
          R"({"JsonRpc":"2.0","jsonrpc":"2.0","method":"a"})",
          R"({"jsonrpc":"2.0","method":"a","M\u0065thod":"b"})",
          R"({"jsonrpc":"2.0","method":"a","param\u017f":{}})",
          "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"j\xC5\xBFonrpc\":\"2.0\"}",
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}})",
          R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","URI":"b"}})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"_META":{}}})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"io.modelcontextprotocol/protocolversion":"1"}}})",
          // two meanings
          R"({"jsonrpc":"2.0","id":1,"method":"a","result":{}})",
          R"({"jsonrpc":"2.0","id":1,"result":{},"method":"a"})",
          R"({"jsonrpc":"2.0","id":1,"error":{},"method":"a"})",
          R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})",
          R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})",
      }) {
    for (std::size_t size = 0; size < 4; ++size) {
      auto e = scan(body, size);
      ASSERT_FALSE(e) << body;
      EXPECT_EQ(e.error().code, errc::body_malformed);
    }
  }
}

TEST(Envelope, TellsWhatIsNotEvenJson) {
  for (std::string_view body : {
           R"()",
           R"( )",
           R"({"jsonrpc":"2.0","method":"a"}x)",
           R"({"jsonrpc":"2.0","method":"a","params":{"deep":[)",
           R"({"jsonrpc":"2.0","method":"a","params":{"bad":[1,]}})",
           R"([{"jsonrpc":"2.0","method":"a"})",
           R"({"jsonrpc":"2.0","method":"a"}{"jsonrpc":"2.0","method":"a"})",
           R"({"jsonrpc":"2.0","method":"a",})",
       }) {
    for (std::size_t size = 0; size < 4; ++size) {
      auto e = scan(body, size);
      ASSERT_FALSE(e) << body;
      EXPECT_EQ(e.error().code, errc::body_not_json) << body;
    }
  }
}

TEST(Envelope, RefusesWhatIsNoMessage) {
  for (
      std::string_view body : {
          R"(1 )",
          R"("tools/call")",
          R"(null)",
          R"({})",
          R"({"jsonrpc":"2.0"})",
          R"({"jsonrpc":"2.0","id":1})",
          R"({"method":"a","id":1})",
          R"({"jsonrpc":"1.0","method":"a"})",
          R"({"jsonrpc":2.0,"method":"a"})",
          R"({"jsonrpc":"2.0","method":1})",
          R"({"jsonrpc":"2.0","method":null})",
          R"({"jsonrpc":"2.0","method":""})",
          R"({"jsonrpc":"2.0","method":["tools/call"]})",
          R"({"jsonrpc":"2.0","id":null,"method":"a"})",
          R"({"jsonrpc":"2.0","id":true,"method":"a"})",
          R"({"jsonrpc":"2.0","id":{},"method":"a"})",
          R"({"jsonrpc":"2.0","id":[1],"method":"a"})",
          R"({"jsonrpc":"2.0","id":null,"result":{}})",
          R"({"jsonrpc":"2.0","result":{}})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":[1]})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":"x"})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":7}})",
          R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}})",
          R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":20250618}})",
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}})",
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{"x":"y"}}})",
          R"({"params":{"name":["a"]},"jsonrpc":"2.0","id":1,"method":"tools/call"})",
          R"([])",
          R"([1])",
          R"([[]])",
          R"([{"jsonrpc":"2.0","method":"a"},[]])",
          R"([{"jsonrpc":"2.0","method":"a"},{}])",
      }) {
    for (std::size_t size = 0; size < 4; ++size) {
      auto e = scan(body, size);
      ASSERT_FALSE(e) << body;
      EXPECT_EQ(e.error().code, errc::body_malformed) << body;
    }
  }
}

TEST(Envelope, BoundsEveryText) {
  auto message = [](std::size_t method, std::size_t id) {
    return R"({"jsonrpc":"2.0","id":")" + std::string(id, 'i') + R"(","method":")" +
           std::string(method, 'm') + R"("})";
  };
  EXPECT_TRUE(scan(message(256, 254)));
  EXPECT_FALSE(scan(message(257, 1)));
  EXPECT_FALSE(scan(message(1, 255)));  // the quotes count

  auto call = [](std::string_view method, std::string_view member, std::size_t size) {
    return R"({"jsonrpc":"2.0","id":1,"params":{")" + std::string(member) + R"(":")" +
           std::string(size, 'n') + R"("},"method":")" + std::string(method) + R"("})";
  };
  EXPECT_TRUE(scan(call("tools/call", "name", 8192)));
  EXPECT_FALSE(scan(call("tools/call", "name", 8193)));
  EXPECT_FALSE(scan(call("resources/read", "uri", 8193)));
  EXPECT_TRUE(scan(call("x/other", "name", 8193)));
  EXPECT_FALSE(scan(call("initialize", "protocolVersion", 65)));
  EXPECT_TRUE(scan(call("x/other", "protocolVersion", 65)));
  EXPECT_TRUE(scan(call("x", std::string(1024, 'k'), 1)));
  EXPECT_FALSE(scan(call("x", std::string(1025, 'k'), 1)));

  auto crowd = [](int count) {
    std::string body = R"({"jsonrpc":"2.0","method":"a")";
    for (int i = 0; i < count; ++i) body += ",\"x" + std::to_string(i) + "\":1";
    return body + "}";
  };
  EXPECT_TRUE(scan(crowd(256)));
  EXPECT_FALSE(scan(crowd(257)));
}

TEST(Envelope, LetsMembersRepeatWhereNoDecisionLooks) {
  EXPECT_TRUE(scan(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2,"Name":"b"}}})"));
}

TEST(Envelope, ReadsTheRevisionWhereEachGenerationPutsIt) {
  auto old = scan(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}})");
  ASSERT_TRUE(old);
  EXPECT_EQ(old->protocol_version, "2025-06-18");
  EXPECT_FALSE(old->version_in_meta);

  auto stateless = scan(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"x":{},"io.modelcontextprotocol\/protocolVersion":"2026-07-28"}}})");
  ASSERT_TRUE(stateless);
  EXPECT_EQ(stateless->protocol_version, "2026-07-28");
  EXPECT_TRUE(stateless->version_in_meta);

  auto unrelated = scan(R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"protocolVersion":"2025-06-18"}})");
  ASSERT_TRUE(unrelated);
  EXPECT_EQ(unrelated->protocol_version, "");

  auto early = scan(
      R"({"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}},"method":"a","jsonrpc":"2.0","id":1})");
  ASSERT_TRUE(early);
  EXPECT_EQ(early->protocol_version, "2026-07-28");
}

TEST(Envelope, IsDecidedAsSoonAsTheNameIsKnownAndNotBefore) {
  std::string_view call =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"a":1},"name":"echo","x":1}})";
  EXPECT_EQ(decided_after(call), call.find("echo") + 5);
  std::string_view list = R"({"jsonrpc":"2.0","method":"tools/list","params":{"a":1},"id":1})";
  EXPECT_EQ(decided_after(list), list.find("tools/list") + 11);
  std::string_view late = R"({"params":{"name":"echo"},"id":1,"method":"tools/call","jsonrpc":"2.0"})";
  EXPECT_EQ(decided_after(late), late.find("tools/call") + 11);
  std::string_view answer = R"({"jsonrpc":"2.0","id":1,"result":{"a":1}})";
  EXPECT_EQ(decided_after(answer), answer.find("result") + 7);
}

TEST(Envelope, IsDecidedOnlyAtTheEndWhenTheNameIsMissing) {
  std::string_view body = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}})";
  EXPECT_EQ(decided_after(body), 0U);
  envelope_scanner scanner;
  ASSERT_TRUE(scanner.feed(body));
  ASSERT_TRUE(scanner.finish());
  EXPECT_TRUE(scanner.decided());
  EXPECT_FALSE(scanner.seen().has_name);
}

TEST(Envelope, FailsBeforeTheEndWhenALaterMemberContradictsADecision) {
  for (std::string_view rest : {R"(,"method":"tools/call"})", R"(,"Method":"tools/call"})", R"(,"result":1})",
                                R"(,"x":[1,]})", "}]"}) {
    envelope_scanner scanner;
    ASSERT_TRUE(scanner.feed(R"({"jsonrpc":"2.0","id":1,"method":"tools/list")"));
    ASSERT_TRUE(scanner.decided());
    EXPECT_FALSE(scanner.feed(rest)) << rest;
    EXPECT_FALSE(scanner.decided());
    EXPECT_FALSE(scanner.feed(" "));
    EXPECT_FALSE(scanner.finish());
  }
}

TEST(Envelope, ReadsEveryMessageOfABatchAndDecidesAtItsEnd) {
  std::string_view body =
      R"([{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}},
          {"jsonrpc":"2.0","method":"notifications/x","params":{"name":"b"}},
          {"params":{"uri":"u"},"jsonrpc":"2.0","id":"2","method":"resources/read"},
          {"jsonrpc":"2.0","id":3,"result":{}}])";
  for (std::size_t size = 0; size < 5; ++size) {
    auto e = scan(body, size);
    ASSERT_TRUE(e) << e.error().detail;
    EXPECT_EQ(e->kind, kind::batch);
    EXPECT_EQ(e->method, "");
    ASSERT_EQ(e->items.size(), 4U);
    EXPECT_EQ(e->items[0].name, "a");
    EXPECT_EQ(e->items[0].kind, kind::request);
    EXPECT_EQ(e->items[1].kind, kind::notification);
    EXPECT_FALSE(e->items[1].has_name);
    EXPECT_EQ(e->items[2].name, "u");
    EXPECT_EQ(e->items[2].id, R"("2")");
    EXPECT_EQ(e->items[3].kind, kind::response);
    EXPECT_TRUE(e->items[3].complete);
  }
  EXPECT_EQ(decided_after(body), 0U);
}

TEST(Envelope, TakesNoMoreThan64MessagesInABatch) {
  auto batch = [](int count) {
    std::string body = "[";
    for (int i = 0; i < count; ++i)
      body += (i > 0 ? "," : "") + std::string(R"({"jsonrpc":"2.0","method":"a"})");
    return body + "]";
  };
  EXPECT_TRUE(scan(batch(64)));
  EXPECT_FALSE(scan(batch(65)));
}

TEST(Envelope, KnowsTheTraceOfAMessageAndRefusesNoneForIt) {
  auto of = [](const std::string& meta) {
    auto e = scan(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"traceparent":"no","_meta":)" + meta +
                  "}}");
    return e ? e->traceparent : "refused";
  };
  EXPECT_EQ(of(R"({"a":1,"traceparent":"00-a-b-01","tracestate":"x=1"})"), "00-a-b-01");
  EXPECT_EQ(of(R"({"trace\u0070arent":"t"})"), "t");
  for (const char* none : {R"({"Traceparent":"t"})", R"({"traceparent":7})", R"({"traceparent":["t"]})",
                           R"({"traceparent":{"traceparent":"t"}})", R"({"x":{"traceparent":"t"}})", "{}"})
    EXPECT_EQ(of(none), "") << none;
  EXPECT_EQ(of(R"({"traceparent":")" + std::string(257, 't') + "\"}"), "");
  EXPECT_EQ(of(R"({"traceparent":"a","traceparent":"b"})"), "refused");
}

TEST(Envelope, TellsTheLogWhereAndNotWhat) {
  auto e = scan(R"({"jsonrpc":"2.0","method":"s3cret","method":"x"})");
  ASSERT_FALSE(e);
  EXPECT_THAT(e.error().detail, testing::HasSubstr("at byte 43"));
  EXPECT_THAT(e.error().detail, testing::Not(testing::HasSubstr("s3cret")));
}

}  // namespace
}  // namespace mcp_oauth
