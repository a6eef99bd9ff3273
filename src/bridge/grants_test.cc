#include "base/base64url.h"
#include "bridge/registration.h"
#include "bridge/sign_in_fixture.h"
#include "bridge/token_requests.h"
#include "jose/jws.h"
#include "oauth/dpop.h"

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Refresh, ComesFirstAndWithoutDiscovery) {
  sign_in_run run;
  run.kept.keep(client_kept());
  run.kept.tokens = tokens_kept();
  run.kept.tokens->granted = "tools:read more";
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_THAT(run.asked(), ElementsAre("POST https://as.example/token"));
  auto sent = run.sent_to("https://as.example/token");
  EXPECT_EQ(value_of(sent, "refresh_token"), "refresh-0");
  EXPECT_EQ(value_of(sent, "client_id"), "client-0");
  EXPECT_EQ(value_of(sent, "scope"), "tools:read more");
  EXPECT_EQ(value_of(sent, "resource"), "https://mcp.example/mcp");
  EXPECT_EQ(kept->tokens->refresh_token.reveal(), "refresh-1");
  EXPECT_EQ(kept->tokens->access_token.reveal(), "access-1");
}

TEST(Refresh, AnAnswerWithoutANewTokenLeavesTheOldOneGood) {
  sign_in_run run;
  run.kept.keep(client_kept());
  run.kept.tokens = tokens_kept();
  run.tokens(R"({"access_token":"access-1"})");
  auto kept = run.run();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->tokens->refresh_token.reveal(), "refresh-0");
}

TEST(Refresh, ARevokedTokenLeadsToTheSignIn) {
  sign_in_run run;
  run.kept.keep(client_kept());
  run.kept.tokens = tokens_kept();
  run.urls["https://as.example/token"] = [](const http_call& call) {
    if (call.body.find("grant_type=refresh_token") != std::string::npos)
      return json_answer(400, R"({"error":"invalid_grant"})");
    return json_answer(200, R"({"access_token":"access-2","refresh_token":"refresh-2"})");
  };
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(run.visited.size(), 1U);
  EXPECT_EQ(kept->tokens->refresh_token.reveal(), "refresh-2");
}

// The MCP server names the authorization server, and may name another one tomorrow.
TEST(Refresh, AConfiguredRefreshTokenStaysWithWhoeverHadItFirst) {
  auto moved = [] {
    sign_in_run run;
    run.settings.sign_in.refresh_token = secret("configured");
    run.settings.sign_in.client_metadata_url = "https://client.example/metadata.json";
    run.document("https://as.example/.well-known/oauth-authorization-server",
                 sign_in_run::metadata(R"(,"client_id_metadata_document_supported":true)"));
    run.kept.tokens = tokens_kept();
    run.kept.tokens->issuer = "https://before.example";
    run.kept.tokens->token_endpoint = "https://before.example/token";
    run.purpose.challenged = true;
    return run;
  };
  for (auto grant : {bridge_grant::authorization_code, bridge_grant::device_code}) {
    auto run = moved();
    run.settings.sign_in.grant = grant;
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, errc::sign_in_issuer_mismatch);
    EXPECT_THAT(kept.error().detail, HasSubstr("https://before.example"));
    EXPECT_THAT(kept.error().detail, HasSubstr("https://as.example now"));
    for (const auto& call : run.calls) EXPECT_EQ(call.method, "GET") << call.url;
    EXPECT_TRUE(run.visited.empty());
  }
  // Who says whose it is has said so.
  for (bool by_issuer : {true, false}) {
    auto run = moved();
    auto& in = run.settings.sign_in;
    (by_issuer ? in.issuer : in.token_url) = by_issuer ? "https://as.example" : "https://as.example/token";
    auto kept = run.run();
    ASSERT_TRUE(kept) << kept.error().detail;
    EXPECT_EQ(value_of(run.sent_to("https://as.example/token"), "refresh_token"), "configured");
  }
  auto first = moved();
  first.kept.tokens.reset();
  ASSERT_TRUE(first.run());
  EXPECT_EQ(value_of(first.sent_to("https://as.example/token"), "refresh_token"), "configured");
}

