#include "bridge/callback.h"

#include "base/base64url.h"
#include "bridge/browser.h"
#include "bridge/sign_in_fixture.h"
#include "bridge/token_words.h"

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string redirect = "http://127.0.0.1:4000/callback";

TEST(Callback, TakesTheOneAnswerAndNothingElse) {
  struct row {
    const char *method, *host, *path, *query;
    int status;  // 0: the answer
  };
  for (const auto& [method, host, path, query, status] :
       {row{"GET", "127.0.0.1:4000", "/callback", "code=c&state=s1", 0},
        row{"GET", "localhost:4000", "/callback", "state=s1&error=access_denied", 0},
        row{"GET", "[::1]:4000", "/callback", "code=c&state=s1&iss=https%3A%2F%2Fas", 0},
        // Any web page can make a browser send these: none of them ends the sign-in.
        row{"GET", "127.0.0.1:4000", "/callback", "error=access_denied", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "code=c", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "code=c&state=", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "code=c&state=s2", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "code=c&state=s1&state=s1", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "code=a&code=b&state=s1", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "state=s1", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "code=c&error=e&state=s1", 400},
        row{"GET", "127.0.0.1:4000", "/callback", "code=%zz&state=s1", 400},
        row{"POST", "127.0.0.1:4000", "/callback", "code=c&state=s1", 405},
        row{"GET", "127.0.0.1:4000", "/", "code=c&state=s1", 404},
        row{"GET", "127.0.0.1:4000", "/callback/", "code=c&state=s1", 404},
        row{"GET", "evil.example:4000", "/callback", "code=c&state=s1", 400},
        row{"GET", "127.0.0.1.evil.example:4000", "/callback", "code=c&state=s1", 400},
        row{"GET", "127.0.0.1:4001", "/callback", "code=c&state=s1", 400},
        row{"GET", "", "/callback", "code=c&state=s1", 400}}) {
    auto judged = judge_callback(method, host, path, query, "s1", redirect);
    const auto* other = std::get_if<not_the_answer>(&judged);
    EXPECT_EQ(other == nullptr ? 0 : other->status, status) << method << host << path << query;
  }
  // Nothing is expected: nothing is the answer.
  EXPECT_TRUE(std::holds_alternative<not_the_answer>(
      judge_callback("GET", "127.0.0.1:4000", "/callback", "code=c&state=", "", redirect)));
}

TEST(Callback, KeepsWhatTheAnswerSays) {
  auto judged = judge_callback("GET", "127.0.0.1:4000", "/callback",
                               "code=c%2B1&state=s1&iss=https%3A%2F%2Fas.example", "s1", redirect);
  const auto& answer = std::get<callback_answer>(judged);
  EXPECT_EQ(answer.code, "c+1");
  EXPECT_EQ(answer.iss, "https://as.example");
}

TEST(Callback, ThroughATunnelTheNameOfTheRedirectUriCounts) {
  auto judged = judge_callback("GET", "me.tunnel.example", "/cb", "code=c&state=s1", "s1",
                               "https://me.tunnel.example/cb");
  EXPECT_TRUE(std::holds_alternative<callback_answer>(judged));
}

TEST(Callback, APastedAddressIsTheSameAnswer) {
  for (const char* text : {"http://127.0.0.1:4000/callback?code=c&state=s1", "  code=c&state=s1\r\n",
                           "http://127.0.0.1:4000/callback?code=c&state=s1#_=_"}) {
    EXPECT_TRUE(std::holds_alternative<callback_answer>(judge_pasted(text, "s1"))) << text;
  }
  for (const char* text : {"", "http://127.0.0.1:4000/callback?code=c&state=s2", "yes"}) {
    EXPECT_TRUE(std::holds_alternative<not_the_answer>(judge_pasted(text, "s1"))) << text;
  }
  auto bare = judge_pasted("8f2c0a-the-code-alone", "s1");
  ASSERT_TRUE(std::holds_alternative<not_the_answer>(bare));
  EXPECT_THAT(std::get<not_the_answer>(bare).why, HasSubstr("paste the whole address"));
}

