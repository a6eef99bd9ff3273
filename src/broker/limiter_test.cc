#include "broker/limiter.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

const time_point start = from_unix(1'800'000'000);

std::string fixed_bytes(std::size_t size) { return std::string(size, 'r'); }

constexpr rate three{3, seconds(60)};
constexpr rate one{1, seconds(60)};

TEST(Limiter, AdmitsItsEventsAndThenSaysHowLongToWait) {
  limiter l(fixed_bytes);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(l.refuse("a", three, start));
  EXPECT_EQ(l.refuse("a", three, start), seconds(20));
  EXPECT_EQ(l.refuse("a", three, start + seconds(15)), seconds(5));
  EXPECT_FALSE(l.refuse("a", three, start + seconds(20)));
  EXPECT_TRUE(l.refuse("a", three, start + seconds(20)));
}

TEST(Limiter, CountsEachKeyAlone) {
  limiter l(fixed_bytes);
  EXPECT_FALSE(l.refuse("a", one, start));
  EXPECT_TRUE(l.refuse("a", one, start));
  EXPECT_FALSE(l.refuse("b", one, start));
}

TEST(Limiter, NeverSavesUpMoreThanOneWindow) {
  limiter l(fixed_bytes);
  constexpr rate two{2, seconds(60)};
  EXPECT_FALSE(l.refuse("a", two, start));
  auto later = start + std::chrono::hours(5);
  EXPECT_FALSE(l.refuse("a", two, later));
  EXPECT_FALSE(l.refuse("a", two, later));
  EXPECT_TRUE(l.refuse("a", two, later));
}

TEST(Limiter, LooksWithoutCounting) {
  limiter l(fixed_bytes);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(l.is_spent("a", one, start));
  EXPECT_FALSE(l.refuse("a", one, start));
  EXPECT_EQ(l.is_spent("a", one, start), seconds(60));
}

TEST(Limiter, HasNoLimitWithoutEvents) {
  limiter l(fixed_bytes);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(l.refuse("a", {}, start));
}

TEST(Limiter, TakesUpAnotherRateWithoutForgetting) {
  limiter l(fixed_bytes);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(l.refuse("a", three, start));
  EXPECT_TRUE(l.refuse("a", one, start));
  constexpr rate six{6, seconds(60)};
  EXPECT_TRUE(l.refuse("a", six, start)) << "what was used is used";
  EXPECT_FALSE(l.refuse("a", six, start + seconds(10)));
}

TEST(Limiter, ManyOtherAddressesMakeNoKeyForgotten) {
  limiter l(fixed_bytes);
  constexpr rate hundred{100, seconds(60)};
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(l.refuse("spent", hundred, start));
  for (int i = 0; i < 300'000; ++i) {
    l.refuse("flood " + std::to_string(i), hundred, start);
    if (i % 50'000 == 0) {
      EXPECT_TRUE(l.refuse("spent", hundred, start)) << i;
    }
  }
  EXPECT_TRUE(l.refuse("spent", hundred, start));
}

TEST(Limiter, AFloodOfManyAddressesDoesNotRefuseSomebodyElse) {
  limiter l(fixed_bytes);
  constexpr rate usual{600, seconds(60)};
  for (int i = 0; i < 300'000; ++i) l.refuse("flood " + std::to_string(i), usual, start);
  for (int i = 0; i < 400; ++i) EXPECT_FALSE(l.refuse("person", usual, start)) << i;
}

TEST(Limiter, AClockThatStepsBackMakesNobodyWait) {
  limiter l(fixed_bytes);
  EXPECT_FALSE(l.refuse("a", one, start));
  auto before = start - std::chrono::hours(24 * 365);
  EXPECT_FALSE(l.refuse("a", one, before));
  EXPECT_EQ(l.refuse("a", one, before), seconds(60)) << "it is counted from there on";
  EXPECT_FALSE(l.refuse("a", one, before + seconds(60)));
}

TEST(Limiter, WhoLookedAtTheClockBeforeTheLastOneGetsNothingForIt) {
  limiter l(fixed_bytes);
  rate many{600, seconds(60)};
  for (int i = 0; i < 600; ++i) ASSERT_FALSE(l.refuse("a", many, start));
  for (auto earlier : {std::chrono::nanoseconds(1), std::chrono::nanoseconds(1'000'000),
                       std::chrono::nanoseconds(seconds(5))}) {
    auto before = start - std::chrono::duration_cast<time_point::duration>(earlier);
    EXPECT_TRUE(l.refuse("a", many, before)) << earlier.count();
  }
  EXPECT_TRUE(l.refuse("a", many, start));
}

TEST(LimiterKey, HoldsAnIpv6SubscriberTogether) {
  EXPECT_EQ(limiter_key("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(limiter_key("2001:db8:1:2:3:4:5:6"), limiter_key("2001:db8:1:2:ffff::1"));
  EXPECT_NE(limiter_key("2001:db8:1:2::1"), limiter_key("2001:db8:1:3::1"));
  EXPECT_EQ(limiter_key("2001:db8::1"), limiter_key("2001:db8::2"));
  EXPECT_EQ(limiter_key("::1"), limiter_key("::2"));
  EXPECT_EQ(limiter_key("::ffff:203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(limiter_key(""), "");
}

}  // namespace
}  // namespace mcp_oauth