TEST(Refresh, AConfiguredRefreshTokenIsNotKeptAsThatOfAnotherIssuer) {
  sign_in_run run;
  run.settings.sign_in.refresh_token = secret("configured");
  run.settings.sign_in.authorization_code = secret("by hand");
  run.settings.sign_in.redirect_uri = "http://127.0.0.1:9/callback";
  run.settings.sign_in.client_metadata_url = "https://client.example/metadata.json";
  run.document("https://as.example/.well-known/oauth-authorization-server",
               sign_in_run::metadata(R"(,"client_id_metadata_document_supported":true)"));
  run.kept.tokens = tokens_kept();
  run.kept.tokens->client_id = run.settings.sign_in.client_metadata_url;
  run.kept.tokens->issuer = "https://before.example";
  run.kept.tokens->token_endpoint = "https://before.example/token";
  run.urls["https://before.example/token"] = [](const http_call&) {
    return json_answer(400, R"({"error":"invalid_grant"})");
  };
  run.tokens(R"({"access_token":"access-1","token_type":"Bearer"})");
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(run.times("POST https://before.example/token"), 1U);
  EXPECT_EQ(kept->tokens->issuer, "https://as.example");
  EXPECT_TRUE(kept->tokens->refresh_token.empty());
}

TEST(Refresh, AServerThatIsAwayEndsNothing) {
  for (int status : {429, 500, 503}) {
    sign_in_run run;
    run.kept.keep(client_kept());
    run.kept.tokens = tokens_kept();
    run.tokens("{}", status);
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, errc::sign_in_token_unreachable) << status;
    EXPECT_TRUE(run.visited.empty());
  }
}

TEST(Refresh, AClientThatIsGoneIsRegisteredAgain) {
  sign_in_run run;
  run.kept.keep(client_kept());
  run.kept.tokens = tokens_kept();
  run.urls["https://as.example/token"] = [](const http_call& call) {
    if (call.body.find("client-0") != std::string::npos)
      return json_answer(401, R"({"error":"invalid_client"})");
    return json_answer(200, R"({"access_token":"access-2"})");
  };
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(run.times("POST https://as.example/register"), 1U);
  EXPECT_EQ(kept->client_of("https://as.example")->client_id, "client-1");
}

TEST(Refresh, GoesByTheMethodOfTheSignIn) {
  for (bool remembered : {true, false}) {
    sign_in_run run;
    run.settings.sign_in.client_id = "by hand";
    run.settings.sign_in.client_secret = secret("s3cret");
    run.document("https://as.example/.well-known/oauth-authorization-server",
                 sign_in_run::metadata(R"(,"token_endpoint_auth_methods_supported":["client_secret_post"])"));
    run.urls["https://as.example/token"] = [](const http_call& call) {
      if (call.body.find("client_secret=s3cret") == std::string::npos)
        return json_answer(401, R"({"error":"invalid_client"})");
      return json_answer(200, R"({"access_token":"access-2","refresh_token":"refresh-2"})");
    };
    run.kept.tokens = tokens_kept();
    run.kept.tokens->client_id = "by hand";
    if (remembered) {
      auto client = client_kept();
      client.client_id = "by hand";
      client.registered = false;
      client.auth = bridge_client_auth::body;
      run.kept.keep(client);
    }
    auto kept = run.run();
    ASSERT_TRUE(kept) << kept.error().detail;
    EXPECT_TRUE(run.visited.empty());
    EXPECT_EQ(kept->tokens->refresh_token.reveal(), "refresh-2");
    // Where it is not remembered, the server's metadata say it before the refresh token is given up.
    EXPECT_EQ(run.times("POST https://as.example/token"), remembered ? 1U : 2U);
    EXPECT_EQ(run.calls.size(), remembered ? 1U : 4U);
  }
  // A client that is not known by any method is not asked about for ever.
  sign_in_run gone;
  gone.settings.sign_in.client_id = "by hand";
  gone.settings.sign_in.client_secret = secret("s3cret");
  gone.settings.sign_in.interactive = false;
  gone.kept.tokens = tokens_kept();
  gone.kept.tokens->client_id = "by hand";
  gone.tokens(R"({"error":"invalid_client"})", 401);
  EXPECT_EQ(gone.run().error().code, errc::sign_in_person_needed);
  EXPECT_EQ(gone.times("POST https://as.example/token"), 2U);
}

TEST(Refresh, ATokenFromTheSettingsIsTriedFirst) {
  sign_in_run run;
  run.settings.sign_in.client_id = "by hand";
  run.settings.sign_in.refresh_token = secret("configured");
  run.tokens(R"({"access_token":"access-1"})");
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(value_of(run.sent_to("https://as.example/token"), "refresh_token"), "configured");
  EXPECT_EQ(kept->tokens->refresh_token.reveal(), "configured");
  EXPECT_TRUE(run.visited.empty());
}

