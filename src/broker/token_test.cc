// Codes and refresh tokens at the token endpoint: once, in order, for their owner, and what happens when it
// is not so.

#include "broker/fixture.h"
#include "broker/grants.h"
#include "broker/login_trail.h"

#include <future>
#include <random>
#include <set>
#include <thread>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

class Token : public BrokerTest {
 protected:
  void SetUp() override {
    add_user("ada", "correct horse battery");
    client = register_public();
    other = register_public();
  }
  json::object tokens() {
    auto answer = redeem(client, code_for(client));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return body_of(answer);
  }
  std::string client, other;
};

std::string refresh_of(const json::object& tokens) { return text_member(tokens, "refresh_token"); }
std::string access_of(const json::object& tokens) { return text_member(tokens, "access_token"); }

TEST_F(Token, ACodeThatComesTwiceRevokesWhatItGave) {
  auto code = code_for(client);
  auto first = body_of(redeem(client, code));
  EXPECT_TRUE(introspects_as_active(client, access_of(first)));
  auto second = redeem(client, code);
  EXPECT_EQ(second.status, 400);
  EXPECT_EQ(error_of(second), "invalid_grant");
  EXPECT_EQ(noted(log, "result"), "code_replayed");
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_FALSE(introspects_as_active(client, access_of(first)));
  EXPECT_EQ(error_of(refresh(client, refresh_of(first))), "invalid_grant");
}

TEST_F(Token, AReplayThatCannotProveItselfEndsNothing) {
  auto code = code_for(client);
  auto first = body_of(redeem(client, code));
  struct {
    const char* name;
    std::string value;
  } wrong[] = {{"code_verifier", std::string(43, 'x')},
               {"redirect_uri", "http://127.0.0.1:7777/other"},
               {"client_id", other},
               {"resource", "https://elsewhere.example/mcp"}};
  for (const auto& w : wrong) {
    auto request = make_form({});
    bool replaced = false;
    for (const auto& [n, v] : code_request(client, code)) {
      request.add(n, n == w.name ? w.value : v);
      replaced |= n == w.name;
    }
    if (!replaced) request.add(w.name, w.value);
    auto answer = ask(endpoint::token, post_request("/oauth/token", request));
    EXPECT_EQ(answer.status, 400) << w.name;
    EXPECT_TRUE(revoked.empty()) << w.name;
  }
  EXPECT_TRUE(introspects_as_active(client, access_of(first)));
}

TEST_F(Token, AWrongVerifierDoesNotUseTheCodeUp) {
  auto code = code_for(client);
  auto request = make_form({{"grant_type", "authorization_code"},
                            {"client_id", client},
                            {"code", code},
                            {"code_verifier", std::string(43, 'x')}});
  EXPECT_EQ(error_of(ask(endpoint::token, post_request("/oauth/token", request))), "invalid_grant");
  EXPECT_EQ(redeem(client, code).status, 200);
}

TEST_F(Token, ACodeOfAnotherClientIsRefusedAndStaysGood) {
  auto code = code_for(client);
  auto answer = redeem(other, code);
  EXPECT_EQ(error_of(answer), "invalid_grant");
  EXPECT_EQ(noted(log, "result"), "code_client_mismatch");
  EXPECT_EQ(redeem(client, code).status, 200);
}

TEST_F(Token, AMissingVerifierIsToldAsThatAndOfItsSignIn) {
  auto code = code_for(client);
  auto key = login_key(client, challenge);
  for (auto [sent, says] : std::initializer_list<std::pair<std::string, std::string>>{
           {"", "has no code_verifier"}, {"short", "is not 43 to 128"}}) {
    auto request = make_form({{"grant_type", "authorization_code"}, {"client_id", client}, {"code", code}});
    if (!sent.empty()) request.add("code_verifier", sent);
    EXPECT_EQ(error_of(ask(endpoint::token, post_request("/oauth/token", request))), "invalid_request");
    EXPECT_THAT(noted(log, "cause"), HasSubstr(says));
    EXPECT_THAT(noted(log, "fix"), HasSubstr("code_verifier"));
    EXPECT_EQ(log.login, key);
    EXPECT_FALSE(log.steps.empty());
  }
  // A code that is none is of no sign-in, and is not missed.
  ask(endpoint::token,
      post_request(
          "/oauth/token",
          make_form({{"grant_type", "authorization_code"}, {"client_id", client}, {"code", "nonsense"}})));
  EXPECT_EQ(log.login, "");
  EXPECT_EQ(redeem(client, code).status, 200) << "and the code is as good as before";
}

