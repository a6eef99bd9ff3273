#include "mcp/json_scanner.h"

#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using token = json_scanner::token;

bool accepts(std::string_view text, std::size_t piece_size = 0) {
  json_scanner scanner;
  for (std::size_t at = 0; at < text.size();) {
    auto piece = text.substr(at, piece_size == 0 ? text.size() : piece_size);
    at += piece.size();
    for (;;) {
      auto t = scanner.next(piece);
      if (t == token::error) return false;
      if (t == token::more) break;
    }
  }
  return scanner.whole();
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonScanner, AcceptsTheWholeGrammarHoweverItIsCut) {
  for (std::string text :
       {R"({})", R"([])", R"("")", R"( null )", "true", "false", "0", "-0", "1.5e+10", "12E-3", "1.0", "-7",
        R"({"a":[1,2,{"b":null}],"c":{}})", R"(["\"\\\/\b\f\n\r\t\u0041\uD83D\uDE00"])",
        "[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"]", "[\"\x7F\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\"]",
        "\t\n\r [ 1 , 2 ] \n", R"({"":""})", R"({"a":1,"a":2})"}) {
    EXPECT_TRUE(accepts(text)) << text;
    for (std::size_t size = 1; size < 9; ++size) EXPECT_TRUE(accepts(text, size)) << text << " by " << size;
  }
  EXPECT_TRUE(accepts(nested(64)));
}

TEST(JsonScanner, RefusesEverythingElseHoweverItIsCut) {
  for (std::string text : {std::string(),
                           std::string("{"),
                           std::string("["),
                           std::string("\""),
                           std::string("[1,]"),
                           std::string("{\"a\":1,}"),
                           std::string("{,}"),
                           std::string("[,]"),
                           std::string("{\"a\"}"),
                           std::string("{\"a\":}"),
                           std::string("{a:1}"),
                           std::string("{'a':1}"),
                           std::string("{1:1}"),
                           std::string("[1 2]"),
                           std::string("[1}"),
                           std::string("{\"a\":1]"),
                           std::string("1 1"),
                           std::string("{}{}"),
                           std::string("[]x"),
                           std::string("01"),
                           std::string("-"),
                           std::string("-a"),
                           std::string("+1"),
                           std::string(".5"),
                           std::string("1."),
                           std::string("1.e1"),
                           std::string("1e"),
                           std::string("1e+"),
                           std::string("[1e]"),
                           std::string("[-]"),
                           std::string("[00]"),
                           std::string("[-01]"),
                           std::string("NaN"),
                           std::string("Infinity"),
                           std::string("tru"),
                           std::string("truE"),
                           std::string("[nul]"),
                           std::string("\"a\nb\""),
                           std::string("\"a\0b\"", 5),
                           std::string("\"\x1F\""),
                           std::string("\"12345678\x01\""),
                           std::string(R"("\x")"),
                           std::string(R"("\u12g4")"),
                           std::string(R"("\u123")"),
                           std::string(R"("\uD800")"),
                           std::string(R"("\uD800x")"),
                           std::string(R"("\uD800\n")"),
                           std::string(R"("\uD800\u0041")"),
                           std::string(R"("\uD800\uD800")"),
                           std::string(R"("\uDC00")"),
                           std::string("\"\x80\""),
                           std::string("\"\xC0\xAF\""),
                           std::string("\"\xC1\x81\""),
                           std::string("\"\xE0\x80\xAF\""),
                           std::string("\"\xED\xA0\x80\""),
                           std::string("\"\xF0\x8F\xBF\xBF\""),
                           std::string("\"\xF4\x90\x80\x80\""),
                           std::string("\"\xF5\x80\x80\x80\""),
                           std::string("\"\xE2\x82\""),
                           std::string("\"\xE2\x82\\n\""),
                           std::string("\"abcdefgh\xFF\""),
                           std::string("\xEF\xBB\xBF{}"),
                           std::string("[1,/*c*/2]"),
                           std::string("\0", 1),
                           std::string("\x0B[]"),
                           nested(65)}) {
    EXPECT_FALSE(accepts(text)) << text;
    for (std::size_t size = 1; size < 9; ++size) EXPECT_FALSE(accepts(text, size)) << text << " by " << size;
  }
}

