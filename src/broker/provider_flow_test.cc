// Signing in at an OpenID provider.

#include "broker/provider_fixture.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

TEST_F(ProviderFlow, LeadsThroughTheProviderToATokenOfOurOwn) {
  test_browser b;
  auto location = to_provider(b);
  EXPECT_EQ(location.rfind("https://idp.example.com/authorize?", 0), 0u) << location;
  EXPECT_EQ(parameter_of(location, "client_id"), "gateway");
  EXPECT_EQ(parameter_of(location, "redirect_uri"), "https://mcp.example.com/auth/callback");
  EXPECT_EQ(parameter_of(location, "code_challenge_method"), "S256");
  EXPECT_NE(parameter_of(location, "code_challenge"), std::string(challenge)) << "a pair of our own";
  EXPECT_NE(parameter_of(location, "state"), "client state & more");

  auto done = back(b, success(location));
  ASSERT_EQ(done.status, 303) << done.body;
  std::string at_client(done.fields.first("location"));
  EXPECT_EQ(parameter_of(at_client, "state"), "client state & more");
  EXPECT_EQ(parameter_of(at_client, "iss"), "https://mcp.example.com");
  auto proof = std::string(token_body.find("code_verifier").value_or(""));
  EXPECT_EQ(base64url_encode(sha256_bytes(proof)), parameter_of(location, "code_challenge"));

  auto tokens = body_of(redeem(client, parameter_of(at_client, "code")));
  EXPECT_EQ(noted(log, "user"), "corp:ada-1");
  EXPECT_TRUE(introspects_as_active(client, text_member(tokens, "access_token")));
  EXPECT_EQ(dump().find("idp-access-token"), std::string::npos);
}

TEST_F(ProviderFlow, KeepsNonceAndVerifierSealed) {
  test_browser b;
  to_provider(b);
  EXPECT_EQ(dump().find(nonce), std::string::npos);
}

