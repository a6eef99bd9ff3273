// The built-in users at their page.

#include "broker/fixture.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

class SignIn : public BrokerTest {
 protected:
  void SetUp() override {
    add_user("ada", "correct horse battery");
    client = register_public();
  }
  http_response page(test_browser& b) {
    return open_sign_in(
        b, approve(b, visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)))));
  }
  http_response choose(test_browser& b, const http_response& form_page, const std::string& first,
                       const std::string& second) {
    return visit(b, endpoint::sign_in,
                 post_request("/auth/signin", make_form({{"login", value_on(form_page.body, "login")},
                                                         {"form", value_on(form_page.body, "form")},
                                                         {"new_password", first},
                                                         {"new_password_again", second}})));
  }
  std::string client;
};

bool leads_to_a_code(const http_response& r) {
  return r.status == 303 && !parameter_of(r.fields.first("location"), "code").empty();
}

TEST_F(SignIn, NameAndPasswordLeadToACode) {
  test_browser b;
  EXPECT_TRUE(leads_to_a_code(enter(b, page(b), "ada", "correct horse battery")));
  EXPECT_EQ(b.cookies.count("__Host-mop_session"), 1u);
  test_browser c;
  EXPECT_TRUE(leads_to_a_code(enter(c, page(c), "ADA", "correct horse battery"))) << "names have no case";
}

TEST_F(SignIn, AWrongPasswordAndAnUnknownUserLookAlike) {
  test_browser b;
  auto form_page = page(b);
  auto wrong = enter(b, form_page, "ada", "wrong");
  EXPECT_EQ(noted(log, "detail"), "the password does not match");
  EXPECT_EQ(noted(log, "user"), "local:ada");
  auto unknown = enter(b, form_page, "eve", "wrong");
  EXPECT_EQ(noted(log, "detail"), "no such user");
  EXPECT_EQ(noted(log, "user"), "") << "it may be a password in the wrong field";
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(unknown.status, 401);
  auto words = [](const http_response& r) { return r.body.substr(0, r.body.find("<form")); };
  EXPECT_EQ(words(wrong), words(unknown));
  EXPECT_THAT(wrong.body, Not(HasSubstr(">wrong")));
  EXPECT_EQ(b.cookies.count("__Host-mop_session"), 0u);
}

TEST_F(SignIn, APasswordOfAnyContentIsOnlyWrong) {
  test_browser b;
  auto form_page = page(b);
  conf.limits.sign_in_attempts = 100;
  for (const auto& text : {std::string(), std::string(4000, 'x'), std::string("\r\n"),
                           std::string("' OR 1=1 --"), std::string("\xF0\x9F\x94\x91")}) {
    auto answer = enter(b, form_page, "ada", text);
    EXPECT_EQ(answer.status, 401) << text.substr(0, 20);
  }
  auto answer = enter(b, form_page, "ada", std::string(5000, 'x'));
  EXPECT_EQ(answer.status, 400);
  for (const auto& name : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("<i>"),
                           std::string("ada\r\n")}) {
    EXPECT_EQ(enter(b, form_page, name, "x").status, 401) << name;
  }
}

TEST_F(SignIn, AfterFiveWrongPasswordsTheAccountHasToWait) {
  test_browser b;
  auto form_page = page(b);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(b, form_page, "ada", "wrong").status, 401) << i;
  auto throttled = enter(b, form_page, "ada", "correct horse battery");
  EXPECT_EQ(throttled.status, 429) << "not even the right one is judged";
  EXPECT_EQ(throttled.fields.first("retry-after"), "5");
  now += seconds(5);
  EXPECT_EQ(enter(b, form_page, "ada", "wrong").status, 401);
  EXPECT_EQ(enter(b, form_page, "ada", "wrong").fields.first("retry-after"), "10");
  now += seconds(10);
  EXPECT_TRUE(leads_to_a_code(enter(b, form_page, "ada", "correct horse battery")));
}

TEST_F(SignIn, AWrongPasswordAtAGatewayWhoseClockIsAheadIsNoWaitHere) {
  test_browser b;
  now += seconds(20);
  EXPECT_EQ(enter(b, page(b), "ada", "wrong").status, 401);
  now -= seconds(20);
  EXPECT_EQ(enter(b, page(b), "ada", "wrong").status, 401);
  EXPECT_TRUE(leads_to_a_code(enter(b, page(b), "ada", "correct horse battery")));
}

TEST_F(SignIn, AnAccountThatDoesNotExistIsThrottledTheSame) {
  test_browser b;
  auto form_page = page(b);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(b, form_page, "eve", "wrong").status, 401);
  EXPECT_EQ(enter(b, form_page, "eve", "wrong").status, 429);
  EXPECT_TRUE(leads_to_a_code(enter(b, form_page, "ada", "correct horse battery"))) << "others do not wait";
}

TEST_F(SignIn, ARestartForgivesNoAttempts) {
  test_browser b;
  auto form_page = page(b);
  for (int i = 0; i < 5; ++i) enter(b, form_page, "ada", "wrong");
  restart();
  EXPECT_EQ(enter(b, form_page, "ada", "wrong").status, 429);
}

