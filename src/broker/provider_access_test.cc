// Which token of a provider is given, when it is renewed, and what ends a sign-in.

#include "broker/provider_tokens_fixture.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(ProviderTokens, TheTokenInUseIsGivenUntilItIsDue) {
  sign_in_at_provider();
  auto first = access();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->token.reveal(), "idp-access-token");
  EXPECT_EQ(first->good_until, now + seconds(3600 - 360));
  now = first->good_until - seconds(1);
  EXPECT_EQ(token_now(), "idp-access-token");
  EXPECT_EQ(refreshes, 0);
}

TEST_F(ProviderTokens, WhatIsDueIsRenewedOnceAndStored) {
  sign_in_at_provider();
  now += seconds(3600 - 360);
  EXPECT_EQ(token_now(), "idp-access-2");
  EXPECT_EQ(token_body.find("refresh_token"), "idp-refresh-1");
  EXPECT_EQ(noted(log, "provider_refresh"), "refreshed");
  EXPECT_EQ(token_now(), "idp-access-2");
  EXPECT_EQ(refreshes, 1);
  restart();
  now += seconds(3600 - 360);
  EXPECT_EQ(token_now(), "idp-access-3");
  EXPECT_EQ(token_body.find("refresh_token"), "idp-refresh-2") << "the rotated one is what counts";
}

TEST_F(ProviderTokens, AnAnswerWithoutARefreshTokenLeavesTheOneInUse) {
  sign_in_at_provider();
  on_refresh = [] {
    return json_answer(R"({"token_type":"bearer","access_token":"idp-next","expires_in":"60"})");
  };
  for (int i = 0; i < 2; ++i) {
    now += seconds(3600);
    EXPECT_EQ(token_now(), "idp-next");
    EXPECT_EQ(token_body.find("refresh_token"), "idp-refresh-1");
  }
}

TEST_F(ProviderTokens, WhileTheProviderIsAwayTheOldTokenIsUsedToItsEnd) {
  sign_in_at_provider();
  access();
  away = true;
  now += seconds(3600 - 360);
  EXPECT_EQ(token_now(), "idp-access-token");
  EXPECT_EQ(noted(log, "provider_refresh"), "unavailable");
  auto attempts = outcomes.size();
  EXPECT_EQ(token_now(), "idp-access-token");
  EXPECT_EQ(outcomes.size(), attempts) << "not everybody asks a provider that is away";
  EXPECT_EQ(refresh(client, client_refresh()).status, 200) << "and nobody is signed out";

  now += seconds(360);
  auto expired = access();
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, errc::provider_refresh_failed);
  EXPECT_EQ(*store.count("grant", now), 1u);
  away = false;
  now += seconds(10);
  EXPECT_EQ(token_now(), "idp-access-2");
}

TEST_F(ProviderTokens, OnlyWhatTheProviderSaysOfThePersonEndsTheSignIn) {
  struct {
    int status;
    const char* body;
    errc code;
    const char* outcome;
  } cases[] = {
      {400, R"({"error":"invalid_grant"})", errc::provider_session_ended, "corp:refused"},
      {400, R"({"error":"interaction_required"})", errc::provider_session_ended, "corp:refused"},
      {200, R"({"error":"bad_refresh_token"})", errc::provider_session_ended, "corp:refused"},
      {401, R"({"error":"invalid_client"})", errc::provider_refresh_failed, "corp:misconfigured"},
      {400, R"({"error":"invalid_request"})", errc::provider_refresh_failed, "corp:misconfigured"},
      {404, "<html>", errc::provider_refresh_failed, "corp:misconfigured"},
      {200, "<html>", errc::provider_refresh_failed, "corp:misconfigured"},
      {200, R"({"access_token":"x","token_type":"DPoP"})", errc::provider_refresh_failed,
       "corp:misconfigured"},
      {429, "", errc::provider_refresh_failed, "corp:unavailable"},
      {503, "<html>", errc::provider_refresh_failed, "corp:unavailable"},
      {400, R"({"error":"temporarily_unavailable"})", errc::provider_refresh_failed, "corp:unavailable"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.body);
    sign_in_at_provider();
    on_refresh = [&] { return json_answer(c.body, c.status); };
    now += seconds(3600);
    auto got = access();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, c.code);
    EXPECT_EQ(outcomes.back(), c.outcome);
    bool lives = store.get("grant", grant, now)->has_value();
    EXPECT_EQ(lives, c.code != errc::provider_session_ended);
    EXPECT_EQ(introspects_as_active(client, client_refresh()), lives);
  }
}

