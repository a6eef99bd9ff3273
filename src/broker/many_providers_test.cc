// Several identity providers at once: OpenID Connect, GitHub as its documentation describes it, and local
// users.

#include "broker/provider_fixture.h"

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ManyProviders : public ProviderFlow {
 protected:
  ManyProviders() {
    provider_settings hub;
    hub.name = hub.type = "github";
    hub.issuer = "https://github.com/login/oauth";
    hub.client_id = "Iv1.8a61f9b3a7aba766";
    hub.client_secret = secret("hub-secret");
    hub.scopes = {"read:user", "user:email"};
    conf.providers.push_back(std::move(hub));
    provider_settings local;
    local.name = local.type = "local";
    conf.providers.push_back(std::move(local));
    fetch = [this](const http_call& call) {
      return call.url.find("github.com") == std::string::npos ? serve(call) : serve_github(call);
    };
  }

  result<http_answer> serve_github(const http_call& call) {
    if (call.url == "https://github.com/login/oauth/access_token") {
      token_body = *form::parse(call.body);
      return json_answer(token_answer_of_github);
    }
    EXPECT_THAT(call.fields.only("authorization").value_or(""),
                testing::HasSubstr("_16C7e42F292c6912E7710c838347Ae178B4a"));
    auto found = api.find(call.url);
    return found == api.end() ? http_answer{404, {}, "{}"} : json_answer(found->second);
  }

  std::string begin_at(test_browser& b, const std::string& provider) {
    auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
    if (page.status == 303) return std::string(page.fields.first("location"));  // approved before
    auto redirect = approve_at(b, page, provider);
    return std::string(redirect.fields.first("location"));
  }
  http_response approve_at(test_browser& b, const http_response& page, const std::string& provider) {
    return visit(b, endpoint::consent,
                 post_request("/oauth/consent", make_form({{"request", value_on(page.body, "request")},
                                                           {"approve", provider}})));
  }
  static json::object claims_of(const std::string& token) {
    auto payload = token.substr(token.find('.') + 1, token.rfind('.') - token.find('.') - 1);
    return parse_json_object(base64url_decode(payload).value_or("")).value_or(json::object());
  }
  http_response back_from_github(test_browser& b, const std::string& at_provider) {
    return back(b, make_form({{"code", "hub-code"}, {"state", parameter_of(at_provider, "state")}}));
  }
  // Whether the person got in, as the client sees it.
  std::string outcome(const http_response& answer) {
    auto location = answer.fields.first("location");
    return parameter_of(location, "code").empty() ? parameter_of(location, "error") : "in";
  }

  std::string token_answer_of_github =
      R"({"access_token":"gho_16C7e42F292c6912E7710c838347Ae178B4a","scope":"read:user,user:email","token_type":"bearer"})";
  std::map<std::string, std::string> api{
      {"https://api.github.com/user",
       R"({"login":"octocat","id":583231,"name":"The Octocat","email":"shown@acme.example"})"},
      {"https://api.github.com/user/emails",
       R"([{"email":"octocat@example.com","verified":true,"primary":true,"visibility":"private"}])"}};
};

TEST_F(ManyProviders, AreAllOffered) {
  test_browser b;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  for (auto label : {"sign in with corp", "sign in with GitHub", "sign in with a user name and password"}) {
    EXPECT_THAT(page.body, HasSubstr(label));
  }
}

TEST_F(ManyProviders, OneCanBeNamedInTheAddress) {
  test_browser b;
  auto ask = authorization(client);
  ask.add("provider", "github");
  auto page = visit(b, endpoint::authorize, get_request("/auth/login", ask));
  EXPECT_THAT(page.body, HasSubstr("value=\"github\""));
  EXPECT_THAT(page.body, Not(HasSubstr("value=\"corp\"")));

  auto unknown = authorization(client);
  unknown.add("provider", "nobody");
  auto refused = visit(b, endpoint::authorize, get_request("/auth/login", unknown));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(noted(log, "result"), "parameter_malformed");
}

