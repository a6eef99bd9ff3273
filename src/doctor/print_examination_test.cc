#include "doctor/print_examination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

examination with(severity level, bool decides = false) {
  examination made;
  made.target = "https://mcp.example.com/mcp";
  doctor_finding one;
  one.check = "http.path";
  one.title = "A finding";
  one.level = level;
  one.decides = decides;
  if (level != severity::ok) one.code = errc::front_refuses;
  made.findings.push_back(one);
  return made;
}

TEST(PrintedExamination, SaysInItsFirstLineHowItIs) {
  struct row {
    severity level;
    bool decides;
    const char* word;
    const char* begins;
  };
  for (const auto& [level, decides, word, begins] :
       {row{severity::ok, false, "ok", "✓ All is well at https://mcp.example.com/mcp\n"},
        row{severity::warning, false, "warning",
            "⚠ It works, and not for everybody: https://mcp.example.com/mcp\n"},
        row{severity::failure, false, "failed", "✗ Something is wrong at https://mcp.example.com/mcp\n"},
        row{severity::unknown, true, "unknown", "? It cannot be told of https://mcp.example.com/mcp\n"}}) {
    auto made = with(level, decides);
    EXPECT_EQ(word_of(made.verdict()), word);
    EXPECT_THAT(to_text(made, false), StartsWith(begins));
    EXPECT_EQ(to_json(made).at("verdict").as_string(), word);
  }
}

TEST(PrintedExamination, HasAWordAndAMarkForEachFinding) {
  struct row {
    severity level;
    const char* word;
    const char* mark;
  };
  for (const auto& [level, word, mark] :
       {row{severity::ok, "ok", "✓"}, row{severity::warning, "warning", "⚠"},
        row{severity::failure, "failure", "✗"}, row{severity::unknown, "unknown", "?"}}) {
    auto made = with(level);
    EXPECT_EQ(word_of(level), word);
    EXPECT_THAT(to_text(made, false), HasSubstr(std::string(mark) + " http.path"));
    EXPECT_EQ(to_json(made).at("findings").at(0).at("severity").as_string(), word);
  }
}

}  // namespace
}  // namespace mcp_oauth
