#include "doctor/print_story.h"
#include "doctor/story_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(TellStory, ACallStopsAtTheHopThatItsCodeIsOf) {
  for (auto [code, wanted] : std::initializer_list<std::pair<const char*, std::vector<std::string>>>{
           {"MOP-ORG-001", {"+client", "!gateway", "-validation", "-policy", "-upstream"}},
           {"MOP-AUD-001", {"+client", "+gateway", "!validation", "-policy", "-upstream"}},
           {"MOP-SCP-002", {"+client", "+gateway", "+validation", "!policy", "-upstream"}},
           {"MOP-UPS-001", {"+client", "+gateway", "+validation", "+policy", "!upstream"}}}) {
    std::vector kept{a_story("0123456789abc", code, 1000)};
    auto told = tell_story(kept, {}, "0123456789abc");
    ASSERT_TRUE(told) << code;
    EXPECT_EQ(hops_of(*told), wanted) << code;
    EXPECT_FALSE(told->is_login);
  }
}

TEST(TellStory, WhatTheGatewayRefusedBehindTheTokenStandsBehindIt) {
  for (auto code : {"MOP-SES-001", "MOP-MCP-001", "MOP-MCP-005"}) {
    auto s = a_story("0123456789abc", code, 1000);
    s.client_id = "client";
    EXPECT_THAT(hops_of(*tell_story(std::vector{s}, {}, s.id)),
                ElementsAre("+client", "+gateway", "+validation", "!gateway", "-policy", "-upstream"))
        << code;
    s.client_id.clear();
    s.user = "local:ada";
    auto told = tell_story(std::vector{s}, {}, s.id);
    ASSERT_EQ(told->hops.size(), 6U) << code;
    EXPECT_EQ(told->hops[2].detail, "local:ada");
    EXPECT_EQ(told->hops[3].code, code);
  }
}

TEST(TellStory, AnyIdOfASignInGivesAllOfIt) {
  auto kept = a_login();
  for (auto id : {"call000000000", "register00000", "authorize0000", "consent000000", "callback00000",
                  "token00000000"}) {
    auto told = tell_story(kept, {}, id);
    ASSERT_TRUE(told) << id;
    EXPECT_TRUE(told->is_login);
    EXPECT_EQ(told->first->code, "MOP-IDP-008") << "the first cause comes first";
    EXPECT_THAT(hops_of(*told), ElementsAre("+gateway", "+registration", "+authorize", "+consent",
                                            "+callback", "!identity provider", "!token"));
    ASSERT_EQ(told->later.size(), 1U);
    EXPECT_EQ(told->later[0].id, "token00000000");
  }
  EXPECT_FALSE(tell_story(kept, {}, "nobody0000000"));
  EXPECT_FALSE(tell_story({}, {}, "call000000000"));
}

TEST(TellStory, APlainBeginningIsNobodysFailure) {
  auto told = tell_story(a_login(), {}, "call000000000");
  ASSERT_TRUE(told && told->opening);
  EXPECT_EQ(told->opening->hop, "gateway");
  auto text = to_text(*told, false);
  EXPECT_EQ(text.rfind("This request got a plain 401, which is no failure: every sign-in begins so.\n"
                       "It probably began the sign-in below.\n\n✗ MOP-IDP-008",
                       0),
            0U)
      << text;
  EXPECT_EQ(to_json(*told).at("opening").at("id"), "call000000000");
  for (auto id : {"register00000", "authorize0000", "callback00000", "token00000000"}) {
    auto certain = tell_story(a_login(), {}, id);
    EXPECT_FALSE(certain->opening) << id;
    EXPECT_TRUE(to_json(*certain).at("opening").is_null());
  }
  // Also of a failure that is of no sign-in, and of one that nothing went wrong in.
  auto alone = a_story("authorize0000", "MOP-CLI-001", 2000, "authorize");
  alone.before = {{"metadata", "metadata00000", 1000, true}};
  auto began = tell_story(std::vector{alone}, {}, "metadata00000");
  ASSERT_TRUE(began && began->opening);
  EXPECT_THAT(to_text(*began, false), testing::StartsWith("This request read the metadata"));
  std::vector<sign_in_progress> waiting{{"key", {{"gateway", "call000000000", 1, true}}}};
  EXPECT_TRUE(tell_story({}, waiting, "call000000000")->opening);
}

