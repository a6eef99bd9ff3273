#include "base/base64url.h"
#include "base/form.h"
#include "base/http.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"
#include "base/url.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Base64Url, RoundTripsEveryLength) {
  std::string bytes;
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64Url, RefusesWhatIsNotCanonical) {
  for (auto text : {"A", "AA=", "AA==", "A+/A", "AB", "AAB", "A A", "AAAAA", "\xC3\xA9"}) {
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
  }
  for (auto text : {"AA", "AA=A", "A===", "=", "AB==", "A-_A"})
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
}

TEST(Form, KeepsEmptyApartFromAbsentAsTheStandardSays) {
  auto parsed = form::parse("a=1&b=&c&d=x%20y+z&resource=r1&resource=r2");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->find("a"), "1");
  EXPECT_EQ(parsed->find("b"), std::nullopt);
  EXPECT_EQ(parsed->find("c"), std::nullopt);
  EXPECT_EQ(parsed->find("d"), "x y z");
  EXPECT_TRUE(parsed->repeated("resource"));
  EXPECT_FALSE(parsed->repeated("a"));
}

TEST(Form, RefusesBrokenBytes) {
  for (std::string_view text : {"a=%", "a=%2", "a=%zz", "a=%00", "a=%ff", "%c0%af=1"}) {
    EXPECT_FALSE(form::parse(text)) << text;
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a=1&";
  EXPECT_FALSE(form::parse(many));
}

TEST(Form, EncodesWhatItParses) {
  form f;
  f.add("redirect_uri", "http://localhost:1/cb?x=1&y=2");
  f.add("s", "ä +");
  auto again = form::parse(f.encode());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->find("redirect_uri"), "http://localhost:1/cb?x=1&y=2");
  EXPECT_EQ(again->find("s"), "ä +");
}

TEST(Url, TakesApart) {
  auto u = url::parse("HTTPS://Example.COM:8443/a/b?x=1#f");
  ASSERT_TRUE(u);
  EXPECT_EQ(u->origin(), "https://example.com:8443");
  EXPECT_EQ(u->path, "/a/b");
  EXPECT_EQ(u->query, "x=1");
  EXPECT_TRUE(u->has_fragment);
  EXPECT_EQ(url::parse("https://h:443/")->origin(), "https://h");
  EXPECT_EQ(url::parse("http://[::1]:80/x")->authority(), "[::1]");
  EXPECT_EQ(url::parse("cursor://anysphere.cursor-mcp/oauth/callback")->scheme, "cursor");
}

TEST(Url, RefusesWhatBrowsersRepair) {
  for (auto text :
       {"", "/a", "//h/a", "https://h\\@evil/", "https://user@h/", "https://u:p@h/", "http://h:0/",
        "http://h:65536/", "https:///x", "http://h /", "https://h/\t", "http://%31/", "javascript"}) {
    EXPECT_FALSE(url::parse(text)) << text;
  }
}

