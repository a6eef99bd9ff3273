#include "broker/signing_keys.h"

#include "broker/troubled_store.h"
#include "jose/random.h"
#include "store/memory_store.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

const time_point start = from_unix(1'800'000'000);
const key_rules rules{seconds(90 * 24 * 3600), seconds(960)};

class SigningKeys : public testing::Test {
 protected:
  key_state at(time_point now) {
    auto state = load_or_create_keys(store, seal, random_bytes, rules, now);
    EXPECT_TRUE(state) << (state ? "" : state.error().detail);
    return *state;
  }

  memory_store store;
  sealer seal = *sealer::of({secret(std::string(32, 'k'))});
};

std::string kid(const key_state& s) { return s.current.public_part().kid(); }

TEST_F(SigningKeys, TheFirstOneIsUsedAtOnceAndKeptByTheNextStart) {
  auto first = at(start);
  EXPECT_EQ(first.all->size(), 1u);
  EXPECT_TRUE(first.all->has_kid(kid(first)));
  EXPECT_EQ(kid(at(start + seconds(5))), kid(first));
}

TEST_F(SigningKeys, TheStoreHoldsNoKeyInClear) {
  auto state = at(start);
  auto records = *store.list("signing_key", start, 10, {});
  ASSERT_EQ(records.size(), 1u);
  auto pem = state.current.to_pem();
  auto line = std::string(pem.reveal().substr(30, 40));
  EXPECT_EQ(records[0].data.find(line), std::string::npos);
  EXPECT_EQ(records[0].data.find("PRIVATE"), std::string::npos);
}

TEST_F(SigningKeys, AnotherEncryptionKeyIsNamedAsTheCause) {
  at(start);
  auto other = *sealer::of({secret(std::string(32, 'x'))});
  auto state = load_or_create_keys(store, other, random_bytes, rules, start);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, errc::seal_broken);
}

TEST_F(SigningKeys, AStoredOneTellsWhetherAnEncryptionKeyIsTheRightOne) {
  at(start);
  auto stored = (*store.list("signing_key", start, 10, {})).at(0);
  EXPECT_TRUE(check_opens(stored, seal));
  EXPECT_FALSE(check_opens(stored, *sealer::of({secret(std::string(32, 'x'))})));
}

TEST_F(SigningKeys, TheirPublicPartsAreReadOutOfTheRecords) {
  auto state = at(start);
  auto stored = *store.list("signing_key", start, 10, {});
  auto published = public_parts(stored, seal);
  ASSERT_TRUE(published);
  EXPECT_EQ(published->size(), 1u);
  EXPECT_TRUE(published->has_kid(kid(state)));
  EXPECT_EQ(public_parts(stored, *sealer::of({secret(std::string(32, 'x'))})).error().code,
            errc::seal_broken);
}

TEST_F(SigningKeys, TheNextOneIsPublishedAnHourBeforeItSigns) {
  auto first = kid(at(start));
  auto turn = start + rules.lifetime;
  EXPECT_EQ(at(turn - seconds(3601)).all->size(), 1u);
  auto published = at(turn - seconds(3600));
  EXPECT_EQ(published.all->size(), 2u);
  EXPECT_EQ(kid(published), first);
  EXPECT_EQ(kid(at(turn - seconds(1))), first);
  auto turned = at(turn);
  EXPECT_NE(kid(turned), first);
  EXPECT_TRUE(turned.all->has_kid(first));
}

TEST_F(SigningKeys, TheOldOneStaysPublishedUntilItsLastTokenHasExpired) {
  auto first = kid(at(start));
  at(start + rules.lifetime - seconds(3600));
  auto last_token_ends = start + rules.lifetime + rules.token_lifetime;
  EXPECT_TRUE(at(last_token_ends).all->has_kid(first));
  EXPECT_FALSE(at(last_token_ends + std::chrono::hours(48)).all->has_kid(first));
}

TEST_F(SigningKeys, AServerThatSleptForAYearMakesAFreshOneAtOnce) {
  auto first = kid(at(start));
  auto state = at(start + std::chrono::hours(24 * 365));
  EXPECT_NE(kid(state), first);
  EXPECT_EQ(state.all->size(), 1u);
}

TEST_F(SigningKeys, AServerThatSleptPastTheTurnPublishesFirst) {
  auto first = kid(at(start));
  auto late = start + rules.lifetime + std::chrono::hours(2);
  auto state = at(late);
  EXPECT_EQ(kid(state), first);
  EXPECT_EQ(state.all->size(), 2u);
  EXPECT_NE(kid(at(late + std::chrono::hours(1))), first);
}

TEST_F(SigningKeys, TwoReplicasThatStartTogetherShareOneKey) {
  auto a = at(start), b = at(start);
  EXPECT_EQ(kid(a), kid(b));
  EXPECT_EQ(*store.count("signing_key", start), 1u);
}

TEST_F(SigningKeys, OneOfAReplicaWhoseClockIsAheadServesTheOthers) {
  model::troubled_store raced;
  raced.behind = &store;
  std::optional<key_state> of_other;
  raced.arm(1, model::trouble::none, [&] { of_other = at(start + std::chrono::minutes(10)); });
  auto state = load_or_create_keys(raced, seal, random_bytes, rules, start);
  ASSERT_TRUE(state) << state.error().detail;
  ASSERT_TRUE(of_other) << "the other one was not first";
  EXPECT_EQ(kid(*state), kid(*of_other));
  EXPECT_EQ(kid(at(start + seconds(5))), kid(*of_other)) << "at the next start";
  EXPECT_EQ(*store.count("signing_key", start), 1u);
}

}  // namespace
}  // namespace mcp_oauth
