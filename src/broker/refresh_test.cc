// POST /auth/refresh, as the operator's guide has it.

#include "broker/provider_tokens_fixture.h"

namespace mcp_oauth {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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
    EXPECT_EQ(noted(log, "result"), bad == changed ? "token_signature_invalid" : "token_malformed") << bad;
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

}  // namespace
}  // namespace mcp_oauth
