#include "bridge/sign_in.h"

#include "bridge/sign_in_fixture.h"
#include "oauth/pkce.h"

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SignIn, FindsRegistersAsksAndExchanges) {
  sign_in_run run;
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_THAT(run.asked(), ElementsAre("GET https://mcp.example/.well-known/oauth-protected-resource/mcp",
                                       "GET https://as.example/.well-known/oauth-authorization-server",
                                       "POST https://as.example/register", "POST https://as.example/token"));
  auto asked = run.last_visit();
  EXPECT_EQ(value_of(asked, "client_id"), "client-1");
  EXPECT_EQ(value_of(asked, "redirect_uri"), "http://127.0.0.1:40001/callback");
  EXPECT_EQ(value_of(asked, "resource"), "https://mcp.example/mcp");
  EXPECT_EQ(value_of(asked, "scope"), "tools:read");
  EXPECT_EQ(value_of(asked, "code_challenge_method"), "S256");
  auto sent = run.sent_to("https://as.example/token");
  EXPECT_EQ(value_of(sent, "grant_type"), "authorization_code");
  EXPECT_EQ(value_of(sent, "resource"), "https://mcp.example/mcp");
  EXPECT_EQ(code_challenge_of(value_of(sent, "code_verifier")), value_of(asked, "code_challenge"));
  ASSERT_TRUE(kept->tokens);
  EXPECT_EQ(kept->tokens->access_token.reveal(), "access-1");
  EXPECT_EQ(kept->tokens->issuer, "https://as.example");
  ASSERT_TRUE(kept->client_of("https://as.example"));
  EXPECT_EQ(kept->client_of("https://as.example")->client_id, "client-1");
}

TEST(SignIn, RegistersAsANativeProgramThatRefreshes) {
  sign_in_run run;
  ASSERT_TRUE(run.run());
  json::object sent;
  for (const auto& call : run.calls) {
    if (call.url == "https://as.example/register") sent = *parse_json_object(call.body);
  }
  EXPECT_EQ(text_member(sent, "application_type"), "native");
  EXPECT_EQ(text_member(sent, "token_endpoint_auth_method"), "none");
  std::vector<std::string> grants, redirects;
  read(sent, "grant_types", grants);
  read(sent, "redirect_uris", redirects);
  EXPECT_TRUE(holds(grants, "refresh_token") && holds(grants, "authorization_code"));
  EXPECT_THAT(redirects, ElementsAre("http://127.0.0.1:40001/callback"));
}

TEST(SignIn, TheChallengeSaysWhereTheMetadataIs) {
  sign_in_run run;
  run.purpose.challenged = true;
  run.purpose.demand =
      read_demand(R"(Bearer resource_metadata="https://mcp.example/custom/place", scope="a b")");
  run.document(
      "https://mcp.example/custom/place",
      R"({"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],"scopes_supported":["z"]})");
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.asked().front(), "GET https://mcp.example/custom/place");
  // What the challenge asks for counts, whatever the metadata lists.
  EXPECT_EQ(value_of(run.last_visit(), "scope"), "a b");
}

TEST(SignIn, AsksForNoScopeThatNobodyNamed) {
  sign_in_run run;
  run.document("https://mcp.example/.well-known/oauth-protected-resource/mcp",
               R"({"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]})");
  ASSERT_TRUE(run.run());
  EXPECT_EQ(value_of(run.last_visit(), "scope"), "(absent)");
}

TEST(SignIn, AsksForOfflineAccessOnlyWhereItIsOffered) {
  sign_in_run run;
  run.document("https://as.example/.well-known/oauth-authorization-server",
               sign_in_run::metadata(R"(,"scopes_supported":["offline_access","other"])"));
  ASSERT_TRUE(run.run());
  EXPECT_EQ(value_of(run.last_visit(), "scope"), "tools:read offline_access");
  EXPECT_EQ(value_of(run.last_visit(), "prompt"), "consent");
  run.document(
      "https://as.example/.well-known/oauth-authorization-server",
      sign_in_run::metadata(R"(,"scopes_supported":["offline_access"],"prompt_values_supported":["login"])"));
  ASSERT_TRUE(run.run());
  EXPECT_EQ(value_of(run.last_visit(), "prompt"), "(absent)");
}