TEST_F(Token, AnotherRedirectUriIsNotToldAsAnotherClient) {
  auto code = code_for(client);
  auto request = make_form({{"grant_type", "authorization_code"},
                            {"client_id", client},
                            {"code", code},
                            {"redirect_uri", "http://127.0.0.1:7777/other"},
                            {"code_verifier", std::string(verifier)}});
  EXPECT_EQ(error_of(ask(endpoint::token, post_request("/oauth/token", request))), "invalid_grant");
  EXPECT_THAT(noted(log, "cause"), HasSubstr("redirect_uri of the token request"));
  EXPECT_THAT(noted(log, "fix"), HasSubstr("same redirect_uri"));
  redeem(other, code);
  EXPECT_THAT(noted(log, "cause"), HasSubstr("another client"));
  EXPECT_THAT(noted(log, "fix"), HasSubstr("client_id"));
  EXPECT_EQ(redeem(client, code).status, 200);
  EXPECT_EQ(noted(log, "cause"), "");
}

TEST_F(Token, ACodeExpires) {
  auto code = code_for(client);
  now += conf.code_lifetime;
  EXPECT_EQ(error_of(redeem(client, code)), "invalid_grant");
  EXPECT_EQ(noted(log, "result"), "code_expired");
  now += std::chrono::hours(1);
  redeem(client, code);
  EXPECT_EQ(noted(log, "result"), "code_invalid");
}

TEST_F(Token, OfManyThreadsWithOneCodeExactlyOneWins) {
  for (int round = 0; round < 10; ++round) {
    auto code = code_for(client);
    auto request = post_request("/oauth/token", code_request(client, code));
    std::vector<std::thread> threads;
    std::atomic<int> won = 0;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        broker_log mine;
        auto answer = std::get<http_response>(as->handle(endpoint::token, request, now, mine));
        if (answer.status == 200) ++won;
      });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(won, 1) << "round " << round;
  }
}

TEST_F(Token, ARefreshRotatesAndKeepsScopeAndResource) {
  auto first = tokens();
  now += std::chrono::minutes(10);
  auto answer = refresh(client, refresh_of(first));
  ASSERT_EQ(answer.status, 200) << answer.body;
  auto second = body_of(answer);
  EXPECT_NE(refresh_of(second), refresh_of(first));
  EXPECT_NE(access_of(second), access_of(first));
  EXPECT_EQ(text_member(second, "scope"), "tools:read");
  EXPECT_TRUE(introspects_as_active(client, access_of(second)));
}

TEST_F(Token, WithinTheGraceTheSameSuccessorComesAgain) {
  auto first = tokens();
  auto second = body_of(refresh(client, refresh_of(first)));
  now += conf.refresh_grace - seconds(1);
  auto again = body_of(refresh(client, refresh_of(first)));
  EXPECT_EQ(refresh_of(again), refresh_of(second));
  EXPECT_NE(access_of(again), access_of(second));
  EXPECT_EQ(noted(log, "event"), "refresh_again");
  EXPECT_EQ(refresh(client, refresh_of(second)).status, 200) << "the successor is as good as ever";
  EXPECT_TRUE(revoked.empty());
}

TEST_F(Token, AfterTheGraceAReuseEndsTheFamily) {
  auto first = tokens();
  auto second = body_of(refresh(client, refresh_of(first)));
  now += conf.refresh_grace;
  auto replay = refresh(client, refresh_of(first));
  EXPECT_EQ(replay.status, 400);
  EXPECT_EQ(error_of(replay), "invalid_grant");
  EXPECT_EQ(noted(log, "result"), "refresh_replayed");
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_EQ(error_of(refresh(client, refresh_of(second))), "invalid_grant");
  EXPECT_FALSE(introspects_as_active(client, access_of(second)));
  EXPECT_EQ(as->revoked(now)->size(), 1u) << "a validator that starts now is told";
}