TEST_F(ManyProviders, GitHubSignsIn) {
  test_browser b;
  auto at = begin_at(b, "github");
  EXPECT_THAT(at, testing::StartsWith("https://github.com/login/oauth/authorize?"));
  EXPECT_EQ(parameter_of(at, "scope"), "read:user user:email");
  EXPECT_EQ(parameter_of(at, "nonce"), "");
  EXPECT_EQ(parameter_of(at, "code_challenge_method"), "S256");
  auto done = back_from_github(b, at);
  ASSERT_EQ(outcome(done), "in") << noted(log, "detail");
  EXPECT_EQ(token_body.find("client_secret"), "hub-secret") << "GitHub reads it from the body";
  EXPECT_NE(token_body.find("code_verifier").value_or(""), "");
  EXPECT_EQ(noted(log, "user"), "github:583231");

  auto tokens = body_of(redeem(client, parameter_of(done.fields.first("location"), "code")));
  auto claims = claims_of(text_member(tokens, "access_token"));
  EXPECT_EQ(text_member(claims, "sub"), "github:583231");
  EXPECT_EQ(text_member(claims, "email"), "octocat@example.com");
}

TEST_F(ManyProviders, GitHubsShownAddressDecidesNothing) {
  conf.providers[1].allowed_domains = {"acme.example"};
  test_browser b;
  EXPECT_EQ(outcome(back_from_github(b, begin_at(b, "github"))), "access_denied");
  EXPECT_EQ(noted(log, "result"), "user_not_allowed");
  api.erase("https://api.github.com/user/emails");
  EXPECT_EQ(outcome(back_from_github(b, begin_at(b, "github"))), "access_denied") << "no list of addresses";
  conf.providers[1].allowed_domains = {"example.com"};
  EXPECT_EQ(outcome(back_from_github(b, begin_at(b, "github"))), "access_denied");
}

TEST_F(ManyProviders, GitHubIsAskedForMembershipsUntilOneIsEnough) {
  conf.providers[1].allowed_organizations = {"acme", "umbrella/lab", "never"};
  test_browser b;
  EXPECT_EQ(outcome(back_from_github(b, begin_at(b, "github"))), "access_denied");
  api["https://api.github.com/user/memberships/orgs/acme"] = R"({"state":"pending"})";
  EXPECT_EQ(outcome(back_from_github(b, begin_at(b, "github"))), "access_denied") << "only invited";

  api["https://api.github.com/orgs/umbrella/teams/lab/memberships/octocat"] = R"({"state":"active"})";
  fetched.clear();
  auto done = back_from_github(b, begin_at(b, "github"));
  EXPECT_EQ(outcome(done), "in");
  std::vector<std::string> asked;
  for (const auto& call : fetched) asked.push_back(call.url);
  EXPECT_THAT(asked, ElementsAre("https://github.com/login/oauth/access_token", "https://api.github.com/user",
                                 "https://api.github.com/user/emails",
                                 "https://api.github.com/user/memberships/orgs/acme",
                                 "https://api.github.com/orgs/umbrella/teams/lab/memberships/octocat"));

  // What let them in counts at a refresh as well, as long as it is still written down.
  auto tokens = body_of(redeem(client, parameter_of(done.fields.first("location"), "code")));
  auto refreshed = refresh(client, text_member(tokens, "refresh_token"));
  EXPECT_EQ(refreshed.status, 200) << refreshed.body;
  conf.providers[1].allowed_organizations = {"acme"};
  now += conf.refresh_grace + seconds(1);
  EXPECT_EQ(refresh(client, text_member(body_of(refreshed), "refresh_token")).status, 400);
}

TEST_F(ManyProviders, GroupsDecideWhoSignsIn) {
  conf.providers[0].allowed_groups = {"admins", "staff"};
  EXPECT_TRUE(signed_in().empty());
  other_claims["groups"] = json::array{"guests"};
  EXPECT_TRUE(signed_in().empty());
  other_claims["groups"] = json::array{"guests", "staff"};
  EXPECT_FALSE(signed_in().empty());
  conf.providers[0].groups_claim = "realm_access.roles";
  EXPECT_TRUE(signed_in().empty());
  other_claims["realm_access"] = json::object{{"roles", json::array{"admins"}}};
  EXPECT_FALSE(signed_in().empty());
}

