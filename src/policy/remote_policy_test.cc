#include "policy/remote_policy.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

const time_point start = from_unix(1'800'000'000);
constexpr remote_policy::pace pace{seconds(30), seconds(120)};

policy_document tools(std::vector<access_rule> rules) {
  policy_document document;
  document.rules.tools = {true, std::move(rules)};
  return document;
}

TEST(RemotePolicy, IsAskedForAtOnceAndThenInItsPace) {
  remote_policy known(pace);
  EXPECT_LE(known.due(), start);
  EXPECT_EQ(known.document(), nullptr);
  EXPECT_TRUE(known.fetched(tools({}), start));
  EXPECT_EQ(known.due(), start + seconds(30));
  EXPECT_EQ(known.good_until(), start + seconds(120));
}

TEST(RemotePolicy, SaysWhetherSomethingChanged) {
  remote_policy known(pace);
  EXPECT_TRUE(known.fetched(tools({{"a", {}}}), start));
  auto first = known.document();
  EXPECT_FALSE(known.fetched(tools({{"a", {}}}), start + seconds(30)));
  EXPECT_EQ(known.document(), first);
  EXPECT_EQ(known.good_until(), start + seconds(150));
  EXPECT_TRUE(known.fetched(tools({{"a", {"s"}}}), start + seconds(60)));
  EXPECT_NE(known.document(), first);
}

TEST(RemotePolicy, AnOutageNeverProlongsWhatIsKnown) {
  remote_policy known(pace);
  known.fetched(tools({}), start);
  for (int i = 1; i < 50; ++i) {
    auto now = start + seconds(5 * i);
    known.failed({errc::fetch_timeout, ""}, now);
    EXPECT_EQ(known.good_until(), start + seconds(120));
    EXPECT_EQ(known.due(), now + seconds(5));
    ASSERT_TRUE(known.failure());
    EXPECT_EQ(known.failure()->code, errc::fetch_timeout);
  }
  known.fetched(tools({}), start + seconds(300));
  EXPECT_FALSE(known.failure());
  EXPECT_EQ(known.good_until(), start + seconds(420));
}

TEST(RemotePolicy, OfAClockThatWasSetBackIsDueAndNoLongerFresh) {
  remote_policy known(pace);
  EXPECT_TRUE(known.is_due(start));
  EXPECT_FALSE(known.is_fresh(start));
  known.fetched(tools({}), start);
  EXPECT_FALSE(known.is_due(start + seconds(29)));
  EXPECT_TRUE(known.is_due(start + seconds(30)));
  EXPECT_TRUE(known.is_fresh(start + seconds(119)));
  EXPECT_FALSE(known.is_fresh(start + seconds(120)));
  EXPECT_TRUE(known.is_fresh(start - seconds(5))) << "another thread's clock";
  EXPECT_FALSE(known.is_due(start - seconds(5)));
  EXPECT_FALSE(known.is_fresh(start - seconds(6)));
  EXPECT_TRUE(known.is_due(start - seconds(6)));
}

TEST(RemotePolicy, ThatEverythingIsDeniedIsAnAnswer) {
  remote_policy known(pace);
  known.fetched(tools({{"a", {}}}), start);
  policy_document shut;
  shut.complete = false;
  shut.state = "needs_setup";
  EXPECT_TRUE(known.fetched(shut, start + seconds(30)));
  EXPECT_FALSE(known.failure());
  EXPECT_FALSE(known.document()->complete);
}

TEST(RemotePolicy, AServersOwnSectionsStand) {
  policy_document document = tools({{"a", {"x"}}});
  document.rules.prompts = {true, {}};
  document.rules.base_scopes = {"theirs"};
  policy_rules own;
  own.prompts = {true, {{"p", {}}}};
  own.base_scopes = {"base"};
  own.filter_lists = false;
  own.hierarchy = {{"admin", {"x"}}};
  policy_rules for_all;
  for_all.tools = {true, {{"*", {}}}};
  for_all.resources = {true, {{"r:*", {}}}};
  auto rules = rules_for(document, own, for_all);
  EXPECT_EQ(rules.tools, document.rules.tools);
  EXPECT_EQ(rules.prompts, own.prompts);
  EXPECT_EQ(rules.base_scopes, own.base_scopes);
  EXPECT_EQ(rules.hierarchy, own.hierarchy);
  EXPECT_EQ(rules.resources, for_all.resources);
  EXPECT_FALSE(rules.methods.given);
  EXPECT_FALSE(rules.filter_lists);
  EXPECT_EQ(rules_for({}, {}, for_all).tools, (rule_set{true, {}})) << "nothing is open that nobody named";
}

}  // namespace
}  // namespace mcp_oauth