TEST_F(Token, WithoutGraceEveryReuseEndsTheFamily) {
  conf.refresh_grace = seconds(0);
  auto first = tokens();
  refresh(client, refresh_of(first));
  refresh(client, refresh_of(first));
  EXPECT_EQ(noted(log, "result"), "refresh_replayed");
}

TEST_F(Token, AThiefWithTheStoreCannotReadASuccessor) {
  auto first = tokens();
  auto second = body_of(refresh(client, refresh_of(first)));
  EXPECT_EQ(dump().find(refresh_of(second)), std::string::npos);
  // Sealed with nothing but the old token: the server's own key does not open it.
  auto records = *store.list("refresh", now, 10, {});
  for (const auto& r : records) {
    auto data = *parse_json_object(r.data);
    auto sealed = base64url_decode(text_member(data, "successor"));
    ASSERT_TRUE(sealed);
    if (!sealed->empty()) {
      EXPECT_FALSE(seal.open("refresh-successor", r.id, *sealed));
    }
  }
}

TEST_F(Token, OfManyThreadsThatRefreshAtOnceAllGetTheSameSuccessor) {
  for (int round = 0; round < 10; ++round) {
    auto old = refresh_of(tokens());
    auto request = post_request(
        "/oauth/token",
        make_form({{"grant_type", "refresh_token"}, {"client_id", client}, {"refresh_token", old}}));
    std::vector<std::future<std::string>> answers;
    for (int i = 0; i < 8; ++i) {
      answers.push_back(std::async(std::launch::async, [&] {
        broker_log mine;
        return refresh_of(body_of(std::get<http_response>(as->handle(endpoint::token, request, now, mine))));
      }));
    }
    std::set<std::string> successors;
    for (auto& a : answers) successors.insert(a.get());
    EXPECT_EQ(successors.size(), 1u) << "round " << round;
    EXPECT_FALSE(successors.count(""));
  }
}

TEST_F(Token, ARefreshTokenExpiresWhenNotUsedAndLivesOnWhenUsed) {
  auto a = refresh_of(tokens()), b = refresh_of(tokens());
  now += conf.refresh_token_lifetime - seconds(1);
  auto used = refresh(client, b);
  EXPECT_EQ(used.status, 200);
  now += seconds(1);
  EXPECT_EQ(error_of(refresh(client, a)), "invalid_grant");
  EXPECT_EQ(noted(log, "result"), "refresh_expired");
  now += conf.refresh_token_lifetime - seconds(10);
  EXPECT_EQ(refresh(client, refresh_of(body_of(used))).status, 200);
}

TEST_F(Token, WhoComesBackAfterWeeksHearsThatTheRefreshTokenExpired) {
  auto old = refresh_of(tokens());
  now += conf.refresh_token_lifetime + std::chrono::hours(24 * 45);
  EXPECT_EQ(error_of(refresh(client, old)), "invalid_grant");
  EXPECT_EQ(noted(log, "result"), "refresh_expired");
}

TEST_F(Token, ARefreshTokenOfAnotherClientIsRefusedAndTheOwnerIsNotHarmed) {
  auto mine = tokens();
  auto stolen = refresh(other, refresh_of(mine));
  EXPECT_EQ(error_of(stolen), "invalid_grant");
  EXPECT_TRUE(revoked.empty());
  EXPECT_EQ(refresh(client, refresh_of(mine)).status, 200);
  // Not even with a rotated one, long after.
  now += std::chrono::hours(1);
  refresh(other, refresh_of(mine));
  EXPECT_TRUE(revoked.empty());
}

