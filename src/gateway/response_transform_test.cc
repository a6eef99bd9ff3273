#include "gateway/response_transform.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(ResponseTransform, ChangesNothingUnlessAsked) {
  response_transform t{{}};
  EXPECT_TRUE(t.empty());
  EXPECT_EQ(t.name_for("X-Any"), "X-Any");
  EXPECT_EQ(t.added(), "");
}

TEST(ResponseTransform, RemovesByNameAndWildcardInAnyCase) {
  response_transform t{{.remove = {"X-Internal-*", "server-timing"}, .rename = {}, .add = {}}};
  EXPECT_FALSE(t.empty());
  for (auto name : {"X-Internal-Host", "x-INTERNAL-", "Server-Timing", "SERVER-TIMING"})
    EXPECT_EQ(t.name_for(name), "") << name;
  for (auto name : {"X-Internal", "Server", "X-External-Host"}) EXPECT_EQ(t.name_for(name), name);
}

TEST(ResponseTransform, RenamesAfterItHasRemoved) {
  response_transform t{
      {.remove = {"X-Gone"}, .rename = {{"X-Old", "X-New"}, {"x-gone", "X-Back"}}, .add = {}}};
  EXPECT_EQ(t.name_for("x-old"), "X-New");
  EXPECT_EQ(t.name_for("X-New"), "X-New");
  EXPECT_EQ(t.name_for("X-Gone"), "");
}

TEST(ResponseTransform, AddsInPlaceOfWhatTheServerSays) {
  response_transform t{{.remove = {},
                        .rename = {{"X-Old", "X-Served-By"}},
                        .add = {{"X-Served-By", "gateway"}, {"X-B", "2"}}}};
  EXPECT_EQ(t.added(), "X-Served-By: gateway\r\nX-B: 2\r\n");
  EXPECT_EQ(t.name_for("x-served-by"), "");
  EXPECT_EQ(t.name_for("X-Old"), "") << "renamed to one that is added";
  EXPECT_EQ(t.name_for("X-C"), "X-C");
}

TEST(ResponseTransform, NeverTouchesWhatFramesOrDescribesTheAnswer) {
  // As if the configuration had not been checked.
  response_transform t{{.remove = {"*"},
                        .rename = {{"content-type", "X-Type"}, {"mcp-session-id", "X-Id"}},
                        .add = {{"Vary", "x"}}}};
  for (auto name : {"Content-Type", "content-length", "Transfer-Encoding", "Content-Encoding", "Date", "Vary",
                    "Mcp-Session-Id", "Mcp-Protocol-Version", "Access-Control-Allow-Origin",
                    "WWW-Authenticate", "X-Accel-Buffering"})
    EXPECT_EQ(t.name_for(name), name);
  EXPECT_EQ(t.name_for("X-Other"), "");
}

}  // namespace
}  // namespace mcp_oauth
