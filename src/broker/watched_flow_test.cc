// What DEBUG shows of a sign-in, and what it never shows.

#include "broker/provider_fixture.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string lines_of(const broker_log& log) {
  std::string all;
  for (const auto& note : log.traces) {
    all += std::string(to_name(note.about)) + " " + note.message;
    for (const auto& [name, value] : note.fields) all += " " + name + "=" + value;
    all += "\n";
  }
  return all;
}

class WatchedFlow : public ProviderFlow {
 protected:
  WatchedFlow() { watching = topics::all(); }

  std::string lines() const { return lines_of(log); }
  // Of the request that a client sends who changes that parameter.
  std::string lines_with(const std::string& name, const std::string& value) {
    auto changed = make_form({});
    for (const auto& [n, v] : authorization(client)) {
      if (n != name) changed.add(n, v);
    }
    if (!value.empty()) changed.add(name, value);
    ask(endpoint::authorize, get_request("/oauth/authorize", changed));
    return lines();
  }
  std::string code() {
    test_browser b;
    return parameter_of(back(b, success(to_provider(b))).fields.first("location"), "code");
  }
  std::string redeemed_with(const std::string& name, const std::string& value) {
    auto changed = make_form({});
    for (const auto& [n, v] : code_request(client, code())) changed.add(n, n == name ? value : v);
    ask(endpoint::token, post_request("/oauth/token", changed));
    return lines();
  }
};

TEST_F(WatchedFlow, TellsEachStepOfASignInUnderItsTopic) {
  test_browser b;
  auto location = to_provider(b);
  EXPECT_THAT(lines(), HasSubstr("oauth:state state made for the provider"));
  EXPECT_THAT(lines(), HasSubstr("code_challenge=" + parameter_of(location, "code_challenge")));
  EXPECT_THAT(lines(), HasSubstr("oauth:pkce storage: code_verifier is sealed in the session provider=corp"));

  auto done = back(b, success(location));
  EXPECT_THAT(lines(),
              HasSubstr("oauth:callback callback: the provider sent the browser back provider=corp"));
  EXPECT_THAT(lines(), HasSubstr("oauth:state state found, and it is this browser's"));
  EXPECT_THAT(lines(), HasSubstr("oauth:pkce retrieval: code_verifier taken from the session"));
  EXPECT_THAT(lines(), HasSubstr("oauth:pkce storage: code_challenge is kept with the authorization code"));

  redeem(client, parameter_of(done.fields.first("location"), "code"));
  EXPECT_THAT(lines(), HasSubstr("oauth:token authorization_code: granted client_id=" + client));
  EXPECT_THAT(lines(), HasSubstr("oauth:pkce comparison: SHA-256 of code_verifier is code_challenge"));
}

TEST_F(WatchedFlow, NamesWhatIsWrongWithAChallenge) {
  EXPECT_THAT(lines_with("scope", "tools:read"),
              HasSubstr("oauth:pkce code_challenge received: S256, 43 characters"));
  EXPECT_THAT(lines_with("code_challenge", ""), HasSubstr("refused: there is no code_challenge"));
  EXPECT_THAT(lines_with("code_challenge_method", ""), HasSubstr("that means plain"));
  EXPECT_THAT(lines_with("code_challenge_method", "plain"), HasSubstr("only S256 is taken"));
  EXPECT_THAT(lines_with("code_challenge", "short"), HasSubstr("shorter than 43 characters"));
  EXPECT_THAT(lines_with("code_challenge", std::string(64, 'a')), HasSubstr("hex"));
}

TEST_F(WatchedFlow, TellsHowAComparisonEnded) {
  auto other = redeemed_with("code_verifier", std::string(43, 'x'));
  EXPECT_THAT(other, HasSubstr("oauth:token authorization_code: pkce_mismatch"));
  EXPECT_THAT(other, HasSubstr("oauth:pkce retrieval: code_challenge found"));
  EXPECT_THAT(other,
              HasSubstr("oauth:pkce comparison: code_verifier does not match code_challenge length=43"));

  auto unknown = redeemed_with("code", "mop_ac_nonsense");
  EXPECT_THAT(unknown, HasSubstr("oauth:token"));
  EXPECT_THAT(unknown, Not(HasSubstr("comparison"))) << "nothing was compared";

  auto short_one = redeemed_with("code_verifier", "short");
  EXPECT_THAT(short_one, HasSubstr("oauth:pkce comparison: code_verifier"));
  auto refreshed = refresh(client, "mop_rt_nonsense");
  EXPECT_THAT(lines(), HasSubstr("oauth:token refresh_token: "));
  EXPECT_THAT(lines(), Not(HasSubstr("oauth:pkce")));
}

TEST_F(WatchedFlow, TellsWhyARequestWasNotRead) {
  auto without = make_form({});
  for (const auto& [n, v] : code_request(client, code())) {
    if (n != "code_verifier") without.add(n, v);
  }
  ask(endpoint::token, post_request("/oauth/token", without));
  EXPECT_THAT(lines(), HasSubstr("oauth:token the token request cannot be read: pkce_missing"));
  EXPECT_THAT(lines(), HasSubstr("oauth:pkce comparison: code_verifier cannot match"));
}

TEST_F(WatchedFlow, TellsWhyAReturnWasRefused) {
  ask(endpoint::callback, get_request("/auth/callback", make_form({{"code", "x"}, {"state", "y"}})));
  EXPECT_THAT(lines(), HasSubstr("oauth:callback callback refused: "));
  EXPECT_THAT(lines(), HasSubstr("oauth:state state refused: "));
  EXPECT_THAT(lines(), HasSubstr("reason=state_invalid"));
}

TEST_F(WatchedFlow, ShowsNoSecretOfAnyStep) {
  std::string all;
  test_browser b;
  auto location = to_provider(b);
  all += lines();
  auto state = parameter_of(location, "state");
  auto done = back(b, success(location));
  all += lines();
  auto issued = parameter_of(done.fields.first("location"), "code");
  auto proof = std::string(token_body.find("code_verifier").value_or(""));
  auto tokens = body_of(redeem(client, issued));
  all += lines();
  auto again = text_member(tokens, "refresh_token");
  refresh(client, again);
  all += lines();
  ASSERT_FALSE(state.empty() || issued.empty() || proof.empty() || again.empty());
  for (const auto& hidden : {state, issued, proof, again, nonce, std::string(verifier),
                             text_member(tokens, "access_token"), std::string("idp-secret")})
    EXPECT_THAT(all, Not(HasSubstr(hidden)));
  for (const auto& [name, value] : b.cookies) EXPECT_THAT(all, Not(HasSubstr(value))) << name;
}

TEST_F(WatchedFlow, CollectsNothingThatIsNotWatched) {
  watching = {};
  test_browser b;
  auto location = to_provider(b);
  EXPECT_EQ(lines(), "");
  back(b, success(location));
  EXPECT_EQ(lines(), "");
  std::vector<std::string> only{"oauth:callback"};
  watching = topics::of(only);
  ask(endpoint::callback, get_request("/auth/callback", make_form({{"code", "x"}, {"state", "y"}})));
  EXPECT_THAT(lines(), HasSubstr("oauth:callback"));
  EXPECT_THAT(lines(), Not(HasSubstr("oauth:state")));
}

}  // namespace
}  // namespace mcp_oauth
