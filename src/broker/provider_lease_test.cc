// Of all who find a token due, one renews it: also when somebody dies, is late, or cannot store it.

#include "broker/provider_tokens_fixture.h"

#include <thread>

namespace mcp_oauth {
namespace {

TEST_F(ProviderTokens, WhoIsSecondToTakeTheLeaseRenewsNothing) {
  sign_in_at_provider();
  now += seconds(3600);
  // Between what the one has read and what it writes.
  watched.before_commit = [this] { EXPECT_EQ(token_now(), "idp-access-2"); };
  EXPECT_EQ(token_now(), "idp-access-2");
  EXPECT_EQ(refreshes, 1);
}

// A second gateway whose clock is far ahead took the lease over while the first still waited.
TEST_F(ProviderTokens, AnAnswerThatComesLateDoesNotReplaceANewerToken) {
  sign_in_at_provider();
  now += seconds(3600);
  auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
  auto slow = as->provider_token(grant, refresh_when::due, now, log, into);
  while (!std::holds_alternative<outbound>(slow) || std::get<outbound>(slow).call.method != "POST") {
    auto* wanted = std::get_if<outbound>(&slow);
    ASSERT_NE(wanted, nullptr);
    auto go_on = wanted->then;
    slow = go_on(fetch(wanted->call), now);
  }
  auto late_answer =
      json_answer(R"({"token_type":"Bearer","access_token":"late","refresh_token":"late too"})");
  now += seconds(30);
  EXPECT_EQ(token_now(), "idp-access-2");
  auto go_on = std::get<outbound>(slow).then;
  finish(go_on(late_answer, now));
  ASSERT_TRUE(*into);
  EXPECT_EQ((*into)->token.reveal(), "idp-access-2");
  EXPECT_EQ(token_now(), "idp-access-2");

  // And when what comes late is that the token was used already, nobody is signed out for it.
  now += seconds(3600);
  auto second = std::make_shared<result<provider_access>>(fail(errc::internal));
  slow = as->provider_token(grant, refresh_when::due, now, log, second);
  ASSERT_TRUE(std::holds_alternative<outbound>(slow));
  auto still = std::get<outbound>(slow);
  if (still.call.method == "GET") {
    slow = still.then(fetch(still.call), now);
    still = std::get<outbound>(slow);
  }
  now += seconds(30);
  EXPECT_EQ(token_now(), "idp-access-3");
  finish(still.then(*refused(), now));
  ASSERT_TRUE(*second);
  EXPECT_EQ((*second)->token.reveal(), "idp-access-3");
  EXPECT_TRUE(store.get("grant", grant, now)->has_value());
}

TEST_F(ProviderTokens, ANewTokenIsGoodOnceItIsStored) {
  sign_in_at_provider();
  now += seconds(3600);
  on_refresh = [this] {
    watched.fails = true;
    return renewed();
  };
  int waited = 0;
  auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
  log = {};
  auto next = as->provider_token(grant, refresh_when::due, now, log, into);
  while (!std::holds_alternative<http_response>(next)) {
    if (auto* first = std::get_if<delay>(&next)) {
      if (++waited == 3) watched.fails = false;
      now += first->time;
      auto go_on = first->then;
      next = go_on(now);
    } else {
      auto* wanted = std::get_if<outbound>(&next);
      auto go_on = wanted->then;
      next = go_on(fetch(wanted->call), now);
    }
  }
  ASSERT_TRUE(*into);
  EXPECT_EQ((*into)->token.reveal(), "idp-access-2");
  EXPECT_EQ(waited, 3);
  EXPECT_EQ(refreshes, 1) << "what came is not asked for twice";
  EXPECT_EQ(token_now(), "idp-access-2");
}

TEST_F(ProviderTokens, WhoDiesInTheMiddleKeepsNobodyFromTrying) {
  sign_in_at_provider();
  now += seconds(3600);
  auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
  // Leased, and never heard of again.
  auto abandoned = as->provider_token(grant, refresh_when::due, now, log, into);
  restart();
  auto asked_at = now;
  EXPECT_EQ(token_now(), "idp-access-2");
  EXPECT_GE(now - asked_at, seconds(8)) << "as long as an answer may still come";
  EXPECT_LE(now - asked_at, seconds(25));
}

TEST_F(ProviderTokens, WhatIsLeasedIsSentWhileTheLeaseHoldsOrNotAtAll) {
  sign_in_at_provider();
  now += seconds(3600);
  auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
  auto next = as->provider_token(grant, refresh_when::due, now, log, into);
  auto* wanted = std::get_if<outbound>(&next);
  ASSERT_TRUE(wanted);
  while (wanted->call.url != "https://idp.example.com/token") {  // its documents first
    auto go_on = wanted->then;
    next = go_on(fetch(wanted->call), now);
    wanted = std::get_if<outbound>(&next);
    ASSERT_TRUE(wanted);
  }
  // A provider gets the same refresh token twice at most when its answer to the first takes longer than this.
  ASSERT_TRUE(wanted->not_after);
  EXPECT_GT(*wanted->not_after, now);
  EXPECT_LE(*wanted->not_after + wanted->rules.timeout, now + seconds(25));
}

TEST_F(ProviderTokens, AStoreThatTakesNoWritesLeavesTheTokenThatIsGood) {
  sign_in_at_provider();
  now += seconds(3600 - 300);
  watched.commit_fails = true;
  EXPECT_EQ(token_now(), "idp-access-token");
  EXPECT_EQ(refreshes, 0) << "what cannot be stored is not asked for";
  now += seconds(300);
  EXPECT_FALSE(access()) << "but nothing that has expired";
  watched.commit_fails = false;
  EXPECT_EQ(token_now(), "idp-access-2");
}

TEST_F(ProviderTokens, ALeaseThatIsTakenAgainAndAgainIsNotWaitedForWithoutEnd) {
  sign_in_at_provider();
  now += seconds(3600);
  auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
  auto other = std::make_shared<result<provider_access>>(fail(errc::internal));
  auto abandoned = as->provider_token(grant, refresh_when::due, now, log, other);
  auto asked_at = now;
  auto next = as->provider_token(grant, refresh_when::due, now, log, into);
  while (auto* first = std::get_if<delay>(&next)) {
    now += first->time;
    ASSERT_LT(now - asked_at, seconds(60));
    // Whoever takes it over dies, too.
    abandoned = as->provider_token(grant, refresh_when::due, now, log, other);
    auto go_on = first->then;
    next = go_on(now);
  }
  ASSERT_FALSE(*into);
  EXPECT_EQ(into->error().code, errc::provider_refresh_failed);
  EXPECT_EQ(refreshes, 0);
}

TEST_F(ProviderTokens, ALeaseOfAClockThatWasAheadHoldsNobodyUp) {
  sign_in_at_provider();
  auto right = now + seconds(3600);
  now = right + std::chrono::hours(5);
  auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
  auto abandoned = as->provider_token(grant, refresh_when::due, now, log, into);
  now = right;
  EXPECT_EQ(token_now(), "idp-access-2");
  EXPECT_LE(now - right, seconds(1));
}

TEST_F(ProviderTokens, ManyAtOnceMakeOneRefresh) {
  sign_in_at_provider();
  // Two gateways at one store.
  auto second = *broker::start(broker_world{conf, watched, seal, random, {}, cheap, {}}, now);
  // First while the old one is still good, then when it has expired.
  for (auto at : {seconds(3600 - 360), seconds(3600)}) {
    now += at;
    refreshes = 0;
    std::atomic<int> asked{0}, good{0};
    std::mutex serving;
    std::vector<std::thread> threads;
    for (int i = 0; i < 20; ++i) {
      threads.emplace_back([&, i] {
        const auto moment = now;
        broker_log mine;
        auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
        auto next =
            (i % 2 ? as.get() : second.get())->provider_token(grant, refresh_when::due, moment, mine, into);
        while (!std::holds_alternative<http_response>(next)) {
          if (auto* first = std::get_if<delay>(&next)) {
            std::this_thread::yield();
            auto go_on = first->then;
            next = go_on(moment);
          } else {
            auto* wanted = std::get_if<outbound>(&next);
            auto go_on = wanted->then;
            result<http_answer> answer = fail(errc::internal);
            {
              std::lock_guard lock(serving);
              answer = fetch(wanted->call);
            }
            next = go_on(std::move(answer), moment);
          }
          ++asked;
        }
        if (*into) ++good;
      });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(refreshes, 1);
    EXPECT_EQ(good, 20);
    EXPECT_EQ(token_now(), "idp-access-2");
    EXPECT_EQ(refreshes, 1);
  }
}

TEST_F(ProviderTokens, TheOldTokenOfAProviderThatEndsItIsNotGivenMeanwhile) {
  sign_in_at_provider();
  now += seconds(3600 - 360);
  auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
  auto under_way = as->provider_token(grant, refresh_when::due, now, log, into);
  EXPECT_EQ(token_now(), "idp-access-token") << "it is good, and usually stays so";
  conf.providers[0].type = "github";
  restart();
  auto waiting = as->provider_token(grant, refresh_when::due, now, log, into);
  EXPECT_TRUE(std::holds_alternative<delay>(waiting));
}

TEST_F(ProviderTokens, ARevocationMeanwhileIsNotUndone) {
  sign_in_at_provider();
  now += seconds(3600);
  on_refresh = [this] {
    ask(endpoint::revoke,
        post_request("/oauth/revoke", make_form({{"client_id", client}, {"token", client_refresh()}})));
    return renewed();
  };
  auto got = access();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::provider_session_ended);
  EXPECT_EQ(kept(), 0u);
}

}  // namespace
}  // namespace mcp_oauth