TEST_F(Token, ScopeNarrowsForOneAccessTokenOnly) {
  test_browser b;
  auto request = authorization(client);
  form wide;
  for (const auto& [n, v] : request) wide.add(n, n == "scope" ? "tools:read tools:write" : v);
  auto first = body_of(redeem(client, parameter_of(sign_in(b, wide), "code")));
  auto narrow = make_form({{"grant_type", "refresh_token"},
                           {"client_id", client},
                           {"refresh_token", refresh_of(first)},
                           {"scope", "tools:read"}});
  auto second = body_of(ask(endpoint::token, post_request("/oauth/token", narrow)));
  EXPECT_EQ(text_member(second, "scope"), "tools:read");
  auto third = body_of(refresh(client, refresh_of(second)));
  EXPECT_EQ(text_member(third, "scope"), "tools:read tools:write");
}

TEST_F(Token, ARefreshCannotWidenScopeOrChangeTheResource) {
  auto first = tokens();
  auto with = [&](const char* name, const char* value) {
    return ask(endpoint::token, post_request("/oauth/token", make_form({{"grant_type", "refresh_token"},
                                                                        {"client_id", client},
                                                                        {"refresh_token", refresh_of(first)},
                                                                        {name, value}})));
  };
  EXPECT_EQ(error_of(with("scope", "tools:read tools:write")), "invalid_scope");
  EXPECT_EQ(error_of(with("resource", "https://elsewhere.example/mcp")), "invalid_target");
  EXPECT_EQ(with("resource", "HTTPS://MCP.example.com/mcp/").status, 200);
}

TEST_F(Token, AClientThatDidNotRegisterForRefreshGetsNone) {
  auto answer = ask(endpoint::register_client,
                    registration({{"redirect_uris", json::array{"http://127.0.0.1/callback"}},
                                  {"grant_types", json::array{"authorization_code"}},
                                  {"token_endpoint_auth_method", "none"}}));
  auto id = text_member(body_of(answer), "client_id");
  auto answered = redeem(id, code_for(id));
  EXPECT_EQ(answered.status, 200) << answered.body;
  EXPECT_EQ(body_of(answered).count("refresh_token"), 0u);
  EXPECT_EQ(error_of(refresh(id, "x")), "unauthorized_client");
}

TEST_F(Token, AConfidentialClientMustProveItselfEveryTime) {
  auto answer = ask(endpoint::register_client,
                    registration({{"redirect_uris", json::array{"http://127.0.0.1/callback"}},
                                  {"token_endpoint_auth_method", "client_secret_basic"}}));
  auto id = text_member(body_of(answer), "client_id");
  auto its_secret = text_member(body_of(answer), "client_secret");
  ASSERT_FALSE(its_secret.empty());
  EXPECT_EQ(dump().find(its_secret), std::string::npos);
  auto code = code_for(id);
  auto without = redeem(id, code);
  EXPECT_EQ(without.status, 401);
  EXPECT_EQ(error_of(without), "invalid_client");
  auto basic = [&](const std::string& password) {
    auto request = post_request("/oauth/token", code_request(id, code));
    request.fields.add("Authorization", "Basic " + base64_encode(id + ":" + password));
    return ask(endpoint::token, request);
  };
  auto wrong = basic("wrong");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.fields.first("www-authenticate").substr(0, 5), "Basic");
  EXPECT_EQ(basic(its_secret).status, 200) << "and the failures used nothing up";
}

TEST_F(Token, AnUnknownClientIsToldToRegisterAgain) {
  auto answer = redeem("gone", "x");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(error_of(answer), "invalid_client");
  EXPECT_EQ(answer.fields.count("www-authenticate"), 0u);
  auto request =
      post_request("/oauth/token", make_form({{"grant_type", "refresh_token"}, {"refresh_token", "x"}}));
  request.fields.add("Authorization", "Basic " + base64_encode("gone:x"));
  answer = ask(endpoint::token, request);
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.fields.count("www-authenticate"), 1u);
}

TEST_F(Token, ARevocationOfEitherTokenEndsTheGrantAtOnce) {
  for (auto name : {"access_token", "refresh_token"}) {
    auto t = tokens();
    revoked.clear();
    auto answer = ask(
        endpoint::revoke,
        post_request("/oauth/revoke", make_form({{"client_id", client}, {"token", text_member(t, name)}})));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(revoked.size(), 1u) << name;
    EXPECT_FALSE(introspects_as_active(client, access_of(t)));
    EXPECT_FALSE(introspects_as_active(client, refresh_of(t)));
    EXPECT_EQ(error_of(refresh(client, refresh_of(t))), "invalid_grant");
  }
}

