#include "oauth/token_request.h"

#include "base/base64url.h"
#include "oauth/revocation_request.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using changes = std::map<std::string, std::string>;

form form_of(changes all, const changes& changed) {
  for (const auto& [name, value] : changed) all[name] = value;
  form f;
  for (const auto& [name, value] : all) f.add(name, value);
  return f;
}

form code_form(const changes& changed = {}) {
  return form_of({{"grant_type", "authorization_code"},
                  {"client_id", "c"},
                  {"code", "the-code"},
                  {"redirect_uri", "https://client.example/cb"},
                  {"code_verifier", std::string(43, 'v')},
                  {"resource", "https://as.example/mcp"}},
                 changed);
}

form refresh_form(const changes& changed = {}) {
  return form_of({{"grant_type", "refresh_token"}, {"client_id", "c"}, {"refresh_token", "the-token"}},
                 changed);
}

errc refused(const form& f) {
  auto parsed = parse_token_request({}, f);
  EXPECT_FALSE(parsed);
  return parsed ? errc::count_ : parsed.error().code;
}

TEST(TokenRequest, OfACodeHoldsAllItsParts) {
  auto parsed = parse_token_request({}, code_form());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->client.client_id, "c");
  const auto& grant = std::get<code_grant>(parsed->grant);
  EXPECT_TRUE(grant.code.equals("the-code"));
  EXPECT_EQ(grant.redirect_uri, "https://client.example/cb");
  EXPECT_TRUE(grant.code_verifier.equals(std::string(43, 'v')));
  EXPECT_THAT(grant.resources, ElementsAre("https://as.example/mcp"));
}

