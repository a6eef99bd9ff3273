#include "base/text.h"
#include "doctor/print_examination.h"
#include "doctor/site_fixture.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>
#include <set>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::string told(const examination& made) { return to_text(made, false); }

TEST(Site, OfWhichAllIsWellHasNothingToBePutRight) {
  site_world world;
  auto made = world.examine();
  EXPECT_EQ(first_id(made), "") << told(made);
  EXPECT_EQ(made.verdict(), examination_verdict::ok);
  for (const auto& client : made.clients) {
    // Cursor's makers say little.
    if (client.name != "cursor") {
      EXPECT_EQ(client.gets_through, true) << client.name << " " << client.stops_at;
    }
  }
}

TEST(Site, IsAskedEachQuestionOnceAndNothingThatChangesIt) {
  site_world world;
  world.look();
  std::set<std::string> all(world.asked.begin(), world.asked.end());
  EXPECT_TRUE(all.contains("GET https://as.example.com/.well-known/openid-configuration"));
  for (const auto& one : world.asked) {
    EXPECT_TRUE(one.starts_with("GET ") || one.starts_with("POST ") || one.starts_with("OPTIONS ")) << one;
  }
  EXPECT_LT(world.asked.size(), 40u);
}

// What is wrong, and what must be named first.
struct broken {
  std::string name, id;
  bool certain;
  std::function<void(site_world&)> breaks;
};

void fail_all(site_world& world, const std::string& why) {
  world.answers["POST " + world.target] = [why](const http_call&) { return fail(errc::fetch_failed, why); };
}
void change_server(site_world& world, const std::function<void(json::object&)>& change) {
  change(world.documents[site_world::server_document]);
}
void change_resource(site_world& world, const std::string& resource) {
  world.documents[site_world::path_form]["resource"] = resource;
  world.documents[site_world::root_form]["resource"] = resource;
}
void end_resource(site_world& world) {
  world.documents.erase(site_world::path_form);
  world.documents.erase(site_world::root_form);
}