TEST(Url, KnowsLoopbackInItsLiteralFormsOnly) {
  for (auto host : {"127.0.0.1", "127.255.0.9", "localhost", "LOCALHOST", "::1"})
    EXPECT_TRUE(is_loopback_host(host));
  for (auto host :
       {"127.1", "127.0.0.1.evil", "127.0.0.256", "localhost.evil", "0.0.0.0", "127..0.1", "127.0.0.1."}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(Json, RefusesWhatTwoReadersCouldReadDifferently) {
  for (auto text :
       {R"({"a":1,"a":2})", R"({"x":{"a":1,"a":1}})", "", "{", "{}x", "[1,]", "\"\xff\"", "nul", "{'a':1}"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  EXPECT_FALSE(parse_json(std::string(40, '[') + std::string(40, ']')));
  EXPECT_TRUE(parse_json(R"({"a":[1,2.5,"x",null,true]})"));
}

// Found by fuzz/mirrored: without bytes there may be no address either.
TEST(Json, OfNothingIsMalformed) {
  EXPECT_EQ(parse_json(std::string_view{}).error().code, errc::json_malformed);
  EXPECT_EQ(parse_json("").error().code, errc::json_malformed);
}

TEST(Json, ReadsMembersByType) {
  auto o = parse_json_object(R"({"s":"x","n":5,"f":5.5,"b":true,"l":["a","b"],"m":["a",1]})");
  ASSERT_TRUE(o);
  std::string s;
  std::int64_t n = 0;
  std::vector<std::string> l;
  EXPECT_EQ(read(*o, "s", s), member::present);
  EXPECT_EQ(read(*o, "n", s), member::wrong_type);
  EXPECT_EQ(read(*o, "none", s), member::absent);
  EXPECT_EQ(read(*o, "f", n), member::present);
  EXPECT_EQ(n, 5);
  EXPECT_EQ(read(*o, "l", l), member::present);
  EXPECT_EQ(read(*o, "m", l), member::wrong_type);
  EXPECT_EQ(l.size(), 2u);
}

TEST(Text, WildcardsMatchRunsOnly) {
  EXPECT_TRUE(matches_wildcard("X-User-*", "X-User-Id"));
  EXPECT_TRUE(matches_wildcard("*", ""));
  EXPECT_TRUE(matches_wildcard("a*b*c", "aXXbYYbc"));
  EXPECT_FALSE(matches_wildcard("delete_*", "undelete_x"));
  EXPECT_FALSE(matches_wildcard("", "a"));
}

TEST(Text, ParsesDecimalWithoutOverflow) {
  EXPECT_EQ(parse_decimal("18446744073709551615"), 18446744073709551615ULL);
  for (auto text : {"", "18446744073709551616", "-1", "+1", " 1", "1 ", "0x1"}) {
    EXPECT_EQ(parse_decimal(text), std::nullopt) << text;
  }
}

TEST(Text, MeasuresEdits) {
  EXPECT_EQ(edit_distance("callback_ur", "callback_url"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

TEST(Text, KnowsUtf8) {
  EXPECT_TRUE(is_valid_utf8("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"));
  for (std::string_view bad :
       {"\x80", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

TEST(Secret, ComparesAndForgets) {
  secret s("abc");
  EXPECT_TRUE(s.equals("abc"));
  EXPECT_FALSE(s.equals("abd"));
  EXPECT_FALSE(s.equals("ab"));
  secret moved = std::move(s);
  EXPECT_EQ(moved.reveal(), "abc");
  EXPECT_TRUE(s.empty());  // NOLINT(bugprone-use-after-move): that it is empty is the contract
}

TEST(Time, PrintsUtcWithMilliseconds) {
  EXPECT_EQ(to_iso8601(from_unix(1795240504) + milliseconds(7)), "2026-11-21T05:55:04.007Z");
}

TEST(Http, HasAPhraseForEveryStatusThatWeSend) {
  for (int status : {100, 200, 201, 202, 204, 302, 303, 304, 400, 401, 403, 404, 405, 406, 408,
                     409, 411, 413, 414, 415, 421, 422, 429, 431, 500, 501, 502, 503, 504, 505}) {
    EXPECT_NE(reason_phrase(status), "") << status;
  }
  EXPECT_EQ(reason_phrase(401), "Unauthorized");
  EXPECT_EQ(reason_phrase(504), "Gateway Timeout");
  for (int status : {0, 99, 299, 599, 1000}) EXPECT_EQ(reason_phrase(status), "") << status;
}

TEST(HttpFields, OnlyMeansOnce) {
  http_fields f{{"A", "1"}, {"a", "2"}, {"B", "3"}};
  EXPECT_EQ(f.only("a"), std::nullopt);
  EXPECT_EQ(f.only("b"), "3");
  EXPECT_EQ(f.only("c"), std::nullopt);
  f.set("A", "9");
  EXPECT_EQ(f.count("a"), 1u);
  EXPECT_FALSE(f.empty());
  EXPECT_TRUE(http_fields().empty());
}

}  // namespace
}  // namespace mcp_oauth
