#include "doctor/examination_schema.h"

#include "doctor/print_examination.h"
#include "doctor/site_fixture.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::set<std::string> names_of(const json::object& o) {
  std::set<std::string> names;
  for (const auto& member : o) names.emplace(member.key());
  return names;
}

// What is printed, and what the schema describes, have the same members.
TEST(ExaminationSchema, DescribesWhatIsPrinted) {
  auto schema = parse_json_object(examination_schema());
  ASSERT_TRUE(schema) << schema.error().detail;
  site_world world;
  world.documents[site_world::path_form]["resource"] = "https://other.example.com/mcp";
  auto printed = to_json(world.examine());

  auto described = names_of(schema->at("properties").as_object());
  described.erase("changes");  // of the command, with --fix
  EXPECT_EQ(described, names_of(printed));
  const auto& kinds = schema->at("$defs").as_object();
  EXPECT_EQ(names_of(kinds.at("finding").as_object().at("properties").as_object()),
            names_of(printed.at("first").as_object()));
  EXPECT_EQ(names_of(kinds.at("client").as_object().at("properties").as_object()),
            names_of(printed.at("clients").as_array().front().as_object()));
}

TEST(ExaminationSchema, IsForPeopleToReadToo) {
  auto text = examination_schema();
  EXPECT_GT(std::count(text.begin(), text.end(), '\n'), 50);
  EXPECT_EQ(text.find(" \n"), std::string::npos);
}

}  // namespace
}  // namespace mcp_oauth
