#include "oauth/authorization_request.h"

#include "oauth/authorization_checks.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* callback = "https://client.example/cb";

client_metadata client() {
  client_metadata c;
  c.client_id = "c";
  c.redirect_uris = {callback};
  c.grant_types = {"authorization_code", "refresh_token"};
  c.response_types = {"code"};
  return c;
}

server_rules rules() {
  server_rules r;
  r.issuer = "https://as.example";
  r.resources = {"https://as.example/mcp", "https://as.example/files"};
  r.scopes_supported = {"tools:read", "tools:write"};
  r.default_scopes = {"tools:read"};
  return r;
}

using changes = std::map<std::string, std::string>;

form parameters(const changes& changed = {}) {
  changes all = {{"client_id", "c"},
                 {"redirect_uri", callback},
                 {"response_type", "code"},
                 {"state", "s"},
                 {"code_challenge", std::string(43, 'a')},
                 {"code_challenge_method", "S256"},
                 {"scope", "tools:write"},
                 {"resource", "https://as.example/files"}};
  for (const auto& [name, value] : changed) all[name] = value;
  form f;
  for (const auto& [name, value] : all) f.add(name, value);
  return f;
}

tl::expected<approved_request, authorization_refusal> check(const form& f,
                                                            const client_metadata& c = client()) {
  auto request = parse_authorization_request(f);
  if (!request) return tl::unexpected(authorization_refusal{request.error(), std::nullopt, ""});
  return check_authorization_request(*request, c, rules());
}

TEST(AuthorizationRequest, ThatIsRightIsApproved) {
  auto approved = check(parameters({{"login_hint", "ada"}, {"prompt", "login consent"}}));
  ASSERT_TRUE(approved);
  const auto& terms = approved->terms();
  EXPECT_EQ(terms.client_id, "c");
  EXPECT_EQ(terms.redirect_uri, callback);
  EXPECT_TRUE(terms.redirect_uri_sent);
  EXPECT_EQ(terms.state, "s");
  EXPECT_EQ(terms.code_challenge, std::string(43, 'a'));
  EXPECT_THAT(terms.scopes, ElementsAre("tools:write"));
  EXPECT_EQ(terms.resource, "https://as.example/files");
  EXPECT_THAT(terms.prompt, ElementsAre("login", "consent"));
  EXPECT_EQ(terms.login_hint, "ada");
}

TEST(AuthorizationRequest, NeedsOnlyWhatTheStandardNeeds) {
  auto approved = check(parameters({{"redirect_uri", ""},
                                    {"state", ""},
                                    {"scope", ""},
                                    {"resource", ""},
                                    {"unknown", "x"},
                                    {"audience", "y"}}));
  ASSERT_TRUE(approved);
  EXPECT_EQ(approved->terms().redirect_uri, callback);
  EXPECT_FALSE(approved->terms().redirect_uri_sent);
  EXPECT_EQ(approved->terms().state, "");
  EXPECT_THAT(approved->terms().scopes, ElementsAre("tools:read"));
  EXPECT_EQ(approved->terms().resource, "https://as.example/mcp");
  EXPECT_THAT(approved->terms().prompt, IsEmpty());
}

struct hostile {
  changes changed;
  errc code;
};

TEST(AuthorizationRequest, WithoutATrustworthyWayBackIsToldToTheUser) {
  const hostile table[] = {
      {{{"client_id", ""}}, errc::parameter_missing},
      {{{"client_id", std::string(2049, 'c')}}, errc::parameter_too_long},
      {{{"client_id", "c\n"}}, errc::parameter_malformed},
      {{{"client_id", "\xC3\xA9"}}, errc::parameter_malformed},
      {{{"redirect_uri", "https://evil.example/cb"}}, errc::redirect_uri_mismatch},
      {{{"redirect_uri", std::string(callback) + "/"}}, errc::redirect_uri_mismatch},
      {{{"redirect_uri", "cb"}}, errc::redirect_uri_mismatch},
      {{{"redirect_uri", "https://client.example/" + std::string(2048, 'x')}}, errc::parameter_too_long},
      {{{"redirect_uri", std::string(callback) + "\r\n"}}, errc::parameter_malformed},
      {{{"redirect_uri", std::string(callback) + "\xC3\xA9"}}, errc::parameter_malformed},
      // Everything else being wrong as well does not open a way back.
      {{{"redirect_uri", "https://evil.example/cb"}, {"response_type", "token"}, {"scope", "\""}},
       errc::redirect_uri_mismatch},
  };
  for (const auto& row : table) {
    auto outcome = check(parameters(row.changed));
    ASSERT_FALSE(outcome) << row.changed.begin()->second;
    EXPECT_EQ(outcome.error().why.code, row.code) << row.changed.begin()->second;
    EXPECT_FALSE(outcome.error().to_redirect()) << row.changed.begin()->second;
  }
  for (auto name : {"client_id", "redirect_uri"}) {
    auto f = parameters();
    f.add(name, "another");
    auto outcome = check(f);
    ASSERT_FALSE(outcome) << name;
    EXPECT_EQ(outcome.error().why.code, errc::parameter_repeated) << name;
    EXPECT_FALSE(outcome.error().to_redirect()) << name;
  }
}

