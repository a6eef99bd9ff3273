#include "guard/issuer_metadata.h"

#include "guard/test_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace test_world;

TEST(IssuerMetadata, IsLookedForWhereTheStandardsPutIt) {
  EXPECT_THAT(metadata_urls("https://idp.example.com"),
              ElementsAre("https://idp.example.com/.well-known/openid-configuration",
                          "https://idp.example.com/.well-known/oauth-authorization-server"));
  EXPECT_EQ(metadata_urls("https://idp.example.com/"), metadata_urls("https://idp.example.com"));
  EXPECT_THAT(metadata_urls("https://idp.example.com/realms/a/"),
              ElementsAre("https://idp.example.com/realms/a/.well-known/openid-configuration",
                          "https://idp.example.com/.well-known/oauth-authorization-server/realms/a",
                          "https://idp.example.com/.well-known/openid-configuration/realms/a"));
  EXPECT_EQ(metadata_request("https://a.example/m").fields.first("accept"), "application/json");
}

TEST(IssuerMetadata, GivesTheEndpoints) {
  auto found = process_metadata_answer(test_issuer::rules(), metadata_url, json_answer(metadata_document()));
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->issuer, issuer_url);
  EXPECT_EQ(found->jwks_uri, keys_url);
  EXPECT_EQ(found->introspection_endpoint, introspection_url);
  EXPECT_EQ(found->document, metadata_document());
  EXPECT_TRUE(process_metadata_answer(test_issuer::rules(), metadata_url,
                                      json_answer(R"({"issuer":"https://idp.example.com"})")));
}

TEST(IssuerMetadata, ThatIsNoneIsToldInWords) {
  struct row {
    http_answer answer;
    errc code;
    const char* words;
  };
  auto doc = [](const std::string& members) {
    return json_answer(R"({"issuer":"https://idp.example.com",)" + members + "}");
  };
  for (const auto& [answer, code, words] : {
           row{{500, {}, ""}, errc::issuer_unreachable, "status 500"},
           row{{429, {}, ""}, errc::issuer_unreachable, "status 429"},
           row{{404, {}, "<html>"}, errc::issuer_metadata_invalid, "status 404"},
           row{{301, {{"Location", "https://www.example.com/"}}, ""},
               errc::issuer_metadata_invalid,
               "a redirect to 'https://www.example.com/'"},
           row{json_answer("\r\n <!DOCTYPE html>"), errc::issuer_metadata_invalid, "a web page"},
           row{json_answer(""), errc::issuer_metadata_invalid, "an empty answer"},
           row{json_answer("[]"), errc::issuer_metadata_invalid, "no JSON object"},
           row{json_answer("{"), errc::issuer_metadata_invalid, "no JSON object"},
           row{json_answer("{}"), errc::issuer_metadata_invalid, "without `issuer`"},
           row{json_answer(R"({"issuer":7})"), errc::issuer_metadata_invalid, "without `issuer`"},
           row{json_answer(metadata_document(issuer_url + "/")), errc::issuer_metadata_invalid,
               "configure 'https://idp.example.com/'"},
           row{json_answer(metadata_document("https://IDP.example.com")), errc::issuer_metadata_invalid,
               "case"},
           row{json_answer(metadata_document("https://evil.example")), errc::issuer_metadata_invalid,
               "evil.example"},
           row{doc(R"("jwks_uri":7)"), errc::issuer_metadata_invalid, "jwks_uri is no string"},
           row{doc(R"("jwks_uri":"http://idp.example.com/keys")"), errc::issuer_metadata_invalid,
               "not https"},
           row{doc(R"("jwks_uri":"https://127.0.0.1/keys")"), errc::issuer_metadata_invalid, "inside"},
           row{doc(R"("jwks_uri":"https://169.254.169.254/latest")"), errc::issuer_metadata_invalid,
               "inside"},
           row{doc(R"("jwks_uri":"https://[::1]/keys")"), errc::issuer_metadata_invalid, "inside"},
           row{doc(R"("jwks_uri":"https://2130706433/keys")"), errc::issuer_metadata_invalid, "inside"},
           row{doc(R"("jwks_uri":"https://[64:ff9b::7f00:1]/keys")"), errc::issuer_metadata_invalid,
               "inside"},
           row{doc(R"("jwks_uri":"file:///etc/passwd")"), errc::issuer_metadata_invalid, "jwks_uri"},
           row{doc(R"("jwks_uri":"https://idp.example.com/keys#a")"), errc::issuer_metadata_invalid,
               "jwks_uri"},
           row{doc(R"("introspection_endpoint":"http://10.0.0.1/")"), errc::issuer_metadata_invalid,
               "introspection_endpoint"},
       }) {
    auto found = process_metadata_answer(test_issuer::rules(), metadata_url, answer);
    ASSERT_FALSE(found) << words;
    EXPECT_EQ(static_cast<int>(found.error().code), static_cast<int>(code)) << words;
    EXPECT_THAT(found.error().detail, HasSubstr(words));
    EXPECT_THAT(found.error().detail, HasSubstr(metadata_url));
  }
}

TEST(IssuerMetadata, OfAnIssuerInsideMayLeadInsideAndOverPlainHttpToItself) {
  auto rules = test_issuer::rules();
  rules.issuer = "http://keycloak:8080/realms/a";
  auto found = [&](const std::string& jwks_uri) {
    return process_metadata_answer(
               rules, rules.issuer + "/.well-known/openid-configuration",
               json_answer(R"({"issuer":"http://keycloak:8080/realms/a","jwks_uri":")" + jwks_uri + "\"}"))
        .has_value();
  };
  EXPECT_TRUE(found("http://keycloak:8080/realms/a/certs"));
  EXPECT_FALSE(found("http://keycloak:8081/realms/a/certs"));
  EXPECT_FALSE(found("http://other:8080/certs"));
  EXPECT_TRUE(found("https://keys.example.com/certs"));
  rules.issuer = "http://127.0.0.1:9000";
  EXPECT_TRUE(process_metadata_answer(
      rules, rules.issuer + "/x",
      json_answer(R"({"issuer":"http://127.0.0.1:9000","jwks_uri":"http://127.0.0.1:9000/k"})")));
}

TEST(IssuerMetadata, OfManyDirectoriesStatesTheTemplate) {
  auto rules = test_issuer::rules();
  rules.issuer = "https://login.microsoftonline.com/{tenantid}/v2.0";
  auto found = process_metadata_answer(
      rules, "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
      json_answer(R"({"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0",
                                       "jwks_uri":"https://login.microsoftonline.com/common/discovery/v2.0/keys"})"));
  ASSERT_TRUE(found) << found.error().detail;
}

TEST(IssuerKeySet, ThatIsNoneIsToldInWords) {
  for (auto [answer, words] : {std::pair{http_answer{503, {}, ""}, "status 503"},
                               {http_answer{302, {}, ""}, "redirect"},
                               {json_answer("<html>"), "a web page"},
                               {json_answer("{}"), "without keys"},
                               {json_answer(R"({"keys":[]})"), "without a key"},
                               {json_answer(R"({"keys":[{"kty":"oct","k":"c2VjcmV0"}]})"), "without a key"},
                               {json_answer("[]"), "JWK Set"}}) {
    auto keys = process_keys_answer(keys_url, answer);
    ASSERT_FALSE(keys) << words;
    EXPECT_EQ(keys.error().code, errc::issuer_keys_unavailable);
    EXPECT_THAT(keys.error().detail, HasSubstr(words));
    EXPECT_THAT(keys.error().detail, HasSubstr(keys_url));
  }
  EXPECT_EQ(process_keys_answer(keys_url, json_answer(test_issuer::jwks()))->size(), 1u);
}

TEST(TimeToKeep, IsWhatTheIssuerSaysWithinReason) {
  auto time = [](const char* header) { return time_to_keep({200, {{"Cache-Control", header}}, ""}).count(); };
  EXPECT_EQ(time_to_keep({200, {}, ""}).count(), 3600);
  EXPECT_EQ(time("public, max-age=7200"), 7200);
  EXPECT_EQ(time("max-age=1"), 300);
  EXPECT_EQ(time("max-age=99999999999999999999"), 3600);
  EXPECT_EQ(time("max-age=9999999999"), 24 * 3600);
  EXPECT_EQ(time("max-age=-1"), 3600);
  EXPECT_EQ(time("No-Store"), 300);
  EXPECT_EQ(time("no-cache, max-age=7200"), 300);
}

}  // namespace
}  // namespace mcp_oauth