TEST(JsonScanner, ReportsEveryTokenInOrder) {
  json_scanner scanner;
  std::string_view text = R"({"a":[1,"x",true,null],"b":{}})";
  std::vector<token> tokens;
  for (auto t = scanner.next(text); t != token::more; t = scanner.next(text)) tokens.push_back(t);
  using enum json_scanner::token;
  EXPECT_EQ(tokens, (std::vector<token>{begin_object, name, begin_array, number, string, boolean, null,
                                        end_array, name, begin_object, end_object, end_object}));
  EXPECT_EQ(scanner.offset(), 30U);
}

TEST(JsonScanner, KeepsDecodedTextAcrossPieces) {
  std::string text = "\"a\\u00e9\xC3\xA9\\uD83D\\uDE00\\n\\/z\"";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    json_scanner scanner;
    scanner.keep_next(json_scanner::keep::text, 100);
    token t = token::more;
    for (std::size_t at = 0; at < text.size() && t == token::more; at += size) {
      auto piece = std::string_view(text).substr(at, size);
      t = scanner.next(piece);
    }
    ASSERT_EQ(t, token::string);
    EXPECT_EQ(scanner.text(), "a\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80\n/z") << size;
  }
}

TEST(JsonScanner, KeepsRawTextAsWritten) {
  for (std::string text : {R"("a\u0041\"b")", "-12.50e3"}) {
    for (std::size_t size = 1; size <= text.size(); ++size) {
      json_scanner scanner;
      scanner.keep_next(json_scanner::keep::raw, 100);
      std::string padded = text + " ";
      token t = token::more;
      for (std::size_t at = 0; at < padded.size() && t == token::more; at += size) {
        auto piece = std::string_view(padded).substr(at, size);
        t = scanner.next(piece);
      }
      EXPECT_EQ(scanner.text(), text) << size;
    }
  }
}

TEST(JsonScanner, ForgetsWhatIsLongerThanItMayKeep) {
  for (auto [most, overlong] : {std::pair{std::size_t{3}, true}, std::pair{std::size_t{4}, false}}) {
    json_scanner scanner;
    scanner.keep_next(json_scanner::keep::text, most);
    std::string_view text = R"("ab\u00e9")";
    EXPECT_EQ(scanner.next(text), token::string);
    EXPECT_EQ(scanner.overlong(), overlong);
    EXPECT_EQ(scanner.text(), overlong ? "" : "ab\xC3\xA9");
  }
}

TEST(JsonScanner, KeepsNothingUnasked) {
  json_scanner scanner;
  std::string_view text = R"(["abc",12])";
  scanner.next(text);
  scanner.next(text);
  EXPECT_EQ(scanner.text(), "");
  scanner.next(text);
  EXPECT_EQ(scanner.text(), "");
}

TEST(JsonScanner, SkipsAContainerButStillChecksIt) {
  json_scanner scanner;
  std::string_view text = R"([{"a":[{"b":[]}],"c":"d"},7])";
  EXPECT_EQ(scanner.next(text), token::begin_array);
  EXPECT_EQ(scanner.next(text), token::begin_object);
  scanner.skip();
  EXPECT_EQ(scanner.next(text), token::end_object);
  EXPECT_EQ(scanner.next(text), token::number);

  json_scanner broken;
  text = R"([{"a":[1,]}])";
  broken.next(text);
  broken.skip();
  EXPECT_EQ(broken.next(text), token::error);
  EXPECT_EQ(broken.next(text), token::error);
}

}  // namespace
}  // namespace mcp_oauth
