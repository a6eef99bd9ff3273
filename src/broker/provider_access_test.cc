// What is kept of a provider's tokens, and how they are renewed.

#include "broker/provider_access.h"

#include "broker/provider_fixture.h"

#include <thread>

namespace mcp_oauth {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ProviderTokens : public ProviderFlow {
 protected:
  ProviderTokens() {
    conf.upstreams[0].authorization = "provider";
    other_tokens = {{"expires_in", 3600}, {"refresh_token", "idp-refresh-1"}, {"scope", "openid email"}};
    on_refresh = [this] { return renewed(); };
    again();
  }

  // The settings have changed.
  void again() {
    restart();
    auto heard = [this](const std::string& of, const std::string&, std::string_view outcome) {
      outcomes.push_back(of + ":" + std::string(outcome));
    };
    broker_world world{conf, watched, seal, random, {}, cheap, heard};
    world.on_revoked = [this](const std::string& which, time_point until) {
      revoked.emplace_back(which, until);
    };
    as = *broker::start(std::move(world), now);
  }

  result<http_answer> renewed() {
    auto n = std::to_string(refreshes + 1);
    return json_answer(R"({"token_type":"Bearer","expires_in":3600,"access_token":"idp-access-)" + n +
                       R"(","refresh_token":"idp-refresh-)" + n + "\"}");
  }
  static result<http_answer> refused(const std::string& error = "invalid_grant") {
    return json_answer("{\"error\":\"" + error + "\",\"error_description\":\"AADSTS700082: it has expired\"}",
                       400);
  }

  void sign_in_at_provider() {
    test_browser b;
    auto done = back(b, success(to_provider(b)));
    sign_in_log = log;
    tokens = body_of(redeem(client, parameter_of(done.fields.first("location"), "code")));
    grant = noted(log, "grant");
    ASSERT_FALSE(grant.empty());
  }

  // Of the grant, as a call to an MCP server wants it.
  result<provider_access> access(refresh_when when = refresh_when::due) {
    auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
    log = {};
    finish(as->provider_token(grant, when, now, log, into));
    return *into;
  }
  std::string token_now() {
    auto got = access();
    return got ? std::string(got->token.reveal()) : std::string(explain_name(got.error()));
  }
  static std::string explain_name(const error& why) { return std::to_string(static_cast<int>(why.code)); }

  void finish(step next) {
    for (;;) {
      if (auto* first = std::get_if<delay>(&next)) {
        now += first->time;
        auto go_on = first->then;
        next = go_on(now);
      } else if (auto* wanted = std::get_if<outbound>(&next)) {
        auto go_on = wanted->then;
        next = go_on(fetch(wanted->call), now);
      } else {
        return;
      }
    }
  }

  http_response manually(const std::string& token, const std::string& body = "") {
    http_request r;
    r.method = "POST";
    r.path = "/auth/refresh";
    if (!token.empty()) r.fields.add("Authorization", "Bearer " + token);
    r.body = body;
    r.peer = "203.0.113.9";
    return ask(endpoint::refresh, r);
  }

  std::string client_token() const { return text_member(tokens, "access_token"); }
  std::string client_refresh() const { return text_member(tokens, "refresh_token"); }
  std::uint64_t kept() { return *store.count("provider_token", now); }

  json::object tokens;
  std::string grant;
  broker_log sign_in_log;
  std::vector<std::string> outcomes;
};

TEST_F(ProviderTokens, AreKeptSealedWithTheGrantAndOnlyWhereNeeded) {
  struct {
    const char* upstream;
    const char* strategy;
    bool record, access, refresh;
  } cases[] = {{"none", "", false, false, false},       {"none", "auto", true, false, true},
               {"none", "none", false, false, false},   {"none", "reauthorize", false, false, false},
               {"provider", "", true, true, true},      {"provider", "auto", true, true, true},
               {"provider", "none", true, true, false}, {"provider", "reauthorize", true, true, false}};
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.upstream) + " " + c.strategy);
    conf.upstreams[0].authorization = c.upstream;
    conf.providers[0].refresh_strategy = c.strategy;
    again();
    sign_in_at_provider();
    auto found = find_provider_tokens({conf, store, seal, random, {}, cheap, {}}, grant, now);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->has_value(), c.record);
    if (!c.record) continue;
    EXPECT_EQ((*found)->access_token.reveal(), c.access ? "idp-access-token" : "");
    EXPECT_EQ((*found)->refresh_token.reveal(), c.refresh ? "idp-refresh-1" : "");
    EXPECT_EQ((*found)->subject, "corp:ada-1");
    auto row = *store.get("provider_token", grant, now);
    auto sealed = base64url_decode(text_member(*parse_json_object(row->data), "sealed"));
    ASSERT_TRUE(sealed);
    for (const auto& text : {dump(), *sealed}) {
      EXPECT_THAT(text, AllOf(Not(HasSubstr("idp-access")), Not(HasSubstr("idp-refresh"))));
    }
    // Nobody can put one grant's tokens under another.
    row->id = row->grant = "another";
    ASSERT_TRUE(*store.commit({{}, {*row}, {}}, now));
    EXPECT_EQ(find_provider_tokens({conf, store, seal, random, {}, cheap, {}}, "another", now).error().code,
              errc::seal_broken);
  }
}

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

