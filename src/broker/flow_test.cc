#include "broker/client_directory.h"
#include "broker/fixture.h"
#include "oauth/access_token.h"

namespace mcp_oauth {
namespace {

class Flow : public BrokerTest {
 protected:
  void SetUp() override {
    add_user("ada", "correct horse battery");
    client = register_public();
  }
  std::string client;
};

TEST_F(Flow, LeadsFromARegistrationToATokenThatOurOwnValidatorAccepts) {
  test_browser b;
  auto location = sign_in(b, authorization(client));
  EXPECT_EQ(location.rfind("http://127.0.0.1:7777/callback?", 0), 0u) << location;
  EXPECT_EQ(parameter_of(location, "state"), "client state & more");
  EXPECT_EQ(parameter_of(location, "iss"), "https://mcp.example.com");

  auto answer = redeem(client, parameter_of(location, "code"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.fields.first("cache-control"), "no-store");
  auto body = body_of(answer);
  EXPECT_EQ(text_member(body, "token_type"), "Bearer");
  EXPECT_EQ(text_member(body, "scope"), "tools:read");
  EXPECT_EQ(body.at("expires_in"), 900);
  EXPECT_EQ(noted(log, "user"), "local:ada");
  EXPECT_EQ(noted(log, "result"), "ok");

  auto verified = verify_access_token(text_member(body, "access_token"), *as->keys()->all,
                                      {"https://mcp.example.com", "https://mcp.example.com/mcp"}, now);
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_EQ(verified->claims().subject, "local:ada");
  EXPECT_EQ(verified->claims().client_id, client);
  EXPECT_EQ(verified->claims().scopes, std::vector<std::string>{"tools:read"});
  EXPECT_FALSE(verified->claims().grant_id.empty());
  EXPECT_FALSE(verified->claims().token_id.empty());
}

TEST_F(Flow, WritesNothingBeforeTheApproval) {
  test_browser b;
  visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  for (auto kind : {"login", "consent", "code", "grant", "browser"})
    EXPECT_EQ(*store.count(kind, now), 0u) << kind;
}

TEST_F(Flow, SurvivesARestartBetweenAnyTwoSteps) {
  test_browser b;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  restart();
  auto redirect = approve(b, page);
  restart();
  auto sign_in_form = open_sign_in(b, redirect);
  restart();
  auto done = enter(b, sign_in_form, "ada", "correct horse battery");
  restart();
  auto tokens = redeem(client, parameter_of(done.fields.first("location"), "code"));
  ASSERT_EQ(tokens.status, 200) << tokens.body;
  restart();
  EXPECT_EQ(refresh(client, text_member(body_of(tokens), "refresh_token")).status, 200);
}

TEST_F(Flow, KeepsNoUsableSecretInTheStore) {
  test_browser b;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  auto redirect = approve(b, page);
  auto done = enter(b, open_sign_in(b, redirect), "ada", "correct horse battery");
  auto code = parameter_of(done.fields.first("location"), "code");
  auto before = dump();
  auto tokens = body_of(redeem(client, code));
  auto first = text_member(tokens, "refresh_token");
  auto second = text_member(body_of(refresh(client, first)), "refresh_token");
  auto all = before + dump();
  for (const auto& value :
       {code, first, second, text_member(tokens, "access_token"),
        parameter_of(redirect.fields.first("location"), "login"), b.cookies.at("__Host-mop_browser"),
        b.cookies.at("__Host-mop_session"), std::string("correct horse battery")}) {
    ASSERT_FALSE(value.empty());
    EXPECT_EQ(all.find(value), std::string::npos) << value;
  }
}

TEST_F(Flow, AClientOfOAuth21MayLeaveTheRedirectUriOutOfTheTokenRequest) {
  auto request = make_form({{"grant_type", "authorization_code"},
                            {"client_id", client},
                            {"code", code_for(client)},
                            {"code_verifier", std::string(verifier)}});
  EXPECT_EQ(ask(endpoint::token, post_request("/oauth/token", request)).status, 200);
}

TEST_F(Flow, ARequestWithoutScopeResourceAndStateWorks) {
  test_browser b;
  auto request = make_form({{"response_type", "code"},
                            {"client_id", client},
                            {"code_challenge", std::string(challenge)},
                            {"code_challenge_method", "S256"},
                            {"redirect_uri", "http://127.0.0.1:7777/callback"}});
  auto location = sign_in(b, request);
  EXPECT_EQ(location.find("state="), std::string::npos) << location;
  auto answer = redeem(client, parameter_of(location, "code"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(text_member(body_of(answer), "scope"), "tools:read tools:write");
}

TEST_F(Flow, AuthorizeTakesAPostedForm) {
  test_browser b;
  auto page = visit(b, endpoint::authorize, post_request("/oauth/authorize", authorization(client)));
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(value_on(page.body, "request"), "");
}

TEST_F(Flow, ASignedInBrowserIsAskedForApprovalButNotForThePassword) {
  test_browser b;
  sign_in(b, authorization(client));
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_THAT(page.body, testing::HasSubstr("Approve as ada"));
  auto done = approve(b, page);
  EXPECT_NE(parameter_of(done.fields.first("location"), "code"), "") << done.fields.first("location");
}

TEST_F(Flow, PromptLoginAsksForThePasswordAgain) {
  test_browser b;
  sign_in(b, authorization(client));
  auto request = authorization(client);
  request.add("prompt", "login");
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
  EXPECT_EQ(std::string(approve(b, page).fields.first("location")).rfind("/auth/signin?", 0), 0u);
}

TEST_F(Flow, AnotherAccountCanBeChosen) {
  test_browser b;
  sign_in(b, authorization(client));
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  auto redirect =
      visit(b, endpoint::consent,
            post_request("/oauth/consent", make_form({{"request", value_on(page.body, "request")},
                                                      {"switch", value_on(page.body, "switch")}})));
  EXPECT_EQ(std::string(redirect.fields.first("location")).rfind("/auth/signin?", 0), 0u);
}

TEST_F(Flow, TheSignInOfABrowserEnds) {
  test_browser b;
  sign_in(b, authorization(client));
  now += conf.sign_in_lifetime;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_EQ(std::string(approve(b, page).fields.first("location")).rfind("/auth/signin?", 0), 0u);
}

TEST_F(Flow, ARemovedUserIsSignedOutEverywhere) {
  test_browser b;
  sign_in(b, authorization(client));
  ASSERT_TRUE(*remove_user(store, "ada", now));
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_THAT(page.body, testing::Not(testing::HasSubstr("Approve as")));
}

TEST_F(Flow, ARemovedUserCannotRefresh) {
  auto tokens = body_of(redeem(client, code_for(client)));
  ASSERT_TRUE(*remove_user(store, "ada", now));
  auto answer = refresh(client, text_member(tokens, "refresh_token"));
  EXPECT_EQ(error_of(answer), "invalid_grant");
  EXPECT_FALSE(introspects_as_active(client, text_member(tokens, "access_token")));
}

// Found by the model: the browser and the client of whoever had the name before were taken for the new
// person.
TEST_F(Flow, WhoeverGetsARemovedUsersNameInheritsNeitherSignInNorGrant) {
  test_browser b;
  auto code = parameter_of(sign_in(b, authorization(client)), "code");
  auto tokens = body_of(redeem(client, code));
  ASSERT_TRUE(*remove_user(store, "ada", now));
  add_user("ada", "another long password");
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_THAT(page.body, testing::Not(testing::HasSubstr("Approve as")));
  EXPECT_EQ(error_of(refresh(client, text_member(tokens, "refresh_token"))), "invalid_grant");
  EXPECT_FALSE(introspects_as_active(client, text_member(tokens, "access_token")));
}

// Whoever resets a password because it was stolen wants the thief out, of browsers and of clients.
TEST_F(Flow, APasswordFromTheOperatorEndsWhatTheUserHad) {
  test_browser b;
  auto code = parameter_of(sign_in(b, authorization(client)), "code");
  auto tokens = body_of(redeem(client, code));
  auto late = parameter_of(sign_in(b, authorization(client)), "code");
  ASSERT_TRUE(mcp_oauth::add_user(store, "ada", random, cheap, now));
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_THAT(page.body, testing::Not(testing::HasSubstr("Approve as")));
  EXPECT_EQ(error_of(refresh(client, text_member(tokens, "refresh_token"))), "invalid_grant");
  EXPECT_EQ(error_of(redeem(client, late)), "invalid_grant");
}

TEST_F(Flow, APasswordOfTheirOwnSignsOtherBrowsersOutAndKeepsClients) {
  test_browser b;
  auto code = parameter_of(sign_in(b, authorization(client)), "code");
  auto tokens = body_of(redeem(client, code));
  auto ada = find_user(store, "ada", now);
  ASSERT_TRUE(choose_password(store, **ada, secret("another long password"), cheap, now));
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_THAT(page.body, testing::Not(testing::HasSubstr("Approve as")));
  EXPECT_EQ(refresh(client, text_member(tokens, "refresh_token")).status, 200);
}

TEST_F(Flow, AClientMayHaveTheScopesThatItsOperatorLists) {
  conf.scopes_supported = {"a", "b"};
  known_client some;
  EXPECT_EQ(scopes_for(conf, some), (std::vector<std::string>{"a", "b"}));
  some.scopes = {"b", "gone"};
  EXPECT_EQ(scopes_for(conf, some), std::vector<std::string>{"b"});
}

TEST_F(Flow, AScopeThatTheOperatorTakesAwayIsInNoTokenFromThenOn) {
  auto tokens = body_of(redeem(client, code_for(client)));
  EXPECT_EQ(text_member(tokens, "scope"), "tools:read");
  auto code = code_for(client);
  auto before = conf.scopes_supported;
  conf.scopes_supported = {"tools:write"};
  EXPECT_EQ(text_member(body_of(redeem(client, code)), "scope"), "");
  auto next = body_of(refresh(client, text_member(tokens, "refresh_token")));
  EXPECT_EQ(text_member(next, "scope"), "");
  conf.scopes_supported = before;
  EXPECT_EQ(text_member(body_of(refresh(client, text_member(next, "refresh_token"))), "scope"), "tools:read");
}

TEST_F(Flow, AButtonThatNamesOnePersonApprovesForNobodyElse) {
  test_browser b;
  sign_in(b, authorization(client));
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  ASSERT_THAT(page.body, testing::HasSubstr("Approve as ada"));
  // In another tab:
  add_user("bob", "quite another password");
  auto other = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  auto to_form =
      visit(b, endpoint::consent,
            post_request("/oauth/consent",
                         make_form({{"request", value_on(other.body, "request")}, {"switch", "local"}})));
  ASSERT_EQ(enter(b, open_sign_in(b, to_form), "bob", "quite another password").status, 303);
  auto codes = *store.count("code", now);
  auto answer = approve(b, page);
  EXPECT_THAT(std::string(answer.fields.first("location")), testing::StartsWith("/oauth/authorize?"));
  EXPECT_EQ(parameter_of(answer.fields.first("location"), "prompt"), "consent");
  EXPECT_EQ(*store.count("code", now), codes);
}

TEST_F(Flow, WhoIsNoLongerOnTheListCanUseNeitherBrowserNorCode) {
  test_browser b;
  auto code = parameter_of(sign_in(b, authorization(client)), "code");
  conf.providers[0].allowed_users = {"eve"};
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_THAT(page.body, testing::Not(testing::HasSubstr("Approve as")));
  EXPECT_EQ(error_of(redeem(client, code)), "invalid_grant");
  EXPECT_EQ(noted(log, "result"), "code_invalid");
}

TEST_F(Flow, AReplayIsNoticedAsLongAsTheTokenWouldHaveBeenGood) {
  auto tokens = body_of(redeem(client, code_for(client)));
  auto stolen = text_member(tokens, "refresh_token");
  auto live = text_member(body_of(refresh(client, stolen)), "refresh_token");
  for (int week = 0; week < 4; ++week) {
    now += std::chrono::hours(24 * 7);
    ASSERT_TRUE(store.sweep(now, 1000));
    live = text_member(body_of(refresh(client, live)), "refresh_token");
    ASSERT_FALSE(live.empty()) << week;
  }
  EXPECT_EQ(refresh(client, stolen).status, 400);
  EXPECT_EQ(noted(log, "result"), "refresh_replayed");
  EXPECT_EQ(error_of(refresh(client, live)), "invalid_grant") << "whoever has it";
}

TEST_F(Flow, PromptNoneNeverShowsAPage) {
  test_browser b;
  auto request = authorization(client);
  request.add("prompt", "none");
  auto answer = visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(parameter_of(answer.fields.first("location"), "error"), "login_required");
}

TEST_F(Flow, SigningOutTakesAButtonOfOurOwnPage) {
  test_browser b;
  sign_in(b, authorization(client));
  auto page = visit(b, endpoint::sign_out, get_request("/auth/logout"));
  EXPECT_EQ(*store.count("browser", now), 1u) << "GET ends nothing";
  auto forged = visit(b, endpoint::sign_out, post_request("/auth/logout", make_form({{"form", "x"}})));
  EXPECT_EQ(forged.status, 403);
  EXPECT_EQ(*store.count("browser", now), 1u);
  auto done = visit(b, endpoint::sign_out,
                    post_request("/auth/logout", make_form({{"form", value_on(page.body, "form")}})));
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(*store.count("browser", now), 0u);
  ASSERT_EQ(b.cookies.size(), 1u);
  EXPECT_TRUE(b.cookies.begin()->first.starts_with("__Host-mop_device_"))
      << "it says who was here, not who is";
}

TEST_F(Flow, PublishesTheKeysItSignsWith) {
  auto answer = ask(endpoint::jwks, get_request("/.well-known/jwks.json"));
  auto keys = key_set::parse(answer.body);
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->has_kid(as->keys()->current.public_part().kid()));
  EXPECT_EQ(answer.body.find("\"d\""), std::string::npos);
}

TEST_F(Flow, UnderHttpOnLoopbackTheCookiesHaveNoPrefixAndAreNotSecure) {
  conf.public_url = "http://127.0.0.1:8080";
  restart();
  test_browser b;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  EXPECT_EQ(b.cookies.count("mop_browser"), 1u);
  EXPECT_EQ(page.fields.first("set-cookie").find("Secure"), std::string_view::npos);
}

}  // namespace
}  // namespace mcp_oauth
