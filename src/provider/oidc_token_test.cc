// What providers answer to a refresh token, as they document it, and what that means here.

#include "base/form.h"
#include "provider/oidc.h"

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

struct documented {
  const char* provider;
  const char* source;  // page of the provider's documentation
  int status;
  const char* type;
  const char* body;
  std::optional<errc> fails;
  const char* refresh_token = "";  // in the answer
  std::int64_t expires_in = 0;
};

constexpr const char* in_json = "application/json; charset=utf-8";

const documented answers[] = {
    {"google", "OAuth 2.0 for web server applications, Refreshing an access token", 200, in_json,
     R"({"access_token":"1/fFAGRNJru1FTz70BzhT3Zg","expires_in":3920,"scope":"openid email","token_type":"Bearer"})",
     std::nullopt, "", 3920},
    {"google", "the same, revoked or expired", 400, in_json,
     R"({"error":"invalid_grant","error_description":"Token has been expired or revoked."})",
     errc::provider_sign_in_needed},
    {"google", "session control policies of Google Cloud", 400, in_json,
     R"({"error":"invalid_grant","error_description":"reauth related error, invalid_rapt","error_subtype":"invalid_rapt"})",
     errc::provider_sign_in_needed},
    {"google", "deleted client", 401, in_json,
     R"({"error":"deleted_client","error_description":"The OAuth client was deleted."})",
     errc::provider_refused},
    {"microsoft", "authorization code flow, Refresh the access token", 200, in_json,
     R"({"access_token":"eyJ0eXAi","token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"scope":"openid email offline_access","refresh_token":"AwABAAAAvPM1KaPlrEqdFSBzjqfTGAMxZGUTdM0t4B4","id_token":"eyJ0.eyJh."})",
     std::nullopt, "AwABAAAAvPM1KaPlrEqdFSBzjqfTGAMxZGUTdM0t4B4", 3599},
    {"microsoft", "reference of authentication errors, 700082", 400, in_json,
     R"({"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired due to inactivity.","error_codes":[700082]})",
     errc::provider_sign_in_needed},
    {"microsoft", "the same, 50173", 400, in_json,
     R"({"error":"invalid_grant","error_description":"AADSTS50173: The provided grant has expired due to it being revoked.","error_codes":[50173]})",
     errc::provider_sign_in_needed},
    {"microsoft", "claims challenge of conditional access", 400, in_json,
     R"({"error":"interaction_required","error_description":"AADSTS50076: Due to a configuration change you must use multi-factor authentication.","suberror":"basic_action"})",
     errc::provider_sign_in_needed},
    {"microsoft", "reference of authentication errors, 7000222", 401, in_json,
     R"({"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired."})",
     errc::provider_refused},
    {"microsoft", "error codes of the token endpoint", 503, in_json,
     R"({"error":"temporarily_unavailable","error_description":"The server is temporarily too busy."})",
     errc::provider_unreachable},
    {"okta", "Refresh access tokens and rotate refresh tokens", 200, in_json,
     R"({"access_token":"eyJhbGciOiJSUzI1NiIs","token_type":"Bearer","expires_in":3600,"scope":"offline_access openid","refresh_token":"a9VpZDRCeFh3Nkk2VdYa","id_token":"eyJhbGciOiJS"})",
     std::nullopt, "a9VpZDRCeFh3Nkk2VdYa", 3600},
    {"okta", "the same, reuse of a rotated token", 400, in_json,
     R"({"error":"invalid_grant","error_description":"The refresh token is invalid or expired."})",
     errc::provider_sign_in_needed},
    {"okta", "rate limits", 429, in_json,
     R"({"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests."})",
     errc::provider_unreachable},
    {"auth0", "Use refresh tokens", 200, in_json,
     R"({"access_token":"eyJz93a","expires_in":86400,"scope":"openid offline_access","id_token":"eyJ","token_type":"Bearer"})",
     std::nullopt, "", 86400},
    {"auth0", "Refresh token rotation, automatic reuse detection", 403, in_json,
     R"({"error":"invalid_grant","error_description":"Unknown or invalid refresh token."})",
     errc::provider_sign_in_needed},
    {"auth0", "Actions, access denied", 403, in_json,
     R"({"error":"access_denied","error_description":"blocked"})", errc::provider_sign_in_needed},
    {"github", "Refreshing user access tokens of a GitHub App", 200, in_json,
     R"({"access_token":"ghu_16C7e42F292c6912E7710c838347Ae178B4a","expires_in":28800,"refresh_token":"ghr_1B4a2e77838347a7E420ce178F2E7c6912E169246c34E1ccbF66C46812d16D5B1A9Dc86A1498","refresh_token_expires_in":15811200,"scope":"","token_type":"bearer"})",
     std::nullopt, "ghr_1B4a2e77838347a7E420ce178F2E7c6912E169246c34E1ccbF66C46812d16D5B1A9Dc86A1498", 28800},
    {"github", "the same, the form-encoded answer", 200, "application/x-www-form-urlencoded; charset=utf-8",
     "access_token=ghu_1&expires_in=28800&refresh_token=ghr_2&scope=&token_type=bearer", std::nullopt,
     "ghr_2", 28800},
    {"github", "Troubleshooting, bad_refresh_token", 200, in_json,
     R"({"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."})",
     errc::provider_sign_in_needed},
    {"github", "Troubleshooting, incorrect client credentials", 200, in_json,
     R"({"error":"incorrect_client_credentials","error_description":"The client_id and/or client_secret passed are incorrect."})",
     errc::provider_refused},
    {"github", "an OAuth App has no such grant", 200, in_json,
     R"({"error":"unsupported_grant_type","error_description":"The grant_type must be authorization_code."})",
     errc::provider_refused},
    {"keycloak", "server administration, refresh", 200, in_json,
     R"({"access_token":"eyJ","expires_in":300,"refresh_expires_in":1800,"refresh_token":"eyJr","token_type":"Bearer","not-before-policy":0,"session_state":"a","scope":"openid"})",
     std::nullopt, "eyJr", 300},
    {"keycloak", "the session has ended", 400, in_json,
     R"({"error":"invalid_grant","error_description":"Session not active"})", errc::provider_sign_in_needed},
    {"keycloak", "the token has expired", 400, in_json,
     R"({"error":"invalid_grant","error_description":"Token is not active"})", errc::provider_sign_in_needed},
    {"any", "RFC 6749 section 5.2", 400, in_json, R"({"error":"invalid_request"})", errc::provider_refused},
    {"any", "a page of a proxy before it", 200, "text/html", "<html>sign in to the network</html>",
     errc::provider_token_invalid},
    {"any", "a page of a proxy before it", 403, "text/html", "<html>blocked</html>", errc::provider_refused},
    {"any", "a page of a proxy before it", 502, "text/html", "<html>bad gateway</html>",
     errc::provider_unreachable},
    {"any", "RFC 9449: what is no Bearer token cannot be passed on", 200, in_json,
     R"({"access_token":"x","token_type":"DPoP","expires_in":60})", errc::provider_token_invalid},
    {"any", "a token that would end the header", 200, in_json,
     R"({"access_token":"x\r\nX-User-Id: root","token_type":"Bearer"})", errc::provider_token_invalid},
};

