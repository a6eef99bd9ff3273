#include "app/clock_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

const time_point now = from_unix(1'800'000'000);

TEST(HttpDate, IsReadInItsOneForm) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), from_unix(784111777));
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), from_unix(0));
  // More than a time_point can say, and still far ahead.
  EXPECT_EQ(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT"), from_unix(9'000'000'000));
  for (auto bad :
       {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov 1-94 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

TEST(Clocks, MayDifferByHalfAMinute) {
  EXPECT_FALSE(clock_difference("x", now + seconds(30), now));
  EXPECT_FALSE(clock_difference("x", now - seconds(30), now));
  EXPECT_THAT(clock_difference("the database", now + seconds(31), now).value_or(""),
              testing::AllOf(testing::HasSubstr("differ by 31 s"), testing::HasSubstr("the database says "),
                             testing::HasSubstr(to_iso8601(now + seconds(31))),
                             testing::HasSubstr("this machine " + to_iso8601(now))));
  EXPECT_THAT(clock_difference("x", now - seconds(90), now).value_or(""),
              testing::HasSubstr("differ by 90 s"));
}

TEST(Clocks, AreToldOfOnceUntilTheyAgree) {
  clock_watch watch;
  auto wrong = now + seconds(100);
  EXPECT_TRUE(watch.compare("a", wrong, now));
  EXPECT_FALSE(watch.compare("a", wrong, now)) << "once";
  EXPECT_TRUE(watch.compare("b", wrong, now)) << "each";
  EXPECT_FALSE(watch.compare("a", now, now));
  EXPECT_TRUE(watch.compare("a", wrong, now)) << "again";
}

}  // namespace
}  // namespace mcp_oauth