// RFC 9207 §2.4; MCP authorization, the table of `iss`.
TEST(SignIn, ComparesTheIssuerOfTheAnswerAsItIs) {
  struct row {
    bool advertised;
    std::optional<std::string> iss;
    bool error;
    bool good;
  };
  for (const auto& [advertised, iss, error, good] :
       {row{false, std::nullopt, false, true}, row{true, "https://as.example", false, true},
        row{false, "https://as.example", false, true}, row{true, std::nullopt, false, false},
        row{true, "https://as.example/", false, false}, row{false, "https://evil.example", false, false},
        row{false, "HTTPS://AS.EXAMPLE", false, false}, row{true, "https://evil.example", true, false}}) {
    sign_in_run run;
    run.document(
        "https://as.example/.well-known/oauth-authorization-server",
        sign_in_run::metadata(advertised ? R"(,"authorization_response_iss_parameter_supported":true)" : ""));
    run.person = [&, sent = iss, failed = error](const url&, const form&) -> result<callback_answer> {
      callback_answer answer;
      (failed ? answer.error : answer.code) = "phish_me";
      answer.error_description = failed ? "call +1 555" : "";
      answer.iss = sent;
      return answer;
    };
    auto kept = run.run();
    ASSERT_EQ(kept.has_value(), good) << iss.value_or("(none)");
    if (good) continue;
    EXPECT_EQ(kept.error().code, errc::sign_in_issuer_mismatch);
    // What another issuer says is not shown, and its code goes nowhere.
    EXPECT_THAT(kept.error().detail, ::testing::Not(HasSubstr("555")));
    EXPECT_EQ(run.times("POST https://as.example/token"), 0U);
  }
}

TEST(SignIn, RefusesAServerWithoutS256) {
  for (const char* methods : {R"("plain")", ""}) {
    sign_in_run run;
    auto metadata = sign_in_run::metadata();
    metadata.replace(metadata.find(R"("S256")"), 6, methods);
    run.document("https://as.example/.well-known/oauth-authorization-server", metadata);
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, errc::sign_in_pkce_unsupported);
    EXPECT_TRUE(run.visited.empty());
  }
}

TEST(SignIn, ServersWithoutMetadataAreTheirOwnAuthorizationServer) {
  sign_in_run run;
  run.urls.clear();
  run.document("https://mcp.example/register", R"({"client_id":"old"})");
  run.document("https://mcp.example/token", R"({"access_token":"t","token_type":"bearer"})");
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_THAT(run.visited.front(), HasSubstr("https://mcp.example/authorize?"));
  EXPECT_FALSE(kept->tokens->lifetime);

  // And where they publish at their root, that counts.
  sign_in_run other;
  other.urls.erase("https://mcp.example/.well-known/oauth-protected-resource/mcp");
  other.document("https://mcp.example/.well-known/oauth-authorization-server",
                 R"({"issuer":"https://mcp.example","authorization_endpoint":"https://mcp.example/oauth/in",
                     "token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register",
                     "code_challenge_methods_supported":["S256"]})");
  ASSERT_TRUE(other.run());
  EXPECT_THAT(other.visited.front(), HasSubstr("https://mcp.example/oauth/in?"));
}

TEST(SignIn, AnMcpServerThatIsAwayIsNotCalledAnAuthorizationServer) {
  sign_in_run run;
  for (const char* at : {"https://mcp.example/.well-known/oauth-protected-resource/mcp",
                         "https://mcp.example/.well-known/oauth-protected-resource"})
    run.urls[at] = [](const http_call&) -> result<http_answer> {
      return fail(errc::fetch_failed, "connection refused");
    };
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::upstream_unreachable);
  EXPECT_THAT(kept.error().detail, HasSubstr("connection refused"));
}

