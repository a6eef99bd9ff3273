#include "broker/limiter.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

const time_point start = from_unix(1'800'000'000);

TEST(Limiter, AdmitsItsEventsAndThenSaysHowLongToWait) {
  limiter l(3, seconds(60));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(l.refuse("a", start));
  EXPECT_EQ(l.refuse("a", start), seconds(20));
  EXPECT_EQ(l.refuse("a", start + seconds(15)), seconds(5));
  EXPECT_FALSE(l.refuse("a", start + seconds(20)));
  EXPECT_TRUE(l.refuse("a", start + seconds(20)));
}

TEST(Limiter, CountsEachKeyAlone) {
  limiter l(1, seconds(60));
  EXPECT_FALSE(l.refuse("a", start));
  EXPECT_TRUE(l.refuse("a", start));
  EXPECT_FALSE(l.refuse("b", start));
}

TEST(Limiter, NeverSavesUpMoreThanOneWindow) {
  limiter l(2, seconds(60));
  EXPECT_FALSE(l.refuse("a", start));
  auto later = start + std::chrono::hours(5);
  EXPECT_FALSE(l.refuse("a", later));
  EXPECT_FALSE(l.refuse("a", later));
  EXPECT_TRUE(l.refuse("a", later));
}

TEST(Limiter, StaysBoundedAndForgetsTheMostSilentFirst) {
  limiter l(1, seconds(60), 100);
  EXPECT_FALSE(l.refuse("kept", start));
  for (int i = 0; i < 10'000; ++i) {
    l.refuse(std::to_string(i), start);
    EXPECT_TRUE(l.refuse("kept", start)) << i;
  }
  EXPECT_EQ(l.size(), 100u);
  EXPECT_FALSE(l.refuse("0", start)) << "forgotten, so counted anew";
}

TEST(Limiter, AClockThatStepsBackDoesNotRefill) {
  limiter l(1, seconds(60));
  EXPECT_FALSE(l.refuse("a", start));
  EXPECT_TRUE(l.refuse("a", start - std::chrono::hours(1)));
  EXPECT_TRUE(l.refuse("a", start));
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