std::vector<broken> worlds() {
  return {
      {"no name", "MOP-NET-005", true,
       [](site_world& w) {
         w.place = {};
         w.place.name_failure = "Name or service not known";
         fail_all(w, "could not resolve");
       }},
      {"a resolver that is away", "MOP-NET-005", false,
       [](site_world& w) {
         w.place = {};
         w.place.name_failure = "Temporary failure in name resolution";
         fail_all(w, "could not resolve");
       }},
      {"nobody listens", "MOP-NET-006", true,
       [](site_world& w) {
         w.place = {};
         w.place.addresses = {"192.0.2.7"};
         w.place.refused = true;
         w.place.connect_failure = "192.0.2.7: Connection refused";
         fail_all(w, "refused");
       }},
      {"a firewall that drops", "MOP-NET-007", false,
       [](site_world& w) {
         w.place = {};
         w.place.addresses = {"192.0.2.7"};
         w.place.timed_out = true;
         fail_all(w, "timed out");
       }},
      {"a broken connection", "MOP-NET-008", false,
       [](site_world& w) {
         w.place = {};
         w.place.addresses = {"192.0.2.7"};
         fail_all(w, "reset");
       }},
      {"a certificate signed by itself", "MOP-TLS-004", true,
       [](site_world& w) {
         w.place.trusted = false;
         w.place.untrusted_chain = true;
         w.place.tls_failure = "self-signed certificate";
         fail_all(w, "SSL certificate problem");
       }},
      {"a certificate for another name", "MOP-TLS-005", true,
       [](site_world& w) {
         w.place.trusted = false;
         w.place.wrong_name = true;
         fail_all(w, "SSL");
       }},
      {"a certificate that expired", "MOP-TLS-006", false,
       [](site_world& w) {
         w.place.trusted = false;
         w.place.wrong_dates = true;
         fail_all(w, "SSL");
       }},
      {"expired, and of another name", "MOP-TLS-006", false,
       [](site_world& w) {
         w.place.trusted = false;
         w.place.wrong_dates = w.place.wrong_name = true;
         fail_all(w, "SSL");
       }},
      {"cleartext on the port of TLS", "MOP-TLS-007", true,
       [](site_world& w) {
         w.place.trusted = w.place.tls_done = false;
         w.place.cleartext = true;
         fail_all(w, "SSL");
       }},
      {"no handshake", "MOP-TLS-009", false,
       [](site_world& w) {
         w.place.trusted = w.place.tls_done = false;
         w.place.tls_failure = "alert handshake failure";
         fail_all(w, "SSL");
       }},
      {"no answer over a good connection", "MOP-WEB-003", false,
       [](site_world& w) {
         w.answers["POST " + w.target] = [](const http_call&) {
           return fail(errc::fetch_timeout, "timed out");
         };
       }},
      {"an answer that breaks off", "MOP-NET-008", false, [](site_world& w) { fail_all(w, "empty reply"); }},
      {"a page of Cloudflare", "MOP-WEB-001", true,
       [](site_world& w) {
         auto page = site_world::page(403, "Just a moment...");
         page.fields.add("CF-RAY", "8a");
         page.fields.add("cf-mitigated", "challenge");
         w.post = page;
       }},
      {"a page through Cloudflare", "MOP-WEB-001", false,
       [](site_world& w) {
         auto page = site_world::page(403, "You are not a member");
         page.fields.add("CF-RAY", "8a");
         w.post = page;
       }},
      {"a page of somebody", "MOP-WEB-001", false,
       [](site_world& w) { w.post = site_world::page(403, "Forbidden"); }},
      {"a password in front", "MOP-WEB-001", false,
       [](site_world& w) { w.post = w.challenge("Basic realm=\"staging\""); }},
      {"a challenge of a firewall as 503", "MOP-WEB-001", false,
       [](site_world& w) {
         w.post = site_world::page(503, "Just a moment...");
         w.post.fields.add("Server", "cloudflare");
       }},
      {"a web application", "MOP-WEB-002", true, [](site_world& w) { w.post = site_world::page(200); }},
      {"a proxy without its server", "MOP-WEB-003", true,
       [](site_world& w) { w.post = site_world::page(502, "502 Bad Gateway"); }},
      {"a server of files", "MOP-WEB-009", false,
       [](site_world& w) { w.post = site_world::page(501, "Unsupported method"); }},
      {"a defect", "MOP-WEB-004", true, [](site_world& w) { w.post = site_world::text(500, "{}"); }},
      {"too many requests", "MOP-WEB-008", false,
       [](site_world& w) { w.post = site_world::text(429, "{}"); }},
      {"a host that is not allowed", "MOP-WEB-012", true,
       [](site_world& w) {
         w.post = site_world::text(403, R"({"jsonrpc":"2.0","error":{"message":"Invalid Host: x"}})");
       }},
      {"another path", "MOP-WEB-007", false,
       [](site_world& w) { w.post = site_world::text(404, "", "text/plain"); }},
      {"a redirect to a slash", "MOP-WEB-005", true,
       [](site_world& w) {
         w.post = {308, {{"Location", "/mcp/"}}, ""};
         w.set("POST https://mcp.example.com/mcp/", w.bad_token);
       }},
      {"a loop", "MOP-WEB-006", true, [](site_world& w) { w.post = {308, {{"Location", w.target}}, ""}; }},
      {"a sign-in page elsewhere", "MOP-WEB-001", false,
       [](site_world& w) {
         w.post = {302, {{"Location", "https://sso.example.net/login"}}, ""};
         w.set("POST https://sso.example.net/login", site_world::page(200, "Sign in"));
       }},
      {"JSON of something else", "MOP-WEB-009", true,
       [](site_world& w) { w.post = site_world::text(200, R"({"status":"up"})"); }},
      {"a 200 that says unauthorized", "MOP-WEB-009", false,
       [](site_world& w) { w.post = site_world::text(200, R"({"error":"Unauthorized"})"); }},
      {"an open server", "MOP-CHA-001", true,
       [](site_world& w) {
         w.post = site_world::text(200, R"({"jsonrpc":"2.0","id":"doctor","result":{}})");
       }},
      {"403 in place of 401", "MOP-CHA-003", true,
       [](site_world& w) { w.post = site_world::text(403, R"({"error":"missing access token"})"); }},
      {"a JSON-RPC error in a 200", "MOP-CHA-003", true,
       [](site_world& w) {
         w.post = site_world::text(
             200, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Unauthorized"}})");
       }},
      {"no challenge", "MOP-CHA-004", true, [](site_world& w) { w.post = site_world::text(401, "{}"); }},
      {"a challenge without quotes at its end", "MOP-CHA-005", true,
       [](site_world& w) { w.post = w.challenge("Bearer resource_metadata=\"https://mcp.example.com/x"); }},
      {"a challenge without metadata", "MOP-CHA-006", true,
       [](site_world& w) { w.post = w.challenge("Bearer"); }},
      {"a relative address", "MOP-CHA-007", true,
       [](site_world& w) {
         w.post = w.challenge("Bearer resource_metadata=\"/.well-known/oauth-protected-resource\"");
       }},
      {"an inner address in the challenge", "MOP-CHA-008", true,
       [](site_world& w) {
         w.post = w.challenge(
             "Bearer resource_metadata=\"http://10.0.0.5:8080/.well-known/oauth-protected-resource\"");
       }},
      {"an error where no token was", "MOP-CHA-009", true,
       [](site_world& w) {
         w.post = w.challenge("Bearer error=\"invalid_token\", resource_metadata=\"" +
                              std::string(site_world::path_form) + "\"");
       }},
      {"500 to a bad token", "MOP-CHA-009", true,
       [](site_world& w) { w.bad_token = site_world::text(500, "{}"); }},
      {"401 without invalid_token", "MOP-CHA-009", true,
       [](site_world& w) { w.bad_token = w.challenge("Bearer"); }},
      {"any token will do", "MOP-CHA-002", true,
       [](site_world& w) {
         w.bad_token = site_world::text(200, R"({"jsonrpc":"2.0","id":"doctor","result":{}})");
       }},
      {"no signature is wanted", "MOP-CHA-002", true,
       [](site_world& w) {
         w.answers["POST " + w.target] = [w](const http_call& call) -> result<http_answer> {
           auto token = std::string(call.fields.first("Authorization"));
           if (token.starts_with("Bearer ey"))
             return site_world::text(200, R"({"jsonrpc":"2.0","id":"doctor","result":{}})");
           return token.empty() ? w.post : w.bad_token;
         };
       }},
      {"no resource metadata", "MOP-PRM-001", true,
       [](site_world& w) {
         w.post = w.challenge("Bearer realm=\"x\"");
         end_resource(w);
       }},
      {"metadata behind a token", "MOP-PRM-002", true,
       [](site_world& w) {
         w.post = w.challenge("Bearer realm=\"x\"");
         end_resource(w);
         w.set("GET " + std::string(site_world::path_form), site_world::text(401, "{}"));
       }},
      {"no form with the path", "MOP-PRM-003", true,
       [](site_world& w) {
         w.post = w.challenge("Bearer resource_metadata=\"" + std::string(site_world::root_form) + "\"");
         w.documents.erase(site_world::path_form);
       }},
      {"forms that contradict", "MOP-PRM-004", true,
       [](site_world& w) {
         w.documents[site_world::root_form]["authorization_servers"] = json::array{"https://old.example.com"};
       }},
      {"http behind a proxy", "MOP-PRM-005", true,
       [](site_world& w) { change_resource(w, "http://mcp.example.com/mcp"); }},
      {"an inner port", "MOP-PRM-005", true,
       [](site_world& w) { change_resource(w, "https://mcp.example.com:8080/mcp"); }},
      {"a slash too many", "MOP-PRM-006", true,
       [](site_world& w) { change_resource(w, "https://mcp.example.com/mcp/"); }},
      {"a name in capitals", "MOP-PRM-006", true,
       [](site_world& w) { change_resource(w, "https://MCP.example.com/mcp"); }},
      {"no authorization server", "MOP-PRM-007", true,
       [](site_world& w) {
         w.documents[site_world::path_form].erase("authorization_servers");
         w.documents[site_world::root_form].erase("authorization_servers");
       }},
      {"a document in place of an issuer", "MOP-PRM-007", true,
       [](site_world& w) {
         for (const char* form : {site_world::path_form, site_world::root_form})
           w.documents[form]["authorization_servers"] = json::array{site_world::server_document};
       }},
      {"offline_access", "MOP-PRM-008", true,
       [](site_world& w) {
         w.documents[site_world::path_form]["scopes_supported"] = json::array{"tools", "offline_access"};
       }},
      {"scopes as a string", "MOP-PRM-002", true,
       [](site_world& w) { w.documents[site_world::path_form]["scopes_supported"] = "tools"; }},
      {"no server metadata", "MOP-ASM-001", true,
       [](site_world& w) { w.documents.erase(site_world::server_document); }},
      {"a page in place of server metadata", "MOP-ASM-002", true,
       [](site_world& w) {
         w.documents.erase(site_world::server_document);
         w.set("GET " + std::string(site_world::server_document), site_world::page(200));
       }},
      {"another issuer", "MOP-ASM-003", true,
       [](site_world& w) {
         change_server(w, [](json::object& o) { o["issuer"] = "https://as.example.com/"; });
       }},
      {"no token endpoint", "MOP-ASM-004", true,
       [](site_world& w) { change_server(w, [](json::object& o) { o.erase("token_endpoint"); }); }},
      {"an http endpoint", "MOP-ASM-005", true,
       [](site_world& w) {
         change_server(
             w, [](json::object& o) { o["authorization_endpoint"] = "http://as.example.com/authorize"; });
         w.set("GET http://as.example.com/authorize", site_world::page(400));
       }},
      {"a token endpoint that is nowhere", "MOP-ASM-006", true,
       [](site_world& w) { w.set("POST https://as.example.com/token", site_world::page(404)); }},
      {"an authorization endpoint that is nowhere", "MOP-ASM-006", true,
       [](site_world& w) { w.set("GET https://as.example.com/authorize", site_world::page(404)); }},
      {"no S256", "MOP-ASM-007", true,
       [](site_world& w) {
         change_server(w, [](json::object& o) { o.erase("code_challenge_methods_supported"); });
       }},
      {"plain alone", "MOP-ASM-007", true,
       [](site_world& w) {
         change_server(w,
                       [](json::object& o) { o["code_challenge_methods_supported"] = json::array{"plain"}; });
       }},
      {"no registration", "MOP-ASM-008", true,
       [](site_world& w) { change_server(w, [](json::object& o) { o.erase("registration_endpoint"); }); }},
      {"a closed registration", "MOP-ASM-013", true,
       [](site_world& w) { w.set("POST https://as.example.com/register", site_world::text(401, "{}")); }},
      {"secrets alone", "MOP-ASM-009", true,
       [](site_world& w) {
         change_server(w, [](json::object& o) {
           o["token_endpoint_auth_methods_supported"] = json::array{"client_secret_basic"};
         });
       }},
      {"no refresh", "MOP-ASM-010", true,
       [](site_world& w) {
         change_server(
             w, [](json::object& o) { o["grant_types_supported"] = json::array{"authorization_code"}; });
       }},
      {"no keys there", "MOP-ASM-011", true,
       [](site_world& w) { w.documents.erase("https://as.example.com/keys"); }},
      {"an empty key set", "MOP-ASM-012", true,
       [](site_world& w) {
         w.documents["https://as.example.com/keys"] = json::object{{"keys", json::array()}};
       }},
      {"a preflight behind the token", "MOP-COR-001", true,
       [](site_world& w) { w.set("OPTIONS " + w.target, w.post); }},
      {"no allowed origin", "MOP-COR-002", true,
       [](site_world& w) { w.set("OPTIONS " + w.target, {204, {}, ""}); }},
      {"a star that is no Authorization", "MOP-COR-003", true,
       [](site_world& w) {
         w.set("OPTIONS " + w.target,
               {204, {{"Access-Control-Allow-Origin", "*"}, {"Access-Control-Allow-Headers", "*"}}, ""});
       }},
      {"a challenge that is not exposed", "MOP-COR-004", true,
       [](site_world& w) {
         w.answers["POST " + w.target] = [w](const http_call& call) -> result<http_answer> {
           auto made = call.fields.count("Authorization") != 0 ? w.bad_token : w.post;
           made.fields.add("Access-Control-Allow-Origin", "*");
           return made;
         };
       }},
      {"a clock two minutes ahead", "MOP-TIM-003", false, [](site_world& w) { w.now -= seconds(120); }},
      {"an old transport", "MOP-WEB-011", true,
       [](site_world& w) {
         w.post = site_world::text(405, "", "text/plain");
         w.set("GET " + w.target,
               {200, {{"Content-Type", "text/event-stream"}}, "event: endpoint\ndata: /m\n\n"});
       }},
  };
}