TEST(SignIn, AServerWithoutAnAuthorizationEndpointHasMetadataThatLacksOne) {
  sign_in_run run;
  run.document("https://as.example/.well-known/oauth-authorization-server",
               R"({"issuer":"https://as.example","token_endpoint":"https://as.example/token",
                   "registration_endpoint":"https://as.example/register",
                   "code_challenge_methods_supported":["S256"]})");
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_metadata_invalid);
  EXPECT_THAT(kept.error().detail, HasSubstr("https://as.example names no authorization_endpoint"));
}

TEST(SignIn, SaysWhatWasTriedWhereNothingIsPublished) {
  sign_in_run run;
  run.urls.clear();
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_metadata_missing);
  EXPECT_THAT(kept.error().detail,
              HasSubstr("https://mcp.example/.well-known/oauth-protected-resource/mcp: status 404"));
  EXPECT_TRUE(run.visited.empty());
}

TEST(SignIn, MetadataForAnotherResourceEndsItBeforeAnyoneIsAsked) {
  for (const char* resource :
       {"https://evil.example/mcp", "https://mcp.example/mc", "https://mcp.example/mcp/deeper",
        "http://mcp.example/mcp", "https://mcp.example:444/mcp"}) {
    sign_in_run run;
    run.document(
        "https://mcp.example/.well-known/oauth-protected-resource/mcp",
        R"({"resource":")" + std::string(resource) + R"(","authorization_servers":["https://as.example"]})");
    auto kept = run.run();
    ASSERT_FALSE(kept) << resource;
    EXPECT_EQ(kept.error().code, errc::sign_in_resource_mismatch) << resource;
    EXPECT_EQ(run.calls.size(), 1U) << resource;
  }
}

TEST(SignIn, SendsTheResourceAsItsMetadataSpellsIt) {
  for (const char* resource : {"https://mcp.example", "https://mcp.example/", "https://MCP.example/mcp"}) {
    sign_in_run run;
    run.document(
        "https://mcp.example/.well-known/oauth-protected-resource/mcp",
        R"({"resource":")" + std::string(resource) + R"(","authorization_servers":["https://as.example"]})");
    ASSERT_TRUE(run.run()) << resource;
    EXPECT_EQ(value_of(run.last_visit(), "resource"), resource);
    EXPECT_EQ(value_of(run.sent_to("https://as.example/token"), "resource"), resource);
  }
}

TEST(SignIn, TriesTheFormsOfTheMetadataAddressInOrder) {
  sign_in_run run;
  run.document(
      "https://mcp.example/.well-known/oauth-protected-resource/mcp",
      R"({"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example/tenant1"]})");
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_THAT(run.asked(),
              ElementsAre("GET https://mcp.example/.well-known/oauth-protected-resource/mcp",
                          "GET https://as.example/.well-known/oauth-authorization-server/tenant1",
                          "GET https://as.example/.well-known/openid-configuration/tenant1",
                          "GET https://as.example/tenant1/.well-known/openid-configuration"));
}

TEST(SignIn, MetadataWithAnotherIssuerIsNotUsed) {
  for (const char* issuer : {"https://evil.example", "https://as.example/", "https://AS.example"}) {
    sign_in_run run;
    auto metadata = sign_in_run::metadata();
    auto at = metadata.find("https://as.example");
    metadata.replace(at, std::string("https://as.example").size(), issuer);
    run.document("https://as.example/.well-known/oauth-authorization-server", metadata);
    auto kept = run.run();
    ASSERT_FALSE(kept) << issuer;
    EXPECT_EQ(kept.error().code, errc::sign_in_issuer_mismatch);
    EXPECT_EQ(run.times("POST https://as.example/register"), 0U);
    EXPECT_TRUE(run.visited.empty());
  }
}

TEST(SignIn, TakesTheSecondAuthorizationServerWhereTheFirstIsNotThere) {
  sign_in_run run;
  run.document(
      "https://mcp.example/.well-known/oauth-protected-resource/mcp",
      R"({"resource":"https://mcp.example/mcp","authorization_servers":["https://away.example","https://as.example"]})");
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(kept->tokens->issuer, "https://as.example");
}

TEST(SignIn, AServerThatNamesThousandsOfAuthorizationServersHasThreeAsked) {
  auto naming = [](unsigned many, const std::string& last) {
    std::string names;
    for (unsigned i = 0; i < many; ++i)
      names += "\"https://as" + std::to_string(i) + ".example/" + std::string(i == 1 ? 4000 : 1, 'x') + "\",";
    return R"({"resource":"https://mcp.example/mcp","authorization_servers":[)" + names + "\"" + last +
           "\"]}";
  };
  sign_in_run run;
  run.document("https://mcp.example/.well-known/oauth-protected-resource/mcp",
               naming(2000, "https://as.example"));
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_metadata_missing);
  EXPECT_EQ(run.calls.size(), 1U + 3U * 3U) << "three forms each";
  EXPECT_LT(kept.error().detail.size(), 8U * 1024U);
  EXPECT_THAT(kept.error().detail, HasSubstr("2001 authorization servers are named"));
  // Whom we know is asked, wherever it stands.
  sign_in_run known;
  known.settings.sign_in.issuer = "https://as.example";
  known.document("https://mcp.example/.well-known/oauth-protected-resource/mcp",
                 naming(2000, "https://as.example"));
  auto made = known.run();
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_EQ(made->tokens->issuer, "https://as.example");
  // None of them an address.
  sign_in_run cleartext;
  std::string names;
  for (unsigned i = 0; i < 2000; ++i)
    names += "\"http://" + std::to_string(i) + ".example/" + std::string(500, 'x') + "\",";
  cleartext.document("https://mcp.example/.well-known/oauth-protected-resource/mcp",
                     R"({"resource":"https://mcp.example/mcp","authorization_servers":[)" + names +
                         R"("http://x.example"]})");
  auto refused = cleartext.run();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::sign_in_url_refused);
  EXPECT_LT(refused.error().detail.size(), 2048U);
}

// ---- the client

TEST(SignIn, WhoeverIsRegisteredByHandIsNotRegistered) {
  sign_in_run run;
  run.settings.sign_in.client_id = "by hand";
  run.settings.sign_in.client_secret = secret("a secret of it");
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.times("POST https://as.example/register"), 0U);
  EXPECT_EQ(value_of(run.last_visit(), "client_id"), "by hand");
}

TEST(SignIn, ADocumentComesBeforeARegistrationWhereTheServerTakesIt) {
  sign_in_run run;
  run.settings.sign_in.client_metadata_url = "https://client.example/metadata.json";
  run.document("https://as.example/.well-known/oauth-authorization-server",
               sign_in_run::metadata(R"(,"client_id_metadata_document_supported":true)"));
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.times("POST https://as.example/register"), 0U);
  EXPECT_EQ(value_of(run.last_visit(), "client_id"), "https://client.example/metadata.json");

  sign_in_run other;
  other.settings.sign_in.client_metadata_url = "https://client.example/metadata.json";
  ASSERT_TRUE(other.run());
  EXPECT_EQ(other.times("POST https://as.example/register"), 1U);
}