TEST_F(ProviderTokens, TheTokenEndpointAsksTheProviderWhetherTheSignInStillHolds) {
  conf.upstreams[0].authorization = "none";
  conf.providers[0].refresh_strategy = "auto";
  again();
  sign_in_at_provider();
  now += seconds(3600);
  auto answer = refresh(client, client_refresh());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(refreshes, 1);
  EXPECT_THAT(answer.body, Not(HasSubstr("idp-")));

  on_refresh = [] { return refused(); };
  now += seconds(3600);
  answer = refresh(client, text_member(body_of(answer), "refresh_token"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(error_of(answer), "invalid_grant");
  EXPECT_EQ(text_member(body_of(answer), "error_description"),
            "token_expired: Access token has expired and refresh failed. Sign in again");
  EXPECT_EQ(noted(log, "fix"), "Sign in again.");
  EXPECT_EQ(revoked.size(), 1u) << "validators know";
  EXPECT_EQ(kept(), 0u);
}

TEST_F(ProviderTokens, AForeignRefreshTokenMakesNobodyAskTheProvider) {
  sign_in_at_provider();
  now += seconds(3600);
  auto other = register_public();
  EXPECT_EQ(refresh(other, client_refresh()).status, 400);
  EXPECT_EQ(refresh(client, "made up").status, 400);
  EXPECT_EQ(refreshes, 0);
}

TEST_F(ProviderTokens, ReauthorizeSendsThePersonToSignInWhenTheTokenExpires) {
  for (const auto* upstream : {"none", "provider"}) {
    conf.upstreams[0].authorization = upstream;
    conf.providers[0].refresh_strategy = "reauthorize";
    other_tokens["expires_in"] = 600;
    again();
    sign_in_at_provider();
    std::int64_t lifetime = 0;
    EXPECT_EQ(read(tokens, "expires_in", lifetime), member::present);
    EXPECT_EQ(lifetime, 600) << "not longer than the provider's";
    now += seconds(599);
    auto answer = refresh(client, client_refresh());
    EXPECT_EQ(answer.status, 200) << answer.body;
    now += seconds(1);
    answer = refresh(client, text_member(body_of(answer), "refresh_token"));
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(noted(log, "result"), "refresh_ended_by_provider");
    EXPECT_FALSE(store.get("grant", grant, now)->has_value());
    EXPECT_EQ(refreshes, 0);
  }
}

TEST_F(ProviderTokens, WithoutARefreshTokenTheSignInEndsWithTheTokenThatIsSent) {
  other_tokens.erase("refresh_token");
  sign_in_at_provider();
  EXPECT_EQ(noted(sign_in_log, "warning"), "refresh_token missing: corp did not provide a refresh token");
  now += seconds(3599);
  EXPECT_EQ(token_now(), "idp-access-token");
  now += seconds(1);
  auto got = access();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::refresh_token_missing);
  EXPECT_EQ(got.error().detail, "corp did not provide a refresh token");
  EXPECT_FALSE(store.get("grant", grant, now)->has_value());
}

TEST_F(ProviderTokens, ATokenThatNeverExpiresNeedsNothing) {
  other_tokens = json::object();
  for (const auto* strategy : {"", "auto", "none", "reauthorize"}) {
    conf.providers[0].refresh_strategy = strategy;
    again();
    sign_in_at_provider();
    EXPECT_EQ(noted(sign_in_log, "warning"), "");
    now += conf.refresh_token_lifetime - seconds(1);
    EXPECT_EQ(token_now(), "idp-access-token") << strategy;
    EXPECT_EQ(refresh(client, client_refresh()).status, 200);
  }
}

TEST_F(ProviderTokens, WhoseServerGetsNoneIsNotSignedOutByIt) {
  auto second = conf.upstreams[0];
  second.name = "calendar";
  second.resource += "2";
  second.paths = {"/mcp2"};
  conf.upstreams[0].authorization = "none";
  conf.upstreams.push_back(second);
  conf.providers[0].refresh_strategy = "none";
  again();
  sign_in_at_provider();
  now += seconds(3600);
  auto answer = refresh(client, client_refresh());
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(store.get("grant", grant, now)->has_value());
}

}  // namespace
}  // namespace mcp_oauth
