#include "doctor/moment.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Moment, IsUnixTimeOrIso8601) {
  EXPECT_EQ(parse_moment("1790000000"), from_unix(1'790'000'000));
  EXPECT_EQ(parse_moment("2026-09-21T14:13:20Z"), from_unix(1'790'000'000));
  EXPECT_EQ(parse_moment("2026-09-21T14:13:20.123Z"), from_unix(1'790'000'000));
  EXPECT_EQ(parse_moment("2028-02-29T00:00:00Z"), from_unix(1'835'395'200));
}

TEST(Moment, IsNothingElse) {
  for (auto text :
       {"", "now", "-1", "2026-09-21", "2026-09-21 14:13:20", "2026-09-21T14:13:20", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-09-21T24:00:00Z", "2026-09-21T14:60:20Z", "2026-09-21T14:13:60Z",
        "1969-09-21T14:13:20Z", "2026-09-21T14:13:20+00:00", "99999999999999999999", "9000000001",
        "2026-09-21T14:13:20.xZ", "2026x09-21T14:13:20Z", "2026-09-21T14:1a:20Z"}) {
    EXPECT_FALSE(parse_moment(text)) << text;
  }
}

}  // namespace
}  // namespace mcp_oauth