TEST_F(Token, NobodyRevokesTheTokensOfOthers) {
  auto t = tokens();
  for (auto name : {"access_token", "refresh_token"}) {
    auto answer = ask(
        endpoint::revoke,
        post_request("/oauth/revoke", make_form({{"client_id", other}, {"token", text_member(t, name)}})));
    EXPECT_EQ(answer.status, 400) << name;
    EXPECT_TRUE(revoked.empty()) << name;
  }
  EXPECT_TRUE(introspects_as_active(client, access_of(t)));
  EXPECT_EQ(refresh(client, refresh_of(t)).status, 200);
}

TEST_F(Token, RevokingWhatIsUnknownSucceeds) {
  for (auto token : {"unknown", "a.b.c", "....", "%"}) {
    auto answer = ask(endpoint::revoke,
                      post_request("/oauth/revoke", make_form({{"client_id", client}, {"token", token}})));
    EXPECT_EQ(answer.status, 200) << token;
  }
  EXPECT_TRUE(revoked.empty());
}

TEST_F(Token, IntrospectionTellsStrangersNothing) {
  auto t = tokens();
  EXPECT_TRUE(introspects_as_active(client, access_of(t)));
  EXPECT_TRUE(introspects_as_active(client, refresh_of(t)));
  EXPECT_FALSE(introspects_as_active(other, access_of(t)));
  EXPECT_FALSE(introspects_as_active(other, refresh_of(t)));
  EXPECT_FALSE(introspects_as_active(client, "unknown"));
  now += conf.access_token_lifetime;
  EXPECT_FALSE(introspects_as_active(client, access_of(t)));
}

TEST_F(Token, AConfiguredResourceServerMayIntrospectEveryToken) {
  client_settings rs;
  rs.client_id = "rs";
  rs.client_secret = secret("rs-secret");
  rs.redirect_uris = {"https://rs.example.com/cb"};
  conf.clients.push_back(std::move(rs));
  auto t = tokens();
  auto answer =
      ask(endpoint::introspect,
          post_request(
              "/oauth/introspect",
              make_form({{"client_id", "rs"}, {"client_secret", "rs-secret"}, {"token", access_of(t)}})));
  auto body = body_of(answer);
  EXPECT_EQ(body.at("active"), true) << answer.body;
  EXPECT_EQ(text_member(body, "sub"), "local:ada");
  EXPECT_EQ(text_member(body, "aud"), "https://mcp.example.com/mcp");
}

// A model beside the real thing: whatever the order of events, a family has one living refresh token, a
// rotated one yields its successor within the grace and ends the family after it, and what has ended stays
// so.
TEST_F(Token, AnyOrderOfRefreshesKeepsThePromises) {
  std::mt19937 dice(20'261'121);
  for (int family = 0; family < 20; ++family) {
    struct step_of_family {
      std::string token;
      std::string successor;
      time_point rotated;
    };
    std::vector<step_of_family> chain{{refresh_of(tokens()), "", {}}};
    bool ended = false;
    for (int i = 0; i < 60; ++i) {
      now += seconds(dice() % 25);
      auto pick = dice() % chain.size();
      if (dice() % 2 == 0) pick = chain.size() - 1;
      auto answer = refresh(client, chain[pick].token);
      auto got = refresh_of(body_of(answer));
      if (ended) {
        EXPECT_EQ(answer.status, 400);
      } else if (chain[pick].successor.empty()) {
        ASSERT_EQ(answer.status, 200) << answer.body;
        chain[pick].successor = got;
        chain[pick].rotated = now;
        chain.push_back({got, "", {}});
      } else if (now - chain[pick].rotated < conf.refresh_grace) {
        EXPECT_EQ(got, chain[pick].successor);
      } else {
        EXPECT_EQ(answer.status, 400);
        EXPECT_EQ(noted(log, "result"), "refresh_replayed");
        ended = true;
      }
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