TEST(Callback, ThePageLeadsNowhereAndRunsNothing) {
  auto page = callback_page(200, "Login successful", "<script>alert(1)</script> & \"x\"");
  EXPECT_THAT(page.body, ::testing::Not(HasSubstr("<script")));
  EXPECT_THAT(page.body, ::testing::Not(HasSubstr("href")));
  EXPECT_THAT(page.body, ::testing::Not(HasSubstr("src=")));
  EXPECT_THAT(page.body, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(std::string(page.fields.first("Content-Security-Policy")), HasSubstr("default-src 'none'"));
  auto elsewhere = callback_redirect("https://done.example/");
  EXPECT_EQ(elsewhere.status, 303);
  EXPECT_EQ(elsewhere.fields.first("Location"), "https://done.example/");
}

TEST(Browser, IsStartedByItsArgumentsAndNoShell) {
  std::map<std::string, std::string, std::less<>> set;
  auto environment = [&](std::string_view name) -> std::optional<std::string> {
    auto found = set.find(name);
    return found == set.end() ? std::nullopt : std::optional(found->second);
  };
  auto find = [](const std::string& name) {
    return name == "xdg-open" ? "/usr/bin/xdg-open" : std::string();
  };
  const std::string address = "https://as.example/?a=1&b=2";
  EXPECT_TRUE(browser_commands(address, environment, find).empty());
  set["DISPLAY"] = ":0";
  EXPECT_THAT(browser_commands(address, environment, find),
              ElementsAre(ElementsAre("/usr/bin/xdg-open", address)));
  set["BROWSER"] = "firefox --new-tab %s:/opt/x -a";
  EXPECT_THAT(
      browser_commands(address, environment, find),
      ElementsAre(ElementsAre("firefox", "--new-tab", address), ElementsAre("/opt/x", "-a", address)));
}

TEST(Browser, WhoCameBySshIsToldWhatToForward) {
  std::map<std::string, std::string, std::less<>> set = {{"SSH_CONNECTION", "10.0.0.9 5000 10.0.0.1 22"},
                                                         {"USER", "me"}};
  auto environment = [&](std::string_view name) -> std::optional<std::string> {
    auto found = set.find(name);
    return found == set.end() ? std::nullopt : std::optional(found->second);
  };
  EXPECT_EQ(ssh_forward(53682, environment), "ssh -L 53682:127.0.0.1:53682 me@10.0.0.1");
  set.clear();
  EXPECT_EQ(ssh_forward(53682, environment), "");
}

TEST(Browser, WhereThereIsNoneEveryWayIsNamed) {
  auto told = ways_without_browser("http://127.0.0.1:1/callback", "mcp-oauth-proxy bridge login https://m");
  EXPECT_THAT(told, ::testing::HasSubstr("http://127.0.0.1:1/callback?code="));
  EXPECT_THAT(told, ::testing::HasSubstr("paste it"));
  EXPECT_THAT(told, ::testing::HasSubstr("mcp-oauth-proxy bridge login https://m\n"));
  EXPECT_THAT(told, ::testing::HasSubstr("--device-code"));
  EXPECT_THAT(told, ::testing::HasSubstr("under \"env\" in the configuration of the client"));
  told = ways_without_browser("http://127.0.0.1:1/callback", "", false);
  EXPECT_THAT(told, ::testing::HasSubstr("paste it here."));
  EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("terminal")));
  EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("--device-code")));
}

TEST(TokenWords, SayWhatAServerMayDislikeAndNoMore) {
  auto jwt = [](const std::string& claims) {
    return secret(base64url_encode(R"({"alg":"ES256"})") + "." + base64url_encode(claims) + ".c2ln");
  };
  auto now = from_unix(1'800'000'000);
  EXPECT_EQ(
      what_token_says(
          jwt(R"({"iss":"https://as","aud":"https://b","scope":"x","exp":1799999969,"sub":"me"})"), now),
      "the token says iss=https://as, aud=https://b, scope=x, expired 31 s ago");
  EXPECT_THAT(what_token_says(jwt(R"({"aud":["a","b"],"nbf":1800009999})"), now),
              HasSubstr("aud=a b, not valid yet"));
  EXPECT_THAT(what_token_says(secret("opaque"), now), HasSubstr("opaque"));
  for (const char* odd : {"-9223372036854775808", "9223372036854775807", "1e300", "\"x\"", "null", "[]"}) {
    auto claims = R"({"iss":"i","aud":7,"exp":)" + std::string(odd) + R"(,"nbf":)" + odd + "}";
    EXPECT_EQ(what_token_says(jwt(claims), now), "the token says iss=i, aud=") << odd;
  }
}

}  // namespace
}  // namespace mcp_oauth
