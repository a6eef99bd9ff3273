#include "doctor/story_bounds.h"

#include "doctor/story_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::Not;

TEST(StoryBounds, TheSourceThatHasMostLosesItsOldest) {
  std::vector<kept_size> all;
  for (int i = 0; i < 10; ++i) all.push_back({"flood" + std::to_string(i), "a", 10});
  all.push_back({"b1", "b", 10});
  all.push_back({"c1", "c", 10});
  EXPECT_THAT(surplus(all, 12, 1000), testing::IsEmpty());
  EXPECT_THAT(surplus(all, 10, 1000), ElementsAre("flood9", "flood8"));
  auto going = surplus(all, 100, 40);
  EXPECT_THAT(going, testing::Not(testing::Contains("b1")));
  EXPECT_THAT(going, testing::Not(testing::Contains("c1")));
  EXPECT_EQ(going.size(), 8U);
  EXPECT_EQ(surplus(all, 0, 1000).size(), all.size());
  EXPECT_EQ(surplus(all, 100, 0).size(), all.size());
}

TEST(StoryBounds, AThousandStrangersTakeAQuarterAtMost) {
  std::vector<kept_size> all;
  for (int i = 0; i < 1000; ++i) all.push_back({"x" + std::to_string(i), "s" + std::to_string(i), 10, true});
  // The strangers are newer than everybody else.
  for (int i = 0; i < 300; ++i) all.push_back({"k" + std::to_string(i), "office", 10, false});
  auto going = surplus(all, 1000, 1'000'000);
  ASSERT_EQ(going.size(), 750U);
  EXPECT_EQ(going.front(), "x999") << "the oldest of them first";
  EXPECT_THAT(going, Not(testing::Contains(testing::StartsWith("k"))));
  EXPECT_THAT(going, Not(testing::Contains("x249")));
  // Bytes likewise.
  EXPECT_EQ(surplus(all, 10'000, 8000).size(), 800U);
  EXPECT_THAT(surplus(all, 10'000, 8000), Not(testing::Contains(testing::StartsWith("k"))));
}

TEST(StoryBounds, AmongStrangersWhoHasMostLosesFirst) {
  std::vector<kept_size> all;
  for (int i = 0; i < 10; ++i) all.push_back({"flood" + std::to_string(i), "a", 10, true});
  all.push_back({"lone", "b", 10, true});
  // The same address, with a name.
  for (int i = 0; i < 3; ++i) all.push_back({"named" + std::to_string(i), "a", 10, false});
  auto going = surplus(all, 16, 1000);
  ASSERT_EQ(going.size(), 7U);
  EXPECT_EQ(going.front(), "flood9");
  EXPECT_THAT(going, testing::Each(testing::StartsWith("flood")));
}

TEST(StoryBounds, AStrangerNamesNobodyThatIsKnown) {
  auto size_with = [](auto change, std::string code) {
    auto s = a_story("0123456789abc", std::move(code), 1);
    change(s);
    return size_of_story(s.id, to_data(s));
  };
  auto client = [](failure_story& s) {
    s.client_id = "c";
    s.login = "key";
  };
  EXPECT_TRUE(size_with([](auto&) {}, "MOP-TOK-004").stranger);
  EXPECT_FALSE(size_with([](failure_story& s) { s.user = "local:ada"; }, "MOP-TOK-004").stranger);
  EXPECT_FALSE(size_with(client, "MOP-PKC-005").stranger);
  EXPECT_FALSE(size_with([](failure_story& s) { s.login = "key"; }, "MOP-PKC-005").stranger);
  for (auto code :
       {errc::client_unknown, errc::client_document_unreachable, errc::client_authentication_failed})
    EXPECT_TRUE(size_with(client, std::string(explain(code).id)).stranger)
        << "anybody can make a client id up";
  auto size = size_with(client, "MOP-PKC-005");
  EXPECT_EQ(size.source, "192.0.2.7");
  EXPECT_EQ(size.id, "0123456789abc");
  EXPECT_GT(size.bytes, 50U);
  auto broken = size_of_story("id", "{");
  EXPECT_TRUE(broken.stranger);
  EXPECT_EQ(broken.source, "");
}

}  // namespace
}  // namespace mcp_oauth
