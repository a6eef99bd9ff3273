#include "oauth/near_miss.h"

#include "base/base64url.h"
#include "oauth/test_issuer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

TEST(NearMiss, SaysHowTwoIssuersDiffer) {
  struct row {
    const char *seen, *expected, *words;
  };
  for (auto [seen, expected, words] : {
           row{"https://idp.example.com/", "https://idp.example.com", "configure 'https://idp.example.com/'"},
           row{"https://idp.example.com", "https://idp.example.com/", "configure 'https://idp.example.com'"},
           row{"https://IDP.example.com", "https://idp.example.com", "upper and lower case"},
           row{"http://idp.example.com", "https://idp.example.com", "http and https"},
           row{"http://idp.example.com/", "https://idp.example.com", "scheme, case or the slash"},
           row{"https://idp.example.com", "https://idp.example.com ", "configured one has blanks"},
           row{"https://idp.example.com\n", "https://idp.example.com", "it has blanks"},
           row{"https://idp.example.com:443/a", "https://idp.example.com/a", "usual port"},
           row{"https://idp.example.com:8443/a", "https://idp.example.com/a", "the port only"},
           row{"https://idp.example.com/realms/b", "https://idp.example.com/realms/a", "another realm"},
           row{"https://idp.example.com/oauth2/default", "https://idp.example.com", "cut short"},
           row{"https://idp.example.com", "https://idp.example.com/oauth2/default", "longer path"},
           row{"http://keycloak:8080/realms/a", "http://localhost:8080/realms/a",
               "inside and outside of a container"},
           row{"https://sts.windows.net/11111111-1111-1111-1111-111111111111/",
               "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0",
               "requestedAccessTokenVersion"},
           row{"https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0",
               "https://sts.windows.net/11111111-1111-1111-1111-111111111111/", "it is of Entra's version 2"},
           row{"https://login.microsoftonline.com/22222222-1111-1111-1111-111111111111/v2.0",
               "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0",
               "another directory"},
           row{"https://sts.windows.net/22222222-1111-1111-1111-111111111111/",
               "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0",
               "another directory"},
       }) {
    EXPECT_THAT(how_issuers_differ(seen, expected), HasSubstr(words)) << seen << " against " << expected;
  }
}

// Advice that an operator follows must not be made by whoever wrote a token.
TEST(NearMiss, AdvisesToConfigureNothingThatAStrangerChose) {
  for (auto seen :
       {"https://idp.example.com/evil", "https://evil.example/", "https://idp.example.com/../evil/",
        "https://login.microsoftonline.com/22222222-1111-1111-1111-111111111111/v2.0"}) {
    for (auto expected : {"https://idp.example.com", "https://idp.example.com/a",
                          "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0"}) {
      EXPECT_THAT(how_issuers_differ(seen, expected), testing::Not(HasSubstr("configure '"))) << seen;
    }
  }
}

TEST(NearMiss, SeesNothingWhereNothingIsNear) {
  EXPECT_EQ(how_issuers_differ("https://a.example", "https://a.example"), "");
  EXPECT_EQ(how_issuers_differ("https://a.example", "https://b.example"), "");
  EXPECT_EQ(how_issuers_differ("", "https://b.example"), "");
  EXPECT_EQ(how_issuers_differ("opaque", "https://b.example/x"), "");
}

TEST(NearMiss, SaysHowAudiencesDiffer) {
  struct row {
    std::vector<std::string> seen;
    const char* words;
  };
  std::vector<std::string> accepted = {"https://mcp.example.com/mcp", "11111111-1111-1111-1111-111111111111"};
  for (const auto& [seen, words] : {
           row{{"https://mcp.example.com/mcp/"}, "slash at its end"},
           row{{"x", "https://MCP.example.com/mcp"}, "upper and lower case"},
           row{{"https://mcp.example.com"}, "resource set to the accepted URL"},
           row{{"api://11111111-1111-1111-1111-111111111111"}, "api://"},
           row{{"inspector"}, "client's own id"},
           row{{"00000003-0000-0000-c000-000000000000"}, "Microsoft Graph"},
           row{{"https://graph.microsoft.com"}, "Microsoft Graph"},
           row{{"https://tenant.auth0.com/userinfo"}, "userinfo"},
           row{{"account"}, "Keycloak"},
       }) {
    EXPECT_THAT(how_audiences_differ(seen, "inspector", accepted), HasSubstr(words)) << seen.front();
  }
  EXPECT_EQ(how_audiences_differ(std::vector<std::string>{"other"}, "inspector", accepted), "");
  const std::vector<std::string> many = {"https://mcp.example.com/mail", "https://mcp.example.com/files"};
  EXPECT_THAT(how_audiences_differ(std::vector<std::string>{"https://mcp.example.com/files/"}, "", many),
              HasSubstr("slash at its end"))
      << "the nearest of them";
  EXPECT_EQ(how_audiences_differ(std::vector<std::string>{}, "", accepted), "");
}

