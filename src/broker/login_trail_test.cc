#include "broker/login_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

approved_access an_access() {
  approved_access a;
  a.client_id = "client";
  a.redirect_uri = "http://127.0.0.1/cb";
  a.code_challenge = "challenge";
  return a;
}

exchange an_exchange(broker_log& log, std::string id) {
  http_request request;
  request.request_id = std::move(id);
  return {std::make_shared<const http_request>(request), from_unix(1000), &log};
}

TEST(LoginTrail, IsOneForAClientAndItsChallenge) {
  EXPECT_EQ(login_key("a", "x"), login_key("a", "x"));
  EXPECT_NE(login_key("a", "x"), login_key("a", "y"));
  EXPECT_NE(login_key("a", "x"), login_key("b", "x"));
  EXPECT_EQ(login_key("a", ""), "") << "without a challenge there is no sign-in";
}

TEST(LoginTrail, TellsTheLogWhatCameBeforeAndGrowsByTheRequest) {
  broker_log first_log;
  first_log.openings = {{"gateway", "call", 500, true}};
  auto access = an_access();
  walk(an_exchange(first_log, "one"), access, "authorize");
  ASSERT_EQ(first_log.steps.size(), 1U);
  EXPECT_EQ(first_log.steps[0].id, "call");
  broker_log next_log;
  walk(an_exchange(next_log, "two"), access, "consent");
  ASSERT_EQ(next_log.steps.size(), 2U);
  EXPECT_EQ(next_log.steps[1].hop, "authorize");
  EXPECT_EQ(next_log.steps[1].at, 1'000'000);
  EXPECT_EQ(next_log.login, first_log.login);
}

TEST(LoginTrail, TravelsInTheRecordsOfTheSignIn) {
  broker_log log;
  auto access = an_access();
  walk(an_exchange(log, "one"), access, "authorize");
  auto back = access_from(to_json(access));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->steps.size(), 1U);
  EXPECT_EQ(back->steps[0].id, "one");
  EXPECT_EQ(back->steps[0].at, 1'000'000);
  EXPECT_FALSE(back->steps[0].probable);
}

TEST(LoginTrail, NeverGrowsBeyondItsBound) {
  broker_log log;
  auto access = an_access();
  for (int i = 0; i < 100; ++i) walk(an_exchange(log, std::to_string(i)), access, "sign_in");
  EXPECT_LE(access.steps.size(), 16U);
}

TEST(LoginTrail, HowFarASignInCameIsReadFromItsRecords) {
  broker_log log;
  auto access = an_access();
  walk(an_exchange(log, "one"), access, "authorize");
  using stage = login_progress::stage;
  auto of = [&](std::string kind, json::object data) {
    data["access"] = to_json(access);
    data["expires"] = 2000;
    record r;
    r.kind = std::move(kind);
    r.data = json::serialize(data);
    return progress_of(r);
  };
  auto waiting = of("login", {{"finished", false}});
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->how, stage::signing_in);
  EXPECT_EQ(waiting->login, login_key("client", "challenge"));
  EXPECT_EQ(waiting->until, from_unix(2000));
  ASSERT_EQ(waiting->steps.size(), 1U);
  EXPECT_EQ(waiting->steps[0].id, "one");
  auto given = of("code", {{"used", false}});
  ASSERT_TRUE(given);
  EXPECT_EQ(given->how, stage::code_given);
  auto ended = of("code", {{"used", true}});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->how, stage::ended);
  EXPECT_FALSE(of("code", {})) << "used, or not?";
  EXPECT_FALSE(of("grant", {{"used", true}}));
}

TEST(LoginTrail, OfAFinishedOrABrokenRecordNothingIsTold) {
  for (std::string_view text : {"", "{}", "[]", R"({"finished":true,"login":"x","steps":[]})",
                                R"({"access":1,"expires":2})", R"({"access":{},"expires":2})"}) {
    record r;
    r.kind = "login";
    r.data = text;
    EXPECT_FALSE(progress_of(r)) << text;
  }
}

// A record of before, and one that somebody else wrote.
TEST(LoginTrail, WhatCannotBeReadIsLeftOut) {
  for (std::string_view text :
       {R"({})", R"({"steps":1})", R"({"steps":[1,[],["a"],["a","b"],["a","b","c"],[1,2,3]]})"}) {
    EXPECT_TRUE(steps_from(*parse_json_object(text), "steps").empty()) << text;
  }
  EXPECT_EQ(steps_from(*parse_json_object(R"({"steps":[["a","b",1],["a","b",1,true]]})"), "steps").size(),
            2U);
}

}  // namespace
}  // namespace mcp_oauth