TEST(Site, NamesWhatIsWrongFirst) {
  for (const auto& one : worlds()) {
    site_world world;
    one.breaks(world);
    auto made = world.examine();
    EXPECT_EQ(first_id(made), one.id) << one.name << "\n" << told(made);
    if (made.first() == nullptr) continue;
    EXPECT_EQ(made.first()->certain, one.certain) << one.name;
    EXPECT_FALSE(made.first()->verify.empty()) << one.name;
    EXPECT_FALSE(made.first()->where.empty()) << one.name;
    EXPECT_FALSE(made.first()->fix.empty()) << one.name;
  }
}

// Two things at once: the one that hides the other, or that the other follows from, comes first.
TEST(Site, NamesTheEarlierOfTwo) {
  auto all = worlds();
  auto of = [&](const std::string& name) {
    return *std::find_if(all.begin(), all.end(), [&](const broken& one) { return one.name == name; });
  };
  struct pair {
    const char *first, *second;
  };
  for (auto [first, second] :
       {pair{"a certificate that expired", "no S256"}, pair{"no challenge", "another issuer"},
        pair{"http behind a proxy", "no S256"}, pair{"a page of Cloudflare", "no server metadata"},
        pair{"another issuer", "no keys there"}, pair{"no S256", "a preflight behind the token"},
        pair{"an inner address in the challenge", "no server metadata"}}) {
    site_world world;
    of(second).breaks(world);
    of(first).breaks(world);
    auto made = world.examine();
    EXPECT_EQ(first_id(made), of(first).id) << first << " and " << second << "\n" << told(made);
  }
}