TEST(NearMiss, SaysHowScopesDiffer) {
  struct row {
    const char *granted, *missing, *words;
  };
  for (auto [granted, missing, words] : {
           row{"tools:Write", "tools:write", "upper and lower case"},
           row{"tools.write", "tools:write", "separators"},
           row{"rs-525da3b4:tools:write", "tools:write", "a prefix more"},
           row{"tools:write", "rs-525da3b4:tools:write", "a prefix less"},
           row{"tools:wrte", "tools:write", "nearly the same"},
           row{"profile", "tools:write", ""},
       }) {
    std::vector<std::string> scopes = {"openid", granted};
    auto said = how_scopes_differ(scopes, missing);
    EXPECT_TRUE(*words ? said.find(words) != std::string::npos : said.empty()) << granted << ": " << said;
  }
}

TEST(TokenShape, IsToldByFormAlone) {
  auto jwt = test_issuer::mint(test_issuer::claims());
  auto header = [](std::string_view text) { return base64url_encode(text); };
  EXPECT_EQ(shape_of(jwt), token_shape::jwt);
  EXPECT_EQ(shape_of(header(R"({"alg":"RSA-OAEP","enc":"A256GCM"})") + ".a.b.c.d"), token_shape::jwe);
  for (std::string_view opaque :
       {"", "2YotnFZFEjr1zCsicMWpAA", "gho_16C7e42F292c6912E7710c838347Ae178B4a", "a.b.c", "ya29.a0AfH6SM",
        "a.b.c.d.e", "...", "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"}) {
    EXPECT_EQ(shape_of(opaque), token_shape::opaque) << opaque;
  }
  for (const auto& broken :
       {jwt.substr(0, 10), jwt.substr(0, jwt.find('.')), jwt.substr(0, jwt.rfind('.')),
        jwt.substr(0, jwt.find('.') + 20), "\"" + jwt + "\"", jwt + "\n", "Bearer " + jwt,
        jwt.substr(0, 30) + " " + jwt.substr(30), jwt + ".x", jwt + ".x.y",
        jwt.substr(0, jwt.find('.')) + "=." + jwt.substr(jwt.find('.') + 1)}) {
    EXPECT_EQ(shape_of(broken), token_shape::broken) << broken;
  }
}

TEST(TokenShape, IsDescribedForPeopleWithoutQuotingTheToken) {
  auto jwt = test_issuer::mint(test_issuer::claims());
  struct row {
    std::string token;
    const char* words;
  };
  for (const auto& [token, words] : {
           row{"", "empty"},
           row{"\"" + jwt + "\"", "quotes"},
           row{"Bearer " + jwt, "stands twice"},
           row{jwt.substr(0, 40) + "\n" + jwt.substr(40), "line breaks"},
           row{"abc%2E", "percent-encoded"},
           row{"gho_secretsecret", "GitHub"},
           row{"ya29.secretsecret", "Google"},
           row{base64url_encode(R"({"alg":"dir","enc":"A256GCM"})") + ".a.b.c.secretsecret", "encrypted"},
           row{jwt.substr(0, jwt.rfind('.')), "cut off"},
           row{jwt + ".x", "too many parts"},
           row{jwt.substr(0, jwt.find('.')) + "=." + jwt.substr(jwt.find('.') + 1),
               "base64 and not in base64url"},
           row{base64url_encode("{\"alg\":\"ES256\",") + ".e30.c2ln", "whose header cannot be read"},
           row{"BasicdXNlcjpwYXNz", "Basic"},
           row{"secretsecretsecret", "an opaque string of 18 characters"},
       }) {
    auto said = what_token_looks_like(token);
    EXPECT_THAT(said, HasSubstr(words));
    EXPECT_THAT(said, testing::Not(HasSubstr("secret")));
  }
}

TEST(HowLong, IsSaidInTheUnitThatPeopleWouldUse) {
  auto now = from_unix(1'000'000);
  EXPECT_EQ(how_long_from(now, now - seconds(31)), "31 s ago");
  EXPECT_EQ(how_long_from(now, now + seconds(119)), "in 119 s");
  EXPECT_EQ(how_long_from(now, now + seconds(600)), "in 10 min");
  EXPECT_EQ(how_long_from(now, now - seconds(3 * 3600)), "3 h ago");
  EXPECT_EQ(how_long_from(now, now - seconds(72 * 3600)), "3 days ago");
}

}  // namespace
}  // namespace mcp_oauth
