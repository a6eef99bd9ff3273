#include "policy/resource_uri.h"

#include "base/text.h"
#include "policy/near_miss.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(ResourceUri, IsPlainWhenEveryReaderTakesItForTheSamePlace) {
  for (const auto* uri :
       {"file:///a/b", "file:///a/", "file:///", "file:///a/..b", "file:///a...", "note:a", "db://h/x?y=../z",
        "a:b#/../", "file:///%C3%A4", "x", "", "https://h.example:8080/a;b", "file:///a%20b"}) {
    EXPECT_TRUE(is_plain_uri(uri)) << uri;
  }
  for (const auto* uri :
       {"file:///a/../b", "file:///..", "file:///a/.", "file:///%2e%2e/a", "file:///%2E%2e", "file:///.%2e/a",
        "file:///a%2fb", "file:///a%5cb", "file:///a\\b", "file:///%252e%252e/a", "file:///a%00",
        "file:///a\nb", "file:///%zz", "file:///%", "file:///a/..;x/b", "note:../a", "file:///a%7f"}) {
    EXPECT_FALSE(is_plain_uri(uri)) << uri;
  }
}

TEST(ResourceUri, HasANormalForm) {
  struct row {
    const char *uri, *normal;  // null: it has it already
  };
  for (auto [uri, normal] :
       {row{"FILE:///A", "file:///A"}, row{"file:///A", nullptr},
        row{"http://Host.Example/Path", "http://host.example/Path"}, row{"http://HOST", "http://host"},
        row{"file:///%41%2D%7e", "file:///A-~"}, row{"file:///%2F", "file:///%2f"},
        row{"file:///%2f", nullptr}, row{"file:///%zz", nullptr}, row{"no scheme/A", nullptr},
        row{"URN:X", "urn:X"}, row{"", nullptr}, row{"1A:b", nullptr}}) {
    auto got = normal_uri(uri);
    if (normal == nullptr) {
      EXPECT_FALSE(got) << uri << " gave " << got.value_or("");
    } else {
      ASSERT_TRUE(got) << uri;
      EXPECT_EQ(*got, normal);
      EXPECT_FALSE(normal_uri(*got)) << "what is normal stays";
    }
  }
}

TEST(ResourceUri, ATemplateMayExpandToWhatSomeOfItsTextsFit) {
  struct row {
    const char *uri_template, *pattern;
    bool may;
  };
  for (auto [text, pattern, may] :
       {row{"f:///a/{x}", "f:///a/*", true}, row{"f:///{x}", "f:///a/*", true},
        row{"f:///b/{x}", "f:///a/*", false}, row{"f:///{x}/end", "f:///a/*", true},
        row{"f:///{x}/end", "f:///*/other", false}, row{"f:///{x}/end", "f:///*end", true},
        row{"{+any}", "db:x", true}, row{"{a}{b}", "", true}, row{"f:x", "f:x", true},
        row{"f:x", "f:y", false}, row{"f:x", "*", true}, row{"f:{x", "f:yz", true},
        row{"ab{x}", "*b*c", true}, row{"a{x}c", "a*b*c*", true}, row{"a{x}c", "a*d", false}}) {
    EXPECT_EQ(may_expand_to(text, pattern), may) << text << " " << pattern;
  }
}

// Against every text of up to four letters: what meets says is what a search finds.
TEST(ResourceUri, MeetsExactlyWhereSomeTextFitsBoth) {
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < texts.size() && texts[i].size() < 4; ++i) {
    for (char c : {'a', 'b'}) texts.push_back(texts[i] + c);
  }
  const std::array<const char*, 12> patterns = {"",    "a",   "*",  "a*",   "*a",  "*b",
                                                "a*b", "*a*", "ab", "*ab*", "b*a", "a*a*"};
  for (std::string one : patterns) {
    for (const auto* other : patterns) {
      bool found = std::any_of(texts.begin(), texts.end(), [&](const auto& text) {
        return matches_wildcard(one, text) && matches_wildcard(other, text);
      });
      auto as_template = one;
      for (auto star = as_template.find('*'); star != std::string::npos; star = as_template.find('*'))
        as_template.replace(star, 1, "{x}");
      EXPECT_EQ(may_expand_to(as_template, other), found) << one << " " << other;
    }
  }
}

TEST(NearMiss, NamesAtMostThreeNamesThatAreNear) {
  const std::array<std::string_view, 6> known = {"echo", "Echo", "ecko", "other", "eco", "echoo"};
  EXPECT_EQ(near_names("echO", known),
            "; near: Echo (differs in case only), echo (differs in case only), echoo");
  EXPECT_EQ(near_names("zzzz", known), "");
  EXPECT_EQ(near_names("", known), "");
  EXPECT_EQ(printable("a\n\x80\"b"), "a???b");
}

}  // namespace
}  // namespace mcp_oauth