TEST(Refresh, IsAskedAgainWithoutResourceWhereEntraRefusesIt) {
  sign_in_run run;
  run.kept.keep(client_kept());
  run.kept.tokens = tokens_kept();
  run.urls["https://as.example/token"] = [](const http_call& call) {
    if (call.body.find("resource=") != std::string::npos)
      return json_answer(400, R"({"error":"invalid_target","error_description":"AADSTS9010010: no"})");
    return json_answer(200, R"({"access_token":"access-2"})");
  };
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(run.times("POST https://as.example/token"), 2U);
  EXPECT_EQ(kept->tokens->resource, "");  // remembered
}

TEST(Refresh, ATokenOfAnotherClientIsNotUsed) {
  sign_in_run run;
  run.settings.sign_in.client_id = "by hand";
  run.kept.tokens = tokens_kept();
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  for (const auto& call : run.calls) EXPECT_THAT(call.body, ::testing::Not(HasSubstr("refresh-0")));
  EXPECT_EQ(run.visited.size(), 1U);
}

TEST(StepUp, AsksOnceForTheUnion) {
  sign_in_run run;
  run.kept.keep(client_kept());
  run.kept.tokens = tokens_kept();
  run.purpose.challenged = run.purpose.step_up = true;
  run.purpose.demand = read_demand(R"(Bearer error="insufficient_scope", scope="tools:write tools:read")");
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(value_of(run.last_visit(), "scope"), "tools:read tools:write");
  EXPECT_EQ(kept->tokens->scope, "tools:read tools:write");
  EXPECT_EQ(run.times("POST https://as.example/token"), 1U);  // no refresh: it gives no more than there was

  sign_in_run again;
  again.kept = *kept;
  again.purpose = run.purpose;
  auto second = again.run();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, errc::sign_in_scope_in_vain);
  EXPECT_TRUE(again.visited.empty());
}

TEST(ClientCredentials, GoByTheMethodThatTheServerTakes) {
  struct row {
    const char* offered;
    std::optional<bridge_client_auth> wanted;
    bool basic;
  };
  for (const auto& [offered, wanted, basic] :
       {row{R"("client_secret_basic")", std::nullopt, true},
        row{R"("client_secret_post")", std::nullopt, false},
        row{R"("client_secret_post","client_secret_basic")", std::nullopt, true},
        row{R"("client_secret_basic")", bridge_client_auth::body, false}}) {
    sign_in_run run;
    auto& s = run.settings.sign_in;
    s.grant = bridge_grant::client_credentials;
    s.client_id = "machine id";
    s.client_secret = secret("sec:ret+1");
    s.client_auth = wanted;
    run.document(
        "https://as.example/.well-known/oauth-authorization-server",
        sign_in_run::metadata(",\"token_endpoint_auth_methods_supported\":[" + std::string(offered) + "]"));
    ASSERT_TRUE(run.run());
    auto sent = run.sent_to("https://as.example/token");
    auto header = std::string(run.calls.back().fields.first("Authorization"));
    EXPECT_EQ(value_of(sent, "grant_type"), "client_credentials");
    EXPECT_EQ(value_of(sent, "resource"), "https://mcp.example/mcp");
    // One way to authenticate, and no more (RFC 6749 §2.3).
    EXPECT_EQ(header, basic ? "Basic " + base64_encode("machine%20id:sec%3Aret%2B1") : "") << offered;
    EXPECT_EQ(value_of(sent, "client_secret"), basic ? "(absent)" : "sec:ret+1");
    EXPECT_TRUE(run.visited.empty());
  }
}

TEST(ClientCredentials, NeedATokenEndpointInTheMetadata) {
  sign_in_run run;
  auto& s = run.settings.sign_in;
  s.grant = bridge_grant::client_credentials;
  s.client_id = "machine";
  s.client_secret = secret("of the machine");
  auto metadata = sign_in_run::metadata();
  metadata.replace(metadata.find("token_endpoint"), std::string_view("token_endpoint").size(), "another");
  run.document("https://as.example/.well-known/oauth-authorization-server", metadata);
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_metadata_invalid);
  EXPECT_THAT(kept.error().detail, HasSubstr("no token_endpoint in the metadata of https://as.example"));
}

