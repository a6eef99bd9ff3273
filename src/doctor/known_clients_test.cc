#include "doctor/known_clients.h"

#include "doctor/site_fixture.h"
#include "symptom/catalogue.h"

#include <set>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(KnownClients, HaveNamesRedirectsAndSources) {
  std::set<std::string_view> names;
  for (const auto& client : known_clients()) {
    EXPECT_TRUE(names.insert(client.name).second);
    EXPECT_FALSE(client.redirects.empty()) << client.name;
    EXPECT_FALSE(client.scopes.empty()) << client.name;
    EXPECT_FALSE(client.source.empty()) << client.name;
    EXPECT_EQ(find_client(client.name), &client);
  }
  EXPECT_EQ(find_client("netscape"), nullptr);
}

// "" gets through, "?" is not known, else where it stops.
std::string where_stops(site_world& world, std::string_view name) {
  auto made = world.examine();
  for (const auto& client : made.clients) {
    if (client.name != name) continue;
    if (!client.gets_through) return "?";
    return *client.gets_through ? "" : client.stops_at;
  }
  return "no such client";
}

struct row {
  const char *client, *stops;
};

void expect_all(const std::string& what, const std::function<void(site_world&)>& breaks,
                std::initializer_list<row> rows) {
  for (auto [client, stops] : rows) {
    site_world world;
    breaks(world);
    EXPECT_EQ(where_stops(world, client), stops) << what << ": " << client;
  }
}

TEST(KnownClients, StopWhereTheyAreKnownToStop) {
  auto resource = [](const std::string& text) {
    return [text](site_world& w) {
      w.documents[site_world::path_form]["resource"] = text;
      w.documents[site_world::root_form]["resource"] = text;
    };
  };
  auto server = [](const std::function<void(json::object&)>& change) {
    return [change](site_world& w) { change(w.documents[site_world::server_document]); };
  };
  expect_all("a slash too many", resource("https://mcp.example.com/mcp/"),
             {{"vscode", "resource"},
              {"codex", "resource"},
              {"chatgpt", "resource"},
              {"claude-code", ""},
              {"bridge", ""},
              {"claude", "?"}});
  expect_all("the origin as resource", resource("https://mcp.example.com"),
             {{"vscode", "resource"}, {"codex", ""}, {"claude-code", ""}});
  expect_all("capitals", resource("https://MCP.example.com/mcp"), {{"vscode", ""}, {"bridge", ""}});
  expect_all("another host", resource("https://other.example.com/mcp"),
             {{"vscode", "resource"}, {"claude-code", "resource"}, {"bridge", "resource"}, {"cursor", "?"}});
  expect_all("no S256", server([](json::object& o) { o.erase("code_challenge_methods_supported"); }),
             {{"claude", "pkce"}, {"bridge", "pkce"}, {"claude-code", ""}, {"codex", "?"}});
  expect_all("plain",
             server([](json::object& o) { o["code_challenge_methods_supported"] = json::array{"plain"}; }),
             {{"claude-code", "pkce"}, {"vscode", "pkce"}});
  expect_all("no registration", server([](json::object& o) { o.erase("registration_endpoint"); }),
             {{"claude", "registration"}, {"cursor", "registration"}, {"bridge", "registration"}});
  expect_all("documents alone", server([](json::object& o) {
               o.erase("registration_endpoint");
               o["client_id_metadata_document_supported"] = true;
             }),
             {{"claude", ""}, {"claude-code", ""}, {"inspector", "?"}, {"bridge", "registration"}});
  expect_all("another issuer", server([](json::object& o) { o["issuer"] = "https://else.example.com"; }),
             {{"bridge", "authorization_server"}, {"vscode", ""}, {"claude-code", "?"}});
  expect_all("no preflight", [](site_world& w) { w.set("OPTIONS " + w.target, {405, {}, ""}); },
             {{"inspector", "cors"}, {"claude-code", ""}});
  expect_all("only the old transport",
             [](site_world& w) {
               w.post = site_world::text(405, "", "text/plain");
               w.set("GET " + w.target,
                     {200, {{"Content-Type", "text/event-stream"}}, "event: endpoint\ndata: /m\n\n"});
             },
             {{"codex", "transport"}});
  expect_all(
      "a challenge that leads nowhere",
      [](site_world& w) { w.post = w.challenge("Bearer resource_metadata=\"https://gone.example.com/x\""); },
      {{"vscode", ""}, {"bridge", ""}, {"claude-code", "resource_metadata"}, {"claude", "?"}});
  expect_all("a firewall", [](site_world& w) { w.post = site_world::page(403); },
             {{"claude", "http"}, {"bridge", "http"}});
  expect_all(
      "no tokens at all",
      [](site_world& w) { w.post = site_world::text(200, R"({"jsonrpc":"2.0","id":"doctor","result":{}})"); },
      {{"claude", ""}, {"inspector", ""}});
}

TEST(KnownClients, ThatRunElsewhereDoNotComeToThisMachine) {
  site_world world;
  world.target = "http://127.0.0.1:8080/mcp";
  auto resource =
      json::object{{"resource", world.target}, {"authorization_servers", {"https://as.example.com"}}};
  world.documents["http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp"] = resource;
  world.documents["http://127.0.0.1:8080/.well-known/oauth-protected-resource"] = resource;
  world.post = world.challenge(
      "Bearer resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp\"");
  auto made = world.examine();
  EXPECT_EQ(made.verdict(), examination_verdict::ok);
  EXPECT_EQ(where_stops(world, "claude"), "network");
  EXPECT_EQ(where_stops(world, "claude-code"), "");
}

TEST(KnownClients, OnlyTheOneThatIsNamedIsTold) {
  site_world world;
  auto evidence = world.look();
  auto made = examine_site(evidence);
  auto told = outlooks(evidence, made, "vscode");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told.front().name, "vscode");
}

}  // namespace
}  // namespace mcp_oauth
