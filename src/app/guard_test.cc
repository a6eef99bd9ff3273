#include "app/gateway_fixture.h"
#include "gateway/issuers.h"
#include "jose/jws.h"

#include <string>
#include <utility>

// The guard in one process and without ports; its issuers' keys are files. What is fetched is proved end to
// end.

namespace mcp_oauth {
namespace {

class Guarded : public Gateway {
 protected:
  Guarded() {
    conf.mode = "native";
    conf.providers.clear();
    conf.scopes_supported = {"tools:read"};
    conf.tools_given = true;
    conf.tools = {{"echo", {"tools:read"}, scopes_needed::all}};
    for (const char* url : {"https://one.example", "https://two.example"}) {
      issuer_settings i;
      i.issuer = url;
      i.keys_file = "keys.json";
      i.validation = "jwt";
      conf.issuers.push_back(std::move(i));
    }
  }

  void start_guard() {
    auto plan = plan_issuers(conf, [this](const std::string&) -> result<std::string> {
      return json::serialize(key_set::of({key.public_part()}).to_json());
    });
    ASSERT_TRUE(plan) << plan.error().front().detail;
    auto issuers = std::make_shared<issuers_in_use>();
    issuers->resources = plan->resources;
    issuers->authorization_servers = plan->authorization_servers;
    issuers->judge = std::make_unique<guard>(std::move(plan->issuers), std::move(plan->rules),
                                             [](std::size_t n) { return random_bytes(n); });
    auto made = make_snapshot(conf, std::shared_ptr<const issuers_in_use>(issuers), secret("session key"));
    ASSERT_TRUE(made);
    serve_under(**made);
  }

  std::string of(const std::string& issuer, const std::string& audience = resource,
                 const std::string& scope = "tools:read", const json::object& more = {}) {
    if (!server) start_guard();
    json::object claims{
        {"iss", issuer}, {"sub", "ada"}, {"aud", audience}, {"scope", scope}, {"client_id", "c"}};
    for (const auto& m : more) claims.insert_or_assign(m.key(), m.value());
    claims["iat"] = to_unix(now());
    claims["exp"] = to_unix(now()) + 60;
    return "Authorization: Bearer " +
           sign_jws(key, "at+jwt", key.public_part().kid(), json::serialize(claims)) + "\r\n";
  }

  // The answer of a call that the MCP server gets, and what it got.
  std::pair<std::string, std::string> passed(const std::string& request) {
    auto client = connect();
    client.send(request);
    auto server_end = upstream_end();
    auto seen = server_end.until("\r\n\r\n");
    server_end.send(ok);
    return {client.until("{}"), seen};
  }

