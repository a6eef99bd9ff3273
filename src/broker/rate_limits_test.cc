#include "broker/rate_limits.h"

#include "broker/fixture.h"

#include <set>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

class RateLimits : public BrokerTest {
 protected:
  // A client with its refresh token, for "ada".
  std::string signed_in_client() {
    if (!user_there_) add_user("ada", "correct horse battery");
    user_there_ = true;
    auto client = register_public();
    auto answer = redeem(client, code_for(client));
    EXPECT_EQ(answer.status, 200) << answer.body;
    token_ = text_member(body_of(answer), "refresh_token");
    return client;
  }
  http_response refresh_again(const std::string& client) {
    now += seconds(1);
    auto answer = refresh(client, token_);
    if (answer.status == 200) token_ = text_member(body_of(answer), "refresh_token");
    return answer;
  }

  bool user_there_ = false;
  std::string token_;
};

TEST_F(RateLimits, TheAnswerNamesTheLimitAndByWhatIsCounted) {
  conf.rates.requests_per_minute = 3;
  restart();
  auto request = post_request("/oauth/token", make_form({}));
  request.fields.set("Accept", "application/json");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(endpoint::token, request).status, 400);
  auto answer = ask(endpoint::token, request);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.fields.first("retry-after"), "20");
  EXPECT_EQ(text_member(body_of(answer), "limit"), "rate_limits.requests_per_minute");
  EXPECT_EQ(text_member(body_of(answer), "limited_by"), "address");
  EXPECT_EQ(
      text_member(body_of(answer), "error_description"),
      "Too many requests: rate_limits.requests_per_minute is 3 in 60 s for this address. Wait 20 seconds");
  EXPECT_EQ(log.limited, rate_limit::requests);
  EXPECT_THAT(noted(log, "detail"), HasSubstr("203.0.113.9"));
}

TEST_F(RateLimits, ABrowserGetsAPageWithTheSameWords) {
  conf.rates.requests_per_minute = 1;
  restart();
  test_browser b;
  visit(b, endpoint::authorize, get_request("/oauth/authorize"));
  auto answer = visit(b, endpoint::authorize, get_request("/oauth/authorize"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.fields.first("retry-after"), "60");
  EXPECT_THAT(answer.body, HasSubstr("rate_limits.requests_per_minute is 1 in 60 s for this address"));
  EXPECT_THAT(answer.body, HasSubstr("Wait 60 seconds"));
}

TEST_F(RateLimits, PasswordsAreBoundedPerAddressWhateverTheAccount) {
  conf.rates.sign_ins_per_minute = 2;
  restart();
  add_user("ada", "correct horse battery");
  test_browser b;
  auto client = register_public();
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  page = open_sign_in(b, approve(b, page));
  for (auto user : {"eve", "mallory"}) {
    page = enter(b, page, user, "guess");
    EXPECT_EQ(page.status, 401);
  }
  auto answer = enter(b, page, "trent", "guess");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(log.limited, rate_limit::sign_ins);
  now += seconds(30);
  EXPECT_EQ(enter(b, page, "ada", "correct horse battery").status, 303);
}

TEST_F(RateLimits, ReturnsFromAProviderAreBoundedPerAddress) {
  conf.rates.sign_ins_per_minute = 1;
  restart();
  EXPECT_EQ(ask(endpoint::callback, get_request("/auth/callback")).status, 400);
  EXPECT_EQ(ask(endpoint::callback, get_request("/auth/callback")).status, 429);
}

TEST_F(RateLimits, ASubscriberOfIpv6IsOneAddress) {
  conf.rates.requests_per_minute = 1;
  restart();
  auto request = post_request("/oauth/token", make_form({}));
  request.peer = "2001:db8:1:2::1";
  EXPECT_EQ(ask(endpoint::token, request).status, 400);
  request.peer = "2001:db8:1:2:ffff::2";
  EXPECT_EQ(ask(endpoint::token, request).status, 429);
  request.peer = "2001:db8:1:3::1";
  EXPECT_EQ(ask(endpoint::token, request).status, 400);
}

TEST_F(RateLimits, AClientIsBoundByWhatItWasGiven) {
  conf.rates.client_requests_per_minute = 2;
  restart();
  auto client = signed_in_client();
  EXPECT_EQ(refresh_again(client).status, 200);
  auto before = token_;
  auto answer = refresh_again(client);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(log.limited, rate_limit::client_requests);
  now += seconds(30);
  EXPECT_EQ(refresh(client, before).status, 200) << "a refused refresh token is still good";
}

TEST_F(RateLimits, NobodyUsesUpWhatIsAnothersByNamingIt) {
  conf.rates.client_requests_per_minute = 2;
  conf.rates.user_tokens_per_minute = 2;
  restart();
  auto client = signed_in_client();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(refresh(client, "guess" + std::to_string(i)).status, 400);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(redeem(client, "guess" + std::to_string(i)).status, 400);
  EXPECT_EQ(refresh_again(client).status, 200);
}

TEST_F(RateLimits, APersonIsBoundOverAllClients) {
  conf.rates.user_tokens_per_minute = 3;
  restart();
  auto first = signed_in_client();
  auto second = signed_in_client();
  EXPECT_EQ(refresh_again(second).status, 200);
  EXPECT_EQ(refresh_again(second).status, 429);
  EXPECT_EQ(log.limited, rate_limit::user_tokens);
  EXPECT_EQ(noted(log, "detail"),
            "rate_limits.user_tokens_per_minute is 3 in 60 s, and user local:ada used it up");
}

TEST_F(RateLimits, RevocationsCountForTheClient) {
  conf.rates.client_requests_per_minute = 2;
  restart();
  auto client = signed_in_client();
  auto revoke = [&](const std::string& token) {
    return ask(endpoint::revoke,
               post_request("/oauth/revoke", make_form({{"client_id", client}, {"token", token}})))
        .status;
  };
  for (int i = 0; i < 20; ++i) EXPECT_EQ(revoke("guess"), 200) << "what ends nothing counts nothing";
  EXPECT_EQ(revoke(token_), 200);
  EXPECT_EQ(revoke("guess"), 429);
}

TEST_F(RateLimits, ZeroTurnsEachOff) {
  conf.rates = {0, 0, 0, 0, 0};
  restart();
  auto request = post_request("/oauth/token", make_form({}));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(ask(endpoint::token, request).status, 400);
  for (int i = 0; i < 200; ++i) register_public();
}

TEST_F(RateLimits, CountersOutliveTheServerThatReadThem) {
  conf.rates.requests_per_minute = 1;
  auto counts = std::make_shared<rate_limits>(random);
  auto start_with_counts = [&] {
    broker_world world{conf, watched, seal, random, [](const std::string&, time_point) {}, cheap};
    world.counts = counts;
    as = *broker::start(std::move(world), now);
  };
  start_with_counts();
  auto request = post_request("/oauth/token", make_form({}));
  EXPECT_EQ(ask(endpoint::token, request).status, 400);
  start_with_counts();
  EXPECT_EQ(ask(endpoint::token, request).status, 429);
}

TEST(RateLimitRows, EachHasAKeyOfItsOwnOrAnotherCount) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto& row : rate_limit_rows()) EXPECT_TRUE(seen.emplace(row.key, row.counted_by).second);
}

}  // namespace
}  // namespace mcp_oauth
