#include "doctor/print_symptom.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<found_symptom> by_id(std::string_view id) {
  const auto* row = find_by_id(id);
  return {{row, row->id, guide::none, true, 1}};
}

TEST(PrintSymptom, HasWhatToDoInLinesOfTheirOwn) {
  auto text = to_text(by_id("MOP-AUD-001"), false);
  for (auto words : {"MOP-AUD-001  audience mismatch\n", "  status    401 invalid_token\n", "  cause     ",
                     "  fix       ", "  check     mcp-oauth-proxy explain-token\n",
                     "  page      docs/reference/errors.md#MOP-AUD-001\n"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_THAT(text, Not(HasSubstr("met as"))) << "an id is nothing that was met";
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(to_text(by_id("MOP-AUD-001"), true), HasSubstr("\033[1mMOP-AUD-001"));
  EXPECT_THAT(to_text(by_id("MOP-WEB-010"), false), Not(HasSubstr("status"))) << "it is no answer";
}

TEST(PrintSymptom, SaysByWhichWordsARowWasFound) {
  auto found = find_symptoms("Authentication failed: invalid token", 5);
  ASSERT_FALSE(found.empty());
  EXPECT_THAT(to_text(found, false), HasSubstr("  met as    Authentication failed: invalid token"));
  auto o = to_json(found);
  const auto& first = o.at("symptoms").as_array().front().as_object();
  EXPECT_EQ(o.at("version"), 1);
  EXPECT_EQ(o.at("kind"), "symptoms");
  EXPECT_EQ(first.at("exact"), true);
  EXPECT_EQ(first.at("words"), json::string(found.front().words.data(), found.front().words.size()));
  EXPECT_EQ(first.at("id"), json::string(found.front().row->id.data(), found.front().row->id.size()));
}

TEST(PrintSymptom, TheSchemaKnowsEveryMember) {
  auto schema = explain_schema();
  ASSERT_TRUE(parse_json_object(schema)) << schema;
  auto o = to_json(by_id("MOP-AUD-001"));
  for (const auto& member : o.at("symptoms").as_array().front().as_object())
    EXPECT_THAT(schema, HasSubstr("\"" + std::string(member.key()) + "\"")) << member.key();
}

}  // namespace
}  // namespace mcp_oauth