TEST(TokenRefresh, ReadsWhatProvidersDocument) {
  for (const auto& a : answers) {
    SCOPED_TRACE(std::string(a.provider) + ": " + a.source + ": " + a.body);
    auto got = process_refresh_answer({a.status, {{"Content-Type", a.type}}, a.body});
    ASSERT_EQ(got.has_value(), !a.fails);
    if (!got) {
      EXPECT_EQ(got.error().code, *a.fails);
      continue;
    }
    EXPECT_FALSE(got->access_token.empty());
    EXPECT_EQ(got->refresh_token.reveal(), a.refresh_token);
    EXPECT_EQ(got->expires_in, seconds(a.expires_in));
  }
}

TEST(TokenRefresh, ALifetimeOfNothingIsNone) {
  for (const char* written : {"0", "-1", "\"0\""}) {
    auto body = R"({"access_token":"a","token_type":"Bearer","expires_in":)" + std::string(written) + "}";
    auto got = process_refresh_answer({200, {{"Content-Type", in_json}}, body});
    ASSERT_TRUE(got) << written;
    EXPECT_FALSE(got->expires_in) << written;
  }
}

TEST(TokenRefresh, KeepsTheProvidersOwnWordsForTheLog) {
  auto got =
      process_refresh_answer({400,
                              {{"Content-Type", in_json}},
                              R"({"error":"invalid_grant","error_description":"AADSTS50173:\nrevoked"})"});
  EXPECT_EQ(got.error().detail, "invalid_grant: AADSTS50173: revoked");
}

TEST(TokenRefresh, ASuccessQuotesNoTokenWhenItFails) {
  auto got = process_refresh_answer(
      {400, {{"Content-Type", in_json}}, R"({"refresh_token":"very secret","access_token":"secret too"})"});
  EXPECT_THAT(got.error().detail, testing::Not(HasSubstr("secret")));
}

TEST(TokenRefresh, IsAskedForAsTheProviderAuthenticatesClients) {
  provider_metadata p;
  p.token_endpoint = "https://idp.example.com/token";
  token_refresh ask{"client id", secret("s&cret"), secret("r=1")};
  auto call = token_refresh_request(p, ask);
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.url, "https://idp.example.com/token");
  EXPECT_EQ(call.body, "grant_type=refresh_token&refresh_token=r%3D1");
  EXPECT_EQ(call.fields.count("authorization"), 1u);

  p.token_endpoint_auth_methods = {"client_secret_post"};
  auto body = *form::parse(token_refresh_request(p, ask).body);
  EXPECT_EQ(body.find("client_id"), "client id");
  EXPECT_EQ(body.find("client_secret"), "s&cret");

  ask.client_secret = secret();
  body = *form::parse(token_refresh_request(p, ask).body);
  EXPECT_EQ(body.find("client_id"), "client id");
  EXPECT_FALSE(body.find("client_secret"));
}

}  // namespace
}  // namespace mcp_oauth
