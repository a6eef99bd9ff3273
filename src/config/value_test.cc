#include "config/value.h"

#include <string>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::optional<std::string> one_variable(std::string_view name) {
  if (name == "NAME") return "value";
  if (name == "TRICK") return "${NAME}$$";
  if (name == "EMPTY") return "";
  return std::nullopt;
}

TEST(Duration, IsANumberInItsUnitOrHasOne) {
  struct row {
    const char* text;
    std::int64_t milliseconds;  // -1: refused
  };
  for (auto [text, wanted] :
       {row{"600", 600'000}, row{"15m", 900'000}, row{"30d", 2'592'000'000}, row{"8h", 28'800'000},
        row{"500ms", 500}, row{"2s", 2000}, row{"0", 0}, row{"", -1}, row{"-1", -1}, row{"1.5s", -1},
        row{"10 s", -1}, row{"s", -1}, row{"1w", -1}, row{"1S", -1}, row{"0x10", -1},
        row{"99999999999999999999", -1}, row{"9223372036854775807d", -1}, row{"1e3", -1}}) {
    auto got = parse_duration(text, seconds(1));
    EXPECT_EQ(got ? got->count() : -1, wanted) << text;
  }
  EXPECT_EQ(parse_duration("250", milliseconds(1)), milliseconds(250));
}

TEST(Size, IsBytesOrHasABinaryUnit) {
  EXPECT_EQ(parse_size("65536"), 65536U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("16MiB"), 16U * 1024 * 1024);
  EXPECT_EQ(parse_size("1GiB"), 1024U * 1024 * 1024);
  for (const char* bad :
       {"", "KiB", "1kb", "1MB", "1 KiB", "-1", "18446744073709551615GiB", "18446744073709551616"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
}

TEST(Percentage, IsInMillionths) {
  struct row {
    const char* text;
    std::uint32_t per_million;
  };
  for (auto [text, wanted] : {row{"0", 0}, row{"100", 1'000'000}, row{"5", 50'000}, row{"12.5", 125'000},
                              row{"0.0001", 1}, row{"100.0", 1'000'000}}) {
    EXPECT_EQ(parse_percentage(text), wanted) << text;
  }
  for (const char* bad :
       {"", ".", "1.", ".5", "101", "100.1", "-1", "5%", "1e1", "0.00001", "1.2.3", "1.-2", "1.+2"})
    EXPECT_EQ(parse_percentage(bad), std::nullopt) << bad;
}

TEST(Bool, IsTrueOrFalseAndNothingElse) {
  EXPECT_EQ(parse_bool("true"), true);
  EXPECT_EQ(parse_bool("False"), false);
  for (const char* bad : {"", "yes", "no", "on", "off", "1", "0", "truee"})
    EXPECT_EQ(parse_bool(bad), std::nullopt) << bad;
}

TEST(Words, AreApartByCommasOrBlanks) {
  EXPECT_EQ(parse_words("a, b\tc\n,,d "), (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_TRUE(parse_words(" , ").empty());
}

TEST(Variables, AreReplacedOnce) {
  struct row {
    const char *text, *wanted;
  };
  for (auto [text, wanted] :
       {row{"", ""}, row{"plain", "plain"}, row{"a${NAME}b", "avalueb"}, row{"${NAME}${NAME}", "valuevalue"},
        row{"${NONE:-x}", "x"}, row{"${NONE:-}", ""}, row{"${EMPTY:-x}", "x"}, row{"${EMPTY}", ""},
        row{"${NAME:-x}", "value"}, row{"$${NAME}", "${NAME}"}, row{"$$", "$"}, row{"$$$$", "$$"},
        row{"pa$word", "pa$word"}, row{"end$", "end$"}, row{"${TRICK}", "${NAME}$$"},
        row{"${NONE:-a:-b}", "a:-b"}}) {
    auto got = expand_variables(text, one_variable);
    ASSERT_TRUE(got) << text;
    EXPECT_EQ(*got, wanted) << text;
  }
}

TEST(Variables, ThatCannotBeReplacedAreNamed) {
  for (const char* bad :
       {"${", "${NAME", "${}", "${1A}", "${A B}", "${A-b}", "${NONE}", "x${NAME}${NONE}", "${ä}"}) {
    EXPECT_FALSE(expand_variables(bad, one_variable)) << bad;
  }
  EXPECT_NE(expand_variables("${NONE}", one_variable).error().rule.find("NONE"), std::string::npos);
  EXPECT_FALSE(expand_variables("${NAME}", nullptr));
}

TEST(EncryptionKey, Is32BytesInAnyUsualForm) {
  const std::string bytes = "\xfb\xff\xfe" + std::string(29, 'k');
  const std::string hex = "fbfffe" + [] {
    std::string text;
    for (int i = 0; i < 29; ++i) text += "6b";
    return text;
  }();
  const std::string base64 = "+//+" + std::string("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=");
  std::string base64url = "-__-" + base64.substr(4, 39);
  EXPECT_EQ(decode_encryption_key(hex), bytes);
  EXPECT_EQ(decode_encryption_key(base64), bytes);
  EXPECT_EQ(decode_encryption_key(base64.substr(0, 43)), bytes);
  EXPECT_EQ(decode_encryption_key(base64url), bytes);
  for (const std::string& bad :
       {std::string(), std::string(32, 'k'), hex.substr(2), hex + "00", std::string(64, 'g'),
        std::string(43, '!'), base64 + "=", base64.substr(0, 42), std::string(43, 'z') + "="}) {
    EXPECT_EQ(decode_encryption_key(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace mcp_oauth
