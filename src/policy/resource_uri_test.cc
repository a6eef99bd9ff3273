#include "policy/resource_uri.h"

#include "base/text.h"
#include "policy/near_miss.h"

#include <algorithm>
#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(ResourceUri, IsPlainWhenEveryReaderTakesItForTheSamePlace) {
  for (const auto* uri :
       {"file:///a/b", "file:///a/", "file:///", "file:///a/..b", "file:///a...", "note:a",
        "db://h/x?y=z/..a", "file:///%C3%A4", "x", "", "https://h.example:8080/a;b", "file:///a%20b"}) {
    EXPECT_TRUE(is_plain_uri(uri)) << uri;
  }
  for (const auto* uri :
       {"file:///a/../b", "file:///..", "file:///a/.", "file:///%2e%2e/a", "file:///%2E%2e", "file:///.%2e/a",
        "file:///a%2fb", "file:///a%5cb", "file:///a\\b", "file:///%252e%252e/a", "file:///a%00",
        "file:///a\nb", "file:///%zz", "file:///%", "file:///a/..;x/b", "note:../a", "file:///a%7f"}) {
    EXPECT_FALSE(is_plain_uri(uri)) << uri;
  }
}

TEST(ResourceUri, DotsAreFoundWhereverAServerCouldLookForThem) {
  for (const auto* uri :
       {"db://h/x?q=a%2Fb&r=c.d", "db://h/x?a=%5C", "db://h/x?q=100%", "db://h/x?q=%zz", "db://h/x?q=a..b#c",
        "db://h/x?u=https%253A%252F%252Fa", "db://h/x?q=a%0Ab", "note:x?", "note:x#"}) {
    EXPECT_TRUE(is_plain_uri(uri)) << uri;
  }
  for (const auto* uri : {"file:///public/x?/../../secret/key",
                          "file:///public/x#/../../secret/key",
                          "file:///p/x?/%2e%2e/s",
                          "file:///p/x?%2F..%2F..%2Fs",
                          "file:///p/x?\\..\\..\\s",
                          "file:///p/x?%5c..%5cs",
                          "file:///p/x?/..;a/s",
                          "file:///p/x?/%252e%252e/s",
                          "file:///p/x?/%25252e%25252e/s",
                          "file:///p/x?/%2525252525252e./s",
                          "file:///p/x?/.\t./s",
                          "file:///p/x?/.%09./s",
                          "db://h/x?y=../z",
                          "db://h/x?y=..",
                          "db://h/x?a&..",
                          "a:b#/../",
                          "a:b#..",
                          "notes://../secret",
                          "notes://..",
                          "notes://..;x/secret",
                          "notes://%2e%2e/secret",
                          "notes://./a",
                          "notes://..?x"}) {
    EXPECT_FALSE(is_plain_uri(uri)) << uri;
  }
}

TEST(ResourceUri, IsNotPlainWhereReadersWriteItAnew) {
  for (const auto* uri : {"https://h/x",
                          "https://h",
                          "http://h?x",
                          "http://h:8080/",
                          "https://h:80/",
                          "http://a-b_c.example/",
                          "http://127.0.0.1:3000/x",
                          "HTTPS://H/x",
                          "http://h/a//b",
                          "http://v2.3com/",
                          "ws://h/",
                          "wss://h",
                          "ftp://h/x",
                          "file:///a b",
                          "db://h//x",
                          "db://u@h/x",
                          "db://h:/x",
                          "db://[::1]/",
                          "db:x",
                          "filex:/a"}) {
    EXPECT_TRUE(is_plain_uri(uri)) << uri;
  }
  for (const auto* uri : {" file:///a",
                          "file:///a ",
                          "file:/a",
                          "file:a",
                          "FILE:/a",
                          "file:",
                          "file:////a",
                          "file:///a//b",
                          "file://localhost/a",
                          "file://h",
                          "https:h/x",
                          "https:/h/x",
                          "https:///h/x",
                          "https://",
                          "https://h:/x",
                          "https://h:443/x",
                          "http://h:80",
                          "ws://h:80/",
                          "wss://h:443/",
                          "ftp://h:21/",
                          "https://h:0443/x",
                          "https://h:08080/",
                          "https://h:x/",
                          "https://h:123456/",
                          "https://u@h/x",
                          "https://u:p@h/x",
                          "https://@h/x",
                          "https://h./x",
                          "https://%68/x",
                          "https://h\u00E4/x",
                          "http://127.1/",
                          "http://1/",
                          "http://0x7f000001/",
                          "http://h.0x1/",
                          "http://127.0.0.01/",
                          "http://127.0.0.256/",
                          "http://1.2.3.4.5/",
                          "http://[::1]/"}) {
    EXPECT_FALSE(is_plain_uri(uri)) << uri;
  }
}

TEST(ResourceUri, IsKnownUnderOtherForms) {
  using testing::ElementsAre;
  using testing::IsEmpty;
  EXPECT_THAT(other_forms("file:///a/b"), IsEmpty());
  EXPECT_THAT(other_forms("FILE:///a"), ElementsAre("file:///a"));
  EXPECT_THAT(other_forms("file:///.env?"), ElementsAre("file:///.env"));
  EXPECT_THAT(other_forms("file:///.env#x?y"), ElementsAre("file:///.env"));
  EXPECT_THAT(other_forms("FILE:///%61?x=%62"), ElementsAre("file:///a?x=b", "file:///a"));
  EXPECT_THAT(other_forms("file:///a%2bb"), ElementsAre("file:///a+b"));
  EXPECT_THAT(other_forms("file:///a%zz"), IsEmpty());
  EXPECT_THAT(other_forms("db://u:p@h:/x?y"), ElementsAre("db://h/x?y", "db://u:p@h:/x", "db://h/x"));
  EXPECT_THAT(other_forms("db://h:5432/x"), IsEmpty());
  EXPECT_THAT(other_forms("a:b@c:"), IsEmpty());
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

TEST(ResourceUri, ATemplateIsFilledWithWhatIsKnown) {
  const template_values values{{"a", "x"}, {"b", "y/z"}, {"a", "second"}};
  struct row {
    const char *uri_template, *filled;
  };
  for (auto [text, filled] :
       {row{"f:///{a}/{c}", "f:///x/{c}"}, row{"f:{+b}", "f:y/z"}, row{"f:{a}{/b}{#a}{.a}", "f:x/y/z#x.x"},
        row{"f:{?a}{&a}{;a}{a,b}{a*}{A}{}", "f:{?a}{&a}{;a}{a,b}{a*}{A}{}"}, row{"f:{a", "f:{a"},
        row{"f:x", "f:x"}, row{"", ""}, row{"{a}}", "x}"}}) {
    EXPECT_EQ(fill_template(text, values), filled);
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
