#include "doctor/print_story.h"

#include "doctor/story_fixture.h"
#include "symptom/find_symptom.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(PrintStory, BeginsWithTheCauseAndItsFix) {
  auto s = a_story("0123456789abc", "MOP-AUD-001", 1'764'450'000'123);
  s.detail = "aud https://a.test/mcp/, expected https://a.test/mcp";
  s.count = 3;
  s.last_at = s.at + 1000;
  s.ids = {"zzzzzzzzzzzzz"};
  auto told = tell_story(std::vector{s}, {}, "zzzzzzzzzzzzz");
  ASSERT_TRUE(told);
  auto text = to_text(*told, false);
  EXPECT_EQ(text.rfind("✗ MOP-AUD-001  audience mismatch\n", 0), 0U) << text;
  for (auto words :
       {"seen      aud https://a.test/mcp/\n", "expected  https://a.test/mcp\n", "fix       Ask for a token",
        "check     mcp-oauth-proxy explain-token", "3 times", "(zzzzzzzzzzzzz)", "from 192.0.2.7",
        "\"OAuth Setup Guide\" of servers", "✗ validation", "– policy"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(to_text(*told, true), HasSubstr("\033[31m"));
}

TEST(PrintStory, TheFixOfThisDeploymentStandsInPlaceOfTheOneOfTheCatalogue) {
  auto s = a_story("0123456789abc", "MOP-IDP-008", 1, "callback");
  s.cause = "The app lacks https://gw.test/auth/callback.";
  s.fix = "Add https://gw.test/auth/callback to app 7d0f.";
  auto kept = story_from(to_data(s));
  ASSERT_TRUE(kept);
  auto told = tell_story(std::vector{*kept}, {}, s.id);
  auto text = to_text(*told, false);
  EXPECT_THAT(text, HasSubstr("cause     The app lacks https://gw.test/auth/callback.\n"));
  EXPECT_THAT(text, HasSubstr("fix       Add https://gw.test/auth/callback to app 7d0f.\n"));
  EXPECT_THAT(text, Not(HasSubstr(std::string(find_by_id(s.code)->fix))));
  EXPECT_EQ(to_json(*told).at("first").at("fix"), "Add https://gw.test/auth/callback to app 7d0f.");
}

TEST(PrintStory, TellsOfEachRuleWhyItDidOrDidNotApply) {
  auto s = a_story("0123456789abc", "MOP-SCP-001", 1);
  s.mcp_method = "tools/call";
  s.mcp_name = "delete_all";
  s.scopes = {"tools:read"};
  s.rules = {{"tools", "delete_*", true, false, {"tools:write"}, {}},
             {"tools", "*", true, false, {}, {}},
             {"tools", "echo", false, false, {}, {}},
             {"tools", "delete_all", true, true, {}, {}},
             {"methods", "tools/*", true, false, {}, {"claim.dept equals ops"}}};
  s.would_allow = "the scopes tools:write";
  auto text = to_text(*tell_story(std::vector{s}, {}, s.id), false);
  for (auto words : {"lacks tools:write", "allows it", "is for other names", "is denied to everybody",
                     "wants claim.dept equals ops", "has       the scopes tools:read",
                     "needs     the scopes tools:write"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_THAT(text, HasSubstr("fix       " + std::string(find_by_id("MOP-SCP-001")->fix)));
  auto denied = s;
  denied.code = "MOP-SCP-002";
  EXPECT_THAT(to_text(*tell_story(std::vector{denied}, {}, s.id), false),
              HasSubstr("fix       Add a line that allows it, or mend the one that does not"))
      << "that of the catalogue leads to where the reader is";
  auto o = to_json(*tell_story(std::vector{s}, {}, s.id));
  EXPECT_EQ(o.at("policy").at("rules").as_array().size(), 5U);
  EXPECT_EQ(o.at("policy").at("rules").at(1).at("allows"), true);
  EXPECT_EQ(o.at("first").at("id"), "MOP-SCP-001");
}

TEST(PrintStory, HasAWordForEachVerdictAndStage) {
  using verdict = told_hop::verdict;
  using stage = sign_in_progress::stage;
  told_story told;
  told.is_login = true;
  for (auto how : {verdict::passed, verdict::failed, verdict::trouble, verdict::not_reached}) {
    told_hop hop;
    hop.hop = "token";
    hop.how = how;
    told.hops.push_back(hop);
  }
  std::vector<std::string> verdicts;
  auto all = to_json(told);
  for (const auto& hop : all.at("hops").as_array()) verdicts.emplace_back(hop.at("verdict").as_string());
  EXPECT_THAT(verdicts, ElementsAre("passed", "failed", "trouble", "not_reached"));
  for (auto [how, word] : std::initializer_list<std::pair<stage, const char*>>{
           {stage::signing_in, "signing_in"}, {stage::code_given, "code_given"}, {stage::ended, "ended"}}) {
    told.how = how;
    EXPECT_EQ(to_json(told).at("sign_in"), word);
  }
}

TEST(PrintStory, ListsOneLineForEach) {
  auto kept = a_login();
  auto text = list_text(kept, false);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, HasSubstr("callback00000  MOP-IDP-008  from 192.0.2.7  POST /mcp\n"));
  EXPECT_EQ(list_json(kept).at("failures").as_array().size(), 3U);
}

}  // namespace
}  // namespace mcp_oauth
