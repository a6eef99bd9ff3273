#include "doctor/failure_story.h"

#include "base/text.h"
#include "doctor/print_story.h"
#include "doctor/story_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(FailureStory, ComesBackAsItWasKept) {
  auto s = a_story("0123456789abc", "MOP-SCP-001", 1'700'000'000'123);
  s.detail = "missing: tools:write";
  s.finished = true;
  s.scopes = {"a", "b"};
  s.rules = {{"tools", "delete_*", true, false, {"tools:write"}, {"argument.path starts_with /public/"}},
             {"tools", "echo", false, false, {}, {}}};
  s.would_allow = "the scopes tools:write";
  s.login = "key";
  s.before = {{"authorize", "id1", 5, true}, {"consent", "id2", 6, false}};
  s.count = 7;
  s.last_at = s.at + 5;
  s.ids = {"x", "y"};
  s.ended_id = "z";
  s.ended_at = s.at + 9;
  auto back = story_from(to_data(s));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(to_data(*back), to_data(s));
  EXPECT_EQ(back->rules[0].unmet, s.rules[0].unmet);
  EXPECT_TRUE(back->before[0].probable);
  EXPECT_EQ(back->count, 7U);
  EXPECT_EQ(back->ended_id, "z");
}

TEST(FailureStory, WhatCannotBeReadIsRefusedWhole) {
  for (std::string_view bad :
       {"", "{", "[]", "{}", R"({"id":"a"})", R"({"id":"a","code":"MOP-AUD-001"})",
        R"({"id":1,"code":2,"at":"x"})", R"({"id":"a\u001b[2J","code":"MOP-AUD-001","at":1})",
        R"({"id":"a","code":"MOP-AUD-001","at":1,"ids":["\u0007"]})",
        R"({"id":"a","code":"MOP-AUD-001","at":17900000000010})"}) {
    auto got = story_from(bad);
    ASSERT_FALSE(got) << bad;
    EXPECT_EQ(got.error().code, errc::store_corrupt);
  }
  // Members of another form are left out.
  auto got = story_from(R"({"id":"a","code":"b","at":1,"rules":[1,{}],"before":{},"ids":[1],"count":-4})");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->rules.size(), 1U);
  EXPECT_EQ(got->count, 1U);
}

TEST(FailureStory, OfARecordThatWasEditedNothingIsShownAsItStands) {
  auto s = a_story("0123456789abc", "MOP-SCP-001", 1);
  std::string wild = "\x1b[2J " + std::string(1'000'000, 'a');
  s.detail = s.cause = s.path = s.user = s.would_allow = wild;
  s.fix = "Bearer abcdefghijklmnopqrstuvwxyz0123";
  s.scopes.assign(5000, wild.substr(0, 2000));
  s.rules = {{"tools", wild, true, false, {wild}, {wild}}};
  auto read = story_from(to_data(s));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->fix, "Bearer ***");
  EXPECT_EQ(read->scopes.size(), most_scopes_of_a_story);
  auto& r = read->rules.at(0);
  for (const auto& text : {read->detail, read->cause, read->path, read->user, read->would_allow,
                           read->scopes.at(0), r.pattern, r.missing_scopes.at(0), r.unmet.at(0)}) {
    EXPECT_LE(text.size(), longest_text_of_a_story);
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  }
  s = a_story("0123456789abc", "MOP-SCP-001", 1);
  s.ids = {std::string(1000, 'a')};
  EXPECT_FALSE(story_from(to_data(s))) << "no name of ours is as long";
}

TEST(FailureStory, MadeFitTwiceIsMadeFitOnce) {
  for (std::string_view text :
       {"Bearer\x01"
        "abcdefghijklmnopqrstuvwxyz",
        "token=\ttoken=\ttoken=a", "postgresql://a\nb@c", "state:\n\"token\":\"x\"", "caf\xC3", "eyJ"}) {
    for (std::string filler : {"", "x"}) {
      auto s = a_story("0123456789abc", "MOP-AUD-001", 1);
      // Some stand where the text is cut.
      s.detail = std::string(text);
      if (!filler.empty()) s.detail = std::string(500, 'x') + " " + s.detail + std::string(40, 'y');
      make_fit(s);
      auto once = s.detail;
      EXPECT_EQ(redact(once), once) << text;
      make_fit(s);
      EXPECT_EQ(s.detail, once) << text;
      EXPECT_THAT(s.detail, Not(HasSubstr("abcdefghijklmnopqrstuvwxyz")));
    }
  }
}