TEST(ClientCredentials, ProveThemselvesByAKey) {
  sign_in_run run;
  run.client_key = signing_key::generate_es256();
  auto& s = run.settings.sign_in;
  s.grant = bridge_grant::client_credentials;
  s.client_id = "machine";
  s.private_key_file = "key.pem";
  s.private_key_id = "k1";
  ASSERT_TRUE(run.run());
  auto sent = run.sent_to("https://as.example/token");
  EXPECT_EQ(value_of(sent, "client_id"), "(absent)");
  EXPECT_EQ(value_of(sent, "client_assertion_type"),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  auto parts = split_words(value_of(sent, "client_assertion"), '.');
  ASSERT_EQ(parts.size(), 3U);
  auto claims = *parse_json_object(*base64url_decode(parts[1]));
  EXPECT_EQ(text_member(claims, "iss"), "machine");
  EXPECT_EQ(text_member(claims, "sub"), "machine");
  EXPECT_EQ(text_member(claims, "aud"), "https://as.example");
  std::int64_t exp = 0;
  read(claims, "exp", exp);
  EXPECT_EQ(exp, to_unix(run.now) + 60);
  EXPECT_TRUE(run.client_key->public_part().verifies(algorithm::es256, parts[0] + "." + parts[1],
                                                     *base64url_decode(parts[2])));
}

TEST(ClientCredentials, AnErrorIsInTheGuidesWords) {
  sign_in_run run;
  auto& s = run.settings.sign_in;
  s.grant = bridge_grant::client_credentials;
  s.client_id = "m";
  s.client_secret = secret("wrong one");
  run.tokens(R"({"error":"invalid_client","error_description":"who are you"})", 401);
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().detail, HasSubstr("OAuth2 token request failed (status 401): who are you"));
  run.tokens("<html>", 404);
  EXPECT_THAT(run.run().error().detail,
              HasSubstr("OAuth2 token endpoint returned non-JSON body (status 404"));
}

TEST(DeviceCode, TellsPollsAndSlowsDown) {
  sign_in_run run;
  run.settings.sign_in.grant = bridge_grant::device_code;
  run.document(
      "https://as.example/device",
      R"({"device_code":"dev","user_code":"ABCD-EFGH","verification_uri":"https://as.example/activate",
                   "interval":2,"expires_in":100})");
  int polls = 0;
  run.urls["https://as.example/token"] = [&](const http_call&) -> result<http_answer> {
    switch (++polls) {
      case 1: return json_answer(400, R"({"error":"authorization_pending"})");
      case 2: return json_answer(400, R"({"error":"slow_down","error_description":"not so fast"})");
      case 3: return fail(errc::fetch_failed, "gone");
      default: return json_answer(200, R"({"access_token":"access-d"})");
    }
  };
  auto began = run.now;
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_THAT(
      run.told,
      ElementsAre("To sign in, open https://as.example/activate on any device and enter the code ABCD-EFGH"));
  EXPECT_EQ(value_of(run.sent_to("https://as.example/token"), "device_code"), "dev");
  EXPECT_EQ(run.now - began, seconds(2 + 2 + 7 + 12));
}

TEST(DeviceCode, NeedsAnEndpointThatMayBeShown) {
  sign_in_run none;
  none.settings.sign_in.grant = bridge_grant::device_code;
  auto metadata = sign_in_run::metadata();
  auto at = metadata.find("https://as.example/device");
  metadata.replace(at, std::string("https://as.example/device").size(), "");
  none.document("https://as.example/.well-known/oauth-authorization-server", metadata);
  auto kept = none.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_metadata_invalid);
  EXPECT_THAT(kept.error().detail, HasSubstr("gives no device code: sign in without --device-code"));
  EXPECT_THAT(kept.error().detail, HasSubstr("oauth2.deviceAuthorizationUrl"));
  EXPECT_THAT(kept.error().detail, HasSubstr("https://as.example names no device_authorization_endpoint"));
}