TEST(SignIn, WhatIsRegisteredIsUsedAgainForItsIssuerAlone) {
  sign_in_run run;
  run.kept.keep(client_kept());
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.times("POST https://as.example/register"), 0U);
  EXPECT_EQ(value_of(run.last_visit(), "client_id"), "client-0");

  sign_in_run moved;
  auto other = client_kept();
  other.issuer = "https://before.example";
  moved.kept.keep(other);
  moved.kept.tokens = tokens_kept();
  moved.kept.tokens->issuer = "https://before.example";
  moved.purpose.challenged = true;
  auto kept = moved.run();
  ASSERT_TRUE(kept);
  EXPECT_EQ(value_of(moved.last_visit(), "client_id"), "client-1");
  for (const auto& call : moved.calls) EXPECT_THAT(call.body, ::testing::Not(HasSubstr("refresh-0")));
  EXPECT_EQ(kept->clients.size(), 2U);
}

TEST(SignIn, AClientIdOfTheUserIsForOneIssuer) {
  sign_in_run run;
  run.settings.sign_in.client_id = "by hand";
  auto before = client_kept();
  before.client_id = "by hand";
  before.issuer = "https://before.example";
  before.registered = false;
  run.kept.keep(before);
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_issuer_mismatch);
  EXPECT_THAT(kept.error().detail, HasSubstr("https://before.example"));
}

