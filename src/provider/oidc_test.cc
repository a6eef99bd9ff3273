#include "provider/oidc.h"

#include "base/base64url.h"
#include "base/form.h"
#include "base/json.h"
#include "base/url.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view issuer = "https://idp.example.com";

http_answer json_answer(std::string body, int status = 200) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

// A discovery document with one member replaced; an empty text removes it.
std::string discovery_document(std::string_view name = "x", std::string_view value_json = "") {
  auto document = parse_json_object(R"({
    "issuer": "https://idp.example.com",
    "authorization_endpoint": "https://idp.example.com/authorize",
    "token_endpoint": "https://idp.example.com/token",
    "jwks_uri": "https://idp.example.com/keys",
    "userinfo_endpoint": "https://idp.example.com/userinfo",
    "end_session_endpoint": "https://idp.example.com/logout",
    "response_types_supported": ["code", "id_token"],
    "code_challenge_methods_supported": ["plain", "S256"],
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
    "id_token_signing_alg_values_supported": ["none", "HS256", "XX999", "ES256", "RS256"],
    "authorization_response_iss_parameter_supported": true
  })")
                      .value();
  document.erase({name.data(), name.size()});
  if (!value_json.empty()) document[{name.data(), name.size()}] = parse_json(value_json).value();
  return json::serialize(document);
}

provider_metadata provider() {
  return process_discovery_answer(issuer, json_answer(discovery_document())).value();
}

TEST(OidcDiscovery, AsksBelowTheIssuer) {
  EXPECT_EQ(discovery_request("https://idp.example.com").url,
            "https://idp.example.com/.well-known/openid-configuration");
  EXPECT_EQ(discovery_request("https://idp.example.com/tenant/").url,
            "https://idp.example.com/tenant/.well-known/openid-configuration");
  EXPECT_EQ(discovery_request(issuer).method, "GET");
}

TEST(OidcDiscovery, GivesWhatTheProviderAnnounces) {
  auto found = provider();
  EXPECT_EQ(found.issuer, issuer);
  EXPECT_EQ(found.authorization_endpoint, "https://idp.example.com/authorize");
  EXPECT_EQ(found.token_endpoint, "https://idp.example.com/token");
  EXPECT_EQ(found.jwks_uri, "https://idp.example.com/keys");
  EXPECT_EQ(found.userinfo_endpoint, "https://idp.example.com/userinfo");
  EXPECT_EQ(found.end_session_endpoint, "https://idp.example.com/logout");
  EXPECT_THAT(found.token_endpoint_auth_methods, ElementsAre("client_secret_post"));
  EXPECT_THAT(found.id_token_algorithms, ElementsAre(algorithm::es256, algorithm::rs256));
  EXPECT_TRUE(found.sends_iss);
  EXPECT_EQ(jwks_request(found).url, "https://idp.example.com/keys");
}

TEST(OidcDiscovery, TakesTheDefaultsOfTheStandard) {
  auto found = process_discovery_answer("http://localhost:9000", json_answer(R"({
    "issuer": "http://localhost:9000", "authorization_endpoint": "http://localhost:9000/auth",
    "token_endpoint": "http://127.0.0.1:9000/token", "jwks_uri": "http://[::1]:9000/keys",
    "userinfo_endpoint": "http://elsewhere.example/userinfo"})"));
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_THAT(found->token_endpoint_auth_methods, ElementsAre("client_secret_basic"));
  EXPECT_THAT(found->id_token_algorithms, ElementsAre(algorithm::rs256));
  EXPECT_EQ(found->userinfo_endpoint, "");
  EXPECT_FALSE(found->sends_iss);
}