TEST(AuthorizationRequest, WithAWayBackIsToldToTheClient) {
  std::string ok(43, 'a');
  const hostile table[] = {
      {{{"response_type", ""}}, errc::parameter_missing},
      {{{"response_type", "token"}}, errc::response_type_unsupported},
      {{{"response_type", "code token"}}, errc::response_type_unsupported},
      {{{"response_type", "CODE"}}, errc::response_type_unsupported},
      {{{"response_type", std::string(9000, 'x')}}, errc::response_type_unsupported},
      {{{"response_mode", "fragment"}}, errc::response_mode_unsupported},
      {{{"response_mode", "form_post"}}, errc::response_mode_unsupported},
      {{{"code_challenge", ""}}, errc::pkce_missing},
      {{{"code_challenge_method", ""}}, errc::pkce_method_plain},
      {{{"code_challenge_method", "plain"}}, errc::pkce_method_plain},
      {{{"code_challenge_method", "s256"}}, errc::pkce_method_unsupported},
      {{{"code_challenge_method", "S512"}}, errc::pkce_method_unsupported},
      {{{"code_challenge", ok + "="}}, errc::pkce_malformed},
      {{{"code_challenge", ok.substr(1)}}, errc::pkce_malformed},
      {{{"code_challenge", std::string(9000, 'a')}}, errc::pkce_malformed},
      {{{"scope", "a\"b"}}, errc::scope_unknown},
      {{{"scope", "tools:read\xC3\xA9"}}, errc::scope_unknown},
      {{{"scope", std::string(4097, 'a')}}, errc::parameter_too_long},
      {{{"scope", "admin"}}, errc::scope_unknown},
      {{{"resource", "https://other.example/mcp"}}, errc::resource_unknown},
      {{{"resource", "mcp"}}, errc::resource_unknown},
      {{{"resource", "https://as.example/mcp#x"}}, errc::resource_unknown},
      {{{"prompt", "none login"}}, errc::parameter_malformed},
  };
  for (const auto& row : table) {
    auto outcome = check(parameters(row.changed));
    ASSERT_FALSE(outcome) << row.changed.begin()->second;
    EXPECT_EQ(outcome.error().why.code, row.code) << row.changed.begin()->second;
    EXPECT_EQ(outcome.error().redirect_uri, callback) << row.changed.begin()->second;
    EXPECT_EQ(outcome.error().state, "s");
  }
}

TEST(AuthorizationRequest, RefusesEveryParameterThatStandsTwice) {
  for (auto name : {"response_type", "response_mode", "state", "code_challenge", "code_challenge_method",
                    "scope", "prompt", "login_hint"}) {
    auto f = parameters({{name, "x"}});
    f.add(name, "x");
    auto outcome = check(f);
    ASSERT_FALSE(outcome) << name;
    EXPECT_EQ(outcome.error().why.code, errc::parameter_repeated) << name;
    EXPECT_EQ(outcome.error().why.detail, name);
    EXPECT_TRUE(outcome.error().to_redirect()) << name;
    EXPECT_EQ(outcome.error().state, name == std::string("state") ? "" : "s");
  }
  auto resource_twice = parameters();
  resource_twice.add("resource", "https://as.example/files/");
  EXPECT_TRUE(check(resource_twice));
}

TEST(AuthorizationRequest, NeverEchoesAStateThatIsUnfit) {
  for (std::string state :
       {std::string(4097, 's'), std::string("a\r\nb"), std::string("\xC3\xA9"), std::string("\x7F")}) {
    auto outcome = check(parameters({{"state", state}}));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().why.code, errc::parameter_malformed);
    EXPECT_TRUE(outcome.error().to_redirect());
    EXPECT_EQ(outcome.error().state, "");
  }
  std::string longest(4096, 's');
  EXPECT_EQ(check(parameters({{"state", longest}}))->terms().state, longest);
  EXPECT_EQ(check(parameters({{"state", " a&b=c%\"\\ "}}))->terms().state, " a&b=c%\"\\ ");
}

TEST(AuthorizationRequest, DropsALoginHintThatIsUnfit) {
  for (std::string hint : {std::string(257, 'a'), std::string("a\nb"), std::string("\xC3\xA9")}) {
    EXPECT_EQ(check(parameters({{"login_hint", hint}}))->terms().login_hint, "");
  }
}

TEST(AuthorizationRequest, MustNameOneOfSeveralRedirectUris) {
  auto c = client();
  c.redirect_uris.push_back("http://localhost/cb");
  auto outcome = check(parameters({{"redirect_uri", ""}}), c);
  EXPECT_EQ(outcome.error().why.code, errc::redirect_uri_missing);
  EXPECT_FALSE(outcome.error().to_redirect());
  EXPECT_EQ(check(parameters({{"redirect_uri", "http://localhost:4711/cb"}}), c)->terms().redirect_uri,
            "http://localhost:4711/cb");
}