TEST_F(ProviderTokens, ARefreshTokenIsAskedForInTheProvidersWay) {
  struct {
    const char* type;
    const char* prompt;
    const char* scope;
    const char* access_type;
    const char* sent_prompt;
  } cases[] = {{"google", "", "openid email", "offline", "consent"},
               {"google", "select_account", "openid email", "offline", "select_account consent"},
               {"microsoft", "", "openid email offline_access", "", ""},
               {"okta", "", "openid email offline_access", "", ""},
               {"auth0", "", "openid email offline_access", "", ""},
               {"keycloak", "", "openid email offline_access", "", ""},
               {"oidc", "none", "openid email offline_access", "", "none"},
               {"oidc", "", "openid email offline_access", "", "consent"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.type) + " " + c.prompt);
    conf.providers[0].type = c.type;
    conf.providers[0].prompt = c.prompt;
    conf.providers[0].refresh_strategy = "auto";
    again();
    test_browser b;
    auto location = to_provider(b);
    EXPECT_EQ(parameter_of(location, "scope"), c.scope);
    EXPECT_EQ(parameter_of(location, "access_type"), c.access_type);
    EXPECT_EQ(parameter_of(location, "prompt"), c.sent_prompt);
    conf.providers[0].refresh_strategy = "none";
    again();
    location = to_provider(b);
    EXPECT_EQ(parameter_of(location, "scope"), "openid email");
    EXPECT_EQ(parameter_of(location, "access_type"), "");
  }
}

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