TEST(OidcDiscovery, WorksWithTheDocumentsOfProvidersInUse) {
  struct row {
    std::string_view issuer, body;
    bool secret_in_body;
  };
  for (auto [name, body, secret_in_body] : {
           row{"https://accounts.google.com",
               R"({"issuer":"https://accounts.google.com",
                   "authorization_endpoint":"https://accounts.google.com/o/oauth2/v2/auth",
                   "token_endpoint":"https://oauth2.googleapis.com/token",
                   "jwks_uri":"https://www.googleapis.com/oauth2/v3/certs",
                   "response_types_supported":["code","token","id_token","none"],
                   "id_token_signing_alg_values_supported":["RS256"],
                   "token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"],
                   "code_challenge_methods_supported":["plain","S256"]})",
               false},
           row{"https://login.microsoftonline.com/9f2c/v2.0",  // says nothing about PKCE
               R"({"issuer":"https://login.microsoftonline.com/9f2c/v2.0",
                   "authorization_endpoint":"https://login.microsoftonline.com/9f2c/oauth2/v2.0/authorize",
                   "token_endpoint":"https://login.microsoftonline.com/9f2c/oauth2/v2.0/token",
                   "jwks_uri":"https://login.microsoftonline.com/9f2c/discovery/v2.0/keys",
                   "response_types_supported":["code","id_token","code id_token","id_token token"],
                   "id_token_signing_alg_values_supported":["RS256"],"cloud_instance_name":"x","request_uri_parameter_supported":false,
                   "token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt"]})",
               true},
           row{"http://localhost:8081/realms/dev",
               R"({"issuer":"http://localhost:8081/realms/dev",
                   "authorization_endpoint":"http://localhost:8081/realms/dev/protocol/openid-connect/auth",
                   "token_endpoint":"http://localhost:8081/realms/dev/protocol/openid-connect/token",
                   "jwks_uri":"http://localhost:8081/realms/dev/protocol/openid-connect/certs",
                   "response_types_supported":["code","none"],"authorization_response_iss_parameter_supported":true,
                   "id_token_signing_alg_values_supported":["PS384","RS384","EdDSA","ES384","HS256","HS512","ES256"],
                   "token_endpoint_auth_methods_supported":["private_key_jwt","client_secret_basic","client_secret_post"],
                   "code_challenge_methods_supported":["plain","S256"]})",
               false},
       }) {
    auto found = process_discovery_answer(name, json_answer(std::string(body)));
    ASSERT_TRUE(found) << name << ": " << found.error().detail;
    code_exchange exchange{"id", secret("s"), "c", "https://mcp.example.com/auth/callback", secret("v")};
    EXPECT_NE(code_exchange_request(*found, exchange).fields.only("authorization").has_value(),
              secret_in_body)
        << name;
  }
}

