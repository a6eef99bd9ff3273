#include "doctor/deployment.h"

#include "doctor/print_examination.h"
#include "doctor/site_fixture.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

http_answer json_answer(int status, const std::string& body) {
  return {status, {{"Content-Type", "application/json"}}, body};
}

// One of which nothing is wrong.
deployment_evidence good() {
  deployment_evidence e;
  e.file = "config.yaml";
  e.start_good = {"Database connection valid"};
  e.listener = "http://127.0.0.1:8080";
  e.health = json_answer(200, R"({"status": "healthy", "uptime": 7, "version": "1.0.0"})");
  e.inside = json_answer(200, R"({"resource":"https://mcp.example.com/mcp"})");
  e.public_url = "https://mcp.example.com";
  e.resource = "https://mcp.example.com/mcp";
  e.public_addresses = {"192.0.2.7", "2001:db8::7"};
  e.local_store = true;
  e.files = {{"/srv/oauth.db", "the database", 0600}};
  provider_trial p;
  p.name = "corp";
  p.callback_url = "https://mcp.example.com/auth/callback";
  p.registered_at = "Redirect URIs";
  p.token_endpoint = "https://idp.example.com/token";
  p.token = json_answer(400, R"({"error":"invalid_grant"})");
  p.authorize = http_answer{302, {{"Location", "https://idp.example.com/login"}}, ""};
  e.providers = {p};
  return e;
}

struct broken {
  std::string name, id, check;
  std::function<void(deployment_evidence&)> breaks;
};

TEST(Deployment, OfWhichAllIsWellHasNothingToBePutRight) {
  auto made = examine_deployment(good(), std::nullopt);
  EXPECT_EQ(first_id(made), "") << to_text(made, false);
  auto callback = std::find_if(made.findings.begin(), made.findings.end(),
                               [](const auto& one) { return one.check == "provider.redirect_uri"; });
  ASSERT_NE(callback, made.findings.end());
  EXPECT_EQ(callback->seen, "https://mcp.example.com/auth/callback");
}

TEST(Deployment, AFileKeepsTheBitsThatAreUsualForIt) {
  auto e = good();
  e.files = {{"/etc/ssl/private/k.pem", "the key of the TLS certificate", 0640, 0040}};
  EXPECT_EQ(first_id(examine_deployment(e, std::nullopt)), "");
  for (auto [mode, may_have, should] :
       {std::tuple(0644u, 0040u, "0640"), {0660u, 0040u, "0640"}, {0644u, 0u, "0600"}}) {
    e.files = {{"/srv/of the gateway", "a file", mode, may_have}};
    auto made = examine_deployment(e, std::nullopt);
    ASSERT_NE(made.first(), nullptr);
    EXPECT_EQ(made.first()->fix, std::string("chmod ") + should + " '/srv/of the gateway'");
    ASSERT_TRUE(made.first()->change);
    EXPECT_EQ(made.first()->change->to, should);
  }
}

TEST(Deployment, ACommandIsForThatFileWhateverItsName) {
  auto e = good();
  e.file = "it's; touch x #.yaml";
  e.file_errors = {"wrong"};
  EXPECT_EQ(examine_deployment(e, std::nullopt).first()->verify,
            R"(mcp-oauth-proxy validate-config 'it'\''s; touch x #.yaml')");
}

TEST(Deployment, ATerminalObeysNothingOfWhatWasSeen) {
  auto e = good();
  e.away = {{errc::provider_issuer_mismatch,
             "providers.corp: says '\x1b]0;x\x07\xc2\x9b"
             "31m\x7f'"}};
  auto text = to_text(examine_deployment(e, std::nullopt), false);
  EXPECT_NE(text.find("providers.corp: says"), std::string::npos);
  EXPECT_EQ(text.find_first_of("\x1b\x07\x7f"), std::string::npos);
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
}

TEST(Deployment, NamesWhatIsWrongFirst) {
  const std::vector<broken> all = {
      {"no file", "MOP-CFG-001", "config.file",
       [](auto& e) { e.file_errors = {"Config file not found: /srv/config.yaml"}; }},
      {"a key that is none", "MOP-CFG-003", "config.file",
       [](auto& e) { e.file_errors = {"config.yaml:1: prot: unknown key", "⚠ Warning: x"}; }},
      {"a doubtful setting", "MOP-CFG-003", "config.settings",
       [](auto& e) { e.setting_doubts = {"x is low"}; }},
      {"no database", "MOP-STO-005", "start",
       [](auto& e) { e.start_failures = {{errc::store_unreachable, "connect ECONNREFUSED"}}; }},
      {"a doubt of a start", "MOP-CFG-003", "start", [](auto& e) { e.start_doubts = {"something"}; }},
      {"not running", "MOP-RUN-001", "gateway.running",
       [](auto& e) { e.health = fail(errc::fetch_failed, "Connection refused"); }},
      {"somebody else", "MOP-RUN-001", "gateway.running",
       [](auto& e) { e.health = http_answer{200, {}, "<html>hello</html>"}; }},
      {"somebody else, who is healthy", "MOP-RUN-001", "gateway.running",
       [](auto& e) { e.health = json_answer(200, R"({"status":"healthy","version":"1.0"})"); }},
      {"running and unwell", "MOP-RUN-001", "gateway.running",
       [](auto& e) {
         e.health = json_answer(503, R"({"status": "unhealthy", "uptime": 7, "version": "1.0.0"})");
       }},
      {"running, and it says what is away", "MOP-STO-001", "gateway.running",
       [](auto& e) {
         e.health = json_answer(503, R"({"status":"unhealthy","reasons":["database: store_unavailable"])"
                                     R"(,"uptime":7,"version":"1.0.0"})");
       }},
      {"running, with reasons that are none", "MOP-RUN-001", "gateway.running",
       [](auto& e) {
         e.health = json_answer(503, R"({"status":"unhealthy","reasons":[7,"","x: y",": "])"
                                     R"(,"uptime":7,"version":"1.0.0"})");
       }},
      {"an older configuration", "MOP-RUN-003", "gateway.configuration",
       [](auto& e) { e.inside = json_answer(200, R"({"resource":"http://mcp.example.com/mcp"})"); }},
      {"two machines", "MOP-RUN-005", "store.replicas",
       [](auto& e) { e.public_addresses = {"192.0.2.7", "192.0.2.8"}; }},
      {"a wide file", "MOP-FIL-003", "files.mode", [](auto& e) { e.files.front().mode = 0640; }},
      {"an upstream that is away", "MOP-UPS-001", "upstream.answer",
       [](auto& e) { e.away = {{errc::upstream_refused, "the MCP server http://x does not answer"}}; }},
      {"a provider that is away", "MOP-IDP-001", "provider.answer",
       [](auto& e) { e.away = {{errc::provider_unreachable, "providers.corp: away"}}; }},
      {"a clock", "MOP-TIM-003", "provider.answer",
       [](auto& e) { e.away = {{errc::clocks_differ, "providers.corp: the clock"}}; }},
      {"a wrong secret", "MOP-IDP-008", "provider.credentials",
       [](auto& e) { e.providers.front().token = json_answer(401, R"({"error":"invalid_client"})"); }},
      {"a token endpoint that is away", "MOP-IDP-001", "provider.credentials",
       [](auto& e) { e.providers.front().token = fail(errc::fetch_failed, "refused"); }},
      {"a callback that is not registered", "MOP-IDP-007", "provider.redirect_uri",
       [](auto& e) {
         e.providers.front().authorize =
             http_answer{400, {}, "<html>redirect_uri did not match any of the client's</html>"};
       }},
  };
  for (const auto& one : all) {
    auto evidence = good();
    one.breaks(evidence);
    auto made = examine_deployment(evidence, std::nullopt);
    ASSERT_NE(made.first(), nullptr) << one.name;
    EXPECT_EQ(made.first()->check, one.check) << one.name << "\n" << to_text(made, false);
    EXPECT_EQ(first_id(made), one.id) << one.name;
    EXPECT_FALSE(made.first()->verify.empty()) << one.name;
  }
}

TEST(Deployment, ThatDoesNotAnswerIsGoneForCertainOnlyWhereNobodyListens) {
  for (auto [words, certain] : {std::pair("Connection refused", true),
                                {"Timeout was reached", false},
                                {"SSL certificate problem", false}}) {
    auto evidence = good();
    evidence.health = fail(errc::fetch_failed, words);
    auto made = examine_deployment(evidence, std::nullopt);
    ASSERT_EQ(first_id(made), "MOP-RUN-001") << to_text(made, false);
    EXPECT_EQ(made.first()->certain, certain) << words;
  }
}

// A page of an error shows the whole request, whatever is wrong with it.
TEST(Deployment, APageThatNamesTheRedirectUriIsNoMismatch) {
  struct row {
    http_answer authorize;
    const char *id, *fix;
    bool certain;
  };
  const std::string details = "<html>client_id=us redirect_uri=https://x/callback ";
  for (const auto& [authorize, id, fix, certain] :
       {row{{400, {}, details + "invalid_scope: groups is unknown"},
            "MOP-IDP-009",
            "Compare the scopes",
            false},
        row{{400, {}, details + "something"}, "MOP-IDP-007", "auth/callback", false},
        row{{400, {}, details + "redirect_uri_mismatch"}, "MOP-IDP-007", "auth/callback", true}}) {
    auto evidence = good();
    evidence.providers.front().authorize = authorize;
    auto made = examine_deployment(evidence, std::nullopt);
    ASSERT_NE(made.first(), nullptr);
    EXPECT_EQ(first_id(made), id) << to_text(made, false);
    EXPECT_EQ(made.first()->certain, certain) << authorize.body;
    EXPECT_NE(made.first()->fix.find(fix), std::string::npos) << made.first()->fix;
  }
}

TEST(Deployment, A401ThatIsNoAnswerOfOAuthIsNoVerdictOnCredentials) {
  auto evidence = good();
  evidence.providers.front().token = http_answer{401, {{"Content-Type", "text/html"}}, "<html>VPN login"};
  auto made = examine_deployment(evidence, std::nullopt);
  EXPECT_EQ(made.verdict(), examination_verdict::ok) << to_text(made, false);
}

TEST(Deployment, AUrlOfTheEnvironmentIsNotChangedInTheFile) {
  auto evidence = good();
  evidence.away = {{errc::path_unknown, "the MCP server answers 404 at http://h:3000/wrong: …"}};
  evidence.better_urls = {{"http://h:3000/wrong", "http://h:3000/mcp"}};
  evidence.url_of_environment = true;
  auto made = examine_deployment(evidence, std::nullopt);
  ASSERT_NE(made.first(), nullptr);
  EXPECT_FALSE(made.first()->change.has_value());
  EXPECT_NE(made.first()->fix.find("MCP_SERVER_URL"), std::string::npos) << made.first()->fix;
}

TEST(Deployment, ThatDoesNotRunIsTheCauseOfWhatIsSeenOutside) {
  auto evidence = good();
  evidence.health = fail(errc::fetch_failed, "Connection refused");
  site_world world;
  world.place = {};
  world.place.addresses = {"192.0.2.7"};
  world.place.refused = true;
  world.answers["POST " + world.target] = [](const http_call&) {
    return fail(errc::fetch_failed, "refused");
  };
  auto made = examine_deployment(evidence, world.examine());
  EXPECT_EQ(first_id(made), "MOP-RUN-001") << to_text(made, false);
  EXPECT_FALSE(made.clients.empty());
}

TEST(Deployment, ThatRunsAndIsNotReachedIsToldOf) {
  site_world world;
  world.place = {};
  world.place.addresses = {"192.0.2.7"};
  world.place.timed_out = true;
  world.answers["POST " + world.target] = [](const http_call&) {
    return fail(errc::fetch_timeout, "timed out");
  };
  auto made = examine_deployment(good(), world.examine());
  EXPECT_EQ(first_id(made), "MOP-RUN-004") << to_text(made, false);
  EXPECT_FALSE(made.first()->certain) << "a network may not reach its own public address from inside";
  EXPECT_TRUE(std::any_of(made.findings.begin(), made.findings.end(),
                          [](const auto& one) { return one.code == errc::connection_timeout; }));
  world.place.timed_out = false;
  world.place.refused = true;
  EXPECT_FALSE(examine_deployment(good(), world.examine()).first()->certain);
  auto local = good();
  local.public_url = "http://127.0.0.1:8080";
  EXPECT_TRUE(examine_deployment(local, world.examine()).first()->certain) << "there is no network between";
}

TEST(Deployment, WhoseNameDoesNotResolveIsToldThatFirst) {
  site_world world;
  world.place = {};
  world.place.name_failure = "Name or service not known";
  world.answers["POST " + world.target] = [](const http_call&) {
    return fail(errc::fetch_failed, "no answer");
  };
  auto made = examine_deployment(good(), world.examine());
  EXPECT_EQ(first_id(made), "MOP-NET-005") << to_text(made, false);
  EXPECT_TRUE(std::any_of(made.findings.begin(), made.findings.end(),
                          [](const auto& one) { return one.code == errc::gateway_unreachable; }));
}

TEST(Deployment, WhosePublicUrlIsAnsweredBySomethingElseIsToldThat) {
  site_world world;
  http_answer page{404, {{"Content-Type", "text/html"}}, "<html>Welcome"};
  world.answers["POST " + world.target] = [page](const http_call&) { return page; };
  struct row {
    result<http_answer> health;
    bool named;
  };
  for (const auto& [health, named] :
       {row{page, true}, row{http_answer{200, {}, "hello"}, true}, row{http_answer{403, {}, "no"}, false},
        row{http_answer{502, {}, "away"}, false}, row{fail(errc::fetch_failed, "cut off"), false},
        row{json_answer(200, R"({"status": "healthy"})"), true},
        row{json_answer(200, R"({"status": "healthy", "uptime": 7, "version": "1.0.0"})"), false}}) {
    auto evidence = good();
    evidence.public_health = health;
    auto made = examine_deployment(evidence, world.examine());
    EXPECT_EQ(first_id(made) == "MOP-RUN-002", named) << to_text(made, false);
    EXPECT_TRUE(!named || !made.first()->certain);
  }
  // An MCP server that asks for no token is ours only where ours asks for none either.
  world.answers["POST " + world.target] = [](const http_call&) {
    return json_answer(200, R"({"jsonrpc":"2.0","id":"doctor","result":{"protocolVersion":"2025-11-25",)"
                            R"("capabilities":{},"serverInfo":{"name":"x","version":"1"}}})");
  };
  for (bool wants_tokens : {true, false}) {
    auto evidence = good();
    evidence.public_health = page;
    evidence.wants_tokens = wants_tokens;
    auto made = examine_deployment(evidence, world.examine());
    EXPECT_EQ(first_id(made), wants_tokens ? "MOP-RUN-002" : "MOP-CHA-001") << to_text(made, false);
  }
  // A proxy with a health of its own, before a gateway of which nothing else is wrong.
  auto evidence = good();
  evidence.public_health = page;
  auto made = examine_deployment(evidence, site_world().examine());
  EXPECT_NE(first_id(made), "MOP-RUN-002") << to_text(made, false);
}

TEST(Deployment, AnUnknownAnswerOfAProviderIsNoVerdict) {
  auto evidence = good();
  evidence.providers.front().token = json_answer(400, R"({"error":"invalid_request"})");
  auto made = examine_deployment(evidence, std::nullopt);
  EXPECT_EQ(made.verdict(), examination_verdict::ok) << to_text(made, false);
}

TEST(Deployment, ProposesTheUrlAtWhichAServerWasFound) {
  auto evidence = good();
  evidence.away = {{errc::path_unknown, "the MCP server answers 404 at http://h:3000/wrong: …"}};
  evidence.better_urls = {{"http://h:3000/wrong", "http://h:3000/mcp"}};
  auto made = examine_deployment(evidence, std::nullopt);
  ASSERT_TRUE(made.first() != nullptr && made.first()->change.has_value());
  EXPECT_EQ(made.first()->change->to, "http://h:3000/mcp");
  EXPECT_NE(made.first()->fix.find("http://h:3000/mcp"), std::string::npos);
}

TEST(Deployment, OfSeveralServersSaysOnceWhatTheyHaveInCommon) {
  auto finding = [](severity level, std::optional<errc> code, const std::string& where) {
    doctor_finding one;
    one.level = level;
    one.code = code;
    one.where = where;
    return one;
  };
  examination first, second, third;
  first.findings = {finding(severity::failure, errc::cors_origin_refused, "https://as.example")};
  second.target = "https://mcp.example/files";
  second.findings = {finding(severity::ok, std::nullopt, "https://mcp.example/files"),
                     finding(severity::failure, errc::cors_origin_refused, "https://as.example"),
                     finding(severity::failure, errc::path_unknown, "https://mcp.example/files")};
  third.target = "https://mcp.example/mail";
  third.findings = {finding(severity::ok, std::nullopt, "https://mcp.example/mail")};
  first.add_server(second);
  first.add_server(third);
  ASSERT_EQ(first.findings.size(), 3u);
  EXPECT_EQ(first.findings[1].code, errc::path_unknown);
  EXPECT_EQ(first.findings[2].check, "server.other");
  EXPECT_EQ(first.findings[2].where, third.target);
}

}  // namespace
}  // namespace mcp_oauth