TEST(SignIn, AnotherPortIsRegisteredAnew) {
  sign_in_run run;
  run.kept.keep(client_kept());
  run.listening = std::uint16_t{40777};
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.listened->port, 40001);
  EXPECT_FALSE(run.listened->only_that_port);
  EXPECT_EQ(run.times("POST https://as.example/register"), 1U);
  EXPECT_EQ(value_of(run.last_visit(), "redirect_uri"), "http://127.0.0.1:40777/callback");
}

TEST(SignIn, ARegistrationThatIsGoneIsMadeAgainBeforeAPersonIsAsked) {
  sign_in_run run;
  auto old = client_kept();
  old.since = run.now - seconds(86'400);
  run.kept.keep(old);
  run.urls["https://as.example/authorize"] = [](const http_call&) {
    return json_answer(400, "unknown client");
  };
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.visited.size(), 1U);
  EXPECT_EQ(value_of(run.last_visit(), "client_id"), "client-1");
}

TEST(SignIn, SaysWhichRedirectUriToRegisterWhereNobodyCan) {
  sign_in_run run;
  auto metadata = sign_in_run::metadata();
  auto at = metadata.find("registration_endpoint");
  metadata.replace(at, 21, "something_different_x");
  run.document("https://as.example/.well-known/oauth-authorization-server", metadata);
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_client_unknown);
  EXPECT_THAT(kept.error().detail, HasSubstr("http://127.0.0.1:40001/callback"));
}

TEST(SignIn, ARefusedRegistrationSaysWhy) {
  sign_in_run run;
  run.urls["https://as.example/register"] = [](const http_call&) {
    return json_answer(400,
                       R"({"error":"invalid_redirect_uri","error_description":"loopback is not allowed"})");
  };
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_registration_refused);
  EXPECT_THAT(kept.error().detail, HasSubstr("loopback is not allowed"));
}

TEST(SignIn, AClientThatIsGoneAtTheExchangeIsRegisteredOnceMore) {
  sign_in_run run;
  run.kept.keep(client_kept());
  int exchanges = 0;
  run.urls["https://as.example/token"] = [&](const http_call&) {
    if (++exchanges == 1) return json_answer(401, R"({"error":"invalid_client"})");
    return json_answer(200, R"({"access_token":"t"})");
  };
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(run.visited.size(), 2U);
  EXPECT_EQ(value_of(run.last_visit(), "client_id"), "client-1");

  run.urls["https://as.example/token"] = [](const http_call&) {
    return json_answer(401, R"({"error":"invalid_client"})");
  };
  auto again = run.run();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, errc::sign_in_refused);
}

TEST(SignIn, RegistersForTheMethodThatTheServerTakes) {
  for (auto [offered, sent_in_header] :
       {std::pair{R"("client_secret_basic")", true}, std::pair{R"("client_secret_post")", false}}) {
    sign_in_run run;
    run.document(
        "https://as.example/.well-known/oauth-authorization-server",
        sign_in_run::metadata(",\"token_endpoint_auth_methods_supported\":[" + std::string(offered) + "]"));
    run.urls["https://as.example/register"] = [](const http_call& call) {
      auto asked = text_member(*parse_json_object(call.body), "token_endpoint_auth_method");
      return json_answer(
          201, R"({"client_id":"c","client_secret":"given secret","token_endpoint_auth_method":")" + asked +
                   "\"}");
    };
    ASSERT_TRUE(run.run());
    EXPECT_EQ(run.calls.back().fields.count("Authorization"), sent_in_header ? 1U : 0U);
    EXPECT_EQ(value_of(run.sent_to("https://as.example/token"), "client_secret"),
              sent_in_header ? "(absent)" : "given secret");
  }
}

TEST(SignIn, AnAuthorizationServerInClearTextIsNotAsked) {
  sign_in_run run;
  run.document(
      "https://mcp.example/.well-known/oauth-protected-resource/mcp",
      R"({"resource":"https://mcp.example/mcp","authorization_servers":["http://as.example","https://as.example?x=1"]})");
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_url_refused);
  EXPECT_EQ(run.calls.size(), 1U);
}

