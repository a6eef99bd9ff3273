#include "net/listen.h"

#include <gtest/gtest.h>

namespace mcp_oauth::net {
namespace {

// /etc/hosts of Debian says 127.0.0.1 and ::1 of localhost, and ::1 comes first.
TEST(Listen, OnTheIpv4AddressOfANameThatHasBoth) {
  addrinfo v4{}, v6{}, another_v6{};
  v4.ai_family = AF_INET;
  v6.ai_family = another_v6.ai_family = AF_INET6;
  v6.ai_next = &v4;
  EXPECT_EQ(address_to_listen_on(&v6), &v4);
  v6.ai_next = &another_v6;
  EXPECT_EQ(address_to_listen_on(&v6), &v6);
  EXPECT_EQ(address_to_listen_on(&v4), &v4);
}

TEST(Listen, SaysWhereItDoes) {
  std::uint16_t port = 0;
  auto open = open_listeners("localhost", port, 1, milliseconds(0));
  ASSERT_TRUE(open) << open.error().detail;
  EXPECT_EQ(open->address(), "127.0.0.1:" + std::to_string(port));
}

}  // namespace
}  // namespace mcp_oauth::net