  signing_key key = signing_key::generate_es256();
};

TEST_F(Guarded, ForwardsWithIdentityAndWithoutTheToken) {
  auto [answer, seen] = passed(post(call, of("https://one.example") + "X-User-Issuer: https://forged\r\n"));
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_TRUE(has(seen, "X-User-Id: ada\r\n"));
  EXPECT_TRUE(has(seen, "X-User-Issuer: https://one.example\r\n"));
  EXPECT_FALSE(has(seen, "forged"));
  EXPECT_FALSE(has(seen, "Bearer"));
}

// The same subject of two issuers is two people, and the server behind a proxy has to see that.
TEST_F(Guarded, AVerdictSaysTheIssuerAndAClientSaysNone) {
  from_address = "127.0.0.1";
  conf.trusted_proxies = {"127.0.0.1"};
  auto asked = [&](const std::string& fields) {
    return answer_to(
        "GET /auth/verify HTTP/1.1\r\nHost: gateway:8080\r\nX-Forwarded-Method: GET\r\n"
        "X-Forwarded-Host: 127.0.0.1:8080\r\nX-Forwarded-Uri: /mcp\r\n" +
        fields + "\r\n");
  };
  for (const std::string issuer : {"https://one.example", "https://two.example"}) {
    auto answer = asked(of(issuer));
    EXPECT_EQ(status_of(answer), 200) << answer;
    EXPECT_TRUE(has(answer, "\r\nX-User-Id: ada\r\n")) << answer;
    EXPECT_TRUE(has(answer, "\r\nX-User-Issuer: " + issuer + "\r\n")) << answer;
  }
  auto claimed = asked(of("https://two.example") + "X-User-Issuer: https://one.example\r\n");
  EXPECT_EQ(status_of(claimed), 400) << "a proxy that copies no issuer would hand it on";
}

TEST_F(Guarded, HandsTheVerifiedTokenOnWhereThatIsAskedFor) {
  conf.upstreams[0].authorization = "verified";
  auto token = of("https://one.example");
  auto [answer, seen] = passed(post(call, token));
  EXPECT_TRUE(has(seen, token.substr(0, token.size() - 2)));
}

TEST_F(Guarded, WantsTheAudienceOfTheVeryServerThatIsCalled) {
  auto second = conf.upstreams[0];
  second.name = "other";
  second.paths = {"/other"};
  second.resource = std::string(origin) + "/other";
  conf.upstreams.push_back(second);
  auto token = of("https://one.example", second.resource);
  EXPECT_EQ(status_of(answer_to(post(call, token))), 401);
  auto refused = answer_to(post(call, token));
  EXPECT_TRUE(has(refused, "error_description=\"audience mismatch\""));
  auto request = post(call, token);
  EXPECT_EQ(status_of(passed(request.replace(5, 4, "/other")).first), 200);
}

TEST_F(Guarded, AnAudienceThatIsWrittenDownOpensNoMoreThanTheOneThatIsNot) {
  auto second = conf.upstreams[0];
  second.name = "other";
  second.paths = {"/other"};
  second.resource = std::string(origin) + "/other";
  conf.upstreams.push_back(second);
  conf.issuers[0].audience = {resource, second.resource, "api://both"};
  auto token = of("https://one.example", second.resource);
  EXPECT_EQ(status_of(answer_to(post(call, token))), 401);
  auto request = post(call, token);
  EXPECT_EQ(status_of(passed(request.replace(5, 4, "/other")).first), 200);
  EXPECT_EQ(status_of(passed(post(call, of("https://one.example", "api://both"))).first), 200);
}

TEST_F(Guarded, SaysTheWordsOfOtherGuardsInTheBodyAndNoneInAChallengeWithoutAToken) {
  start_guard();
  auto none = answer_to(post(call, ""));
  EXPECT_TRUE(has(none, "WWW-Authenticate: Bearer scope="));
  EXPECT_FALSE(has(none, "error=\""));
  EXPECT_TRUE(has(none, "Authentication required: missing OAuth token"));
  auto wrong = answer_to(post(call, of("https://three.example")));
  EXPECT_TRUE(has(wrong, "error=\"invalid_token\", error_description=\"issuer mismatch\""));
  EXPECT_TRUE(has(wrong, "Authentication failed: invalid token"));
}

TEST_F(Guarded, DecidesPerTool) {
  auto refused = answer_to(post(call, of("https://one.example", resource, "other")));
  EXPECT_EQ(status_of(refused), 403);
  EXPECT_TRUE(has(refused, "required_scopes"));
}

TEST_F(Guarded, DecidesByNoAddressThatTheTokenTakesBack) {
  value_test corp{value_test::operation::matches, {"*@corp.example"}};
  rule_condition from_corp{rule_condition::source::claim, "email", {corp}};
  conf.tools[0].when.push_back(from_corp);
  json::object who{{"email", "boss@corp.example"}, {"email_verified", true}};
  EXPECT_EQ(status_of(passed(post(call, of("https://one.example", resource, "tools:read", who))).first), 200);
  who["email_verified"] = false;
  EXPECT_EQ(status_of(answer_to(post(call, of("https://one.example", resource, "tools:read", who)))), 403);
}

TEST_F(Guarded, LetsEverybodyCallAPublicServer) {
  auto guarded = conf.upstreams[0];
  guarded.name = "guarded";
  guarded.paths = {"/guarded"};
  guarded.resource = std::string(origin) + "/guarded";
  conf.upstreams.push_back(guarded);
  conf.upstreams[0].require_auth = false;
  conf.tools_given = false;
  start_guard();
  EXPECT_EQ(status_of(passed(post(call, "Authorization: Bearer whatever\r\n")).first), 200);
}

TEST_F(Guarded, HasNoEndpointsOfAnAuthorizationServer) {
  start_guard();
  for (const char* path :
       {"/oauth/token", "/oauth/authorize", "/register", "/auth/callback", "/.well-known/jwks.json"}) {
    auto answer = answer_to(get(path, ""));
    EXPECT_EQ(status_of(answer), 404) << path;
    EXPECT_TRUE(has(answer, "disabled in native mode")) << path;
    EXPECT_TRUE(has(answer, "https://one.example")) << path;
  }
}

TEST_F(Guarded, IsReadyWithoutADatabase) {
  start_guard();
  auto answer = answer_to(get("/health", ""));
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_TRUE(has(answer, "\"issuer\":\"https://one.example\",\"ready\":true"));
  EXPECT_FALSE(has(answer, "database"));
}

TEST_F(Guarded, PublishesNoMetadataOfIssuersThatHaveNone) {
  start_guard();
  EXPECT_EQ(status_of(answer_to(get("/.well-known/oauth-authorization-server", ""))), 404);
  auto described = answer_to(get("/.well-known/oauth-protected-resource/mcp", ""));
  EXPECT_TRUE(has(described, R"("authorization_servers":["https://one.example","https://two.example"])"));
}

TEST_F(Guarded, ASchemeThatIsOffIsRefused) {
  conf.binding.dpop = "off";
  auto token = of("https://one.example");
  token.replace(0, 21, "Authorization: DPoP");
  auto answer = answer_to(post(call, token));
  EXPECT_EQ(status_of(answer), 401);
  EXPECT_TRUE(has(answer, "WWW-Authenticate: Bearer"));
}

TEST_F(Guarded, DemandsABindingWhereThatIsSaid) {
  conf.binding.certificate = "require";
  auto answer = answer_to(post(call, of("https://one.example")));
  EXPECT_EQ(status_of(answer), 401);
  EXPECT_TRUE(has(answer, "The token is not bound to a key")) << answer;
  EXPECT_FALSE(has(answer, "DPoP ")) << "a proof would not help";
}

// What each lacks is told apart, and so is what would help.
TEST_F(Guarded, SaysWhichBindingATokenLacks) {
  auto plain = of("https://one.example");
  auto with_cnf = [&](std::string_view member) {
    json::object claims{{"iss", "https://one.example"},
                        {"sub", "ada"},
                        {"aud", resource},
                        {"scope", "tools:read"},
                        {"client_id", "c"}};
    claims["iat"] = to_unix(now());
    claims["exp"] = to_unix(now()) + 60;
    claims["cnf"] = json::object{{member, std::string(43, 'A')}};
    return "Authorization: Bearer " +
           sign_jws(key, "at+jwt", key.public_part().kid(), json::serialize(claims)) + "\r\n";
  };
  auto bare = answer_to(post(call, with_cnf("jkt")));
  EXPECT_TRUE(has(bare, "The token is bound to a key, and no proof of it was sent")) << bare;
  EXPECT_TRUE(has(bare, "WWW-Authenticate: DPoP "));
  auto without_certificate = answer_to(post(call, with_cnf("x5t#S256")));
  EXPECT_TRUE(has(without_certificate, "bound to a client certificate, and none was shown"));
  EXPECT_FALSE(has(without_certificate, "WWW-Authenticate: DPoP ")) << without_certificate;
  plain.replace(0, 21, "Authorization: DPoP");
  auto by_dpop = answer_to(post(call, plain));
  EXPECT_TRUE(has(by_dpop,
                  "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"The token "
                  "is not bound to a key\""))
      << by_dpop;
}

TEST_F(Guarded, AnUnboundTokenIsToldSoWhereBoundOnesAreDemanded) {
  conf.binding.dpop = "require";
  auto answer = answer_to(post(call, of("https://one.example")));
  EXPECT_TRUE(has(answer,
                  "WWW-Authenticate: DPoP error=\"invalid_token\", error_description=\"The token is not "
                  "bound to a key\""))
      << answer;
  EXPECT_FALSE(has(answer, "WWW-Authenticate: Bearer"));
}

}  // namespace
}  // namespace mcp_oauth