TEST(FailureStory, IsMadeFitByTakingSecretsOutOfAddresses) {
  auto s = a_story("id", "MOP-AUD-001", 1);
  s.path = "/oauth/callback%3Fapi_key2%3Dvalue";
  s.mcp_name = "https://u:pw@x/y?X-Amz-Signature=value";
  make_fit(s);
  EXPECT_EQ(s.path, "/oauth/callback?***");
  EXPECT_EQ(s.mcp_name, "https://***@x/y?***");
}

TEST(FailureStory, KeepsIdsOfOursThatLookLikeTokens) {
  auto s = a_story("eyJ0123456789", "MOP-AUD-001", 1);
  s.login = "eyJabcdefghijklmnopqrst";
  s.grant = "eyJabcdefghijklmnopqrstu";
  make_fit(s);
  EXPECT_EQ(s.login, "eyJabcdefghijklmnopqrst");
  EXPECT_EQ(s.grant, "eyJabcdefghijklmnopqrstu");
}

TEST(FailureStory, IsMadeFitWhateverAStrangerSent) {
  auto s = a_story("id", "MOP-AUD-001", 1);
  s.path = "/mcp?access_token=canary-in-the-path-1234567890";
  s.detail = "Bearer canary-in-the-detail-1234567890";
  s.mcp_name = std::string(100'000, 'x');
  s.rules.assign(1000,
                 {"tools", "state=canary-in-a-rule", true, false, {"password=canary"}, {"token=canary"}});
  s.scopes.assign(1000, "secret=canary-in-a-scope");
  s.before.assign(100, {"authorize", "id", 1, false});
  s.before.back().id = "the last";
  s.ids.assign(100, "id");
  s.ids.back() = "newest";
  make_fit(s);
  auto data = to_data(s);
  EXPECT_THAT(data, Not(HasSubstr("canary")));
  EXPECT_LT(data.size(), 64U * 1024);
  EXPECT_EQ(s.before.back().id, "the last");
  EXPECT_EQ(s.ids.back(), "newest");
  EXPECT_EQ(s.ids.size(), most_ids_of_a_story);
}

TEST(RequestId, IsToldFromOtherText) {
  EXPECT_TRUE(is_request_id("0a1b2c3d4e5fg"));
  for (auto not_one :
       {"", "0a1b2c3d4e5f", "0a1b2c3d4e5fgh", "token expired", "0A1B2C3D4E5FG", "0a1b2c3d4e5fl"}) {
    EXPECT_FALSE(is_request_id(not_one)) << not_one;
  }
}

TEST(RequestId, IsFoundAsPeopleHaveIt) {
  for (auto given :
       {"0a1b2c3d4e5fg", "0A1B2C3D4E5FG", "\"0a1b2c3d4e5fg\",", "(0a1b2c3d4e5fg).",
        "X-Request-Id: 0a1b2c3d4e5fg", "x-request-id:0A1B2C3D4E5FG", "request_id=0a1b2c3d4e5fg",
        "\"request_id\":\"0a1b2c3d4e5fg\",", "request   0a1b2c3d4e5fg  2026-11-29T21:03:07.412Z",
        "2026-11-29T21:03:07.412Z  0a1b2c3d4e5fg  MOP-AUD-001  from 192.0.2.7  POST /mcp",
        "HTTP/1.1 401\r\nX-Request-Id: 0a1b2c3d4e5fg\r\n",
        R"({"level":"info","message":"token expired","request_id":"0a1b2c3d4e5fg","client":"::1"})",
        "2026-11-29T21:03:07.412Z info  [mcp] token expired request_id=0a1b2c3d4e5fg client=::1"}) {
    EXPECT_THAT(request_ids_in(given), ElementsAre("0a1b2c3d4e5fg")) << given;
  }
  EXPECT_THAT(
      request_ids_in("request_id=0a1b2c3d4e5fg a\nrequest_id=1a1b2c3d4e5fg\nrequest_id=0a1b2c3d4e5fg"),
      ElementsAre("0a1b2c3d4e5fg", "1a1b2c3d4e5fg"));
  for (auto none : {"", "MOP-AUD-001", "the request 0a1b2c3d4e5 failed", "see 0a1b2c3d4e5fg\nthere",
                    "at 1764450000123 it failed", "see abcdefghjkmnp there",
                    "request_id           0a1b2c3d4e5fg\nx", "request_ids=0a1b2c3d4e5fg\nx", "request_id="}) {
    EXPECT_THAT(request_ids_in(none), testing::IsEmpty()) << none;
  }
  std::string many;
  for (int i = 0; i < 100; ++i) many += "request_id=0a1b2c3d4e" + std::to_string(100 + i) + "\n";
  EXPECT_EQ(request_ids_in(many).size(), 16U);
}

}  // namespace
}  // namespace mcp_oauth
