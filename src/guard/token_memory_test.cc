#include "guard/token_memory.h"

#include "guard/test_world.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using test_issuer::now;

verdict good_until(time_point until, time_point judged = {}) {
  auto token = verify_issuer_token(test_issuer::mint(test_issuer::claims()), test_issuer::keys(),
                                   test_issuer::rules(), now);
  return std::make_shared<const accepted>(accepted{*token, "corp", 0, false, until, 1, judged});
}

// As one request judges a token that is not known.
void judged(token_memory& memory, const sha256_digest& key, const verdict& told, time_point at) {
  auto mine = memory.begin(key, at).mine;
  ASSERT_TRUE(mine);
  memory.settle(key, mine, told, at);
}

TEST(TokenMemory, KeepsAVerdictForItsTime) {
  token_memory memory;
  auto key = sha256("a");
  EXPECT_EQ(memory.find(key, now), nullptr);
  judged(memory, key, good_until(now + seconds(10)), now);
  EXPECT_NE(memory.find(key, now + seconds(9)), nullptr);
  EXPECT_EQ(memory.find(key, now + seconds(10)), nullptr);
  EXPECT_EQ(memory.find(sha256("b"), now), nullptr);
  memory.sweep(now + seconds(10));
  EXPECT_EQ(memory.size(), 0u);
}

TEST(TokenMemory, RemembersRefusalsBrieflyAndOnlyThoseOfTheToken) {
  token_memory memory;
  auto key = sha256("a");
  judged(memory, key, fail(errc::token_signature_invalid, "why"), now);
  EXPECT_EQ(memory.refused(key, now + seconds(9))->detail, "why");
  EXPECT_FALSE(memory.refused(key, now + seconds(10)));
  for (auto code : {errc::issuer_unreachable, errc::issuer_keys_unavailable, errc::issuer_metadata_invalid,
                    errc::introspection_failed, errc::overloaded, errc::token_key_unknown}) {
    judged(memory, sha256("b"), fail(code), now);
    EXPECT_FALSE(memory.refused(sha256("b"), now)) << static_cast<int>(code);
  }
  memory.sweep(now + seconds(10));
  EXPECT_EQ(memory.size(), 0u);
  token_memory none(memory_rules{.negative = seconds(0)});
  judged(none, key, fail(errc::token_signature_invalid), now);
  EXPECT_FALSE(none.refused(key, now));
}

TEST(TokenMemory, KnowsNothingThatAClockDecidedWhichWasSetBackSince) {
  const auto ahead = now + seconds(4 * 3600);
  for (auto back : {seconds(6), seconds(60), seconds(4 * 3600)}) {
    token_memory memory;
    judged(memory, sha256("yes"), good_until(ahead + seconds(300), ahead), ahead);
    judged(memory, sha256("no"), fail(errc::token_inactive), ahead);
    EXPECT_NE(memory.find(sha256("yes"), ahead - seconds(5)), nullptr) << "another thread's clock";
    EXPECT_TRUE(memory.refused(sha256("no"), ahead - seconds(5)));
    EXPECT_EQ(memory.find(sha256("yes"), ahead - back), nullptr);
    EXPECT_FALSE(memory.refused(sha256("no"), ahead - back));
    EXPECT_TRUE(memory.begin(sha256("yes"), ahead - back).mine);
    memory.sweep(ahead - back);
    EXPECT_EQ(memory.size(), 0u);
  }
}

TEST(TokenMemory, LetsTheLastVerdictStand) {
  token_memory memory;
  auto key = sha256("a");
  judged(memory, key, fail(errc::token_inactive), now);
  judged(memory, key, good_until(now + seconds(10)), now);
  EXPECT_FALSE(memory.refused(key, now));
  EXPECT_NE(memory.find(key, now), nullptr);
  const auto later = now + seconds(10);
  judged(memory, key, fail(errc::token_inactive), later);
  EXPECT_EQ(memory.find(key, now), nullptr);
  EXPECT_TRUE(memory.refused(key, later));
  memory.forget(key);
  EXPECT_FALSE(memory.refused(key, later));
}

TEST(TokenMemory, IsBoundedAndRefusalsDoNotCrowdOutWhatIsGood) {
  token_memory memory(memory_rules{.most = 160});
  judged(memory, sha256("good"), good_until(now + seconds(10)), now);
  for (int i = 0; i < 5000; ++i)
    judged(memory, sha256("bad" + std::to_string(i)), fail(errc::token_inactive), now);
  EXPECT_LE(memory.size(), 16u * 11 + 1);
  EXPECT_NE(memory.find(sha256("good"), now), nullptr);
  for (int i = 0; i < 5000; ++i)
    judged(memory, sha256("good" + std::to_string(i)), good_until(now + seconds(10)), now);
  EXPECT_LE(memory.size(), 2 * 16u * 11);
}

TEST(TokenMemory, LetsOneJudgeWhileOthersWait) {
  token_memory memory;
  auto key = sha256("a");
  auto first = memory.begin(key, now);
  ASSERT_TRUE(first.mine);
  EXPECT_FALSE(first.others);
  auto second = memory.begin(key, now);
  EXPECT_FALSE(second.mine);
  ASSERT_TRUE(second.others);
  EXPECT_FALSE(second.others->over.settled());
  EXPECT_TRUE(memory.begin(sha256("b"), now).mine);
  // A failure that is not remembered is told to those who wait.
  memory.settle(key, first.mine, fail(errc::introspection_failed, "down"), now);
  EXPECT_TRUE(second.others->over.settled());
  EXPECT_EQ(second.others->outcome()->error().detail, "down");
  first.mine.reset();
  EXPECT_TRUE(memory.begin(key, now).mine);
}

TEST(TokenMemory, RemembersNothingThatWasAskedBeforeItHadToForget) {
  for (const auto& told : {good_until(now + seconds(10)), verdict(fail(errc::token_inactive))}) {
    token_memory memory;
    auto key = sha256("a");
    auto first = memory.begin(key, now);
    auto second = memory.begin(key, now);
    memory.forget(key);
    auto third = memory.begin(key, now);
    EXPECT_TRUE(third.mine) << "asks anew";
    memory.settle(key, first.mine, told, now);
    EXPECT_EQ(memory.find(key, now), nullptr);
    EXPECT_FALSE(memory.refused(key, now));
    first.mine.reset();
    EXPECT_TRUE(second.others->over.settled());
    EXPECT_FALSE(second.others->outcome()) << "who waited judges anew";
    EXPECT_TRUE(memory.begin(key, now).others) << "and the newer question goes on";
    memory.settle(key, third.mine, told, now);
    EXPECT_EQ(memory.find(key, now) != nullptr, told.has_value());
  }
}

TEST(TokenMemory, FreesThePlaceOfWhoGaveUp) {
  token_memory memory;
  auto key = sha256("a");
  auto first = memory.begin(key, now);
  auto second = memory.begin(key, now);
  first.mine.reset();
  EXPECT_TRUE(second.others->over.settled());
  EXPECT_FALSE(second.others->outcome());
  auto third = memory.begin(key, now);
  EXPECT_TRUE(third.mine);
  memory.settle(key, third.mine, good_until(now + seconds(10)), now);
  EXPECT_TRUE(memory.begin(key, now).known);
}

}  // namespace
}  // namespace mcp_oauth