TEST(Site, ThroughAProxyOfTheEnvironmentCountsAsReached) {
  site_world world;
  world.place = {};
  world.place.name_failure = "Name or service not known";
  auto made = world.examine();
  EXPECT_EQ(first_id(made), "") << told(made);
  EXPECT_TRUE(made.reached);
}

TEST(Site, ThatIsCleartextInPublicIsToldOf) {
  site_world world;
  world.target = "http://mcp.example.com/mcp";
  auto made = world.examine();
  EXPECT_EQ(first_id(made), "MOP-TLS-010") << told(made);
}

TEST(Site, ThatSaysNothingToCleartextIsAskedForTls) {
  site_world world;
  world.target = "http://mcp.example.com:8443/mcp";
  world.place.port = 8443;
  fail_all(world, "Server returned nothing (no headers, no data)");
  auto made = world.examine();
  EXPECT_EQ(first_id(made), "MOP-TLS-008") << told(made);
  world.place.tls_done = false;
  EXPECT_EQ(first_id(world.examine()), "MOP-NET-008");
}

TEST(Site, OfBefore2025IsItsOwnAuthorizationServer) {
  site_world world;
  end_resource(world);
  world.post = world.challenge("Bearer realm=\"x\"");
  auto server = world.documents[site_world::server_document];
  server["issuer"] = "https://mcp.example.com";
  world.documents["https://mcp.example.com/.well-known/oauth-authorization-server"] = server;
  auto made = world.examine();
  EXPECT_EQ(made.verdict(), examination_verdict::warning) << told(made);
  auto client = [&](std::string_view name) {
    return *std::find_if(made.clients.begin(), made.clients.end(),
                         [&](const auto& one) { return one.name == name; });
  };
  EXPECT_EQ(client("claude-code").gets_through, true);
  EXPECT_FALSE(client("chatgpt").gets_through.has_value());
}

