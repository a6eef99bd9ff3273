#include "provider/user_endpoint.h"

#include "provider/oidc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;

http_answer answered(std::string body, int status = 200) {
  return {status, {{"Content-Type", "application/json; charset=utf-8"}}, std::move(body)};
}

// GET https://api.github.com/user, what matters of it.
const std::string octocat = R"({"login":"octocat","id":583231,"node_id":"MDQ6VXNlcjU4MzIzMQ==","type":"User",
  "name":"The Octocat","company":"@github","email":"octocat@github.com","two_factor_authentication":true})";
// GET https://api.github.com/user/emails
const std::string emails = R"([
  {"email":"old@example.com","verified":true,"primary":false,"visibility":null},
  {"email":"octocat@example.com","verified":true,"primary":true,"visibility":"private"}])";

identity octocat_showing(std::string email, bool verified) {
  identity who;
  who.provider = "github";
  who.subject = "583231";
  who.email = std::move(email);
  who.email_verified = verified;
  return who;
}

claim_names of_github() { return {"email", "", "name", "login", ""}; }

TEST(UserEndpoint, NamesAPersonByANumberThatNeverChanges) {
  auto who = process_user_answer("github", "id", of_github(), answered(octocat));
  ASSERT_TRUE(who) << who.error().detail;
  EXPECT_EQ(who->subject, "583231");
  EXPECT_EQ(who->preferred_username, "octocat");
  EXPECT_EQ(who->name, "The Octocat");
  EXPECT_EQ(who->email, "octocat@github.com");
  EXPECT_FALSE(who->email_verified) << "what a person shows is not what was verified";
}

TEST(UserEndpoint, IsAskedWithTheTokenInItsHeaderOnly) {
  auto call = user_request("https://api.github.com/user", secret("gho_x"));
  EXPECT_EQ(call.url, "https://api.github.com/user");
  EXPECT_EQ(call.fields.only("authorization"), "Bearer gho_x");
  EXPECT_EQ(call.body, "");
}

TEST(UserEndpoint, MayUseOtherNames) {
  auto who = process_user_answer("p", "uid", {"mail", "confirmed", "full", "nick", "teams"},
                                 answered(R"({"uid":"u-1","mail":"a@b.example","confirmed":true,"full":"A",
                                              "nick":"a","teams":["t"]})"));
  ASSERT_TRUE(who);
  EXPECT_EQ(who->subject, "u-1");
  EXPECT_TRUE(who->email_verified);
  EXPECT_THAT(who->groups, testing::ElementsAre("t"));
}

TEST(UserEndpoint, FailsTheSignInWhenItNamesNobody) {
  struct row {
    http_answer answer;
    errc code;
  };
  const row rows[] = {
      {answered("", 503), errc::provider_unreachable},
      {answered("", 429), errc::provider_unreachable},
      {answered(R"({"message":"Bad credentials"})", 401), errc::provider_refused},
      {{200, {{"Content-Type", "text/html"}}, octocat}, errc::provider_token_invalid},
      {answered("[]"), errc::provider_token_invalid},
      {answered("{}"), errc::provider_token_invalid},
      {answered(R"({"id":null})"), errc::provider_token_invalid},
      {answered(R"({"id":""})"), errc::provider_token_invalid},
      {answered(R"({"id":1.5})"), errc::provider_token_invalid},
      {answered(R"({"id":true})"), errc::provider_token_invalid},
      {answered(R"({"id":"a\u000ab"})"), errc::provider_token_invalid},
      {answered(R"({"id":1,"id":2})"), errc::provider_token_invalid},
  };
  for (const auto& [answer, code] : rows) {
    auto who = process_user_answer("github", "id", of_github(), answer);
    ASSERT_FALSE(who) << answer.body;
    EXPECT_EQ(who.error().code, code) << answer.body;
  }
}

TEST(UserEmails, GiveTheVerifiedPrimaryAddress) {
  auto shown = octocat_showing("boss@acme.example", true);
  auto who = process_emails_answer(shown, answered(emails));
  ASSERT_TRUE(who);
  EXPECT_EQ(who->email, "octocat@example.com");
  EXPECT_TRUE(who->email_verified);
}

TEST(UserEmails, VerifyNothingElse) {
  auto shown = octocat_showing("boss@acme.example", false);
  for (const char* list : {"[]", R"([{"email":"a@acme.example","verified":false,"primary":true}])",
                           R"([{"email":"a@acme.example","verified":true,"primary":false}])",
                           R"([{"email":"a@acme.example","verified":"true","primary":true}])",
                           R"([{"email":7,"verified":true,"primary":true}])", R"(["a@acme.example"])"}) {
    auto who = process_emails_answer(shown, answered(list));
    ASSERT_TRUE(who) << list;
    EXPECT_FALSE(who->email_verified) << list;
    EXPECT_EQ(who->email, "boss@acme.example");
  }
  EXPECT_FALSE(process_emails_answer(shown, answered("{}")));
  EXPECT_FALSE(process_emails_answer(shown, answered(R"({"message":"Not Found"})", 404)));
}

TEST(Membership, CountsOnlyWhileItIsActive) {
  // GET /user/memberships/orgs/acme
  EXPECT_EQ(process_membership_answer(answered(R"({"state":"active","role":"member"})")).value(), true);
  for (const auto& no : {answered(R"({"state":"pending","role":"member"})"), answered("{}"), answered("[]"),
                         answered(R"({"message":"Not Found"})", 404), answered("", 403), answered("", 302)}) {
    EXPECT_EQ(process_membership_answer(no).value(), false) << no.status << no.body;
  }
  for (int away : {500, 503, 429}) EXPECT_FALSE(process_membership_answer(answered("", away))) << away;
}

TEST(Membership, IsAskedForWithNamesThatStayInTheirSegment) {
  constexpr std::string_view team = "/orgs/{organization}/teams/{team}/memberships/{login}";
  EXPECT_EQ(membership_path(team, split_organization("acme/platform"), "octocat"),
            "/orgs/acme/teams/platform/memberships/octocat");
  EXPECT_EQ(membership_path("/memberships/orgs/{organization}", split_organization("acme"), ""),
            "/memberships/orgs/acme");
  EXPECT_EQ(membership_path(team, split_organization("acme/platform"), "../{team}?x"),
            "/orgs/acme/teams/platform/memberships/..%2F%7Bteam%7D%3Fx");
}

// GitHub answers form-encoded unless asked for JSON, and errors with status 200.
TEST(TokenAnswer, MayBeFormEncoded) {
  http_answer answer{200,
                     {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                     "access_token=gho_16C7e42F&scope=read%3Auser&token_type=bearer"};
  auto tokens = process_token_answer(answer, sign_in_protocol::oauth2);
  ASSERT_TRUE(tokens) << tokens.error().detail;
  EXPECT_EQ(tokens->access_token.reveal(), "gho_16C7e42F");
  EXPECT_EQ(tokens->scope, "read:user");

  answer.body = "error=bad_verification_code&error_description=The+code+passed+is+incorrect+or+expired.";
  auto refused = process_token_answer(answer, sign_in_protocol::oauth2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::provider_refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("bad_verification_code: The code passed"));

  for (const char* bad : {"", "access_token=a&access_token=b", "token_type=bearer", "access_token=%zz",
                          "access_token=a&token_type=mac"}) {
    answer.body = bad;
    EXPECT_FALSE(process_token_answer(answer, sign_in_protocol::oauth2)) << bad;
  }
}

}  // namespace
}  // namespace mcp_oauth