TEST_F(ManyProviders, TheAnswerOfOneIsNotThatOfAnother) {
  test_browser b;
  auto at = begin_at(b, "github");
  // Mix-up (RFC 9700 §4.4): corp's answer, with the state of a login at GitHub.
  auto mixed = back(b, make_form({{"code", "corp-code"},
                                  {"state", parameter_of(at, "state")},
                                  {"iss", "https://idp.example.com"}}));
  EXPECT_NE(outcome(mixed), "in");
  EXPECT_EQ(noted(log, "result"), "provider_issuer_mismatch");
  EXPECT_FALSE(token_body.find("code")) << "the code went to nobody";
}

TEST_F(ManyProviders, OneWithACallbackOfItsOwnAnswersThereOnly) {
  conf.providers[1].callback_url = "https://mcp.example.com/auth/callback/github";
  test_browser b;
  auto at = begin_at(b, "github");
  EXPECT_EQ(parameter_of(at, "redirect_uri"), "https://mcp.example.com/auth/callback/github");
  auto parameters = make_form({{"code", "hub-code"}, {"state", parameter_of(at, "state")}});
  for (auto path : {"/auth/callback", "/auth/callback/corp", "/auth/callback/", "/callback"}) {
    EXPECT_EQ(visit(b, endpoint::callback, get_request(path, parameters)).status, 400) << path;
    EXPECT_EQ(noted(log, "result"), "state_invalid") << path;
  }
  auto done = visit(b, endpoint::callback, get_request("/auth/callback/github", parameters));
  EXPECT_EQ(outcome(done), "in") << noted(log, "detail");
  EXPECT_EQ(token_body.find("redirect_uri"), "https://mcp.example.com/auth/callback/github");

  at = begin_at(b, "corp");
  nonce = parameter_of(at, "nonce");
  EXPECT_EQ(visit(b, endpoint::callback, get_request("/auth/callback/corp", success(at))).status, 400)
      << "corp has no callback of its own";
  EXPECT_EQ(outcome(back(b, success(at))), "in");
}

TEST_F(ManyProviders, AnotherAccountIsChosenInTheWayThatTheProviderKnows) {
  for (auto [provider, prompt] : {std::pair{"corp", "login"}, {"github", "select_account"}}) {
    test_browser b;
    auto ask = authorization(client);
    ask.add("prompt", "login");
    auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", ask));
    auto at = approve_at(b, page, provider);
    EXPECT_EQ(parameter_of(at.fields.first("location"), "prompt"), prompt) << provider;
  }
}

TEST_F(ManyProviders, WhatTheOperatorMustMendIsExplainedWithTheValuesOfThisDeployment) {
  struct row {
    const char *answer, *name, *text;
  };
  for (
      const auto& [answer, name, text] : {
          row{R"({"error":"redirect_uri_mismatch","error_description":"The redirect_uri MUST match the registered <b>callback</b> URL"})",
              "provider_redirect_uri_mismatch", "https://mcp.example.com/auth/callback"},
          row{R"({"error":"incorrect_client_credentials","error_description":"The client_id and/or client_secret passed are incorrect."})",
              "provider_client_refused", "providers.github.client_secret"},
      }) {
    token_answer_of_github = answer;
    test_browser b;
    auto page = back_from_github(b, begin_at(b, "github"));
    EXPECT_EQ(page.status, 502);
    EXPECT_EQ(noted(log, "result"), name);
    EXPECT_THAT(page.body, HasSubstr(text));
    EXPECT_THAT(page.body, HasSubstr("GitHub said"));
    EXPECT_THAT(page.body, Not(HasSubstr("<b>callback")));
    EXPECT_THAT(page.body, Not(HasSubstr("hub-secret")));
    EXPECT_THAT(page.body, HasSubstr("Tell ")) << "the client can still be told";
    EXPECT_NE(noted(log, "fix"), "");
  }
}