// The advice of a path comes from a request, not from a habit.
TEST(Site, AtAnotherPathIsFound) {
  site_world world;
  world.target = "https://mcp.example.com/api";
  world.set("POST https://mcp.example.com/mcp", world.post);
  world.set("POST https://mcp.example.com/api", site_world::text(404, "", "text/plain"));
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-WEB-007") << told(made);
  EXPECT_NE(made.first()->fix.find("https://mcp.example.com/mcp"), std::string::npos) << made.first()->fix;
}

TEST(Site, IsNotSentToInnerAddressesByAPublicServer) {
  site_world world;
  world.post = world.challenge("Bearer resource_metadata=\"http://169.254.169.254/latest\"");
  site_evidence evidence;
  evidence.target = *url::parse(world.target);
  evidence.places.push_back(world.place);
  evidence.exchanges.push_back(
      {std::string(asked::post), {"POST", world.target, {}, ""}, world.post, world.now});
  auto plan = next_of_site(evidence);
  auto inner = std::find_if(plan.errands.begin(), plan.errands.end(), [](const site_errand& one) {
    return one.call.url.find("169.254") != std::string::npos;
  });
  ASSERT_NE(inner, plan.errands.end());
  EXPECT_EQ(inner->rules.allowed, addresses::public_only);
}