TEST(TokenRequest, MayLeaveRedirectUriAndResourceOut) {
  auto parsed = parse_token_request({}, code_form({{"redirect_uri", ""}, {"resource", ""}}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<code_grant>(parsed->grant).redirect_uri, std::nullopt);
  EXPECT_TRUE(std::get<code_grant>(parsed->grant).resources.empty());
}

TEST(TokenRequest, OfARefreshHoldsAllItsParts) {
  auto parsed = parse_token_request({}, refresh_form({{"scope", "a b"}, {"resource", "r"}}));
  ASSERT_TRUE(parsed);
  const auto& grant = std::get<refresh_grant>(parsed->grant);
  EXPECT_TRUE(grant.refresh_token.equals("the-token"));
  EXPECT_THAT(*grant.scopes, ElementsAre("a", "b"));
  EXPECT_THAT(grant.resources, ElementsAre("r"));
  for (auto scope : {"", "  "}) {
    EXPECT_EQ(
        std::get<refresh_grant>(parse_token_request({}, refresh_form({{"scope", scope}}))->grant).scopes,
        std::nullopt);
  }
}

TEST(TokenRequest, TakesTheClientFromTheHeader) {
  http_fields fields{{"Authorization", "Basic " + base64_encode("c:hush")}};
  auto parsed = parse_token_request(fields, refresh_form({{"client_id", ""}}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->client.client_id, "c");
  EXPECT_EQ(parsed->client.method, client_authentication::client_secret_basic);
}

TEST(TokenRequest, JudgesEveryParameter) {
  struct {
    form body;
    errc code;
  } const table[] = {
      {code_form({{"grant_type", ""}}), errc::parameter_missing},
      {code_form({{"grant_type", "client_credentials"}}), errc::grant_type_unsupported},
      {code_form({{"grant_type", "password"}}), errc::grant_type_unsupported},
      {code_form({{"grant_type", "Authorization_Code"}}), errc::grant_type_unsupported},
      {code_form({{"grant_type", std::string(257, 'x')}}), errc::parameter_too_long},
      {code_form({{"client_id", ""}}), errc::parameter_missing},
      {code_form({{"code", ""}}), errc::parameter_missing},
      {code_form({{"code", std::string(1025, 'x')}}), errc::parameter_too_long},
      {code_form({{"redirect_uri", std::string(2049, 'x')}}), errc::parameter_too_long},
      {code_form({{"code_verifier", ""}}), errc::pkce_missing},
      {code_form({{"code_verifier", std::string(42, 'v')}}), errc::pkce_malformed},
      {code_form({{"code_verifier", std::string(129, 'v')}}), errc::pkce_malformed},
      {code_form({{"code_verifier", std::string(43, 'v') + "="}}), errc::pkce_malformed},
      {code_form({{"code_verifier", std::string(1025, 'v')}}), errc::parameter_too_long},
      {refresh_form({{"refresh_token", ""}}), errc::parameter_missing},
      {refresh_form({{"refresh_token", std::string(4097, 'x')}}), errc::parameter_too_long},
      {refresh_form({{"scope", "a\"b"}}), errc::scope_unknown},
      {refresh_form({{"scope", std::string(4097, 'a')}}), errc::parameter_too_long},
  };
  for (const auto& row : table) EXPECT_EQ(refused(row.body), row.code) << row.body.encode().substr(0, 200);
}

TEST(TokenRequest, RefusesEveryParameterThatStandsTwice) {
  for (auto name : {"grant_type", "client_id", "code", "redirect_uri", "code_verifier"}) {
    auto f = code_form();
    f.add(name, "x");
    EXPECT_EQ(refused(f), errc::parameter_repeated) << name;
  }
  for (auto name : {"refresh_token", "scope"}) {
    auto f = refresh_form({{"scope", "a"}});
    f.add(name, "x");
    EXPECT_EQ(refused(f), errc::parameter_repeated) << name;
  }
}

TEST(TokenRequest, NamesTheMistakeInAVerifierButNotTheVerifier) {
  auto parsed = parse_token_request({}, code_form({{"code_verifier", std::string(43, 'v') + "="}}));
  EXPECT_THAT(parsed.error().detail, HasSubstr("padding"));
  EXPECT_EQ(parsed.error().detail.find("vvv"), std::string::npos);
}

TEST(TokenRequest, NeedsAClientRegisteredForTheGrant) {
  client_metadata client;
  client.grant_types = {"authorization_code"};
  EXPECT_TRUE(check_grant_type(code_grant{}, client));
  EXPECT_EQ(check_grant_type(refresh_grant{}, client).error().code, errc::client_not_allowed);
  client.grant_types = {"refresh_token"};
  EXPECT_TRUE(check_grant_type(refresh_grant{}, client));
  EXPECT_EQ(check_grant_type(code_grant{}, client).error().code, errc::client_not_allowed);
  client.grant_types.clear();
  EXPECT_TRUE(check_grant_type(code_grant{}, client)) << "the default of RFC 7591";
  EXPECT_FALSE(check_grant_type(refresh_grant{}, client));
}

TEST(TokenRequest, MustRepeatTheRedirectUriIfItNamesOne) {
  code_grant grant;
  EXPECT_TRUE(check_code_redirect_uri(grant, "http://localhost:1/cb"));
  grant.redirect_uri = "http://localhost:1/cb";
  EXPECT_TRUE(check_code_redirect_uri(grant, "http://localhost:1/cb"));
  EXPECT_EQ(check_code_redirect_uri(grant, "http://localhost:2/cb").error().code, errc::code_client_mismatch);
  EXPECT_FALSE(check_code_redirect_uri(grant, ""));
}

TEST(RevocationRequest, HoldsTokenHintAndClient) {
  auto parsed = parse_revocation_request(
      {}, form_of({{"client_id", "c"}, {"token", "t"}, {"token_type_hint", "refresh_token"}}, {}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->client.client_id, "c");
  EXPECT_TRUE(parsed->token.equals("t"));
  EXPECT_EQ(parsed->hint, token_type_hint::refresh_token);
}

TEST(RevocationRequest, TakesAnyHintForWhatItIs) {
  for (auto [text, hint] :
       std::map<std::string, token_type_hint>{{"", token_type_hint::none},
                                              {"access_token", token_type_hint::access_token},
                                              {"pat", token_type_hint::none}}) {
    auto parsed = parse_revocation_request(
        {}, form_of({{"client_id", "c"}, {"token", "t"}, {"token_type_hint", text}}, {}));
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->hint, hint) << text;
  }
}

TEST(RevocationRequest, JudgesEveryParameter) {
  auto code_of = [](const form& f) { return parse_revocation_request({}, f).error().code; };
  EXPECT_EQ(code_of(form_of({{"token", "t"}}, {})), errc::parameter_missing);
  EXPECT_EQ(code_of(form_of({{"client_id", "c"}}, {})), errc::parameter_missing);
  EXPECT_EQ(code_of(form_of({{"client_id", "c"}, {"token", std::string(16 * 1024 + 1, 't')}}, {})),
            errc::parameter_too_long);
  for (auto name : {"token", "token_type_hint"}) {
    auto f = form_of({{"client_id", "c"}, {"token", "t"}, {"token_type_hint", "pat"}}, {});
    f.add(name, "x");
    EXPECT_EQ(code_of(f), errc::parameter_repeated) << name;
  }
}

}  // namespace
}  // namespace mcp_oauth
