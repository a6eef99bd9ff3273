#include "gateway/loopback.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(OriginAsReached, KnowsTheNamesOfThisMachine) {
  EXPECT_EQ(origin_as_reached("http://127.0.0.1:8080", "localhost:8080"), "http://localhost:8080");
  EXPECT_EQ(origin_as_reached("http://localhost:8080", "127.0.0.1:8080"), "http://127.0.0.1:8080");
  EXPECT_EQ(origin_as_reached("http://localhost:8080", "[::1]:8080"), "http://[::1]:8080");
  EXPECT_EQ(origin_as_reached("https://localhost", "127.0.0.1"), "https://127.0.0.1");
}

TEST(OriginAsReached, BelievesNoOther) {
  for (const char* host : {"", "evil.example:8080", "localhost:8081", "localhost", "localhost.evil:8080",
                           "evil@localhost:8080", "localhost:8080/x", "localhost:8080?x", "localhost:8080#x",
                           "127.0.0.1.evil:8080", "192.168.0.1:8080", "0.0.0.0:8080"}) {
    EXPECT_EQ(origin_as_reached("http://127.0.0.1:8080", host), "http://127.0.0.1:8080") << host;
  }
  EXPECT_EQ(origin_as_reached("https://mcp.example.com", "localhost"), "https://mcp.example.com");
}

}  // namespace
}  // namespace mcp_oauth