TEST(Site, NamesNoMoreServersAndFollowsNoMoreRedirectsThanItMay) {
  site_world world;
  json::array many;
  for (int i = 0; i < 50; ++i)
    many.push_back(json::string("https://as" + std::to_string(i) + ".example.com"));
  world.documents[site_world::path_form]["authorization_servers"] = many;
  world.look();
  auto asked_of = [&](const std::string& part) {
    return std::count_if(world.asked.begin(), world.asked.end(),
                         [&](const std::string& one) { return one.find(part) != std::string::npos; });
  };
  EXPECT_EQ(asked_of(".well-known/oauth-authorization-server"), 3);

  site_world endless;
  for (int i = 0; i < 50; ++i) {
    auto here = i == 0 ? endless.target : "https://mcp.example.com/" + std::to_string(i);
    endless.set("POST " + here, {308, {{"Location", "/" + std::to_string(i + 1)}}, ""});
  }
  auto made = endless.examine();
  EXPECT_EQ(first_id(made), "MOP-WEB-006") << told(made);
  EXPECT_EQ(made.verdict(), examination_verdict::failed);
  EXPECT_FALSE(made.first()->certain) << "some clients follow more";
  EXPECT_LT(endless.asked.size(), 20u);
}

TEST(Site, ThatSpeaksOnlyTheNewestRevisionIsAskedInIt) {
  site_world world;
  auto usual = world.post, bad = world.bad_token;
  world.answers["POST " + world.target] = [usual, bad](const http_call& call) -> result<http_answer> {
    if (call.body.find("server/discover") == std::string::npos)
      return site_world::text(
          400, R"({"jsonrpc":"2.0","id":"doctor","error":{"code":-32601,"message":"no initialize"}})");
    auto made = call.fields.count("Authorization") != 0 ? bad : usual;
    made.fields.add("Access-Control-Allow-Origin", "*");
    made.fields.add("Access-Control-Expose-Headers", "WWW-Authenticate");
    return made;
  };
  auto made = world.examine();
  EXPECT_EQ(first_id(made), "") << told(made);
}

TEST(Site, WithSomebodyBetweenMayHoldBackStreamsAndThatIsNoVerdict) {
  site_world world;
  world.post.fields.add("Via", "1.1 proxy");
  auto made = world.examine();
  EXPECT_EQ(made.verdict(), examination_verdict::ok) << told(made);
  EXPECT_TRUE(std::any_of(made.findings.begin(), made.findings.end(), [](const doctor_finding& one) {
    return one.code == errc::stream_buffered && one.level == severity::unknown && !one.certain;
  })) << told(made);
}

