// What the pages say to people.

#include "broker/pages.h"

#include "broker/fixture.h"
#include "broker/page_words.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t times(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

settings with_two_ways() {
  auto s = local_settings();
  s.scopes_supported = {"mcp", "tools:read"};
  provider_settings corp;
  corp.name = "corp";
  corp.type = "oidc";
  corp.issuer = "https://idp.example.com";
  corp.client_id = "gateway";
  s.providers.push_back(std::move(corp));
  return s;
}

class Pages : public BrokerTest {
 protected:
  Pages() : BrokerTest(with_two_ways()) {}
  void SetUp() override { client = register_public(); }
  http_response open(form request) {
    return visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
  }
  test_browser b;
  std::string client;
};

TEST_F(Pages, AConsentSaysInOneLineThatTheNameIsTheProgramsOwn) {
  EXPECT_THAT(
      open(authorization(client)).body,
      HasSubstr("<dt>Name</dt><dd>Test client <span class=\"soft\">(chosen by the program itself, not "
                "verified)</span></dd>"));
}

TEST_F(Pages, AConsentExplainsTheScopesThatItKnows) {
  form request;
  for (const auto& [n, v] : authorization(client)) request.add(n, n == "scope" ? "mcp tools:read" : v);
  auto page = open(request);
  EXPECT_THAT(page.body,
              HasSubstr("<li><span class=\"mono\">mcp</span>: call the tools of this server as you</li>"));
  EXPECT_THAT(page.body, HasSubstr("<li><span class=\"mono\">tools:read</span></li>"));
}

TEST_F(Pages, OfSeveralWaysToGoOnOnlyTheFirstIsSolid) {
  auto page = open(authorization(client));
  EXPECT_THAT(page.body,
              HasSubstr("<button type=\"submit\" name=\"approve\" value=\"local\">Approve and sign "
                        "in with a user name and password</button>"));
  EXPECT_THAT(page.body, HasSubstr("<button class=\"quiet\" type=\"submit\" name=\"approve\" "
                                   "value=\"corp\">Approve and sign in with corp</button>"));
  EXPECT_EQ(times(page.body, "<button type"), 1u);
}

TEST_F(Pages, ARedirectUriThatWasNeverRegisteredIsShownAsTextOnly) {
  auto page = open(authorization(client, "https://evil.example/?a=<script>"));
  EXPECT_EQ(page.status, 400);
  EXPECT_THAT(page.body, HasSubstr("https://evil.example/?a=&lt;script&gt;"));
  EXPECT_THAT(page.body, Not(HasSubstr("href")));
  EXPECT_THAT(page.body, Not(HasSubstr("<script")));
}

TEST_F(Pages, AnErrorSpeaksToPeopleFirstAndNamesItsCodeBelow) {
  auto page = open(make_form({{"client_id", "gone"}}));
  auto advice = page.body.find("delete ~/.mcp-auth");
  EXPECT_THAT(page.body, HasSubstr("<h1>This program is not known here any more</h1>"));
  ASSERT_NE(advice, std::string::npos);
  EXPECT_LT(advice, page.body.find("The client is not registered here"));
  EXPECT_LT(advice, page.body.find("MOP-CLI-001"));
}

TEST_F(Pages, ACallbackTellsAStateThatIsMissingFromOneThatIsUnknown) {
  auto missing = get_request("/auth/callback", make_form({{"code", "test"}}));
  auto unknown = get_request("/auth/callback", make_form({{"code", "test"}, {"state", "x"}}));
  auto page = ask(endpoint::callback, missing);
  EXPECT_THAT(page.body, HasSubstr("<h1>This sign-in is over or was not started here</h1>"));
  EXPECT_THAT(page.body, HasSubstr("Invalid state"));
  EXPECT_THAT(page.body, HasSubstr("no state parameter"));
  page = ask(endpoint::callback, unknown);
  EXPECT_THAT(page.body, HasSubstr("Invalid state"));
  EXPECT_THAT(page.body, Not(HasSubstr("no state parameter")));
  for (auto* r : {&missing, &unknown}) r->fields.set("Accept", "*/*");
  auto words = [&](const http_request& r) {
    return text_member(body_of(ask(endpoint::callback, r)), "error_description");
  };
  EXPECT_THAT(words(missing), testing::StartsWith(explain(errc::state_invalid).description));
  EXPECT_THAT(words(missing), HasSubstr("no state parameter; in a shell, quote the URL"));
  EXPECT_EQ(words(unknown), explain(errc::state_invalid).description);
}

