#include "oauth/scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using words = std::vector<std::string>;

TEST(Scope, IsReadInOrderAndEachOnce) {
  EXPECT_THAT(*parse_scope("b a  b c:d/*.+~! "), ElementsAre("b", "a", "c:d/*.+~!"));
  EXPECT_THAT(*parse_scope(""), IsEmpty());
  EXPECT_THAT(*parse_scope("   "), IsEmpty());
}

TEST(Scope, RefusesCharactersThatNoTokenMayHold) {
  for (std::string bad : {"a\"b", "a\\b", "a\tb", "a\nb", "a\rb", "\x7F", "\xC3\xA9", "\x01"}) {
    auto outcome = parse_scope("ok " + bad);
    ASSERT_FALSE(outcome) << bad;
    EXPECT_EQ(outcome.error().code, errc::scope_unknown);
    EXPECT_FALSE(is_scope_token(bad));
  }
  EXPECT_FALSE(parse_scope(std::string("a\0b", 3)));
  EXPECT_FALSE(is_scope_token(""));
  EXPECT_FALSE(is_scope_token("a b"));
  EXPECT_TRUE(is_scope_token("tools:read"));
}

TEST(Scope, IsAtMost4096CharactersLong) {
  EXPECT_TRUE(parse_scope(std::string(4096, 'a')));
  EXPECT_EQ(parse_scope(std::string(4097, 'a')).error().code, errc::parameter_too_long);
}

TEST(Scope, IsNarrowedToWhatIsKnown) {
  words known = {"tools:read", "tools:write", "email"};
  EXPECT_THAT(*narrow_scopes({"tools:write", "x", "tools:read", "tools:write"}, known, {}),
              ElementsAre("tools:write", "tools:read"));
  EXPECT_THAT(*narrow_scopes({"openid", "email"}, known, {"tools:read"}), ElementsAre("email"));
}

TEST(Scope, FallsBackWhenNothingOfOursWasAskedFor) {
  words known = {"tools:read", "tools:write"};
  EXPECT_THAT(*narrow_scopes({}, known, {"tools:read", "gone"}), ElementsAre("tools:read"));
  EXPECT_THAT(*narrow_scopes({"openid", "profile", "offline_access"}, known, {"tools:read"}),
              ElementsAre("tools:read"));
  EXPECT_THAT(*narrow_scopes({}, known, {}), IsEmpty());
}

TEST(Scope, GrantsNothingWhereThereAreNone) { EXPECT_THAT(*narrow_scopes({"a", "b"}, {}, {"a"}), IsEmpty()); }

TEST(Scope, IsUnknownWhenNothingAskedForExists) {
  EXPECT_EQ(narrow_scopes({"x"}, {"a"}, {"a"}).error().code, errc::scope_unknown);
  EXPECT_EQ(narrow_scopes({"openid", "x"}, {"a"}, {"a"}).error().code, errc::scope_unknown);
  EXPECT_EQ(narrow_scopes({"A"}, {"a"}, {"a"}).error().code, errc::scope_unknown)
      << "scopes are case-sensitive";
}

TEST(Scope, OfARefreshStaysWithinTheGrant) {
  words granted = {"a", "b"};
  EXPECT_THAT(*refresh_scopes(std::nullopt, granted), ElementsAre("a", "b"));
  EXPECT_THAT(*refresh_scopes(words{}, granted), ElementsAre("a", "b"));
  EXPECT_THAT(*refresh_scopes(words{"b"}, granted), ElementsAre("b"));
  EXPECT_EQ(refresh_scopes(words{"b", "c"}, granted).error().code, errc::refresh_scope_exceeded);
  EXPECT_EQ(refresh_scopes(words{"a"}, {}).error().code, errc::refresh_scope_exceeded);
}

TEST(Scope, HoldsEveryOnlyWhenAllAreGranted) {
  EXPECT_TRUE(holds_every_scope({"a", "b"}, {"b"}));
  EXPECT_TRUE(holds_every_scope({}, {}));
  EXPECT_FALSE(holds_every_scope({"a"}, {"a", "b"}));
  EXPECT_FALSE(holds_every_scope({"ab"}, {"a"}));
}

}  // namespace
}  // namespace mcp_oauth