TEST(DeviceCode, WhatItsEndpointSaysIsNotToldOfTheTokenEndpoint) {
  struct row {
    int status;
    const char* body;
    errc code;
    const char* says;
  };
  for (const auto& [status, body, code, says] :
       {row{200, "{}", errc::sign_in_metadata_invalid, "device_authorization_endpoint gives no device_code"},
        row{404, "<html>", errc::sign_in_metadata_invalid,
            "device_authorization_endpoint gives no device_code"},
        row{400, R"({"error":"invalid_scope","error_description":"no such scope"})", errc::sign_in_refused,
            "asked for a device code: "},
        row{401, R"({"error":"invalid_client"})", errc::sign_in_refused, "asked for a device code: "},
        row{503, "", errc::sign_in_token_unreachable, "asked for a device code: "}}) {
    sign_in_run run;
    run.settings.sign_in.grant = bridge_grant::device_code;
    const auto answer = json_answer(status, body);
    run.urls["https://as.example/device"] = [answer](const http_call&) { return answer; };
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, code) << body;
    EXPECT_THAT(kept.error().detail, HasSubstr(says));
  }
}

TEST(DeviceCode, AnAddressThatMayNotBeShownIsNone) {
  struct row {
    const char* body;
    errc code;
  };
  for (const auto& [body, code] :
       {row{R"({"device_code":"d","user_code":"u","verification_uri":"javascript:x"})",
            errc::sign_in_url_refused},
        row{R"({"device_code":"d","user_code":"u","verification_uri":"http://as.example/a"})",
            errc::sign_in_url_refused},
        row{R"({"user_code":"u","verification_uri":"https://as.example/a"})",
            errc::sign_in_metadata_invalid}}) {
    sign_in_run run;
    run.settings.sign_in.grant = bridge_grant::device_code;
    run.document("https://as.example/device", body);
    auto ended = run.run();
    ASSERT_FALSE(ended) << body;
    EXPECT_EQ(ended.error().code, code) << body;
    EXPECT_TRUE(run.told.empty());
  }
}

TEST(DeviceCode, EndsWhereThePersonSaysNoOrNothing) {
  for (auto [answer, code] : {std::pair{R"({"error":"access_denied"})", errc::sign_in_refused},
                              std::pair{R"({"error":"expired_token"})", errc::sign_in_timeout},
                              std::pair{R"({"error":"authorization_pending"})", errc::sign_in_timeout}}) {
    sign_in_run run;
    run.settings.sign_in.grant = bridge_grant::device_code;
    run.document(
        "https://as.example/device",
        R"({"device_code":"dev","user_code":"A","verification_uri":"https://as.example/a","expires_in":60})");
    run.tokens(answer, 400);
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, code) << answer;
  }
}

TEST(DeviceCode, IsWaitedForAsLongAsAPersonMayTake) {
  sign_in_run run;
  run.settings.sign_in.grant = bridge_grant::device_code;
  run.settings.sign_in.callback_timeout = seconds(20);
  run.document(
      "https://as.example/device",
      R"({"device_code":"dev","user_code":"A","verification_uri":"https://as.example/a","expires_in":3600})");
  run.tokens(R"({"error":"authorization_pending"})", 400);
  auto began = run.now;
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_timeout);
  EXPECT_EQ(run.now - began, seconds(20));
}

