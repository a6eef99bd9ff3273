#include "gateway/known_callers.h"

#include "oauth/issuer_token.h"
#include "oauth/test_issuer.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::shared_ptr<const accepted> token_of(const std::string& issuer = "https://idp.example.com",
                                         time_point until = test_issuer::now + seconds(60)) {
  auto rules = test_issuer::rules();
  rules.issuer = issuer;
  auto text = test_issuer::mint_with(R"({"iss":")" + issuer + "\"}");
  auto verified = verify_issuer_token(text, test_issuer::keys(), rules, test_issuer::now);
  EXPECT_TRUE(verified);
  return std::make_shared<const accepted>(
      accepted{std::move(*verified), "corp", 0, false, until, 1, test_issuer::now});
}

TEST(KnownCallers, MakeWhatAnUpstreamLearnsOncePerToken) {
  known_callers callers;
  auto token = token_of();
  auto who = callers.of(token);
  EXPECT_EQ(
      who->identity,
      "X-User-Id: ada\r\nX-User-Email: ada@example.com\r\nX-User-Name: Ada\r\nX-Client-Id: inspector\r\n"
      "X-User-Issuer: https://idp.example.com\r\n");
  EXPECT_EQ(callers.of(token), who);
  EXPECT_NE(callers.of(token_of()), who);
}

TEST(KnownCallers, TheSameSubjectOfTwoIssuersIsTwoOwners) {
  known_callers callers;
  auto one = callers.of(token_of("https://a.example"));
  auto two = callers.of(token_of("https://b.example"));
  EXPECT_EQ(one->claims().subject, two->claims().subject);
  EXPECT_NE(one->owner(), two->owner());
}

TEST(KnownCallers, StayWithinTheirRoom) {
  known_callers callers(8);
  std::vector<std::shared_ptr<const accepted>> tokens;
  for (int i = 0; i < 50; ++i) {
    tokens.push_back(token_of());
    (void)callers.of(tokens.back());
    EXPECT_LE(callers.size(), 8U);
  }
}

TEST(KnownCallers, AreForgottenWithTheirToken) {
  known_callers callers;
  (void)callers.of(token_of("https://a.example", test_issuer::now + seconds(10)));
  (void)callers.of(token_of("https://b.example", test_issuer::now + seconds(20)));
  callers.sweep(test_issuer::now + seconds(10));
  EXPECT_EQ(callers.size(), 1U);
  callers.clear();
  EXPECT_EQ(callers.size(), 0U);
}

}  // namespace
}  // namespace mcp_oauth