TEST_F(SignIn, AFinishedLoginCannotBeFinishedAgain) {
  test_browser b;
  auto form_page = page(b);
  EXPECT_TRUE(leads_to_a_code(enter(b, form_page, "ada", "correct horse battery")));
  auto again = enter(b, form_page, "ada", "correct horse battery");
  EXPECT_EQ(again.status, 400);
  EXPECT_THAT(again.body, HasSubstr("Invalid state"));
  EXPECT_EQ(noted(log, "detail"), "the login was already finished");
}

TEST_F(SignIn, ALoginThatTookTooLongSaysSo) {
  test_browser b;
  auto form_page = page(b);
  now += conf.session_timeout + seconds(42);
  auto late = enter(b, form_page, "ada", "correct horse battery");
  EXPECT_EQ(late.status, 400);
  EXPECT_EQ(noted(log, "result"), "state_expired");
  EXPECT_EQ(noted(log, "detail"), "the login expired 42 s ago (session_timeout=600)");
}

TEST_F(SignIn, TheFormOfOneLoginIsNotThatOfAnother) {
  test_browser b;
  auto one = page(b), two = page(b);
  auto answer = visit(b, endpoint::sign_in,
                      post_request("/auth/signin", make_form({{"login", value_on(one.body, "login")},
                                                              {"form", value_on(two.body, "form")},
                                                              {"user", "ada"},
                                                              {"password", "correct horse battery"}})));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(noted(log, "result"), "consent_forged");
}

TEST_F(SignIn, APasswordThatAnotherSiteSendsIsNotJudged) {
  test_browser b;
  auto form_page = page(b);
  auto request = post_request("/auth/signin", make_form({{"login", value_on(form_page.body, "login")},
                                                         {"form", value_on(form_page.body, "form")},
                                                         {"user", "ada"},
                                                         {"password", "correct horse battery"}}));
  request.fields.set("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(visit(b, endpoint::sign_in, request).status, 403);
  EXPECT_EQ(*store.count("attempts", now), 0u);
}

TEST_F(SignIn, AOneTimePasswordLeadsToANewOneAndThenOn) {
  auto once = *mcp_oauth::add_user(store, "grace", random, cheap, now);
  test_browser b;
  auto form_page = enter(b, page(b), "grace", std::string(once.reveal()));
  ASSERT_EQ(form_page.status, 200) << form_page.body;
  EXPECT_THAT(form_page.body, HasSubstr("new_password"));
  EXPECT_EQ(b.cookies.count("__Host-mop_session"), 0u);

  EXPECT_EQ(choose(b, form_page, "short", "short").status, 400);
  EXPECT_EQ(choose(b, form_page, "long enough now", "long enough not").status, 400);
  EXPECT_EQ(choose(b, form_page, std::string(once.reveal()), std::string(once.reveal())).status, 400);
  EXPECT_TRUE(leads_to_a_code(choose(b, form_page, "long enough now", "long enough now")));

  test_browser later;
  EXPECT_EQ(enter(later, page(later), "grace", std::string(once.reveal())).status, 401);
  EXPECT_TRUE(leads_to_a_code(enter(later, page(later), "grace", "long enough now")));
}

TEST_F(SignIn, ANewPasswordFormIsWorthlessOnceTheUserChanged) {
  auto once = *mcp_oauth::add_user(store, "grace", random, cheap, now);
  test_browser b;
  auto form_page = enter(b, page(b), "grace", std::string(once.reveal()));
  mcp_oauth::add_user(store, "grace", random, cheap, now);
  choose(b, form_page, "long enough now", "long enough now");
  EXPECT_EQ(noted(log, "result"), "state_invalid");
}

TEST_F(SignIn, ASignInFormCannotSetAPassword) {
  test_browser b;
  auto form_page = page(b);
  auto answer = choose(b, form_page, "long enough now", "long enough now");
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(noted(log, "result"), "consent_forged");
}

TEST_F(SignIn, OnlyThoseOnTheListMaySignIn) {
  conf.providers[0].allowed_users = {"grace"};
  test_browser b;
  auto answer = enter(b, page(b), "ada", "correct horse battery");
  EXPECT_EQ(parameter_of(answer.fields.first("location"), "error"), "access_denied");
  EXPECT_EQ(noted(log, "result"), "user_not_allowed");
}

TEST_F(SignIn, WithoutALoginThereIsNoPage) {
  test_browser b;
  page(b);
  for (const auto& query :
       {make_form({}), make_form({{"login", ""}}), make_form({{"login", "unknown"}}),
        make_form({{"login", "a"}, {"login", "b"}}), make_form({{"login", std::string(5000, 'a')}})}) {
    auto answer = visit(b, endpoint::sign_in, get_request("/auth/signin", query));
    EXPECT_GE(answer.status, 400);
    EXPECT_THAT(answer.body, Not(HasSubstr("type=\"password\"")));
  }
}

}  // namespace
}  // namespace mcp_oauth
