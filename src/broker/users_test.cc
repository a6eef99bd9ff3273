#include "broker/users.h"

#include "broker/troubled_store.h"
#include "jose/random.h"
#include "store/memory_store.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr password_cost cheap{1, 8192};
const time_point now = from_unix(1'800'000'000);

TEST(UserName, IsPlainAndHasNoCase) {
  EXPECT_EQ(*user_name("Ada.Lovelace+x@example-1.org_"), "ada.lovelace+x@example-1.org_");
  for (const auto& bad :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a/b"), std::string("a\0b", 3),
        std::string("a\n"), std::string("\xC3\xA4"), std::string("a:b")}) {
    EXPECT_FALSE(user_name(bad)) << bad;
  }
}

TEST(Users, AFreshStoreGetsAnAdminWithAOneTimePassword) {
  memory_store store;
  auto first = ensure_first_user(store, random_bytes, cheap, now);
  ASSERT_TRUE(first && first->password);
  auto admin = find_user(store, "admin", now);
  ASSERT_TRUE(admin && *admin);
  EXPECT_TRUE((*admin)->must_change);
  EXPECT_TRUE(password_fits(*admin, *first->password, cheap));
  EXPECT_GE(first->password->reveal().size(), 16u);
}

TEST(Users, AStartPrintsANewOneTimePasswordUntilOneWasUsed) {
  memory_store store;
  auto first = *ensure_first_user(store, random_bytes, cheap, now);
  auto later = now + seconds(60);
  auto second = *ensure_first_user(store, random_bytes, cheap, later);
  ASSERT_TRUE(second.password);
  auto admin = *find_user(store, "admin", later);
  EXPECT_FALSE(password_fits(admin, *first.password, cheap));
  EXPECT_TRUE(password_fits(admin, *second.password, cheap));
  ASSERT_TRUE(choose_password(store, *admin, secret("ten letters"), cheap, later));
  auto third = ensure_first_user(store, random_bytes, cheap, later + seconds(3600));
  ASSERT_TRUE(third);
  EXPECT_FALSE(third->password);
  EXPECT_FALSE(third->awaited);
}

TEST(Users, OfGatewaysThatStartTogetherOnePrintsThePassword) {
  memory_store store;
  auto first = *ensure_first_user(store, random_bytes, cheap, now);
  ASSERT_TRUE(first.password);
  for (auto moment : {now, now + seconds(59), now - seconds(59)}) {
    auto other = ensure_first_user(store, random_bytes, cheap, moment);
    ASSERT_TRUE(other);
    EXPECT_FALSE(other->password);
    EXPECT_TRUE(other->awaited);
  }
  EXPECT_TRUE(password_fits(*find_user(store, "admin", now), *first.password, cheap));
  EXPECT_TRUE(ensure_first_user(store, random_bytes, cheap, now - seconds(3600))->password)
      << "the clock was wrong when the last was printed";
}

TEST(Users, OfStartsThatInterleaveInAnyWayOnePrintsThePassword) {
  for (bool again : {false, true}) {
    for (std::uint32_t at = 0; at < 4; ++at) {
      memory_store store;
      if (again) {
        ASSERT_TRUE(ensure_first_user(store, random_bytes, cheap, now - seconds(3600)));
      }
      model::troubled_store slow;
      slow.behind = &store;
      std::optional<result<first_sign_in>> other;
      slow.arm(at, model::trouble::none, [&] { other = ensure_first_user(store, random_bytes, cheap, now); });
      auto one = ensure_first_user(slow, random_bytes, cheap, now);
      ASSERT_TRUE(one);
      if (!other) {
        EXPECT_GE(at, 2U) << "it reads and it writes";
        continue;
      }
      ASSERT_TRUE(*other);
      ASSERT_NE(one->password.has_value(), (*other)->password.has_value())
          << "at call " << at << ", again " << again;
      auto printed = one->password ? *one->password : *(*other)->password;
      EXPECT_TRUE(password_fits(*find_user(store, "admin", now), printed, cheap)) << at;
    }
  }
}