TEST(SignIn, AnAuthorizationServerThatIsAwayIsSaidToBe) {
  sign_in_run run;
  for (const char* at : {"https://as.example/.well-known/oauth-authorization-server",
                         "https://as.example/.well-known/openid-configuration"})
    run.urls[at] = [](const http_call&) -> result<http_answer> {
      return fail(errc::fetch_failed, "no route");
    };
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_token_unreachable);
  // Who has configured the endpoints goes on without discovery.
  run.settings.sign_in.token_url = "https://as.example/token";
  run.settings.sign_in.authorization_url = "https://as.example/authorize";
  run.settings.sign_in.client_id = "by hand";
  EXPECT_TRUE(run.run());
}

TEST(SignIn, AnAuthorizationServerThatIsBusyIsWorthAnotherTry) {
  for (int status : {503, 500, 429}) {
    sign_in_run run;
    for (const char* at : {"https://as.example/.well-known/oauth-authorization-server",
                           "https://as.example/.well-known/openid-configuration"})
      run.urls[at] = [status](const http_call&) { return json_answer(status, "busy"); };
    auto kept = run.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, errc::sign_in_token_unreachable) << status;
    EXPECT_THAT(kept.error().detail, HasSubstr(std::to_string(status)));
    // The same of the MCP server, whose origin is no authorization server for that.
    sign_in_run other;
    for (const char* at : {"https://mcp.example/.well-known/oauth-protected-resource/mcp",
                           "https://mcp.example/.well-known/oauth-protected-resource"})
      other.urls[at] = [status](const http_call&) { return json_answer(status, "busy"); };
    kept = other.run();
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, errc::upstream_unreachable) << status;
    EXPECT_EQ(other.times("POST https://mcp.example/register"), 0U);
  }
}

// ---- what the person or the server answers

TEST(SignIn, SaysWhatTheAuthorizationServerSays) {
  sign_in_run run;
  run.person = [](const url&, const form&) -> result<callback_answer> {
    callback_answer answer;
    answer.error = "access_denied";
    answer.error_description = "not you";
    return answer;
  };
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().detail, "authorization server returned error: access_denied - not you");
  EXPECT_EQ(kept.error().code, errc::sign_in_refused);
}

TEST(SignIn, EntraIsAskedAgainWithoutResource) {
  sign_in_run run;
  run.person = [](const url&, const form& query) -> result<callback_answer> {
    callback_answer answer;
    if (query.find("resource")) {
      answer.error = "invalid_target";
      answer.error_description = "AADSTS9010010: The resource parameter does not match";
    } else {
      answer.code = "c";
    }
    return answer;
  };
  auto kept = run.run();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(run.visited.size(), 2U);
  EXPECT_EQ(kept->tokens->resource, "");
}

TEST(SignIn, AServerThatKnowsNoPromptIsAskedWithoutIt) {
  sign_in_run run;
  run.document("https://as.example/.well-known/oauth-authorization-server",
               sign_in_run::metadata(R"(,"scopes_supported":["offline_access"])"));
  run.person = [](const url&, const form& query) -> result<callback_answer> {
    callback_answer answer;
    if (query.find("prompt")) {
      answer.error = "invalid_request";
      answer.error_description = "unsupported prompt value requested";
    } else {
      answer.code = "c";
    }
    return answer;
  };
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.visited.size(), 2U);
}

TEST(SignIn, EachTryHasItsOwnStateAndChallenge) {
  sign_in_run first, second;
  ASSERT_TRUE(first.run());
  ASSERT_TRUE(second.run());
  for (const char* name : {"state", "code_challenge"}) {
    EXPECT_NE(value_of(first.last_visit(), name), value_of(second.last_visit(), name));
    EXPECT_EQ(value_of(first.last_visit(), name).size(), 43U);
  }
}