TEST(DeviceCode, IsTakenByItselfWhereThereIsNoBrowser) {
  sign_in_run run;
  run.purpose.headless = true;
  run.document(
      "https://as.example/.well-known/oauth-authorization-server",
      sign_in_run::metadata(R"(,"grant_types_supported":["urn:ietf:params:oauth:grant-type:device_code"])"));
  run.document("https://as.example/device",
               R"({"device_code":"dev","user_code":"A","verification_uri":"https://as.example/a"})");
  ASSERT_TRUE(run.run());
  EXPECT_TRUE(run.visited.empty());
  EXPECT_EQ(run.told.size(), 1U);
}

TEST(Enterprise, TurnsTheIdTokenIntoAnAssertionAndThatIntoAToken) {
  sign_in_run run;
  auto& s = run.settings.sign_in;
  s.grant = bridge_grant::enterprise;
  s.client_id = "at the server";
  s.client_secret = secret("its secret");
  s.identity_provider_url = "https://idp.example";
  s.identity_client_id = "at the idp";
  run.purpose.assertion = secret("the.id.token");
  run.document("https://idp.example/.well-known/oauth-authorization-server",
               R"({"issuer":"https://idp.example","token_endpoint":"https://idp.example/token"})");
  run.document(
      "https://idp.example/token",
      R"({"access_token":"the.jag","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:id-jag"})");
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  auto first = run.sent_to("https://idp.example/token");
  EXPECT_EQ(value_of(first, "requested_token_type"), "urn:ietf:params:oauth:token-type:id-jag");
  EXPECT_EQ(value_of(first, "audience"), "https://as.example");
  EXPECT_EQ(value_of(first, "subject_token"), "the.id.token");
  EXPECT_EQ(value_of(first, "client_id"), "at the idp");
  auto second = run.sent_to("https://as.example/token");
  EXPECT_EQ(value_of(second, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
  EXPECT_EQ(value_of(second, "assertion"), "the.jag");
  EXPECT_EQ(kept->tokens->client_id, "at the server");
}

TEST(Enterprise, EndsWhereTheIdentityProviderGivesNoAssertion) {
  struct row {
    const char *body, *says;
  };
  for (const auto& [body, says] :
       {row{R"({"access_token":"x","token_type":"N_A"})", "something else than an ID-JAG"},
        row{R"({"error":"access_denied"})", "access_denied"}}) {
    sign_in_run run;
    auto& s = run.settings.sign_in;
    s.grant = bridge_grant::enterprise;
    s.client_id = "c";
    s.identity_token_url = "https://idp.example/token";
    s.identity_client_secret = secret("at the idp");
    run.purpose.assertion = secret("the.id.token");
    run.document("https://idp.example/token", body);
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_THAT(kept.error().detail, HasSubstr(says));
    EXPECT_EQ(run.times("POST https://as.example/token"), 0U);
  }
  sign_in_run none;
  none.settings.sign_in.grant = bridge_grant::enterprise;
  none.settings.sign_in.identity_token_url = "https://idp.example/token";
  EXPECT_EQ(none.run().error().code, errc::sign_in_person_needed);
}

// The MCP server names the authorization server, and so who gets the assertion or the secret.
TEST(AdvisoryBridge, AnAssertionDoesNotFollowTheServerToAnotherIssuer) {
  for (auto grant : {bridge_grant::jwt_bearer, bridge_grant::enterprise, bridge_grant::client_credentials}) {
    for (bool refreshed : {false, true}) {
      sign_in_run run;
      run.settings.sign_in.grant = grant;
      run.settings.sign_in.identity_token_url = "https://idp.example/token";
      if (grant == bridge_grant::client_credentials) {
        run.settings.sign_in.client_id = "client-0";
        run.settings.sign_in.client_secret = secret("s");
      }
      run.purpose.challenged = true;
      run.purpose.assertion = secret("workload.jwt.x");
      run.kept.tokens = tokens_kept(refreshed ? "refresh-0" : "");
      run.kept.tokens->issuer = "https://before.example";
      run.kept.tokens->token_endpoint = "https://before.example/token";
      auto kept = run.run();
      ASSERT_FALSE(kept);
      EXPECT_EQ(kept.error().code, errc::sign_in_issuer_mismatch);
      EXPECT_THAT(kept.error().detail, HasSubstr("https://before.example"));
      for (const auto& call : run.calls) EXPECT_EQ(call.method, "GET") << call.url;
    }
  }
  // Nor after a refresh that the first one refused.
  sign_in_run later;
  later.settings.sign_in.grant = bridge_grant::jwt_bearer;
  later.purpose.assertion = secret("workload.jwt.x");
  later.kept.keep(client_kept());
  later.kept.tokens = tokens_kept();
  later.kept.tokens->issuer = "https://before.example";
  later.kept.tokens->token_endpoint = "https://before.example/token";
  later.kept.clients[0].issuer = "https://before.example";
  later.urls["https://before.example/token"] = [](const http_call&) {
    return json_answer(400, R"({"error":"invalid_grant"})");
  };
  EXPECT_EQ(later.run().error().code, errc::sign_in_issuer_mismatch);
  EXPECT_EQ(later.times("POST https://before.example/token"), 1U);
  EXPECT_EQ(later.times("POST https://as.example/token"), 0U);
}

TEST(AdvisoryBridge, AnIssuerThatIsPinnedIsTheOnlyOneThatIsShownAnything) {
  for (auto grant : {bridge_grant::authorization_code, bridge_grant::jwt_bearer}) {
    sign_in_run run;
    run.settings.sign_in.grant = grant;
    run.purpose.assertion = secret("workload.jwt.x");
    run.settings.sign_in.issuer = "https://as.example/";
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, errc::sign_in_issuer_mismatch);
    for (const auto& call : run.calls) EXPECT_EQ(call.method, "GET") << call.url;
    EXPECT_TRUE(run.visited.empty());

    sign_in_run fine;
    fine.settings = run.settings;
    fine.purpose = run.purpose;
    fine.settings.sign_in.issuer = "https://as.example";
    fine.document("https://mcp.example/.well-known/oauth-protected-resource/mcp",
                  R"({"resource":"https://mcp.example/mcp",
                      "authorization_servers":["https://other.example","https://as.example"]})");
    auto made = fine.run();
    ASSERT_TRUE(made) << made.error().detail;
    EXPECT_EQ(made->tokens->issuer, "https://as.example");
    EXPECT_EQ(fine.times("GET https://other.example/.well-known/oauth-authorization-server"), 0U);
  }
}

TEST(JwtBearer, ShowsTheAssertionOnce) {
  sign_in_run run;
  run.settings.sign_in.grant = bridge_grant::jwt_bearer;
  run.purpose.assertion = secret("workload.jwt.x");
  run.tokens(R"({"error":"invalid_grant"})", 400);
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(run.times("POST https://as.example/token"), 1U);
  EXPECT_TRUE(run.visited.empty());
}

TEST(Dpop, BindsTheTokenWhereTheServerWantsItAndTakesTheNonce) {
  sign_in_run run;
  run.document("https://mcp.example/.well-known/oauth-protected-resource/mcp",
               R"({"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],
                   "dpop_bound_access_tokens_required":true})");
  run.document("https://as.example/.well-known/oauth-authorization-server",
               sign_in_run::metadata(R"(,"dpop_signing_alg_values_supported":["ES256"])"));
  std::vector<std::string> proofs;
  run.urls["https://as.example/token"] = [&](const http_call& call) {
    proofs.emplace_back(call.fields.first("DPoP"));
    if (proofs.size() > 1) return json_answer(200, R"({"access_token":"bound","token_type":"DPoP"})");
    auto answer = json_answer(400, R"({"error":"use_dpop_nonce"})");
    answer.fields.add("DPoP-Nonce", "n-1");
    return answer;
  };
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_TRUE(kept->tokens->dpop);
  ASSERT_EQ(proofs.size(), 2U);
  auto claims_of = [](const std::string& proof) {
    return *parse_json_object(*base64url_decode(split_words(proof, '.')[1]));
  };
  EXPECT_EQ(text_member(claims_of(proofs[1]), "nonce"), "n-1");
  EXPECT_EQ(text_member(claims_of(proofs[0]), "htu"), "https://as.example/token");
  EXPECT_NE(text_member(claims_of(proofs[0]), "jti"), text_member(claims_of(proofs[1]), "jti"));
  auto key = signing_key::from_pem(kept->tokens->dpop_key);
  ASSERT_TRUE(key);
  // Our own resource server takes such a proof.
  auto proof = dpop_proof(
      *key, "POST", "https://mcp.example/mcp?x=1", "bound", "", [](std::size_t n) { return random_bytes(n); },
      run.now);
  dpop_request request{"POST", "https://mcp.example/mcp", "bound"};
  auto verified = verify_dpop_proof(proof, request, dpop_rules{}, run.now);
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_EQ(verified->key_thumbprint(), value_of(run.last_visit(), "dpop_jkt"));
}