TEST(Users, AStartLeavesThePasswordThatAnOperatorAskedFor) {
  memory_store store;
  ASSERT_TRUE(ensure_first_user(store, random_bytes, cheap, now)->password);
  auto given = add_user(store, "admin", random_bytes, cheap, now);
  ASSERT_TRUE(given);
  auto later = ensure_first_user(store, random_bytes, cheap, now + seconds(86400));
  ASSERT_TRUE(later);
  EXPECT_FALSE(later->password);
  EXPECT_TRUE(later->awaited);
  EXPECT_TRUE(password_fits(*find_user(store, "admin", now), *given, cheap));
}

TEST(Users, AServerWithOtherUsersGetsNoAdmin) {
  memory_store store;
  ASSERT_TRUE(add_user(store, "ada", random_bytes, cheap, now));
  auto none = ensure_first_user(store, random_bytes, cheap, now);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->password);
  EXPECT_FALSE(none->awaited);
}

TEST(Users, AddingAnExistingOneResetsThePassword) {
  memory_store store;
  auto one = *add_user(store, "ada", random_bytes, cheap, now);
  ASSERT_TRUE(choose_password(store, **find_user(store, "ada", now), secret("ten letters"), cheap, now));
  auto two = *add_user(store, "ADA", random_bytes, cheap, now + seconds(60));
  auto ada = **find_user(store, "ada", now);
  EXPECT_TRUE(ada.must_change);
  EXPECT_EQ(ada.created, now);
  EXPECT_FALSE(password_fits(ada, secret("ten letters"), cheap));
  EXPECT_TRUE(password_fits(ada, two, cheap));
  EXPECT_EQ(list_users(store, now)->size(), 1u);
}

TEST(Users, ARemovedOneIsGone) {
  memory_store store;
  auto password = *add_user(store, "ada", random_bytes, cheap, now);
  EXPECT_TRUE(*remove_user(store, "Ada", now));
  EXPECT_FALSE(*remove_user(store, "ada", now));
  EXPECT_FALSE(password_fits(*find_user(store, "ada", now), password, cheap));
}

TEST(Users, APasswordThatAUserChoosesHasToBeNewAndLongEnough) {
  memory_store store;
  auto once = *add_user(store, "ada-lovelace", random_bytes, cheap, now);
  auto ada = **find_user(store, "ada-lovelace", now);
  for (const auto& bad :
       {std::string(), std::string("nine char"), std::string("ÄÖÜÄÖÜÄÖÜ"), std::string(once.reveal()),
        std::string("Ada-Lovelace"), std::string(1025, 'x'), std::string("invalid utf8 \xFF\xFE")}) {
    auto chosen = choose_password(store, ada, secret(bad), cheap, now);
    ASSERT_FALSE(chosen) << bad;
    EXPECT_EQ(chosen.error().code, errc::password_unacceptable);
    if (!bad.empty()) {
      EXPECT_EQ(chosen.error().detail.find(bad), std::string::npos);
    }
  }
  EXPECT_TRUE(choose_password(store, ada, secret("ÄÖÜÄÖÜÄÖÜß"), cheap, now)) << "ten characters";
  auto late = choose_password(store, ada, secret("another password"), cheap, now);
  ASSERT_FALSE(late) << "the record changed since";
  EXPECT_EQ(late.error().code, errc::state_invalid);
}

TEST(Users, AHashIsArgon2idWithTheCostAsked) {
  memory_store store;
  ASSERT_TRUE(add_user(store, "ada", random_bytes, {}, now));
  auto hash = (**find_user(store, "ada", now)).password_hash;
  EXPECT_EQ(hash.rfind("$argon2id$v=19$m=65536,t=2,p=1$", 0), 0u) << hash;
}

TEST(Users, NobodyHasAPasswordLongerThanAnyoneCanSet) {
  memory_store store;
  ASSERT_TRUE(add_user(store, "ada", random_bytes, cheap, now));
  EXPECT_FALSE(password_fits(*find_user(store, "ada", now), secret(std::string(1 << 20, 'x')), cheap));
  EXPECT_FALSE(password_fits(std::nullopt, secret("anything"), cheap));
}

}  // namespace
}  // namespace mcp_oauth
