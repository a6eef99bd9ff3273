// Streams that carry more than one answer, and that outlive a session.

#include "bridge/talk.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view list_text = R"({"jsonrpc":"2.0","id":5,"method":"tools/list"})";

std::string initialized_by(std::string_view id) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) +
         R"(,"result":{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},)"
         R"("serverInfo":{"name":"s","version":"1"}}})";
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
