#include "gateway/metrics_access.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr const char* token = "a-token-of-22-characters";

const field from_client[] = {{"X-Forwarded-For", "203.0.113.7"}};
const field from_office[] = {{"X-Forwarded-For", "10.2.0.1"}};
const field with_token[] = {{"authorization", "bearer a-token-of-22-characters"}};

TEST(MetricsAccess, IsForThisMachineOnly) {
  metrics_access access{settings{}};
  for (auto peer : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "local"})
    EXPECT_TRUE(access.allows(peer, {})) << peer;
  for (auto peer : {"203.0.113.7", "10.0.0.1", "192.168.1.1", "::2", "fe80::1", "", "localhost"})
    EXPECT_FALSE(access.allows(peer, {})) << peer;
}

TEST(MetricsAccess, IsNotForWhomAProxyOnThisMachineServes) {
  metrics_access access{settings{}};
  for (auto name :
       {"X-Forwarded-For", "X-FORWARDED-PROTO", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via"}) {
    const field fields[] = {{name, "127.0.0.1"}};
    EXPECT_FALSE(access.allows("127.0.0.1", fields)) << name;
  }
  settings conf;
  conf.trusted_proxies = {"127.0.0.1"};
  const field fields[] = {{"X-Forwarded-For", "127.0.0.1"}};
  EXPECT_FALSE(metrics_access(conf).allows("127.0.0.1", fields)) << "whoever it is, it came through a proxy";
}

TEST(MetricsAccess, IsForTheAddressesThatAreAllowed) {
  settings conf;
  conf.metrics.allow = {"10.2.0.0/16", "2001:db8::/32"};
  metrics_access access(conf);
  EXPECT_TRUE(access.allows("10.2.3.4", {}));
  EXPECT_TRUE(access.allows("2001:db8::1", {}));
  EXPECT_TRUE(access.allows("127.0.0.1", {}));
  EXPECT_FALSE(access.allows("10.3.0.1", {}));
  EXPECT_FALSE(access.allows("10.2.3.4", from_client)) << "a proxy of the office, for anybody";
  conf.trusted_proxies = {"10.2.3.4", "127.0.0.1"};
  metrics_access trusting(conf);
  EXPECT_FALSE(trusting.allows("10.2.3.4", from_client));
  EXPECT_TRUE(trusting.allows("10.2.3.4", from_office));
  EXPECT_TRUE(trusting.allows("127.0.0.1", from_office));
}

TEST(MetricsAccess, ATokenOpensItAndClosesItForTheRest) {
  settings conf;
  conf.metrics.token = secret(token);
  metrics_access access(conf);
  EXPECT_TRUE(access.allows("203.0.113.7", with_token));
  EXPECT_FALSE(access.allows("127.0.0.1", {})) << "a proxy that says nothing may stand there";
  for (auto wrong : {"bearer a-token-of-22-characterz", "bearer", "bearer ", "Basic a-token-of-22-characters",
                     "a-token-of-22-characters", "bearer a-token-of-22-characters,x"}) {
    const field fields[] = {{"Authorization", wrong}};
    EXPECT_FALSE(access.allows("127.0.0.1", fields)) << wrong;
  }
  const field twice[] = {with_token[0], with_token[0]};
  EXPECT_FALSE(access.allows("127.0.0.1", twice));
  EXPECT_FALSE(metrics_access(settings{}).allows("203.0.113.7", with_token)) << "no token, no way in";
}

}  // namespace
}  // namespace mcp_oauth
