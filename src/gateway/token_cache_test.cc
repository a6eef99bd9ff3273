#include "gateway/token_cache.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

class TokenCache : public testing::Test {
 protected:
  std::string token(const std::string& grant = "g", seconds lifetime = seconds(100)) {
    access_claims c;
    c.issuer = "https://h";
    c.subject = "ada";
    c.audience = "https://h/mcp";
    c.client_id = "c";
    c.grant_id = grant;
    c.token_id = std::to_string(++minted);
    c.issued = now;
    c.expires = now + lifetime;
    return mint_access_token(c, key);
  }
  result<std::shared_ptr<credential>> find(const std::string& text) {
    token_rules rules;
    rules.issuer = "https://h";
    rules.audience = "https://h/mcp";
    rules.leeway = seconds(10);
    return cache.find(text, seconds(10), now, [&](std::string_view t) {
      ++verifications;
      return verify_access_token(t, keys, rules, now);
    });
  }

  signing_key key = signing_key::generate_es256();
  key_set keys = key_set::of({key.public_part()});
  time_point now = from_unix(1'800'000'000);
  token_cache cache{8};
  int minted = 0;
  int verifications = 0;
};

TEST_F(TokenCache, VerifiesATokenOnce) {
  auto t = token();
  auto first = find(t);
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->claims().subject, "ada");
  EXPECT_EQ((*first)->identity, "X-User-Id: ada\r\nX-Client-Id: c\r\n");
  EXPECT_EQ(*find(t), *first);
  EXPECT_EQ(verifications, 1);
}

TEST_F(TokenCache, RemembersNoRefusal) {
  EXPECT_FALSE(find("not.a.token"));
  EXPECT_FALSE(find("not.a.token"));
  EXPECT_EQ(verifications, 2);
  EXPECT_EQ(cache.size(), 0u);
}

TEST_F(TokenCache, NeverOutlivesTheToken) {
  auto t = token("g", seconds(100));
  ASSERT_TRUE(find(t));
  now += seconds(109);
  EXPECT_TRUE(find(t)) << "within the leeway";
  now += seconds(1);
  auto late = find(t);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::token_expired);
}

TEST_F(TokenCache, RefusesARevokedGrantWhetherRememberedOrNot) {
  auto known = token("g1"), unknown = token("g1"), other = token("g2");
  ASSERT_TRUE(find(known));
  cache.revoke("g1", now + seconds(1000));
  for (const auto& t : {known, unknown}) {
    auto refused = find(t);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::token_revoked);
  }
  EXPECT_TRUE(find(other));
}

TEST_F(TokenCache, ForgetsARevocationOnlyWhenItsTokensAreDead) {
  auto t = token("g", seconds(100));
  cache.revoke("g", now + seconds(200));
  now += seconds(50);
  cache.sweep(now);
  EXPECT_FALSE(find(t));
}

TEST_F(TokenCache, StaysWithinItsBound) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(find(token()));
    EXPECT_LE(cache.size(), 8u);
  }
}

TEST_F(TokenCache, VerifiesAnewAfterTheRulesChanged) {
  auto t = token();
  ASSERT_TRUE(find(t));
  keys = key_set::of({signing_key::generate_es256().public_part()});
  cache.clear();
  EXPECT_FALSE(find(t));
}

TEST_F(TokenCache, KnowsWhenTheLastTokenOfAGrantExpires) {
  EXPECT_FALSE(cache.latest_expiry("g"));
  ASSERT_TRUE(find(token("g", seconds(50))));
  ASSERT_TRUE(find(token("g", seconds(90))));
  ASSERT_TRUE(find(token("g", seconds(70))));
  ASSERT_TRUE(find(token("other", seconds(95))));
  EXPECT_EQ(cache.latest_expiry("g"), now + seconds(90));
}

TEST_F(TokenCache, TokensOfNoGrantProlongNothingForEachOther) {
  ASSERT_TRUE(find(token("", seconds(90))));
  EXPECT_FALSE(cache.latest_expiry(""));
}

TEST_F(TokenCache, ForgetsTheProvidersTokenOfOneGrant) {
  auto text = token("g"), other = token("h");
  for (const auto& t : {text, other}) (*find(t))->provider_until = now + seconds(50);
  cache.forget_provider_token("g");
  EXPECT_EQ((*find(text))->provider_until, time_point());
  EXPECT_EQ((*find(other))->provider_until, now + seconds(50));
  EXPECT_EQ(verifications, 2) << "and nothing else";
  cache.forget_provider_token("");
  EXPECT_EQ((*find(other))->provider_until, time_point()) << "of any grant";
}

TEST(Credential, OfNobodyHasNoNameAndNoEnd) {
  auto nobody = credential::of_nobody();
  EXPECT_FALSE(nobody->token);
  EXPECT_EQ(nobody->identity, "");
  EXPECT_EQ(nobody->claims().subject, "");
  EXPECT_EQ(nobody->claims().client_id, "");
  EXPECT_GT(nobody->claims().expires, from_unix(4'000'000'000));
}

TEST_F(TokenCache, ThePolicyIsAskedWithWhatTheTokenSays) {
  auto who = *find(token("g"));
  auto asks = who->asks();
  EXPECT_EQ(asks.subject, who->claims().subject);
  EXPECT_EQ(asks.client_id, who->claims().client_id);
  EXPECT_EQ(asks.scopes.size(), who->claims().scopes.size());
  EXPECT_EQ(asks.claims.ours, &who->claims());
  EXPECT_EQ(asks.claims.theirs, nullptr);
  EXPECT_EQ(credential::of_nobody()->asks().subject, "");
}

}  // namespace
}  // namespace mcp_oauth