TEST(AdvisoryBridge, AnotherIssuerIsNotShownTheKeyOfTheOneBefore) {
  sign_in_run run;
  run.settings.sign_in.dpop = true;
  run.kept.tokens = tokens_kept();
  auto key = signing_key::generate_es256();
  auto& tokens = *run.kept.tokens;
  tokens.issuer = "https://before.example";
  tokens.token_endpoint = "https://before.example/token";
  tokens.dpop = true;
  tokens.dpop_key = key.to_pem();
  auto client = client_kept();
  client.issuer = tokens.issuer;
  run.kept.keep(client);
  run.urls["https://before.example/token"] = [](const http_call&) {
    auto answer = json_answer(400, R"({"error":"invalid_grant"})");
    answer.fields.add("DPoP-Nonce", "nonce-of-the-one-before");
    return answer;
  };
  run.tokens(R"({"access_token":"access-1","token_type":"DPoP"})");
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(kept->tokens->issuer, "https://as.example");
  EXPECT_NE(kept->tokens->dpop_key.reveal(), key.to_pem().reveal());
  auto proof = split_words(run.calls.back().fields.first("DPoP"), '.');
  ASSERT_EQ(proof.size(), 3U);
  EXPECT_THAT(*base64url_decode(proof[1]), ::testing::Not(HasSubstr("nonce-of-the-one-before")));
  EXPECT_EQ(value_of(run.last_visit(), "dpop_jkt"),
            signing_key::from_pem(kept->tokens->dpop_key)->public_part().thumbprint());
}