TEST(OidcDiscovery, HoldsTheDocumentToItsIssuerByteForByte) {
  for (auto stated :
       {R"("https://idp.example.com/")", R"("https://IDP.example.com")", R"("http://idp.example.com")",
        R"("https://idp.example.com:443")", R"("https://login.example/{tenantid}/v2.0")", R"("")"}) {
    auto found = process_discovery_answer(issuer, json_answer(discovery_document("issuer", stated)));
    ASSERT_FALSE(found) << stated;
    EXPECT_EQ(found.error().code, errc::provider_issuer_mismatch) << stated;
    bool by_a_slash = std::string_view(stated) == R"("https://idp.example.com/")";
    EXPECT_EQ(found.error().detail.ends_with(": write issuer: https://idp.example.com/"), by_a_slash)
        << found.error().detail;
    EXPECT_THAT(found.error().detail, HasSubstr("configured is 'https://idp.example.com'"));
  }
}

TEST(OidcDiscovery, RefusesADocumentThatCannotWork) {
  struct row {
    std::string_view name, value;
  };
  for (auto [name, value] : {
           row{"issuer", ""},
           row{"issuer", "7"},
           row{"authorization_endpoint", ""},
           row{"token_endpoint", ""},
           row{"jwks_uri", ""},
           row{"authorization_endpoint", R"("http://idp.example.com/authorize")"},
           row{"authorization_endpoint", R"("javascript:alert")"},
           row{"authorization_endpoint", R"("/authorize")"},
           row{"authorization_endpoint", R"("https://idp.example.com/authorize#x")"},
           row{"token_endpoint", R"("http://127.0.0.1.evil.example/token")"},
           row{"token_endpoint", R"("https://user@idp.example.com/token")"},
           row{"token_endpoint", "[]"},
           row{"jwks_uri", R"("file:///etc/passwd")"},
           row{"jwks_uri", R"("")"},
           row{"response_types_supported", R"(["id_token"])"},
           row{"response_types_supported", R"("code")"},
           row{"code_challenge_methods_supported", R"(["plain"])"},
           row{"code_challenge_methods_supported", R"([])"},
           row{"code_challenge_methods_supported", R"(["s256"])"},
           row{"token_endpoint_auth_methods_supported", R"("client_secret_post")"},
           row{"id_token_signing_alg_values_supported", R"(["HS256","none"])"},
           row{"id_token_signing_alg_values_supported", R"([])"},
           row{"authorization_response_iss_parameter_supported", R"("true")"},
       }) {
    auto found = process_discovery_answer(issuer, json_answer(discovery_document(name, value)));
    ASSERT_FALSE(found) << name << " " << value;
    EXPECT_EQ(found.error().code, errc::provider_metadata_invalid) << name << " " << value;
    auto about = name == "issuer" ? std::string_view("no issuer") : name;
    EXPECT_THAT(found.error().detail, HasSubstr(about));
  }
  for (auto body : {"", "[]", "<html>", "{\"issuer\":\"a\",\"issuer\":\"b\"}"}) {
    EXPECT_EQ(process_discovery_answer(issuer, json_answer(body)).error().code,
              errc::provider_metadata_invalid);
  }
  for (int status : {0, 201, 301, 302, 404, 500}) {
    auto found = process_discovery_answer(issuer, json_answer(discovery_document(), status));
    ASSERT_FALSE(found) << status;
    EXPECT_EQ(found.error().code, errc::provider_unreachable) << status;
  }
}

TEST(OidcKeys, AreReadFromTheAnswer) {
  auto set = key_set::of({signing_key::generate_es256().public_part()});
  auto keys = process_jwks_answer(json_answer(json::serialize(set.to_json())));
  ASSERT_TRUE(keys) << keys.error().detail;
  EXPECT_EQ(keys->size(), 1U);
  EXPECT_EQ(process_jwks_answer(json_answer("{}", 404)).error().code, errc::provider_unreachable);
  for (auto body : {"", "{}", "[]", R"({"keys":[]})", R"({"keys":[{"kty":"oct","k":"c2VjcmV0"}]})"}) {
    auto none = process_jwks_answer(json_answer(body));
    ASSERT_FALSE(none) << body;
    EXPECT_EQ(none.error().code, errc::provider_metadata_invalid) << body;
  }
}

sign_in_request request() {
  return {.client_id = "mcp gateway&",
          .redirect_uri = "https://mcp.example.com/auth/callback",
          .scopes = {"email", "profile"},
          .prompt = "",
          .state = "st",
          .nonce = "no",
          .code_challenge = "ch"};
}

TEST(OidcAuthorizationUrl, HoldsEveryParameterOnce) {
  auto parsed = url::parse(authorization_url(provider(), request()));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->origin() + parsed->path, "https://idp.example.com/authorize");
  auto query = form::parse(parsed->query);
  ASSERT_TRUE(query);
  std::vector<std::pair<std::string, std::string>> pairs(query->begin(), query->end());
  EXPECT_THAT(pairs, testing::UnorderedElementsAre(
                         testing::Pair("response_type", "code"), testing::Pair("client_id", "mcp gateway&"),
                         testing::Pair("redirect_uri", "https://mcp.example.com/auth/callback"),
                         testing::Pair("scope", "openid email profile"), testing::Pair("state", "st"),
                         testing::Pair("nonce", "no"), testing::Pair("code_challenge", "ch"),
                         testing::Pair("code_challenge_method", "S256")));
}

TEST(OidcAuthorizationUrl, KeepsTheQueryOfTheEndpointAndThePrompt) {
  auto idp = provider();
  idp.authorization_endpoint += "?p=policy";
  auto asked = request();
  asked.prompt = "select_account";
  asked.scopes = {"profile", "openid"};
  auto query = form::parse(url::parse(authorization_url(idp, asked))->query);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->find("p"), "policy");
  EXPECT_EQ(query->find("prompt"), "select_account");
  EXPECT_EQ(query->find("scope"), "profile openid");
  EXPECT_EQ(query->find("response_type"), "code");
}

TEST(OidcCallbackIss, MustBeTheIssuerWhereItIsAndBeThereWhereItIsAnnounced) {
  auto announced = provider();
  auto silent = provider();
  silent.sends_iss = false;
  EXPECT_TRUE(check_callback_iss(announced, issuer));
  EXPECT_TRUE(check_callback_iss(silent, issuer));
  EXPECT_TRUE(check_callback_iss(silent, std::nullopt));
  EXPECT_EQ(check_callback_iss(announced, std::nullopt).error().code, errc::provider_issuer_mismatch);
  for (auto iss : {"", "https://idp.example.com/", "https://IDP.example.com", "https://evil.example",
                   "https%3A%2F%2Fidp.example.com"}) {
    EXPECT_EQ(check_callback_iss(announced, iss).error().code, errc::provider_issuer_mismatch) << iss;
    EXPECT_EQ(check_callback_iss(silent, iss).error().code, errc::provider_issuer_mismatch) << iss;
  }
}

code_exchange exchange(std::string client_secret) {
  return {.client_id = "mcp:gateway",
          .client_secret = secret(std::move(client_secret)),
          .code = "c o+d/e",
          .redirect_uri = "https://mcp.example.com/auth/callback",
          .code_verifier = secret("verifier")};
}

TEST(OidcTokenRequest, ExchangesTheCodeWithItsVerifier) {
  auto call = code_exchange_request(provider(), exchange(""));
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.url, "https://idp.example.com/token");
  EXPECT_EQ(call.fields.only("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(call.fields.only("accept"), "application/json");
  auto body = form::parse(call.body);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->find("grant_type"), "authorization_code");
  EXPECT_EQ(body->find("code"), "c o+d/e");
  EXPECT_EQ(body->find("redirect_uri"), "https://mcp.example.com/auth/callback");
  EXPECT_EQ(body->find("code_verifier"), "verifier");
}

TEST(OidcTokenRequest, AuthenticatesInExactlyOneWay) {
  enum class way { none, basic, post };
  struct row {
    std::string secret;
    std::vector<std::string> methods;
    way expected;
  };
  for (const auto& [client_secret, methods, expected] : {
           row{"", {"client_secret_basic"}, way::none},
           row{"", {"client_secret_post"}, way::none},
           row{"p:w%&ü", {"client_secret_basic"}, way::basic},
           row{"p:w%&ü", {"client_secret_post", "client_secret_basic"}, way::basic},
           row{"p:w%&ü", {"client_secret_post"}, way::post},
           row{"p:w%&ü", {"private_key_jwt"}, way::basic},
           row{"p:w%&ü", {}, way::basic},
       }) {
    auto idp = provider();
    idp.token_endpoint_auth_methods = methods;
    auto call = code_exchange_request(idp, exchange(client_secret));
    auto body = form::parse(call.body).value();
    auto header = call.fields.only("authorization");
    EXPECT_EQ(header.has_value(), expected == way::basic);
    EXPECT_EQ(body.find("client_secret").has_value(), expected == way::post);
    EXPECT_EQ(body.find("client_id").has_value(), expected != way::basic);
    if (expected == way::basic) {
      // RFC 6749 §2.3.1: each part form-encoded, so that its ':' is not the one between them.
      EXPECT_EQ(header, "Basic " + base64_encode("mcp%3Agateway:p%3Aw%25%26%C3%BC"));
    }
    if (expected == way::post) {
      EXPECT_EQ(body.find("client_secret"), client_secret);
    }
    if (expected != way::basic) {
      EXPECT_EQ(body.find("client_id"), "mcp:gateway");
    }
  }
}

TEST(OidcTokenAnswer, GivesTheTokens) {
  auto tokens = process_token_answer(json_answer(
      R"({"id_token":"i","access_token":"a","refresh_token":"r","expires_in":3599,"scope":"openid","token_type":"Bearer"})"));
  ASSERT_TRUE(tokens) << tokens.error().detail;
  EXPECT_EQ(tokens->id_token.reveal(), "i");
  EXPECT_EQ(tokens->access_token.reveal(), "a");
  EXPECT_EQ(tokens->refresh_token.reveal(), "r");
  EXPECT_EQ(tokens->expires_in, seconds(3599));
  EXPECT_EQ(tokens->scope, "openid");
}

TEST(OidcTokenAnswer, LeavesOutAnAccessTokenThatCannotBeSentAsBearer) {
  struct row {
    std::string_view members;
    std::string_view expected;
  };
  for (auto [members, expected] : {
           row{R"("access_token":"a.b-c~d+e/f==","token_type":"bearer")", "a.b-c~d+e/f=="},
           row{R"("access_token":"a")", "a"},  // some leave the type out
           row{R"("access_token":"a","token_type":"DPoP")", ""},
           row{R"("access_token":"a","token_type":"")", ""},
           row{R"("access_token":"a","token_type":7)", ""},
           row{R"("access_token":"a\r\nX-Other: b","token_type":"Bearer")", ""},
           row{R"("access_token":"a\u0000","token_type":"Bearer")", ""},
           row{R"("access_token":"a\u007f","token_type":"Bearer")", ""},
           row{R"("access_token":"\u00e9","token_type":"Bearer")", ""},
           row{R"("access_token":7,"token_type":"Bearer")", ""},
           row{R"("token_type":"Bearer")", ""},
       }) {
    auto tokens = process_token_answer(json_answer(R"({"id_token":"i",)" + std::string(members) + "}"));
    ASSERT_TRUE(tokens) << members;
    EXPECT_EQ(tokens->access_token.reveal(), expected) << members;
  }
}

TEST(OidcTokenAnswer, DoesNotTrustTheLifetime) {
  struct row {
    std::string_view value;
    std::optional<seconds> expected;
  };
  for (auto [value, expected] :
       {row{"\"3599\"", seconds(3599)}, row{"-5", std::nullopt}, row{"0", std::nullopt},
        row{"9223372036854775807", seconds(315360000)}, row{"\"99999999999\"", seconds(315360000)},
        row{"\"soon\"", std::nullopt}, row{"null", std::nullopt}, row{"[1]", std::nullopt}}) {
    auto tokens =
        process_token_answer(json_answer(R"({"id_token":"i","expires_in":)" + std::string(value) + "}"));
    ASSERT_TRUE(tokens) << value;
    EXPECT_EQ(tokens->expires_in, expected) << value;
  }
}

TEST(OidcTokenAnswer, GivesTheProvidersOwnWordsWhenItRefuses) {
  struct row {
    int status;
    std::string_view body;
    errc code;
    std::string_view detail;
  };
  for (auto [status, body, code, detail] : {
           row{400, R"({"error":"invalid_grant","error_description":"AADSTS70008: expired"})",
               errc::provider_refused, "invalid_grant: AADSTS70008: expired"},
           row{401, R"({"error":"invalid_client"})", errc::provider_refused, "invalid_client"},
           row{200, R"({"error":"bad_verification_code","id_token":"i"})", errc::provider_refused,
               "bad_verification_code"},
           row{400, R"({"error":"a\r\nb","error_description":"c\u0000d"})", errc::provider_refused,
               "a  b: c d"},
           row{400, R"({"error":{"code":1}})", errc::provider_refused, "status 400"},
           row{403, "<html>", errc::provider_refused, "status 403"},
           row{302, "", errc::provider_refused, "status 302"},
           row{429, R"({"error":"slow_down"})", errc::provider_unreachable,
               "status 429 from the token endpoint"},
           row{503, "", errc::provider_unreachable, "status 503 from the token endpoint"},
           row{200, "<html>", errc::provider_token_invalid, "the token answer is no JSON object"},
           row{200, R"({"access_token":"a"})", errc::provider_token_invalid,
               "no id_token in the token answer"},
           row{200, R"({"id_token":7})", errc::provider_token_invalid, "no id_token in the token answer"},
       }) {
    auto tokens = process_token_answer(json_answer(std::string(body), status));
    ASSERT_FALSE(tokens) << body;
    EXPECT_EQ(tokens.error().code, code) << body;
    EXPECT_EQ(tokens.error().detail, detail) << body;
  }
  auto lengthy = process_token_answer(json_answer(R"({"error":")" + std::string(5000, 'x') + "\"}", 400));
  EXPECT_EQ(lengthy.error().detail.size(), 300U);
}

TEST(OidcTokenAnswer, RepeatsNoSecretThatTheProviderRepeats) {
  std::array<std::string_view, 3> sent = {"the code+of the provider", "s3cret-of-ours", "short"};
  std::string body = R"({"error":"invalid_grant","error_description":"code the code+of the provider, )"
                     R"(the%20code%2Bof%20the%20provider with s3cret-of-ours is too short )" +
                     std::string(220, 'x') + R"( s3cret-of-ours"})";
  auto refused = process_token_answer(json_answer(body, 400), sign_in_protocol::openid, sent);
  EXPECT_THAT(refused.error().detail,
              testing::StartsWith("invalid_grant: code ***, *** with *** is too short xxx"));
  EXPECT_THAT(refused.error().detail, testing::Not(HasSubstr("s3c")))
      << "nor the half of one, where it is cut";
  auto refresh = process_refresh_answer(json_answer(body, 400), sent);
  EXPECT_EQ(refresh.error().detail, refused.error().detail);
}

}  // namespace
}  // namespace mcp_oauth