TEST(Site, ThatHoldsBackEventsEachTimeIsToldSo) {
  constexpr auto stream = "GET https://mcp.example.com/health/stream";
  const std::vector<milliseconds> held{milliseconds(1010), milliseconds(1010)};
  const std::vector<milliseconds> passing{milliseconds(10), milliseconds(1011)};
  struct row {
    std::deque<std::vector<milliseconds>> streams;
    const char* id;
    std::ptrdiff_t asked;
  };
  for (const auto& [streams, id, asked] : {
           row{{}, "", 1},  // no gateway of ours: it knows no such path
           row{{passing}, "", 1},
           row{{held, passing}, "", 2},
           row{{held, held, passing}, "", 3},
           row{{held, held, held}, "MOP-WEB-010", 3},
       }) {
    site_world world;
    world.streams = streams;
    auto made = world.examine();
    EXPECT_EQ(first_id(made), id) << told(made);
    EXPECT_EQ(std::count(world.asked.begin(), world.asked.end(), stream), asked);
    auto passes = told(made).find("Streams pass as they are sent") != std::string::npos;
    EXPECT_EQ(passes, !streams.empty() && *id == 0) << told(made);
  }
}

TEST(Site, WhoseEndpointsHaveEnoughOfRequestsIsNoVerdict) {
  for (const char* one : {"POST https://as.example.com/token", "POST https://as.example.com/register"}) {
    site_world world;
    world.set(one, site_world::text(429, "{}"));
    auto made = world.examine();
    EXPECT_EQ(made.verdict(), examination_verdict::ok) << one << told(made);
    EXPECT_NE(told(made).find("MOP-WEB-008"), std::string::npos) << one;
  }
}

TEST(Site, WhoseEndpointsAreAwayIsToldOf) {
  struct row {
    const char *asked, *id;
    severity level;
  };
  for (auto [question, id, level] :
       {row{"POST https://as.example.com/token", "MOP-ASM-006", severity::failure},
        row{"GET https://as.example.com/authorize", "MOP-ASM-006", severity::failure},
        row{"POST https://as.example.com/register", "MOP-ASM-006", severity::failure},
        row{"GET https://as.example.com/keys", "MOP-ASM-011", severity::warning}}) {
    site_world world;
    world.answers[question] = [](const http_call&) { return fail(errc::fetch_failed, "refused"); };
    auto made = world.examine();
    EXPECT_EQ(first_id(made), id) << question << told(made);
    ASSERT_NE(made.first(), nullptr);
    EXPECT_EQ(made.first()->level, level) << question;
  }
}

TEST(Site, LongListsAreClippedBetweenCharacters) {
  site_world world;
  json::array many;
  for (int i = 0; i < 500; ++i) many.push_back(json::string("é" + std::to_string(i)));
  change_server(world, [&](json::object& o) { o["response_types_supported"] = many; });
  auto made = world.examine();
  ASSERT_EQ(first_id(made), "MOP-ASM-010") << told(made);
  EXPECT_LT(made.first()->seen.size(), 1100u);
  EXPECT_TRUE(is_valid_utf8(made.first()->seen));
}

// A server answers what it likes; a terminal must not act on it, and nothing of it may be endless.
TEST(Site, WordsOfAServerReachNoTerminal) {
  site_world world;
  world.post = world.challenge("Bearer realm=\"\033[2J\u202e" + std::string(5000, 'x') + "\"");
  change_resource(world, "https://mcp.example.com/\033[31m" + std::string(5000, 'y'));
  auto made = world.examine();
  auto text = told(made) + json::serialize(to_json(made));
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.find("\u202e"), std::string::npos);
  EXPECT_EQ(text.find(std::string(1000, 'x')), std::string::npos);
  EXPECT_EQ(text.find(std::string(1000, 'y')), std::string::npos);
}

TEST(Site, AQueryOfTheTargetIsShownNowhere) {
  site_world world;
  world.target = "https://mcp.example.com/mcp?key=CANARY";
  world.post = site_world::text(404, "", "text/plain");
  auto made = world.examine();
  auto text = told(made) + json::serialize(to_json(made));
  EXPECT_EQ(text.find("CANARY"), std::string::npos) << text;
}

TEST(Site, ColoursOnlyWhereTheyAreWanted) {
  site_world world;
  world.post = site_world::page(403);
  auto made = world.examine();
  EXPECT_NE(to_text(made, true).find('\033'), std::string::npos);
  EXPECT_EQ(to_text(made, false).find('\033'), std::string::npos);
}