TEST_F(Pages, AMissingParameterIsNamed) {
  auto answer = ask(endpoint::token, post_request("/oauth/token", make_form({})));
  EXPECT_EQ(text_member(body_of(answer), "error_description"), "A required parameter is missing: client_id");
  form request;
  for (const auto& [n, v] : authorization(client)) {
    if (n != "response_type") request.add(n, v);
  }
  EXPECT_EQ(parameter_of(open(request).fields.first("location"), "error_description"),
            "A required parameter is missing: response_type");
}

TEST_F(Pages, ARegistrationLearnsWhichRedirectUriIsRefused) {
  auto answer = ask(endpoint::register_client,
                    registration({{"redirect_uris", json::array{"http://evil.example/made-up"}}}));
  EXPECT_EQ(text_member(body_of(answer), "error_description"),
            "No redirect URI is acceptable: redirect_uris[0]: plain http to a host that is not loopback");
}

TEST_F(Pages, AOneTimePasswordIsReplacedBesideAVisibleUserName) {
  auto once = mcp_oauth::add_user(store, "ada", random, cheap, now);
  ASSERT_TRUE(once);
  auto first =
      enter(b, open_sign_in(b, approve(b, open(authorization(client)))), "ada", std::string(once->reveal()));
  EXPECT_THAT(first.body, HasSubstr("That was a one-time password."));
  EXPECT_THAT(first.body, HasSubstr("type=\"text\" value=\"ada\" autocomplete=\"username\" readonly>"));
  EXPECT_THAT(first.body, HasSubstr("Repeat the new password"));
  std::string same(once->reveal());
  auto again = visit(b, endpoint::sign_in,
                     post_request("/auth/signin", make_form({{"login", value_on(first.body, "login")},
                                                             {"form", value_on(first.body, "form")},
                                                             {"user", "ada"},
                                                             {"new_password", same},
                                                             {"new_password_again", same}})));
  EXPECT_EQ(again.status, 400);
  EXPECT_THAT(again.body, HasSubstr("Choose another one than the one-time password."));
}

TEST(PageWords, AskForPatienceWhereADatabaseComesBackByItself) {
  auto busy = words_for_people(errc::store_busy).headline;
  for (auto code : {errc::store_unavailable, errc::store_unreachable, errc::store_starting,
                    errc::store_connections_used_up})
    EXPECT_EQ(words_for_people(code).headline, busy) << explain(code).id;
  // These wait for somebody.
  for (auto code : {errc::store_full, errc::store_login_refused})
    EXPECT_NE(words_for_people(code).headline, busy) << explain(code).id;
}

TEST(PageWords, HaveAHeadlineAndAdviceForEveryCode) {
  for (const auto& row : catalogue()) {
    auto words = words_for_people(row.code);
    EXPECT_GT(words.headline.size(), 8u) << row.name;
    EXPECT_LT(words.headline.size(), 70u) << row.name;
    EXPECT_NE(words.headline.back(), '.') << row.name;
    EXPECT_EQ(words.advice.back(), '.') << row.name;
    // For people: the words of the standards stand further below.
    for (auto word : {"redirect", "parameter", "token", "PKCE", "OAuth", "URI"}) {
      EXPECT_THAT(std::string(words.headline) + std::string(words.advice), Not(HasSubstr(word))) << row.name;
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