TEST(TellStory, WhatIsKnownComesBeforeWhatIsProbable) {
  auto guessed = a_story("authorize0000", "MOP-CLI-001", 2000, "authorize");
  guessed.before = {{"gateway", "good000000000", 1000, true}};
  auto sure = a_story("token00000000", "MOP-PKC-005", 3000, "token");
  sure.login = "key";
  sure.before = {{"authorize", "good000000000", 1000, false}};
  auto told = tell_story(std::vector{guessed, sure}, {}, "good000000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->first->id, "token00000000");
  EXPECT_FALSE(told->opening);
  std::vector<sign_in_progress> ended{{"key", {{"authorize", "good000000000", 1, false}}}};
  EXPECT_FALSE(tell_story(std::vector{guessed}, ended, "good000000000")->first);
}

TEST(TellStory, WhatDidNoHarmIsNotTheCauseOfWhatDid) {
  auto kept = a_login();
  auto slow = a_story("slow000000000", "MOP-IDP-001", 1900, "authorize");
  slow.login = "key";
  slow.finished = true;
  kept.push_back(slow);
  auto told = tell_story(kept, {}, "slow000000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->first->code, "MOP-IDP-008");
  EXPECT_THAT(hops_of(*told), testing::Contains("~identity provider"));
}

TEST(TellStory, ASignInThatStoppedEarlySaysWhatItNeverReached) {
  auto s = a_story("consent000000", "MOP-CON-002", 3000, "consent");
  s.login = "key";
  s.before = {{"authorize", "authorize0000", 2000, false}};
  auto told = tell_story(std::vector{s}, {}, "authorize0000");
  ASSERT_TRUE(told);
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "!consent", "-callback", "-token"));
}

TEST(TellStory, ASignInThatNobodyFinishedIsToldWithoutAFailure) {
  auto told = tell_story(a_login(), sign_ins(sign_in_progress::stage::code_given), "waits00000000");
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->first);
  EXPECT_EQ(told->how, sign_in_progress::stage::signing_in);
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "-callback", "-token"));
  auto text = to_text(*told, false);
  EXPECT_EQ(text.rfind("! This sign-in is not finished\n  sign-in   nobody has signed in", 0), 0U) << text;
  EXPECT_THAT(text, HasSubstr("2025-11-29T21:00:00"));
  auto o = to_json(*told);
  EXPECT_TRUE(o.at("first").is_null() && o.at("request").is_null() && o.at("policy").is_null());
  EXPECT_EQ(o.at("sign_in"), "signing_in");
  EXPECT_EQ(o.at("kind"), "login");
}

TEST(TellStory, ACodeThatNobodyRedeemedIsTheLaterStage) {
  auto told = tell_story({}, sign_ins(sign_in_progress::stage::code_given), "consent000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->how, sign_in_progress::stage::code_given);
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "+consent", "+sign-in", "-token"))
      << "a sign-in with a password has no callback";
  EXPECT_THAT(to_text(*told, false), HasSubstr("the client has a code"));
}

TEST(TellStory, OfACodeThatWasAskedForInVainItIsNotSaidThatNobodyAsked) {
  auto wrong = a_story("token00000000", "MOP-PKC-005", 9000, "token");
  wrong.login = "key";
  auto told = tell_story(std::vector{wrong}, sign_ins(sign_in_progress::stage::code_given), wrong.id);
  ASSERT_TRUE(told);
  EXPECT_THAT(to_text(*told, false), HasSubstr("sign-in   the client has a code, which is good until "));
}

TEST(TellStory, AGoodEndAfterAFailureIsTold) {
  auto wrong = a_story("wrong00000000", "MOP-LOG-001", 4000, "sign_in");
  wrong.login = "key";
  wrong.before = {{"authorize", "authorize0000", 2000, false}, {"consent", "consent000000", 3000, false}};
  // As the records of the sign-in say, for as long as they are kept.
  auto told = tell_story(std::vector{wrong}, sign_ins(sign_in_progress::stage::ended), "wrong00000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->first->id, "wrong00000000");
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "+consent", "!sign-in", "+sign-in", "+token"));
  EXPECT_THAT(to_text(*told, false), HasSubstr("the client got its tokens after all"));
  EXPECT_EQ(to_json(*told).at("sign_in"), "ended");
  // As the story itself says.
  wrong.ended_id = "good000000000";
  wrong.ended_at = 7000;
  auto kept = std::vector{*story_from(to_data(wrong))};
  for (auto id : {"wrong00000000", "good000000000", "consent000000"}) {
    auto later = tell_story(kept, {}, id);
    ASSERT_TRUE(later) << id;
    EXPECT_EQ(later->how, sign_in_progress::stage::ended);
    EXPECT_THAT(hops_of(*later), ElementsAre("+authorize", "+consent", "!sign-in", "+token"));
  }
  auto without = tell_story({}, sign_ins(sign_in_progress::stage::ended), "good000000000");
  ASSERT_TRUE(without);
  EXPECT_EQ(to_text(*without, false).rfind("✓ This sign-in ended well\n", 0), 0U);
}

TEST(TellStory, EveryCodeHasAHopOnTheWay) {
  for (const auto& row : catalogue()) {
    for (auto action :
         {"call", "authorize", "token", "callback", "metadata", "gateway", "register", "sign_in"}) {
      auto hop = hop_of(row, action);
      EXPECT_THAT(all_hops(), testing::Contains(hop)) << row.id;
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
