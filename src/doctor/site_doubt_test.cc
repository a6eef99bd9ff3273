// What is told as certain, and what is not: a wrong cause that is stated as certain is worse than none.

#include "base/text.h"
#include "doctor/print_examination.h"
#include "doctor/site_fixture.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::string told(const examination& made) { return to_text(made, false); }

const doctor_finding* of_check(const examination& made, std::string_view check) {
  auto found = std::find_if(made.findings.begin(), made.findings.end(), [&](const doctor_finding& one) {
    return one.check == check && one.level != severity::ok;
  });
  return found == made.findings.end() ? nullptr : &*found;
}
std::optional<bool> gets_through(const examination& made, std::string_view name) {
  auto found = std::find_if(made.clients.begin(), made.clients.end(),
                            [&](const client_outlook& one) { return one.name == name; });
  return found->gets_through;
}
void set_both_forms(site_world& world, const http_answer& answer) {
  for (const char* form : {site_world::path_form, site_world::root_form})
    world.set("GET " + std::string(form), answer);
}
http_answer resource_with(const std::string& more, const std::string& before = "") {
  return site_world::text(200, before +
                                   R"({"resource":"https://mcp.example.com/mcp","authorization_servers":)" +
                                   R"(["https://as.example.com"])" + more + "}");
}

TEST(Doubt, ADocumentThatMostClientsReadIsNotCalledAbsent) {
  for (const auto& answer : {resource_with("", "\xEF\xBB\xBF"), resource_with(R"(,"a":1,"a":2)"),
                             resource_with(",\"resource_name\":\"caf\xE9\"")}) {
    site_world world;
    set_both_forms(world, answer);
    auto made = world.examine();
    EXPECT_EQ(made.verdict(), examination_verdict::warning) << told(made);
    ASSERT_EQ(first_id(made), "MOP-PRM-002") << told(made);
    EXPECT_FALSE(made.first()->certain);
    EXPECT_EQ(gets_through(made, "claude-code"), true);
    EXPECT_EQ(gets_through(made, "bridge"), false);
    EXPECT_EQ(gets_through(made, "codex"), std::nullopt);
  }
}

TEST(Doubt, ADocumentBehindARedirectIsFollowedByTheRules) {
  site_world world;
  for (const char* form : {site_world::path_form, site_world::root_form})
    world.set("GET " + std::string(form), {302, {{"Location", "/meta.json"}}, ""});
  world.set("GET https://mcp.example.com/meta.json", resource_with(""));
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-PRM-002") << told(made);
  EXPECT_EQ(made.first()->level, severity::warning);
  EXPECT_NE(made.first()->seen.find("redirect to https://mcp.example.com/meta.json"), std::string::npos);

  // A public server leads nobody inside.
  site_evidence evidence;
  evidence.target = *url::parse(world.target);
  evidence.places.push_back(world.place);
  auto add = [&](std::string_view what, const std::string& at, http_answer answer) {
    http_call call;
    call.url = at;
    evidence.exchanges.push_back({std::string(what), call, std::move(answer), world.now});
  };
  add(asked::post, world.target, world.post);
  add(asked::resource, site_world::path_form, {302, {{"Location", "http://169.254.169.254/latest"}}, ""});
  auto plan = next_of_site(evidence);
  auto inner = std::find_if(plan.errands.begin(), plan.errands.end(),
                            [](const site_errand& one) { return one.what == asked::moved; });
  ASSERT_NE(inner, plan.errands.end());
  EXPECT_EQ(inner->rules.allowed, addresses::public_only);
}

TEST(Doubt, WhatWeReadAPartOfOrWasThrottledIsNoVerdict) {
  for (const char* what : {site_world::path_form, site_world::server_document}) {
    site_world part;
    for (const char* form : {what, site_world::root_form}) {
      part.set("GET " + std::string(form), site_world::text(200, R"({"x":")"));
      part.cuts[form] = "not over after 10 s";
    }
    auto made = part.examine();
    EXPECT_EQ(made.verdict(), examination_verdict::unknown) << told(made);
    EXPECT_EQ(gets_through(made, "vscode"), std::nullopt) << told(made);
    site_world many;
    for (const char* form : {what, site_world::root_form})
      many.set("GET " + std::string(form), site_world::text(429, ""));
    made = many.examine();
    EXPECT_EQ(made.verdict(), examination_verdict::unknown) << told(made);
    EXPECT_EQ(first_id(made), "MOP-WEB-008") << told(made);
    EXPECT_EQ(gets_through(made, "vscode"), std::nullopt) << told(made);
  }
}

// What every question but the first meets.
TEST(Doubt, ALimitThatOurOwnQuestionsMeetIsNamedAsOne) {
  for (const char* one : {"GET https://as.example.com/authorize", "GET https://as.example.com/keys",
                          "OPTIONS https://mcp.example.com/mcp"}) {
    site_world world;
    world.set(one, site_world::text(429, ""));
    auto made = world.examine();
    EXPECT_EQ(made.verdict(), examination_verdict::ok) << one << told(made);
    EXPECT_NE(told(made).find("MOP-WEB-008"), std::string::npos) << one;
  }
}

TEST(Doubt, MetadataWhoseAddressFailsIsNotCalledAnotherDocument) {
  for (const char* what : {site_world::path_form, site_world::server_document}) {
    site_world world;
    for (const char* form : {what, site_world::root_form})
      world.set("GET " + std::string(form), site_world::text(500, "{}"));
    auto made = world.examine();
    ASSERT_EQ(made.verdict(), examination_verdict::failed) << told(made);
    EXPECT_FALSE(made.first()->certain);
    EXPECT_NE(made.first()->cause.find("fails"), std::string::npos) << told(made);
  }
}

TEST(Doubt, AnAuthorizationServerWhoseTlsDoesNotHoldIsNotCalledAway) {
  site_world world;
  for (const char* form :
       {site_world::server_document, "https://as.example.com/.well-known/openid-configuration"})
    world.answers["GET " + std::string(form)] = [](const http_call&) {
      return fail(errc::fetch_failed, "SSL certificate problem: self-signed certificate");
    };
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-ASM-001") << told(made);
  EXPECT_NE(made.first()->cause.find("TLS"), std::string::npos) << made.first()->cause;
}

// Who is silent here may be heard elsewhere, unless the machine itself says that nobody is there.
TEST(Doubt, WhatDoesNotAnswerFromHereIsAwayForCertainOnlyWhereItRefuses) {
  struct row {
    errc code;
    const char* words;
    bool certain;
  };
  for (const auto& [code, words, certain] :
       {row{errc::fetch_failed, "Couldn't connect to server: Connection refused", true},
        row{errc::fetch_failed, "Couldn't resolve host name", false},
        row{errc::fetch_failed, "CONNECT tunnel failed, response 403", false},
        row{errc::fetch_timeout, "Timeout was reached", false}}) {
    for (const char* one : {"GET https://as.example.com/.well-known/oauth-authorization-server",
                            "POST https://as.example.com/token", "GET https://as.example.com/authorize",
                            "POST https://as.example.com/register"}) {
      site_world world;
      auto why = error{code, words};
      auto silent = [why](const http_call&) -> result<http_answer> { return tl::unexpected<error>(why); };
      world.answers[one] = silent;
      if (std::string_view(one).find("well-known") != std::string_view::npos)
        world.answers["GET https://as.example.com/.well-known/openid-configuration"] = silent;
      auto made = world.examine();
      ASSERT_EQ(made.verdict(), examination_verdict::failed) << one << words << told(made);
      EXPECT_EQ(made.first()->certain, certain) << one << words << told(made);
    }
  }
}

TEST(Doubt, MetadataThatIsLateIsNotCalledAtAnotherHost) {
  site_world world;
  world.answers["GET " + std::string(site_world::path_form)] = [](const http_call&) {
    return fail(errc::fetch_timeout, "timed out");
  };
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-CHA-008") << told(made);
  EXPECT_FALSE(made.first()->certain);
}

TEST(Doubt, APageOf503IsOfAProxyOrOfTheServerItself) {
  for (auto [status, certain] : {std::pair(502, true), {504, true}, {503, false}}) {
    site_world world;
    world.post = site_world::page(status, "We are back soon");
    auto made = world.examine();
    ASSERT_EQ(first_id(made), "MOP-WEB-003") << told(made);
    EXPECT_EQ(made.first()->certain, certain) << status;
  }
}

TEST(Doubt, AChallengeThatManyReadIsNotCalledUnreadable) {
  site_world unquoted;
  unquoted.post = unquoted.challenge("Bearer resource_metadata=" + std::string(site_world::path_form));
  auto made = unquoted.examine();
  ASSERT_EQ(first_id(made), "MOP-CHA-005") << told(made);
  EXPECT_EQ(made.first()->level, severity::warning);
  EXPECT_NE(made.first()->cause.find("no quotes"), std::string::npos);

  site_world two;
  two.post = {
      401,
      {{"WWW-Authenticate", "Basic realm=\"x"},
       {"WWW-Authenticate", "Bearer resource_metadata=\"" + std::string(site_world::path_form) + "\""},
       {"Date", two.date}},
      "{}"};
  made = two.examine();
  ASSERT_EQ(first_id(made), "MOP-CHA-005") << told(made);
  EXPECT_EQ(made.first()->level, severity::warning);
  EXPECT_EQ(gets_through(made, "claude-code"), true);
}

TEST(Doubt, ARegistrationEndpointThatAnswersAsNoneIsNotCalledOpen) {
  struct row {
    http_answer answer;
    severity level;
  };
  for (const auto& [answer, level] :
       {row{site_world::page(200), severity::failure}, row{site_world::page(500), severity::warning},
        row{{302, {{"Location", "/login"}}, ""}, severity::failure},
        row{site_world::text(500, "{}"), severity::warning}, row{site_world::text(400, "no"), severity::ok},
        row{site_world::text(422, "{}"), severity::ok}, row{site_world::text(201, "{}"), severity::ok}}) {
    site_world world;
    world.set("POST https://as.example.com/register", answer);
    auto made = world.examine();
    const auto* found = of_check(made, "server.registration");
    ASSERT_EQ(found == nullptr ? severity::ok : found->level, level) << told(made);
    if (found == nullptr) continue;
    EXPECT_EQ(found->code, errc::server_endpoint_unreachable);
    EXPECT_FALSE(found->certain);
    EXPECT_EQ(gets_through(made, "claude-code"), std::nullopt) << told(made);
  }
}

TEST(Doubt, TheNetworkThatPassesAnAnswerIsNotTheOneThatGivesIt) {
  site_world world;
  world.post = site_world::text(500, R"({"error":"TypeError"})");
  world.post.fields.add("CF-RAY", "8a");
  world.post.fields.add("Server", "cloudflare");
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-WEB-004") << told(made);
  EXPECT_NE(made.first()->seen.find("it comes through Cloudflare"), std::string::npos) << made.first()->seen;
}

TEST(Doubt, WhoeverIsNotAuthorizedMayBeInTheWrongCountry) {
  struct row {
    const char* body;
    bool certain;
  };
  for (const auto& [body, certain] :
       {row{R"({"message":"requests from your country are not authorized"})", false},
        row{R"({"error":"authorization"})", false}, row{R"({"error":"invalid_token"})", true},
        row{R"({"error":"Unauthorized"})", true}, row{R"({"message":"no access token"})", true}}) {
    site_world world;
    world.post = site_world::text(403, body);
    auto made = world.examine();
    ASSERT_EQ(first_id(made), "MOP-CHA-003") << told(made);
    EXPECT_EQ(made.first()->certain, certain) << body;
  }
}

TEST(Doubt, AnswersOfMcpThatArePagesByNameAreToldAsThat) {
  site_world world;
  world.post =
      site_world::text(200, R"({"jsonrpc":"2.0","id":"doctor","result":{}})", "text/html; charset=UTF-8");
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-WEB-009") << told(made);
  EXPECT_NE(made.first()->title.find("Content-Type"), std::string::npos);
}

TEST(Doubt, APathIsWrongForCertainOnlyWhereTheServerWasFoundElsewhere) {
  site_world lost;
  lost.post = site_world::text(404, "default backend - 404", "text/plain");
  EXPECT_FALSE(lost.examine().first()->certain);
  lost.target = "https://mcp.example.com/api";
  lost.set("POST " + lost.target, lost.post);
  site_world usual;
  lost.set("POST https://mcp.example.com/mcp", usual.post);
  auto made = lost.examine();
  ASSERT_EQ(first_id(made), "MOP-WEB-007") << told(made);
  EXPECT_TRUE(made.first()->certain);
}

TEST(Doubt, AnOldStreamThatWantsATokenIsNotCalledAnotherPath) {
  site_world world;
  auto usual = world.post;
  world.target = "https://mcp.example.com/sse";
  world.set("POST https://mcp.example.com/mcp", usual);
  world.set("POST https://mcp.example.com/sse", site_world::text(405, "", "text/plain"));
  world.set("GET https://mcp.example.com/sse", usual);
  auto made = world.examine();
  const auto* found = of_check(made, "http.path");
  ASSERT_NE(found, nullptr) << told(made);
  EXPECT_EQ(found->code, errc::transport_outdated) << told(made);
  EXPECT_FALSE(found->certain);
}

TEST(Doubt, WhatStandsElsewhereIsTheServerOnlyWhereItSpeaksAsOne) {
  struct row {
    http_answer elsewhere;
    bool named, certain;
  };
  const site_world usual;
  for (const auto& [elsewhere, named, certain] :
       {row{usual.challenge("Basic realm=\"intranet\""), false, false},
        row{usual.challenge("Negotiate"), false, false},
        row{usual.challenge("Basic realm=\"Bearer resource_metadata\""), false, false},
        row{usual.challenge("Bearer realm=\"api\""), true, false},
        row{usual.challenge("Basic realm=\"x\", DPoP algs=\"ES256\""), true, false},
        row{usual.post, true, true},
        row{site_world::text(200, R"({"jsonrpc":"2.0","id":1,"result":{}})"), true, true},
        row{site_world::text(200, R"({"up":true})"), false, false}}) {
    site_world world;
    world.target = "https://mcp.example.com/tools/mcp";
    world.post = site_world::text(404, "not here", "text/plain");
    world.set("POST https://mcp.example.com/", elsewhere);
    auto made = world.examine();
    ASSERT_EQ(first_id(made), "MOP-WEB-007") << told(made);
    auto words = elsewhere.fields.first("WWW-Authenticate");
    EXPECT_EQ(made.first()->fix.find("https://mcp.example.com/") != std::string::npos, named) << words;
    EXPECT_EQ(made.first()->certain, certain) << words;
    EXPECT_EQ(made.first()->fix.find("if it is the one") != std::string::npos, named && !certain) << words;
  }
}

TEST(Doubt, OfTwoThatStandElsewhereTheOneThatSpeaksAsTheServerIsNamed) {
  const std::string one = "https://mcp.example.com/mcp", other = "https://mcp.example.com/api/mcp";
  for (const auto& [server, likely] : {std::pair(one, other), std::pair(other, one)}) {
    site_world world;
    world.target = "https://mcp.example.com/tools/mcp";
    world.set("POST " + likely, world.challenge("Bearer realm=\"api\""));
    world.set("POST " + server, world.post);
    world.post = site_world::text(404, "not here", "text/plain");
    auto made = world.examine();
    ASSERT_EQ(first_id(made), "MOP-WEB-007") << told(made);
    EXPECT_NE(made.first()->fix.find(server), std::string::npos) << made.first()->fix;
    EXPECT_TRUE(made.first()->certain);
  }
}

// Where requests go by a proxy, this machine need neither know the name nor reach the address.
TEST(Doubt, WhatAProxyLosesIsNotPutDownToTheNameOrTheAddress) {
  constexpr auto words = "https://mcp.example.com: Couldn't connect to server: Connection refused";
  site_world unknown, refused, open;
  unknown.place = {};
  unknown.place.name_failure = "Name or service not known";
  refused.place = {};
  refused.place.addresses = {"192.0.2.7"};
  refused.place.refused = true;
  refused.place.connect_failure = "192.0.2.7: Connection refused";
  for (auto* world : {&unknown, &refused, &open}) {
    world->answers["POST " + world->target] = [](const http_call&) {
      return fail(errc::fetch_failed, words);
    };
    world->by_proxy = true;
    auto made = world->examine();
    ASSERT_EQ(first_id(made), "MOP-NET-008") << told(made);
    EXPECT_FALSE(made.first()->certain) << told(made);
    EXPECT_NE(made.first()->seen.find(words), std::string::npos) << told(made);
    EXPECT_NE(made.first()->cause.find("proxy"), std::string::npos) << told(made);
    EXPECT_FALSE(made.first()->verify.empty());
  }
  for (auto* world : {&unknown, &refused}) {
    world->by_proxy = false;
    auto made = world->examine();
    EXPECT_TRUE(made.first()->certain) << told(made);
  }
}

TEST(Doubt, NoTlsOfOurOwnIsTheCauseForCertainWhereAProxyLosesTheRequest) {
  for (bool by_proxy : {false, true}) {
    for (int wrong : {0, 1, 2}) {
      site_world world;
      world.by_proxy = by_proxy;
      world.place.trusted = false;
      world.place.wrong_name = wrong == 0;
      world.place.untrusted_chain = wrong == 1;
      world.place.cleartext = wrong == 2;
      world.place.tls_done = wrong != 2;
      world.answers["POST " + world.target] = [](const http_call&) { return fail(errc::fetch_failed, "x"); };
      auto made = world.examine();
      ASSERT_NE(made.first(), nullptr);
      EXPECT_EQ(made.first()->check, "tls.certificate") << told(made);
      EXPECT_EQ(made.first()->certain, !by_proxy) << told(made);
    }
  }
}

TEST(Doubt, DatesThatOnlyOurOwnClockCallsWrongAreNoCertainCause) {
  site_world world;
  world.place.trusted = false;
  world.place.wrong_dates = true;
  world.answers["POST " + world.target] = [](const http_call&) { return fail(errc::fetch_failed, "SSL"); };
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-TLS-006") << told(made);
  EXPECT_FALSE(made.first()->certain);
  EXPECT_NE(made.first()->cause.find("clock of this machine"), std::string::npos) << made.first()->cause;
  EXPECT_NE(made.first()->fix.find("date -u"), std::string::npos) << made.first()->fix;
  EXPECT_NE(made.first()->expected.find("2026-09-21"), std::string::npos) << made.first()->expected;
}

TEST(Doubt, ARedirectIsResolvedBeforeItIsCalledNowhere) {
  site_world world;
  world.set("POST https://mcp.example.com/mcp/", world.post);
  world.post = {307, {{"Location", "mcp/"}}, ""};
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-WEB-005") << told(made);
  EXPECT_EQ(made.first()->seen, "status 307 to https://mcp.example.com/mcp/");
}

TEST(Doubt, AnAnswerThatCameIsTrustedWhateverALookOfOurOwnSays) {
  for (bool name : {true, false}) {
    site_world world;
    world.place.trusted = false;
    (name ? world.place.wrong_name : world.place.wrong_dates) = true;
    auto made = world.examine();
    EXPECT_EQ(first_id(made), "") << told(made);
  }
}

TEST(Doubt, TheCertificateWhoseDatesAreWrongIsTheOneThatIsShown) {
  site_world world;
  world.place.trusted = false;
  world.place.wrong_dates = true;
  world.place.wrongly_dated =
      reached::certificate{"CN=Between", "CN=Root", world.now, reached::certificate::endless, {}};
  world.answers["POST " + world.target] = [](const http_call&) { return fail(errc::fetch_failed, "SSL"); };
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-TLS-006") << told(made);
  EXPECT_EQ(made.first()->seen, "CN=Between, of CN=Root, 2026-09-21 to no end");
}

TEST(Doubt, A400ThatOnlySpeaksOfHttpsIsNoTls) {
  site_world world;
  world.target = "http://mcp.example.com:8080/mcp";
  world.place.port = 8080;
  world.post = site_world::text(400, "Client sent an HTTP request to an HTTPS server.", "text/plain");
  EXPECT_EQ(first_id(world.examine()), "MOP-TLS-008");
  world.place.tls_done = false;
  auto made = world.examine();
  EXPECT_NE(first_id(made), "MOP-TLS-008") << told(made);
}

TEST(Commands, AreForTheAddressAsTheirProgramsReadIt) {
  struct row {
    const char *target, *command;
  };
  for (const auto& [target, command] :
       {row{"https://[::1]:8443/mcp", "openssl s_client -connect [::1]:8443 </dev/null"},
        row{"https://192.0.2.7/mcp", "openssl s_client -connect 192.0.2.7:443 </dev/null"},
        row{"https://mcp.example.com/mcp",
            "openssl s_client -connect mcp.example.com:443 -servername mcp.example.com </dev/null"}}) {
    site_world world;
    world.target = target;
    world.place.host = url::parse(target)->host;
    world.place.trusted = world.place.tls_done = false;
    world.answers["POST " + world.target] = [](const http_call&) { return fail(errc::fetch_failed, "SSL"); };
    auto made = world.examine();
    ASSERT_EQ(first_id(made), "MOP-TLS-009") << told(made);
    EXPECT_EQ(made.first()->verify, command);
  }
}

TEST(Commands, AskWhatWasAsked) {
  site_world world;
  world.post = site_world::text(401, "{}");
  auto verify = world.examine().first()->verify;
  for (const char* part : {"-H 'Accept: application/json, text/event-stream'", "\"method\":\"initialize\""})
    EXPECT_NE(verify.find(part), std::string::npos) << verify;
}

TEST(Commands, SayWhereAQueryWas) {
  site_world world;
  world.documents[site_world::server_document]["jwks_uri"] = "https://as.example.com/keys?p=b2c_1";
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-ASM-011") << told(made);
  EXPECT_EQ(made.first()->verify, "curl -si 'https://as.example.com/keys?<query>'");
}

TEST(Words, OfANearMissAdviseNothingThatIsConfiguredHere) {
  site_world world;
  for (const char* form : {site_world::path_form, site_world::root_form})
    world.documents[form]["resource"] = "https://mcp.example.com/mcp/";
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-PRM-006") << told(made);
  EXPECT_NE(made.first()->cause.find("they differ in the slash"), std::string::npos) << made.first()->cause;
  EXPECT_EQ(made.first()->cause.find("configure"), std::string::npos) << made.first()->cause;
}

TEST(Questions, AreAskedOnceOfAServerThatIsNamedTwice) {
  site_world world;
  for (const char* form : {site_world::path_form, site_world::root_form})
    world.documents[form]["authorization_servers"] =
        json::array{"https://as.example.com", "https://as.example.com", "https://as.example.com"};
  world.look();
  for (const char* one : {"POST https://as.example.com/register", "GET https://as.example.com/keys",
                          "GET https://as.example.com/authorize"})
    EXPECT_EQ(std::count(world.asked.begin(), world.asked.end(), one), 1) << one;
}

TEST(Questions, EndTheSessionsThatTheyOpened) {
  site_world world;
  world.post = site_world::text(200, R"({"jsonrpc":"2.0","id":"doctor","result":{}})");
  int opened = 0;
  std::vector<std::string> ended;
  world.answers["POST " + world.target] = [&](const http_call&) -> result<http_answer> {
    auto made = world.post;
    made.fields.add("Mcp-Session-Id", "s" + std::to_string(opened++));
    return made;
  };
  world.answers["DELETE " + world.target] = [&](const http_call& call) -> result<http_answer> {
    ended.emplace_back(call.fields.first("Mcp-Session-Id"));
    return http_answer{204, {}, ""};
  };
  world.examine();
  EXPECT_GT(opened, 0);
  std::sort(ended.begin(), ended.end());
  ASSERT_EQ(ended.size(), static_cast<std::size_t>(opened));
  EXPECT_TRUE(std::adjacent_find(ended.begin(), ended.end()) == ended.end());
}

}  // namespace
}  // namespace mcp_oauth
