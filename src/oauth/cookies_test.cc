#include "oauth/cookies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
constexpr auto https = origin_scheme::https;
constexpr auto http = origin_scheme::http;

TEST(Cookies, AreReadInOrder) {
  EXPECT_THAT(parse_cookies("a=1; b=2;c=x=y ;  d="),
              ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", "x=y"), Pair("d", "")));
}

TEST(Cookies, OutsideTheGrammarAreLeftOut) {
  for (std::string bad : {"", ";", ";;;;", "=", "=x", "a", "a b=1", "a=1 2", "a=1,2", "a=\"1\"", "a=\\",
                          "(a)=1", "a=\x01", "a=\xC3\xA9", "\xC3\xA9=1", "a=\x7F", "a\t=1"}) {
    EXPECT_THAT(parse_cookies(bad), IsEmpty()) << bad;
    EXPECT_THAT(parse_cookies(bad + "; ok=1"), ElementsAre(Pair("ok", "1"))) << bad;
  }
  EXPECT_THAT(parse_cookies(std::string_view("a=1\0b", 5)), IsEmpty());
}

// mod_auth_openidc CVE-2023-28625: an empty piece must not stop or crash the reader.
TEST(Cookies, SurviveEmptyPieces) { EXPECT_THAT(parse_cookies(";; ;a=1;;"), ElementsAre(Pair("a", "1"))); }

TEST(Cookies, AreBounded) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "a=1;";
  EXPECT_EQ(parse_cookies(many).size(), 128u);
  EXPECT_EQ(parse_cookies("a=" + std::string(16 * 1024 - 2, 'x')).size(), 1u);
  EXPECT_THAT(parse_cookies("a=" + std::string(16 * 1024 - 1, 'x')), IsEmpty());
}

TEST(Cookies, AreFoundUnderTheNameOfTheScheme) {
  http_fields fields{{"Cookie", "login=plain; __Host-login=safe"}};
  EXPECT_EQ(find_cookie(fields, "login", https), "safe");
  EXPECT_EQ(find_cookie(fields, "login", http), "plain");
  EXPECT_EQ(find_cookie(fields, "other", http), std::nullopt);
  EXPECT_EQ(find_cookie(fields, "LOGIN", http), std::nullopt);
  EXPECT_EQ(find_cookie({}, "login", http), std::nullopt);
  EXPECT_EQ(find_cookie({{"cookie", "a=1"}, {"COOKIE", "b=2"}}, "b", http), "2");
  EXPECT_EQ(find_cookie({{"X-Cookie", "a=1"}}, "a", http), std::nullopt);
}

TEST(Cookies, ThatContradictThemselvesAreNotThere) {
  EXPECT_EQ(find_cookie({{"Cookie", "a=1; a=2"}}, "a", http), std::nullopt);
  EXPECT_EQ(find_cookie({{"Cookie", "a=1"}, {"Cookie", "a=2"}}, "a", http), std::nullopt);
  EXPECT_EQ(find_cookie({{"Cookie", "a=1; a=1"}}, "a", http), "1");
}

TEST(Cookies, AreSetForTheWholeHostAndNoScript) {
  EXPECT_EQ(*set_cookie("login", "abc", https, seconds(600)),
            "__Host-login=abc; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600");
  EXPECT_EQ(*set_cookie("login", "abc", http), "login=abc; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(expire_cookie("login", https),
            "__Host-login=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0");
}

TEST(Cookies, CannotBreakTheirHeader) {
  for (std::string bad : {"a;b", "a b", "a\r\nX: y", "a,b", "\"a\"", "a\\", "\xC3\xA9"}) {
    EXPECT_EQ(set_cookie("n", bad, http).error().code, errc::internal) << bad;
    EXPECT_EQ(set_cookie(bad, "v", http).error().code, errc::internal) << bad;
  }
  EXPECT_FALSE(set_cookie("", "v", http));
  EXPECT_TRUE(set_cookie("n", std::string(4094, 'v'), http));
  EXPECT_FALSE(set_cookie("n", std::string(4095, 'v'), http));
}

TEST(Cookies, ComeBackAsTheyWereSet) {
  auto header = *set_cookie("login", "AZaz09-_.~", https);
  http_fields fields{{"Cookie", header.substr(0, header.find(';'))}};
  EXPECT_EQ(find_cookie(fields, "login", https), "AZaz09-_.~");
}

}  // namespace
}  // namespace mcp_oauth
