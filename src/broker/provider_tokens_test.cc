// What is asked of a provider and kept of its answer, and for how long.

#include "broker/provider_tokens_fixture.h"

namespace mcp_oauth {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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

// giantswarm, 2026: they were kept by e-mail address.
class AdvisoryProviderTokens : public ProviderTokens {};

TEST_F(AdvisoryProviderTokens, Giantswarm_2026_TwoPeopleOfOneAddressKeepTheirOwn) {
  auto signed_in_as = [this](const char* subject, const char* token) {
    other_claims = {{"sub", subject}, {"email", "shared@example.org"}};
    other_tokens["access_token"] = token;
    other_tokens["refresh_token"] = "renews-" + std::string(token);
    sign_in_at_provider();
    return grant;
  };
  auto ada = signed_in_as("ada-1", "of-ada");
  auto eve = signed_in_as("eve-1", "of-eve");
  auto later = signed_in_as("ada-1", "of-ada-later");
  auto token_of = [this](const std::string& which) {
    grant = which;
    return token_now();
  };
  EXPECT_EQ(token_of(ada), "of-ada");
  EXPECT_EQ(token_of(eve), "of-eve");
  EXPECT_EQ(token_of(later), "of-ada-later");
  now += seconds(3600 - 360);
  token_of(eve);
  EXPECT_EQ(token_body.find("refresh_token"), "renews-of-eve");
  token_of(ada);
  EXPECT_EQ(token_body.find("refresh_token"), "renews-of-ada");
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