TEST(SignIn, ExtraParametersReplaceNothingOfOurs) {
  sign_in_run run;
  run.settings.sign_in.extra_params = {{"state", "x"},
                                       {"code_challenge", "x"},
                                       {"redirect_uri", "x"},
                                       {"grant_type", "x"},
                                       {"organization", "acme"}};
  run.settings.sign_in.audience = "https://api.example";
  ASSERT_TRUE(run.run());
  EXPECT_NE(value_of(run.last_visit(), "state"), "x");
  EXPECT_EQ(value_of(run.last_visit(), "organization"), "acme");
  EXPECT_EQ(value_of(run.last_visit(), "audience"), "https://api.example");
  auto sent = run.sent_to("https://as.example/token");
  EXPECT_EQ(value_of(sent, "grant_type"), "authorization_code");
  EXPECT_EQ(value_of(sent, "organization"), "acme");
  EXPECT_EQ(value_of(sent, "audience"), "https://api.example");
}

TEST(SignIn, NobodyIsAskedWhereNobodyMayBe) {
  sign_in_run run;
  run.settings.sign_in.interactive = false;
  auto kept = run.run();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, errc::sign_in_person_needed);
  EXPECT_THAT(kept.error().detail, HasSubstr("authorization_code grant requires \"authorizationCode\""));
}

TEST(SignIn, ACodeThatWasFetchedByHandIsExchanged) {
  sign_in_run run;
  auto& s = run.settings.sign_in;
  s.client_id = "by hand";
  s.authorization_code = secret("fetched");
  s.code_verifier = secret("its verifier");
  ASSERT_TRUE(run.run());
  auto sent = run.sent_to("https://as.example/token");
  EXPECT_EQ(value_of(sent, "code"), "fetched");
  EXPECT_EQ(value_of(sent, "code_verifier"), "its verifier");
  EXPECT_EQ(value_of(sent, "redirect_uri"), "http://127.0.0.1:53682/callback");
  EXPECT_TRUE(run.visited.empty());
}

TEST(SignIn, WithoutDiscoveryTheConfiguredEndpointsAreUsed) {
  sign_in_run run;
  auto& s = run.settings.sign_in;
  s.discovery = false;
  s.client_id = "by hand";
  s.token_url = "https://as.example/token";
  s.authorization_url = "https://as.example/in?tenant=1";
  ASSERT_TRUE(run.run());
  EXPECT_THAT(run.asked(), ElementsAre("POST https://as.example/token"));
  EXPECT_EQ(value_of(run.last_visit(), "tenant"), "1");
  EXPECT_EQ(value_of(run.last_visit(), "resource"), "(absent)");
}

TEST(SignIn, TheRedirectUriSaysWhereToListen) {
  sign_in_run run;
  run.settings.sign_in.client_id = "by hand";
  run.settings.sign_in.redirect_uri = "http://localhost:9999/my/place";
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.listened->host, "localhost");
  EXPECT_EQ(run.listened->port, 9999);
  EXPECT_EQ(run.listened->path, "/my/place");
  EXPECT_TRUE(run.listened->only_that_port);
  EXPECT_EQ(value_of(run.last_visit(), "redirect_uri"), "http://localhost:9999/my/place");
}

TEST(SignIn, TheDropInListensWhereTheGuideSays) {
  sign_in_run run;
  run.settings.drop_in = true;
  run.settings.sign_in.client_id = "by hand";
  ASSERT_TRUE(run.run());
  EXPECT_EQ(run.listened->port, 53682);
  EXPECT_TRUE(run.listened->only_that_port);
}

TEST(SignIn, AnEndpointThatIsNoPlaceForABrowserIsNotOpened) {
  for (const char* endpoint : {"file:///etc/passwd", "javascript:alert(1)", "https://as.example/$(calc)",
                               "http://as.example/authorize", "https://as.example/a\\\"b", "cmd.exe", ""}) {
    sign_in_run run;
    auto metadata = sign_in_run::metadata();
    auto at = metadata.find("https://as.example/authorize");
    metadata.replace(at, std::string("https://as.example/authorize").size(), endpoint);
    run.document("https://as.example/.well-known/oauth-authorization-server", metadata);
    auto kept = run.run();
    ASSERT_FALSE(kept) << endpoint;
    EXPECT_TRUE(run.visited.empty()) << endpoint;
  }
}

}  // namespace
}  // namespace mcp_oauth