// What a token that nobody issued gets: only a result is one that is taken.
TEST(Site, TakesATokenOnlyWhereItGivesAResult) {
  struct row {
    int status;
    const char *body, *id;
    severity level;
    bool certain;
  };
  const std::string event = "event: message\ndata: ";
  const std::string progress = R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})";
  const auto rows = std::to_array<row>({
      {200, R"({"jsonrpc":"2.0","id":1,"result":{}})", "MOP-CHA-002", severity::failure, true},
      {200, R"({"jsonrpc":"2.0","id":1,"result":{},"error":null})", "MOP-CHA-002", severity::failure, true},
      {200, R"({"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Unauthorized: invalid token"}})",
       "MOP-CHA-009", severity::failure, true},
      {200, R"({"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1,"message":"the token has expired"}})",
       "MOP-CHA-009", severity::failure, true},
      {200, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Unauthorized"}})", "MOP-CHA-009",
       severity::failure, false},
      {200, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"x"}})", "MOP-CHA-002",
       severity::failure, false},
      {200, R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})", "MOP-CHA-002",
       severity::failure, false},
  });
  for (const auto& [status, body, id, level, certain] : rows) {
    for (bool streamed : {false, true}) {
      for (const char* check : {"token.made_up", "token.unsigned"}) {
        site_world world;
        const auto refused = world.bad_token;
        const auto asks = world.post;
        const auto answer = streamed ? site_world::text(status, event + body + "\n\n", "text/event-stream")
                                     : site_world::text(status, body);
        const bool is_unsigned = std::string_view(check) == "token.unsigned";
        world.answers["POST " + world.target] = [=](const http_call& call) -> result<http_answer> {
          auto credentials = call.fields.first("Authorization");
          if (credentials.empty()) return asks;
          bool has_dot = credentials.find('.') != std::string_view::npos;
          return has_dot == is_unsigned ? answer : refused;
        };
        auto made = world.examine();
        auto found = std::find_if(made.findings.begin(), made.findings.end(),
                                  [&](const auto& one) { return one.check == check; });
        ASSERT_NE(found, made.findings.end());
        ASSERT_TRUE(found->code) << check << body << told(made);
        EXPECT_EQ(explain(*found->code).id, id) << check << body << told(made);
        EXPECT_EQ(found->level, level) << check << body << told(made);
        EXPECT_EQ(found->certain, certain) << check << body << told(made);
        EXPECT_FALSE(found->verify.empty());
      }
    }
  }
  site_world slow;
  slow.bad_token = site_world::text(
      200, event + progress + "\n\n" + event + R"({"jsonrpc":"2.0","id":1,"result":{}})" + "\n\n",
      "text/event-stream");
  auto made = slow.examine();
  EXPECT_NE(told(made).find("a made-up token is taken"), std::string::npos) << told(made);
}

TEST(Site, ThatAnswersAnUnsignedTokenWithNoMcpIsNoVerdict) {
  struct row {
    int status;
    const char* body;
    severity level;
  };
  for (const auto& [status, body, level] :
       {row{500, "oops", severity::unknown}, row{200, "hello", severity::unknown},
        row{403, "no", severity::ok}}) {
    site_world world;
    const auto refused = world.bad_token;
    const auto asks = world.post;
    const auto answer = site_world::text(status, body);
    world.answers["POST " + world.target] = [=](const http_call& call) -> result<http_answer> {
      auto credentials = call.fields.first("Authorization");
      if (credentials.empty()) return asks;
      return credentials.find('.') == std::string_view::npos ? refused : answer;
    };
    auto made = world.examine();
    auto found = std::find_if(made.findings.begin(), made.findings.end(),
                              [](const auto& one) { return one.check == "token.unsigned"; });
    ASSERT_NE(found, made.findings.end());
    EXPECT_EQ(found->level, level) << body << told(made);
  }
}

TEST(SiteChecks, HaveNamesThatAreUniqueAndSayWhy) {
  std::set<std::string_view> names;
  for (const auto& check : site_checks()) {
    EXPECT_TRUE(names.insert(check.name).second) << check.name;
    EXPECT_FALSE(check.title.empty());
    EXPECT_FALSE(check.why.empty());
  }
}

}  // namespace
}  // namespace mcp_oauth
