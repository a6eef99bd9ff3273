// A call that is cancelled while it waits for a token or a connection.

#include "bridge/talk.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view call_text =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}})";
constexpr std::string_view cancel_text =
    R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})";

TEST(Cancel, ACallThatWasNotSentYetIsDroppedAtOnceAndTheServerHearsNothing) {
  talk t;
  t.open();
  t.sends_at_once = false;
  t.line(std::string(call_text));
  auto call = t.next().call;
  t.line(std::string(cancel_text));
  EXPECT_TRUE(t.was_aborted(call));
  EXPECT_FALSE(t.sending(call));
  t.pass(milliseconds(10'000));
  EXPECT_TRUE(t.sent_nothing());
  EXPECT_TRUE(t.told_nothing());
}

TEST(Cancel, ACallThatIsUnderWayIsToldToTheServerAndDoesNotGoOnceMore) {
  talk t;
  t.open();
  t.sends_at_once = false;
  t.line(std::string(call_text));
  auto call = t.next().call;
  t.pass(milliseconds(700));
  EXPECT_TRUE(t.sending(call));
  EXPECT_TRUE(t.sending(call)) << "a kept connection had ended";
  t.line(std::string(cancel_text));
  EXPECT_FALSE(t.sending(call)) << "it would come behind its cancellation";
  EXPECT_TRUE(t.sent_nothing()) << "the head start counts from when it went";
  t.pass(milliseconds(100));
  auto told = t.next();
  ASSERT_TRUE(told.body);
  EXPECT_NE(told.body->find("notifications/cancelled"), std::string::npos);
}

TEST(Cancel, ACallWhoseTokenWasRefusedWasNotMade) {
  talk t;
  t.open();
  t.line(std::string(call_text));
  auto call = t.next().call;
  t.head(call, 401);
  ASSERT_EQ(t.renewals().size(), 1U);
  t.line(std::string(cancel_text));
  t.renewed(call, {});
  t.pass(milliseconds(10'000));
  EXPECT_TRUE(t.sent_nothing());
  EXPECT_TRUE(t.told_nothing());
}

TEST(Cancel, ACallWhoseStreamIsBeingResumedIsToldToTheServer) {
  talk t;
  t.open();
  t.line(std::string(call_text));
  auto call = t.next().call;
  t.events(call);
  t.body(call, "id: 1\ndata: \n\n");
  t.end(call);
  t.line(std::string(cancel_text));
  t.pass(milliseconds(200));
  auto told = t.next();
  ASSERT_TRUE(told.body);
  EXPECT_NE(told.body->find("notifications/cancelled"), std::string::npos);
}

TEST(Cancel, ACallThatWaitedTooLongForATokenIsNoneThatTheServerHearsOf) {
  bridge_upstream_settings upstream;
  upstream.timeout = milliseconds(5'000);
  talk t(std::move(upstream));
  t.open();
  t.sends_at_once = false;
  t.line(std::string(call_text));
  auto call = t.next().call;
  t.pass(milliseconds(5'000));
  EXPECT_NE(t.told_one().find("MOP-"), std::string::npos);
  EXPECT_TRUE(t.was_aborted(call));
  EXPECT_TRUE(t.sent_nothing());
}

TEST(Cancel, TheTimeOfACallCountsFromWhenItGoes) {
  bridge_upstream_settings upstream;
  upstream.timeout = milliseconds(5'000);
  talk t(std::move(upstream));
  t.open();
  t.sends_at_once = false;
  t.line(std::string(call_text));
  auto call = t.next().call;
  t.pass(milliseconds(4'000));
  EXPECT_TRUE(t.sending(call));
  t.pass(milliseconds(4'000));
  EXPECT_TRUE(t.told_nothing());
  t.json(call, R"({"jsonrpc":"2.0","id":7,"result":{}})");
  EXPECT_EQ(t.told().size(), 1U);
}

}  // namespace
}  // namespace mcp_oauth