TEST(Registration, IsReadAsServersWriteIt) {
  auto read = [](const char* body) {
    return read_registration("https://as.example", "http://127.0.0.1/", json_answer(201, body), from_unix(1));
  };
  EXPECT_EQ(read(R"({"client_id":"c"})")->auth, bridge_client_auth::none);
  EXPECT_EQ(read(R"({"client_id":"c","client_secret":"s"})")->auth, bridge_client_auth::header);
  EXPECT_EQ(read(R"({"client_id":"c","client_secret":"s","token_endpoint_auth_method":"client_secret_post"})")
                ->auth,
            bridge_client_auth::body);
  EXPECT_EQ(read(R"({"client_id":"c","client_secret":"s","token_endpoint_auth_method":"none"})")->auth,
            bridge_client_auth::none);
  EXPECT_EQ(read(R"({"client_id":"c","client_secret_expires_at":1900000000})")->until,
            from_unix(1'900'000'000));
  for (const char* until : {"0", "-5", "9223372036854775807", "\"soon\"", "null"}) {
    auto client =
        read((R"({"client_id":"c","client_secret_expires_at":)" + std::string(until) + "}").c_str());
    ASSERT_TRUE(client) << until;
    EXPECT_FALSE(client->until) << until;
  }
  for (const char* body : {"", "[]", "{}", R"({"client_id":""})", R"({"client_id":7})"})
    EXPECT_FALSE(read(body)) << body;
}

// Some answer with a form in place of JSON; what stands in it goes into the log and to the client.
TEST(AdvisoryBridge, ATokenAnswerThatIsNotUnderstoodIsNotQuoted) {
  for (int status : {200, 400, 500}) {
    auto answer = json_answer(status, "access_token=gho_SECRET&refresh_token=ghr_SECRET");
    auto grant = read_token_answer(answer);
    ASSERT_FALSE(grant);
    EXPECT_THAT(grant.error().detail, ::testing::Not(HasSubstr("SECRET")));
    EXPECT_THAT(grant.error().detail, HasSubstr("status " + std::to_string(status)));
  }
}

TEST(TokenAnswer, IsReadAsServersWriteIt) {
  struct row {
    const char* body;
    std::optional<std::int64_t> lifetime;
  };
  for (const auto& [body, lifetime] :
       {row{R"({"access_token":"t","expires_in":60})", 60},
        row{R"({"access_token":"t","expires_in":"60"})", 60},
        row{R"({"access_token":"t","expires_in":59.9})", 59}, row{R"({"access_token":"t"})", std::nullopt},
        row{R"({"access_token":"t","expires_in":"soon"})", std::nullopt},
        row{R"({"access_token":"t","expires_in":-1,"x":[1]})", std::nullopt},
        row{R"({"access_token":"t","expires_in":0})", std::nullopt},
        row{R"({"access_token":"t","expires_in":null,"token_type":"bearer"})", std::nullopt},
        row{R"({"access_token":"t","expires_in":999999999999})", 315'360'000}}) {
    auto grant = read_token_answer(json_answer(200, body));
    ASSERT_TRUE(grant) << body;
    EXPECT_EQ(grant->lifetime ? std::optional(grant->lifetime->count()) : std::nullopt, lifetime) << body;
  }
  for (const char* body :
       {"", "[]", "{}", R"({"access_token":""})", R"({"access_token":"a b"})", R"({"access_token":"a\nb"})",
        R"({"access_token":7})", R"({"access_token":"t","token_type":"mac"})"}) {
    auto grant = read_token_answer(json_answer(200, body));
    ASSERT_FALSE(grant) << body;
    EXPECT_EQ(grant.error().code, errc::sign_in_token_invalid) << body;
  }
  EXPECT_EQ(read_token_answer(json_answer(200, R"({"error":"bad_verification_code"})")).error().code,
            errc::sign_in_token_refused);
}

}  // namespace
}  // namespace mcp_oauth
