#include "app/bridge_log.h"

#include "base/base64url.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

class BridgeLog : public testing::Test {
 protected:
  void hide_tokens(int count) {
    for (int i = 0; i < count; ++i) log.hide(secret("token-number-" + std::to_string(1'000 + i)));
  }
  bridge_log log{bridge_log_level::fatal};
};

TEST_F(BridgeLog, WhatIsHiddenIsSoInEveryFormThatATextMayHaveItIn) {
  log.hide(secret("a secret/of?mine"));
  for (const auto& form : {std::string("a secret/of?mine"), std::string("a%20secret%2Fof%3Fmine"),
                           base64_encode("a secret/of?mine")})
    EXPECT_EQ(log.redacted("<" + form + ">"), "<***>");
}

TEST_F(BridgeLog, WhatIsConfiguredStaysHiddenHoweverManyTokensComeAfterIt) {
  log.hide_configured(secret("configured-secret"));
  log.hide_here(secret("name-of-a-tenant"));
  log.hide_header("X-Api-Key", secret("Key value-of-the-header"));
  hide_tokens(600);
  EXPECT_EQ(log.redacted("configured-secret, name-of-a-tenant, value-of-the-header"), "***, ***, ***");
  EXPECT_EQ(log.without_secrets("configured-secret, name-of-a-tenant"), "***, name-of-a-tenant");
}

TEST_F(BridgeLog, WhatWasATokenFirstIsConfiguredAllTheSame) {
  log.hide(secret("configured-secret"));
  log.hide_configured(secret("configured-secret"));
  hide_tokens(600);
  EXPECT_EQ(log.redacted("configured-secret"), "***");
}

TEST_F(BridgeLog, OfTokensTheLastOnesAreHidden) {
  hide_tokens(300);
  EXPECT_EQ(log.redacted("token-number-1299 token-number-1044"), "*** ***");
  EXPECT_EQ(log.redacted("token-number-1043"), "token-number-1043");
}

TEST_F(BridgeLog, ATokenThatIsUsedOnCountsAsTheLast) {
  log.hide(secret("a-refresh-token"));
  hide_tokens(200);
  log.hide(secret("a-refresh-token"));
  EXPECT_FALSE(log.hide_for_now(secret("a-refresh-token")));
  for (int i = 0; i < 200; ++i) log.hide(secret("another-token-" + std::to_string(1'000 + i)));
  EXPECT_EQ(log.redacted("a-refresh-token"), "***");
}

}  // namespace
}  // namespace mcp_oauth
