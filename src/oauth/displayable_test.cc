#include "oauth/displayable.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Displayable, KeepsWhatPeopleWrite) {
  for (std::string name :
       {"Visual Studio Code", "Caf\xC3\xA9", "\xE6\x97\xA5\xE6\x9C\xAC", "\xF0\x9F\x98\x80 app", "<b>&\"'"}) {
    EXPECT_EQ(displayable(name), name);
  }
}

TEST(Displayable, StripsWhatHidesOrReorders) {
  for (std::string hidden : {
           "\x01",
           "\x1B",
           "\x7F",
           "\xC2\x80",
           "\xC2\x9B",
           "\xC2\xAD",
           "\xD8\x9C",
           "\xE2\x80\x8B",
           "\xE2\x80\x8D",
           "\xE2\x80\x8E",
           "\xE2\x80\x8F",
           "\xE2\x80\xAA",
           "\xE2\x80\xAE",
           "\xE2\x81\xA0",
           "\xE2\x81\xA6",
           "\xE2\x81\xA9",
           "\xEF\xBB\xBF",
           "\xE3\x85\xA4",
           "\xE1\x85\x9F",
           "\xEF\xBE\xA0",
           "\xE2\xA0\x80",
           "\xEE\x80\x80",
           "\xF3\xA0\x81\x81",
           "\xF0\x9D\x85\xB3",
       }) {
    EXPECT_EQ(displayable("a" + hidden + "b"), "ab");
    EXPECT_EQ(displayable(hidden), "");
  }
  EXPECT_EQ(displayable(std::string("a\0b", 3)), "ab");
}

TEST(Displayable, MakesOneSpaceOfManyAndNoneAtTheEnds) {
  EXPECT_EQ(displayable("  a \t\r\n b\xC2\xA0\xE3\x80\x80"
                        "c\xE2\x80\xA8"),
            "a b c");
  EXPECT_EQ(displayable(" \n "), "");
  EXPECT_EQ(displayable("a \xE2\x80\x8B b"), "a b");
}

TEST(Displayable, YieldsNothingForBrokenText) {
  for (std::string broken : {"\xFF", "a\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80"})
    EXPECT_EQ(displayable(broken), "");
}

TEST(WithoutControls, LeavesNothingThatATerminalActsOn) {
  EXPECT_EQ(without_controls("a\x1B[31m\x07\r\nb\tc\x7F"), "a [31m   b c ");
  EXPECT_EQ(without_controls("a\xC2\x9B"
                             "31mred\xC2\x80\xC2\x9F"),
            "a  31mred    ");
  EXPECT_EQ(without_controls("\xC2\xA0\xC3\x9B\xE2\x82\xAC \xC2"), "\xC2\xA0\xC3\x9B\xE2\x82\xAC \xC2")
      << "words stay";
  EXPECT_EQ(without_controls("a\x9B"
                             "31m\x80\xC3\x9B\x9C"),
            "a 31m \xC3\x9B ")
      << "a terminal of one byte a character";
  EXPECT_EQ(without_controls(std::string("a\0b", 3)), "a b");
  EXPECT_EQ(without_controls("one\ntwo\r\n\x1B[2J", true), "one\ntwo \n [2J");
}

}  // namespace
}  // namespace mcp_oauth