TEST_F(ManyProviders, WhatOnlyNeedsAnotherSignInGoesToTheClient) {
  token_answer_of_github =
      R"({"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."})";
  test_browser b;
  auto answer = back_from_github(b, begin_at(b, "github"));
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(outcome(answer), "access_denied");
  EXPECT_EQ(noted(log, "result"), "provider_sign_in_needed");
  EXPECT_THAT(noted(log, "cause"), HasSubstr("expired"));
}

class GithubTokens : public ManyProviders {
 protected:
  void sign_in_with(const std::string& answer) {
    conf.providers.pop_back();  // the local users
    conf.upstreams[0].authorization = "provider";
    restart();
    token_answer_of_github = answer;
    test_browser b;
    auto done = back_from_github(b, begin_at(b, "github"));
    sign_in_warning = noted(log, "warning");
    auto tokens = body_of(redeem(client, parameter_of(done.fields.first("location"), "code")));
    grant = noted(log, "grant");
    ASSERT_FALSE(grant.empty());
  }
  result<provider_access> access() {
    auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
    log = {};
    auto next = as->provider_token(grant, refresh_when::due, now, log, into);
    while (auto* wanted = std::get_if<outbound>(&next)) {
      auto go_on = wanted->then;
      next = go_on(fetch(wanted->call), now);
    }
    return *into;
  }
  std::string grant, sign_in_warning;
};

// Their tokens do not expire, and there is nothing to renew.
TEST_F(GithubTokens, AnOAuthAppNeedsNoRefreshToken) {
  sign_in_with(token_answer_of_github);
  EXPECT_EQ(sign_in_warning, "");
  now += conf.access_token_lifetime;
  auto got = access();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->token.reveal(), "gho_16C7e42F292c6912E7710c838347Ae178B4a");
  EXPECT_FALSE(got->renewable);
}

TEST_F(GithubTokens, ThoseOfAGithubAppAreRenewedBeforeTheirEightHoursAreOver) {
  conf.access_token_lifetime = std::chrono::hours(24);
  sign_in_with(
      R"({"access_token":"ghu_16C7e42F292c6912E7710c838347Ae178B4a","expires_in":28800,"refresh_token":"ghr_1","refresh_token_expires_in":15811200,"scope":"","token_type":"bearer"})");
  now += seconds(28800 - 2880);
  token_answer_of_github =
      R"({"access_token":"ghu_next","expires_in":28800,"refresh_token":"ghr_2","token_type":"bearer"})";
  auto got = access();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->token.reveal(), "ghu_next");
  EXPECT_EQ(token_body.find("refresh_token"), "ghr_1");
  EXPECT_EQ(token_body.find("client_secret"), "hub-secret");
}

TEST_F(GithubTokens, WhatExpiresWithoutARefreshTokenIsSaidAsTheGuideSaysIt) {
  sign_in_with(
      R"({"access_token":"ghu_16C7e42F292c6912E7710c838347Ae178B4a","expires_in":600,"token_type":"bearer"})");
  EXPECT_EQ(sign_in_warning, "refresh_token missing: GitHub did not provide a refresh token");
  now += seconds(600);
  auto got = access();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::refresh_token_missing);
  EXPECT_EQ(got.error().detail, "GitHub did not provide a refresh token");
}

TEST_F(GithubTokens, ARefreshTokenThatWasUsedEndsTheSignIn) {
  sign_in_with(
      R"({"access_token":"ghu_16C7e42F292c6912E7710c838347Ae178B4a","expires_in":600,"refresh_token":"ghr_1","token_type":"bearer"})");
  now += seconds(600);
  token_answer_of_github =
      R"({"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."})";
  auto got = access();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::provider_session_ended);
  EXPECT_EQ(noted(log, "cause"), "The refresh token was used already or has expired.");
  EXPECT_FALSE(store.get("grant", grant, now)->has_value());
}

}  // namespace
}  // namespace mcp_oauth