TEST_F(ProviderFlow, ACallbackThatBelongsToNoLoginOfThisBrowserGetsAPage) {
  test_browser b, other;
  auto location = to_provider(b);
  auto state = parameter_of(location, "state");
  visit(other, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  struct {
    test_browser& who;
    form parameters;
    const char* result;
  } cases[] = {{b, make_form({{"code", "test"}}), "state_invalid"},
               {b, make_form({{"code", "test"}, {"state", ""}}), "state_invalid"},
               {b, make_form({{"code", "test"}, {"state", "test"}}), "state_invalid"},
               {b, make_form({{"code", "x"}, {"state", state}, {"state", state}}), "parameter_repeated"},
               {b, make_form({{"code", "x"}, {"code", "y"}, {"state", state}}), "parameter_repeated"},
               {b, make_form({{"code", std::string(9000, 'x')}, {"state", state}}), "parameter_too_long"},
               {other, success(location), "state_foreign_browser"}};
  for (auto& c : cases) {
    auto answer = back(c.who, c.parameters);
    EXPECT_EQ(answer.status, 400) << c.result;
    EXPECT_EQ(noted(log, "result"), c.result);
    EXPECT_EQ(answer.fields.count("location"), 0u);
    EXPECT_THAT(answer.body, HasSubstr("req-1"));
  }
  EXPECT_EQ(back(b, success(location)).status, 303) << "and none of it ended the login";
}

TEST_F(ProviderFlow, TheTextsOfTheOperatorsGuideAreThere) {
  auto page = ask(endpoint::callback, get_request("/auth/callback", make_form({{"code", "test"}})));
  EXPECT_THAT(page.body, HasSubstr("Invalid state"));
  auto request = get_request("/auth/callback", make_form({{"code", "test"}}));
  request.fields.set("Accept", "*/*");
  auto plain = ask(endpoint::callback, request);
  EXPECT_EQ(error_of(plain), "invalid_state");
  EXPECT_THAT(text_member(body_of(plain), "error_description"), HasSubstr("Invalid state"));
}

// Who signs in at the provider is known only then.
TEST_F(ProviderFlow, AConsentOfSomebodyElseIsAskedAnew) {
  auto web = register_public("https://app.example.org/callback");
  test_browser b;
  auto authorize = [&](const form& request) {
    auto typed = get_request("/oauth/authorize", request);
    typed.fields.set("Sec-Fetch-Site", "same-origin");
    return visit(b, endpoint::authorize, typed);
  };
  auto arrive = [&](const http_response& redirect) {
    std::string location(redirect.fields.first("location"));
    nonce = parameter_of(location, "nonce");
    return std::string(back(b, success(location)).fields.first("location"));
  };
  auto request = authorization(web, "https://app.example.org/callback");
  EXPECT_NE(parameter_of(arrive(approve(b, authorize(request))), "code"), "");
  EXPECT_NE(parameter_of(arrive(authorize(request)), "code"), "") << "remembered for ada";

  other_claims = {{"sub", "bob-1"}, {"email", "bob@example.org"}};
  auto led = arrive(authorize(request));
  ASSERT_EQ(led.rfind("/oauth/authorize?", 0), 0u) << led;
  EXPECT_EQ(*store.count("code", now), 2u) << "ada's";
  auto page = authorize(form::parse(led.substr(led.find('?') + 1)).value_or(form()));
  ASSERT_EQ(page.status, 200) << page.body;
  EXPECT_NE(parameter_of(arrive(approve(b, page)), "code"), "");
  EXPECT_NE(parameter_of(arrive(authorize(request)), "code"), "") << "remembered for bob";
  other_claims = {};
  EXPECT_EQ(arrive(authorize(request)).rfind("/oauth/authorize?", 0), 0u);
}

TEST_F(ProviderFlow, AStateWorksOnce) {
  test_browser b;
  auto location = to_provider(b);
  EXPECT_EQ(back(b, success(location)).status, 303);
  auto again = back(b, success(location));
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(noted(log, "detail"), "the login was already finished");
}

TEST_F(ProviderFlow, OfTwoCallbacksAtOnceOneGoesOn) {
  test_browser b;
  auto location = to_provider(b);
  watched.before_commit = [&] { EXPECT_EQ(back(b, success(location)).status, 303); };
  auto second = back(b, success(location));
  EXPECT_EQ(second.status, 400);
  EXPECT_EQ(noted(log, "result"), "state_invalid");
  EXPECT_EQ(*store.count("code", now), 1u);
}

TEST_F(ProviderFlow, AStateExpires) {
  test_browser b;
  auto location = to_provider(b);
  now += conf.session_timeout;
  EXPECT_EQ(back(b, success(location)).status, 400);
  EXPECT_EQ(noted(log, "result"), "state_expired");
}

TEST_F(ProviderFlow, WhatTheProviderRefusesTheClientIsTold) {
  struct {
    const char* from;
    const char* to;
  } cases[] = {{"access_denied", "access_denied"},
               {"login_required", "access_denied"},
               {"temporarily_unavailable", "temporarily_unavailable"},
               {"<script>", "access_denied"}};
  for (const auto& c : cases) {
    test_browser b;
    auto location = to_provider(b);
    auto answer = back(b, make_form({{"error", c.from},
                                     {"error_description", "XYZ65001: secret words"},
                                     {"state", parameter_of(location, "state")},
                                     {"iss", "https://idp.example.com"}}));
    EXPECT_EQ(answer.status, 303) << c.from;
    auto at_client = answer.fields.first("location");
    EXPECT_EQ(parameter_of(at_client, "error"), c.to) << c.from;
    EXPECT_EQ(parameter_of(at_client, "state"), "client state & more");
    EXPECT_EQ(parameter_of(at_client, "iss"), "https://mcp.example.com");
    EXPECT_THAT(std::string(at_client), testing::Not(HasSubstr("secret")));
    EXPECT_THAT(noted(log, "detail"), HasSubstr("XYZ65001"));
  }
}

TEST_F(ProviderFlow, AnAnswerOfAnotherIssuerIsNotBelieved) {
  for (const auto& [outcome, iss] : {std::pair{"code", "https://evil.example"},
                                     {"code", "https://idp.example.com/"},
                                     {"code", ""},
                                     {"error", "https://evil.example"},
                                     {"error", ""}}) {
    test_browser b;
    auto location = to_provider(b);
    auto answer = back(
        b, make_form({{outcome, "access_denied"}, {"state", parameter_of(location, "state")}, {"iss", iss}}));
    EXPECT_EQ(parameter_of(answer.fields.first("location"), "error"), "server_error") << iss;
    EXPECT_EQ(noted(log, "result"), "provider_issuer_mismatch");
    EXPECT_EQ(token_body.find("code"), std::nullopt) << "the code went to nobody";
  }
}

TEST_F(ProviderFlow, AnIdTokenThatIsNotForThisLoginIsRefused) {
  struct {
    json::object claims;
    const char* result;
  } cases[] = {{{{"nonce", "another"}}, "provider_nonce_mismatch"},
               {{{"aud", "another"}}, "provider_token_invalid"},
               {{{"iss", "https://evil.example"}}, "provider_issuer_mismatch"},
               {{{"exp", 1}}, "provider_token_invalid"},
               {{{"sub", ""}}, "provider_token_invalid"}};
  for (const auto& c : cases) {
    other_claims = c.claims;
    test_browser b;
    auto answer = back(b, success(to_provider(b)));
    EXPECT_EQ(parameter_of(answer.fields.first("location"), "code"), "") << c.result;
    EXPECT_EQ(noted(log, "result"), c.result);
  }
}

TEST_F(ProviderFlow, OnlyThoseOnTheListMaySignIn) {
  conf.providers[0].allowed_domains = {"example.net"};
  test_browser b;
  auto answer = back(b, success(to_provider(b)));
  EXPECT_EQ(parameter_of(answer.fields.first("location"), "error"), "access_denied");
  EXPECT_EQ(noted(log, "result"), "user_not_allowed");
}

TEST_F(ProviderFlow, ThoseTakenOffTheListCannotRefresh) {
  test_browser b;
  auto done = back(b, success(to_provider(b)));
  auto tokens = body_of(redeem(client, parameter_of(done.fields.first("location"), "code")));
  conf.providers[0].allowed_domains = {"example.net"};
  EXPECT_EQ(error_of(refresh(client, text_member(tokens, "refresh_token"))), "invalid_grant");
  EXPECT_EQ(revoked.size(), 1u);
}

TEST_F(ProviderFlow, AnEmailThatIsNotVerifiedIsNobodys) {
  conf.providers[0].allowed_users = {"ada@example.org"};
  other_claims = {{"email_verified", false}};
  test_browser b;
  auto answer = back(b, success(to_provider(b)));
  EXPECT_EQ(noted(log, "result"), "user_not_allowed");
}

TEST_F(ProviderFlow, ARefusedCodeIsNamedInTheLogOnly) {
  token_status = 400;
  test_browser b;
  auto answer = back(b, success(to_provider(b)));
  EXPECT_EQ(parameter_of(answer.fields.first("location"), "error"), "temporarily_unavailable");
  EXPECT_THAT(noted(log, "detail"), HasSubstr("AADSTS54005"));
  EXPECT_THAT(std::string(answer.fields.first("location")), testing::Not(HasSubstr("AADSTS")));
}

TEST_F(ProviderFlow, WhatAProviderRepeatsOfItsRequestIsNotRepeatedInTheLog) {
  token_status = 400;
  repeats_what_came = true;
  test_browser b;
  (void)back(b, success(to_provider(b)));
  auto detail = noted(log, "detail");
  EXPECT_THAT(detail, HasSubstr("code=***"));
  EXPECT_THAT(detail, testing::Not(HasSubstr("idp-code")));
  auto verifier = std::string(token_body.find("code_verifier").value_or(""));
  ASSERT_GT(verifier.size(), 40U);
  EXPECT_THAT(detail, testing::Not(HasSubstr(verifier.substr(0, 12))));
}

TEST_F(ProviderFlow, WhileTheProviderIsAwayAPageNamesItAndRepeatsTheApproval) {
  away = true;
  test_browser b;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  auto failed = approve(b, page);
  EXPECT_EQ(failed.status, 502);
  EXPECT_EQ(noted(log, "result"), "provider_unreachable");
  EXPECT_THAT(failed.body, HasSubstr("corp"));
  EXPECT_THAT(failed.body, HasSubstr("Try again"));
  EXPECT_THAT(failed.body, HasSubstr("error=temporarily_unavailable")) << "or the client is told";
  EXPECT_THAT(failed.body, testing::Not(HasSubstr("no answer"))) << "the detail is for our log";
  EXPECT_EQ(*store.count("login", now), 0u);

  away = false;
  auto led = approve(b, failed);
  EXPECT_THAT(std::string(led.fields.first("location")),
              testing::StartsWith("https://idp.example.com/authorize?"));
}

TEST_F(ProviderFlow, WhileTheProviderIsAwayARememberedApprovalIsRepeatedByALink) {
  auto web = register_public("https://app.example.org/callback");
  auto request = authorization(web, "https://app.example.org/callback");
  test_browser b;
  auto begun = approve(b, visit(b, endpoint::authorize, get_request("/oauth/authorize", request)));
  nonce = parameter_of(begun.fields.first("location"), "nonce");
  ASSERT_EQ(back(b, success(std::string(begun.fields.first("location")))).status, 303);
  restart();
  away = true;
  auto typed = get_request("/oauth/authorize", request);
  typed.fields.set("Sec-Fetch-Site", "same-origin");
  auto failed = visit(b, endpoint::authorize, typed);
  EXPECT_EQ(failed.status, 502);
  EXPECT_THAT(failed.body, HasSubstr("href=\"/oauth/authorize?response_type=code&amp;client_id="));
}

TEST_F(ProviderFlow, WhileTheProviderIsAwayAProgramThatShowsNoPagesIsToldAtOnce) {
  away = true;
  test_browser b;
  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  auto request = post_request("/oauth/consent", make_form({{"request", value_on(page.body, "request")},
                                                           {"approve", value_on(page.body, "approve")}}));
  request.fields.set("Accept", "*/*");
  auto answer = visit(b, endpoint::consent, request);
  EXPECT_EQ(parameter_of(answer.fields.first("location"), "error"), "temporarily_unavailable");
}

TEST_F(ProviderFlow, AsksForMetadataAndKeysOnceAnHour) {
  for (int i = 0; i < 3; ++i) {
    test_browser b;
    EXPECT_EQ(back(b, success(to_provider(b))).status, 303);
  }
  EXPECT_EQ(fetched.size(), 2u + 3u) << "the two documents, and a token request each";
  now += std::chrono::minutes(61);
  test_browser b;
  back(b, success(to_provider(b)));
  EXPECT_EQ(fetched.size(), 5u + 3u);
}

TEST_F(ProviderFlow, KnownDocumentsServeWhileTheyCannotBeFetchedAgain) {
  test_browser b;
  EXPECT_EQ(back(b, success(to_provider(b))).status, 303);
  now += std::chrono::hours(2);
  fetch = [&](const http_call& call) -> result<http_answer> {
    if (call.url.find("/token") == std::string::npos) return fail(errc::fetch_timeout, "no answer");
    return serve(call);
  };
  test_browser c;
  auto answer = back(c, success(to_provider(c)));
  EXPECT_NE(parameter_of(answer.fields.first("location"), "code"), "") << answer.fields.first("location");
}

TEST_F(ProviderFlow, AKeyThatWasRotatedIsFetchedButNotWithoutEnd) {
  test_browser b;
  back(b, success(to_provider(b)));
  key = signing_key::generate_es256();
  test_browser c;
  EXPECT_NE(parameter_of(back(c, success(to_provider(c))).fields.first("location"), "code"), "");
  auto before = fetched.size();
  key = signing_key::generate_es256();
  test_browser d;
  EXPECT_EQ(parameter_of(back(d, success(to_provider(d))).fields.first("location"), "code"), "");
  EXPECT_EQ(fetched.size(), before + 1)
      << "a token request, and no second fetch of the keys within 30 seconds";
  now += seconds(31);
  test_browser e;
  EXPECT_NE(parameter_of(back(e, success(to_provider(e))).fields.first("location"), "code"), "");
}

TEST_F(ProviderFlow, UserinfoCompletesAnIdTokenWithoutAddressOrName) {
  has_userinfo = true;
  conf.providers[0].allowed_domains = {"example.org"};
  absent_claims = {"email", "email_verified", "name"};
  auto claims = signed_in();
  EXPECT_EQ(text_member(claims, "sub"), "corp:ada-1");
  EXPECT_EQ(text_member(claims, "email"), "ada@example.org") << "and so the domain was allowed";
  EXPECT_EQ(text_member(claims, "name"), "Ada of userinfo");
  EXPECT_EQ(asked_for_userinfo(), 1);
  EXPECT_EQ(userinfo_note, "");
  EXPECT_EQ(dump().find("idp-access-token"), std::string::npos);
}

TEST_F(ProviderFlow, UserinfoIsAskedOnlyWhereItIsNeededAndCanBe) {
  struct {
    std::vector<std::string> absent;
    bool announced;
    bool access_token;
    std::ptrdiff_t asked;
  } cases[] = {{{}, true, true, 0},
               {{"email"}, true, true, 1},
               {{"name"}, true, true, 1},
               {{"name"}, true, false, 0},
               {{"name"}, false, true, 0}};
  for (const auto& c : cases) {
    absent_claims = c.absent;
    has_userinfo = c.announced;
    gives_access_token = c.access_token;
    now += std::chrono::hours(2);  // so that the metadata are fetched again
    fetched.clear();
    EXPECT_EQ(text_member(signed_in(), "sub"), "corp:ada-1");
    EXPECT_EQ(std::count_if(fetched.begin(), fetched.end(),
                            [](const auto& call) { return call.url.find("userinfo") != std::string::npos; }),
              c.asked);
    EXPECT_EQ(asked_for_userinfo(), c.asked);
    EXPECT_EQ(userinfo_note, "") << "nor was anything else asked in its place";
  }
}

TEST_F(ProviderFlow, UserinfoDoesNotVerifyTheAddressOfTheIdToken) {
  has_userinfo = true;
  absent_claims = {"email_verified", "name"};
  auto claims = signed_in();
  EXPECT_EQ(text_member(claims, "name"), "Ada of userinfo");
  EXPECT_FALSE(claims.contains("email"));

  absent_claims = {"email"};
  userinfo = json_answer(R"({"sub":"ada-1","email":"ada@example.org"})");
  EXPECT_FALSE(signed_in().contains("email")) << "nor the id token that of userinfo";
}

TEST_F(ProviderFlow, UserinfoThatFailsIsNotedAndNotUsedAndTheSignInGoesOn) {
  has_userinfo = true;
  absent_claims = {"email", "email_verified"};
  http_answer refused = json_answer(R"({"sub":"ada-1","email":"ada@example.org","email_verified":true})");
  refused.status = 401;
  http_answer jwt = refused;
  jwt.status = 200;
  jwt.fields.set("Content-Type", "application/jwt");
  struct {
    result<http_answer> answer;
    const char* note;
  } cases[] = {{fail(errc::fetch_timeout, "no answer"), "no answer"},
               {refused, "status 401"},
               {jwt, "the answer is a JWT, only application/json is understood"},
               {json_answer("<html>"), "the answer is no JSON object"},
               {json_answer(R"({"sub":"eve-2","email":"eve@example.org","email_verified":true})"),
                "sub is not the one of the id token"}};
  for (const auto& c : cases) {
    userinfo = c.answer;
    auto claims = signed_in();
    EXPECT_EQ(text_member(claims, "sub"), "corp:ada-1") << c.note;
    EXPECT_EQ(text_member(claims, "name"), "Ada") << c.note;
    EXPECT_FALSE(claims.contains("email")) << c.note;
    EXPECT_EQ(userinfo_note, c.note);
  }

  conf.providers[0].allowed_domains = {"example.org"};
  EXPECT_TRUE(signed_in().empty()) << "who is on the list only by an address is not let in without one";
  EXPECT_EQ(noted(log, "result"), "user_not_allowed");
  EXPECT_EQ(noted(log, "userinfo"), "sub is not the one of the id token");
}

TEST_F(ProviderFlow, UserinfoIsNotAskedWithATokenAnswerThatIsRefused) {
  has_userinfo = true;
  absent_claims = {"name"};
  other_claims = {{"nonce", "another"}};
  EXPECT_TRUE(signed_in().empty());
  EXPECT_EQ(asked_for_userinfo(), 0);
}

}  // namespace
}  // namespace mcp_oauth