TEST(AuthorizationRequest, OfAClientWithoutRedirectUrisHasNoWayBack) {
  auto c = client();
  c.redirect_uris.clear();
  for (auto uri : {callback, ""}) {
    auto outcome = check(parameters({{"redirect_uri", uri}}), c);
    EXPECT_EQ(outcome.error().why.code, errc::redirect_uri_mismatch);
    EXPECT_FALSE(outcome.error().to_redirect());
  }
}

TEST(AuthorizationRequest, IsNeverSentToADangerousUriHoweverItWasRegistered) {
  for (std::string uri :
       {"javascript:alert(1)", "http://client.example/cb", "https://u@client.example/", "data:text/html,x"}) {
    auto c = client();
    c.redirect_uris = {uri};
    for (const auto& sent : {uri, std::string()}) {
      auto outcome = check(parameters({{"redirect_uri", sent}}), c);
      ASSERT_FALSE(outcome) << uri;
      EXPECT_EQ(outcome.error().why.code, errc::redirect_uri_refused) << uri;
      EXPECT_FALSE(outcome.error().to_redirect()) << uri;
    }
  }
}

TEST(AuthorizationRequest, NeedsAClientRegisteredForCodes) {
  auto c = client();
  c.grant_types = {"refresh_token"};
  EXPECT_EQ(check(parameters(), c).error().why.code, errc::client_not_allowed);
  c = client();
  c.response_types = {"token"};
  EXPECT_EQ(check(parameters(), c).error().why.code, errc::client_not_allowed);
  c.grant_types.clear();
  c.response_types.clear();
  EXPECT_TRUE(check(parameters(), c)) << "absent members are the defaults of RFC 7591";
}

TEST(AuthorizationRequest, TakesTheRegisteredScopeAsDefaultButNotAsLimit) {
  auto c = client();
  c.scope = "tools:write";
  EXPECT_THAT(check(parameters({{"scope", ""}}), c)->terms().scopes, ElementsAre("tools:write"));
  EXPECT_THAT(check(parameters({{"scope", "tools:read"}}), c)->terms().scopes, ElementsAre("tools:read"));
}

TEST(AuthorizationRequest, IgnoresPromptsThatItDoesNotKnow) {
  EXPECT_THAT(check(parameters({{"prompt", "create  consent consent"}}))->terms().prompt,
              ElementsAre("consent"));
  EXPECT_THAT(check(parameters({{"prompt", "none"}}))->terms().prompt, ElementsAre("none"));
}

TEST(AuthorizationChecks, SettleTheRedirectUriBeforeAnyoneElseIsTold) {
  auto all = authorization_checks();
  ASSERT_EQ(all.size(), 8u);
  EXPECT_EQ(all.front().run, &check_redirect_uri);
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const auto& c) { return c.whom == told_to::user; }), 1);
}

TEST(AuthorizationAnswer, HoldsCodeStateAndIssuer) {
  EXPECT_EQ(code_location(callback, "abc", "s t", "https://as.example"),
            "https://client.example/cb?code=abc&state=s%20t&iss=https%3A%2F%2Fas.example");
  EXPECT_EQ(code_location("https://client.example/cb?x=1", "abc", "", "https://as.example"),
            "https://client.example/cb?x=1&code=abc&iss=https%3A%2F%2Fas.example");
}

TEST(AuthorizationAnswer, TellsErrorsInTheWordsOfTheCatalogue) {
  auto location = error_location(callback, {errc::pkce_missing, ""}, "s", "https://as.example");
  EXPECT_THAT(
      location,
      HasSubstr("https://client.example/cb?error=invalid_request&error_description=PKCE%20is%20required"));
  EXPECT_THAT(location, HasSubstr("&state=s&iss=https%3A%2F%2Fas.example"));
  EXPECT_EQ(error_location(callback, {errc::pkce_missing, ""}, "", "x").find("state="), std::string::npos);
  struct {
    errc why;
    std::string says;
  } const table[] = {
      {errc::consent_denied, "access_denied"},
      {errc::resource_unknown, "invalid_target"},
      {errc::scope_unknown, "invalid_scope"},
      {errc::response_type_unsupported, "unsupported_response_type"},
      {errc::client_not_allowed, "unauthorized_client"},
      {errc::store_busy, "temporarily_unavailable"},
      {errc::internal, "server_error"},
      {errc::code_invalid, "invalid_request"},
      {errc::state_expired, "invalid_request"},
  };
  for (const auto& row : table) {
    EXPECT_THAT(error_location(callback, {row.why, ""}, "", "x"), HasSubstr("?error=" + row.says + "&"))
        << row.says;
  }
}

// RFC 6749 §4.1.2.1: printable ASCII without '"' and '\'.
TEST(AuthorizationAnswer, DescribesEveryErrorInTheCharactersAllowed) {
  for (const auto& row : catalogue()) {
    for (char c : row.description) {
      EXPECT_TRUE(c >= 0x20 && c < 0x7F && c != '"' && c != '\\') << row.name << ": " << row.description;
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