TEST_F(ProviderTokens, WhatIsKeptLivesAsLongAsTheGrant) {
  other_tokens.erase("expires_in");
  sign_in_at_provider();
  for (int i = 0; i < 4; ++i) {
    now += conf.refresh_token_lifetime - seconds(60);
    tokens = body_of(refresh(client, client_refresh()));
    EXPECT_EQ(token_now(), "idp-access-token") << i;
  }
  EXPECT_EQ(kept(), 1u);
  auto ended =
      ask(endpoint::revoke,
          post_request("/oauth/revoke", make_form({{"client_id", client}, {"token", client_refresh()}})));
  EXPECT_EQ(ended.status, 200);
  EXPECT_EQ(kept(), 0u);
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

TEST_F(ProviderTokens, ASignInOfBeforeHasToBeMadeAgain) {
  conf.upstreams[0].authorization = "none";
  again();
  sign_in_at_provider();
  conf.upstreams[0].authorization = "provider";
  again();
  auto got = access();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::provider_token_absent);
  EXPECT_FALSE(store.get("grant", grant, now)->has_value());
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

TEST_F(ProviderTokens, TheGuidesCurlRenewsAtOnceAndShowsNoToken) {
  sign_in_at_provider();
  auto answer = manually(client_token());
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(refreshes, 1);
  auto body = body_of(answer);
  bool refreshed = false;
  std::int64_t left = 0;
  EXPECT_EQ(read(body, "refreshed", refreshed), member::present);
  EXPECT_EQ(read(body, "expires_in", left), member::present);
  EXPECT_TRUE(refreshed);
  EXPECT_EQ(left, 3600);
  EXPECT_EQ(text_member(body, "provider"), "corp");
  EXPECT_THAT(answer.body, AllOf(Not(HasSubstr("idp-")), Not(HasSubstr("token\""))));
  EXPECT_EQ(answer.fields.first("cache-control"), "no-store");

  EXPECT_THAT(manually(client_token()).body, HasSubstr("\"refreshed\":false"));
  EXPECT_EQ(refreshes, 1) << "not more often than every half minute";
  now += seconds(30) + conf.access_token_lifetime;
  EXPECT_THAT(manually(client_token()).body, HasSubstr("\"refreshed\":true")) << "ours may have expired";
  EXPECT_EQ(refreshes, 2);
}

TEST_F(ProviderTokens, WhoAsksForARefreshHasToShowATokenOfOurs) {
  sign_in_at_provider();
  auto good = client_token();
  auto changed = good;
  changed[changed.size() - 10] = changed[changed.size() - 10] == 'A' ? 'B' : 'A';
  for (const auto& bad : {std::string("made-up"), std::string("a.b.c"), changed}) {
    auto answer = manually(bad);
    EXPECT_EQ(answer.status, 401) << bad;
    EXPECT_EQ(error_of(answer), "invalid_token");
    EXPECT_THAT(std::string(answer.fields.first("www-authenticate")),
                HasSubstr("Bearer error=\"invalid_token\""));
  }
  auto none = manually("");
  EXPECT_EQ(none.status, 401);
  http_request with_cookie;
  with_cookie.method = "POST";
  with_cookie.path = "/auth/refresh";
  with_cookie.fields.add("Cookie", "mop_session=" + good + "; mop_browser=" + good);
  EXPECT_EQ(ask(endpoint::refresh, with_cookie).status, 401);
  http_request get = with_cookie;
  get.method = "GET";
  EXPECT_EQ(ask(endpoint::refresh, get).status, 405);
  EXPECT_EQ(refreshes, 0);
  ask(endpoint::revoke,
      post_request("/oauth/revoke", make_form({{"client_id", client}, {"token", client_refresh()}})));
  EXPECT_EQ(manually(good).status, 401);
  EXPECT_EQ(noted(log, "result"), "token_revoked");
  EXPECT_EQ(refreshes, 0);
}

TEST_F(ProviderTokens, ARefreshThatFailsSaysTokenExpiredAsTheGuideDoes) {
  sign_in_at_provider();
  on_refresh = [] { return refused(); };
  auto answer = manually(client_token());
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(error_of(answer), "invalid_token");
  EXPECT_EQ(text_member(body_of(answer), "error_description"),
            "token_expired: Access token has expired and refresh failed. Sign in again");
  EXPECT_THAT(noted(log, "detail"), HasSubstr("AADSTS700082"));

  sign_in_at_provider();
  away = true;
  answer = manually(client_token());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(error_of(answer), "temporarily_unavailable");
  EXPECT_EQ(answer.fields.count("retry-after"), 1u);
}

TEST_F(ProviderTokens, ARefreshWithAFormIsATokenRequest) {
  sign_in_at_provider();
  auto request = post_request("/auth/refresh", make_form({{"grant_type", "refresh_token"},
                                                          {"client_id", client},
                                                          {"refresh_token", client_refresh()}}));
  auto answer = ask(endpoint::refresh, request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(text_member(body_of(answer), "access_token").empty());
}

TEST_F(ProviderTokens, WhereNothingIsKeptThereIsNothingToRenew) {
  conf.upstreams[0].authorization = "none";
  again();
  sign_in_at_provider();
  auto answer = manually(client_token());
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("\"refreshed\":false"));
  now += conf.access_token_lifetime;
  EXPECT_EQ(manually(client_token()).status, 401);
  EXPECT_EQ(*store.count("grant", now), 1u) << "the client still has its refresh token";
}

TEST(RenewalDue, IsATenthOrTheMarginBeforeTheEndButNotBeforeHalfTime) {
  struct {
    std::int64_t lifetime, margin, due;
  } cases[] = {{3600, 60, 3240}, {3600, 900, 2700}, {300, 60, 240},
               {100, 60, 50},    {2, 60, 1},        {3600, 0, 3240}};
  for (const auto& c : cases) {
    provider_tokens t;
    t.issued = from_unix(1'000'000);
    t.expires = t.issued + seconds(c.lifetime);
    EXPECT_EQ(renewal_due(t, seconds(c.margin)), t.issued + seconds(c.due)) << c.lifetime;
  }
  EXPECT_FALSE(renewal_due({}, seconds(60)));
}

}  // namespace
}  // namespace mcp_oauth
