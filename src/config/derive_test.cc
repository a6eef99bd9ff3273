#include "config/load.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string upstream = "mcp_server_url: http://localhost:3000\n";

settings good(const std::string& text) {
  auto answer = load({"config.yaml", text});
  if (answer) return answer->value;
  for (const auto& e : answer.error()) ADD_FAILURE() << to_string(e);
  return {};
}

std::string bad(const std::string& text) {
  auto answer = load({"config.yaml", text});
  if (answer) {
    ADD_FAILURE() << "loaded: " << text;
    return "";
  }
  std::string errors;
  for (const auto& e : answer.error()) errors += to_string(e) + "\n";
  return errors;
}

TEST(Derive, FailuresAreKeptUnlessNoneMayBe) {
  EXPECT_TRUE(good(upstream).explain.enabled());
  EXPECT_EQ(good(upstream).explain.most, 1000u);
  EXPECT_FALSE(good(upstream + "explain: {most: 0}\n").explain.enabled());
}

TEST(Derive, PublicUrlComesFromCallbackUrlOrFromWhereWeListen) {
  EXPECT_EQ(good(upstream + "callback_url: https://a.example:8443/oauth/callback\n").public_url,
            "https://a.example:8443");
  EXPECT_EQ(good(upstream + "public_url: https://a.example\n").callback_url,
            "https://a.example/auth/callback");
  EXPECT_EQ(good(upstream + "host: \"::1\"\nport: 9000\n").public_url, "http://[::1]:9000");
  EXPECT_EQ(good(upstream + "host: localhost\nport: 80\n").public_url, "http://localhost");
  EXPECT_EQ(good(upstream + "host: a.example\nport: 443\ntls: {cert_file: c, key_file: k}\n").public_url,
            "https://a.example");
  for (const char* host : {"0.0.0.0", "\"::\""}) {
    EXPECT_THAT(bad(upstream + "host: " + host + "\n"), HasSubstr("public_url: is missing")) << host;
  }
}

TEST(Derive, PublicUrlUsesHttpsUnlessItIsThisMachine) {
  EXPECT_THAT(bad(upstream + "public_url: http://mcp.example.com\n"),
              HasSubstr("config.yaml:2: public_url: value \"http://mcp.example.com\": must use https"));
  EXPECT_THAT(bad(upstream + "callback_url: http://mcp.example.com/callback\n"),
              HasSubstr("callback_url: value"));
  EXPECT_THAT(bad(upstream + "host: 10.0.0.1\n"),
              HasSubstr("config.yaml:2: host: value \"10.0.0.1\": would make http://10.0.0.1:8080"));
  EXPECT_EQ(good(upstream + "public_url: http://mcp.example.com\ndanger_allow_http: true\n").public_url,
            "http://mcp.example.com");
  for (const char* local : {"http://localhost:1", "http://127.8.9.1", "http://[::1]"}) {
    EXPECT_EQ(good(upstream + "public_url: " + local + "\n").public_url, local);
  }
}

TEST(Derive, CallbackUrlAndPublicUrlShareTheirOrigin) {
  EXPECT_THAT(
      bad(upstream + "public_url: https://a.example\ncallback_url: https://b.example/callback\n"),
      HasSubstr("callback_url: value \"https://b.example/callback\": must have the origin of public_url"));
}

TEST(Derive, APortThatIsOnlyKnownLaterIsFilledInThen) {
  auto s = with_port(good(upstream + "port: 0\n"), 4711);
  EXPECT_EQ(s.port, 4711);
  EXPECT_EQ(s.public_url, "http://127.0.0.1:4711");
  EXPECT_EQ(s.callback_url, "http://127.0.0.1:4711/auth/callback");
  EXPECT_EQ(s.upstreams[0].resource, "http://127.0.0.1:4711/mcp");
  EXPECT_THAT(s.cors.origins, ElementsAre("http://localhost:*", "http://127.0.0.1:*"));

  EXPECT_EQ(with_port(good(upstream + "port: 0\npublic_url: https://a.example\n"), 4711).public_url,
            "https://a.example");
  EXPECT_EQ(with_port(good(upstream + "port: 8080\n"), 4711).port, 8080);
  EXPECT_THAT(bad(upstream + "port: 0\nhost: 10.0.0.1\ndanger_allow_http: true\n"),
              HasSubstr("public_url: is missing"));
}

TEST(Derive, TlsNeedsBothFiles) {
  EXPECT_THAT(bad(upstream + "tls: {cert_file: c}\n"),
              HasSubstr("tls.cert_file: value \"c\": needs tls.key_file"));
  EXPECT_THAT(bad(upstream + "tls: {key_file: k}\n"),
              HasSubstr("tls.key_file: value \"k\": needs tls.cert_file"));
}

TEST(Derive, OneUpstreamNeedsOnlyItsUrl) {
  auto s = good("public_url: https://a.example\nupstreams: [{url: \"http://localhost:1\"}]\n");
  EXPECT_EQ(s.upstreams[0].name, "mcp");
  EXPECT_EQ(s.upstreams[0].resource, "https://a.example/mcp");
}

TEST(Derive, SeveralUpstreamsAreToldApart) {
  auto s = good(
      "public_url: https://a.example\n"
      "upstreams:\n"
      "  - {name: a, url: \"http://localhost:1\", paths: [\"/a/*\", /x]}\n"
      "  - {name: b, url: \"http://localhost:2\", paths: /b, resource: https://a.example/other}\n");
  EXPECT_THAT(s.upstreams[0].paths, ElementsAre("/a", "/x"));
  EXPECT_EQ(s.upstreams[0].resource, "https://a.example/a");
  EXPECT_EQ(s.upstreams[1].resource, "https://a.example/other");

  auto errors =
      bad("public_url: https://a.example\n"
          "upstreams:\n"
          "  - {name: a, url: \"http://localhost:1\", paths: [/a]}\n"
          "  - {name: a, url: \"http://localhost:2\", paths: [/a], resource: https://a.example/a}\n"
          "  - {}\n");
  EXPECT_THAT(errors, HasSubstr("config.yaml:4: upstreams[1].name: value \"a\": must differ"));
  EXPECT_THAT(errors, HasSubstr("upstreams[1].paths: value \"/a\": has /a twice"));
  EXPECT_THAT(errors, HasSubstr("upstreams[1].resource: value \"https://a.example/a\": must differ"));
  EXPECT_THAT(errors, HasSubstr("config.yaml:5: upstreams[2]: has no name"));
  EXPECT_THAT(errors, HasSubstr("upstreams[2]: has no url"));
  EXPECT_THAT(errors, HasSubstr("upstreams[2]: has no paths"));
}

TEST(Derive, AnUpstreamIsNotTheGatewayItself) {
  struct row {
    std::string host, url;
    bool refused;
  };
  const std::string text = "public_url: https://a.example\nport: 3000\nhost: ";
  for (const auto& [host, url, refused] : {
           row{"127.0.0.1", "http://localhost:3000/mcp", true},
           row{"127.0.0.1", "http://127.0.0.1:3000", true},
           row{"localhost", "https://127.0.0.1:3000", true},
           row{"0.0.0.0", "http://127.0.0.2:3000", true},
           row{"\"::\"", "http://[::1]:3000", true},
           row{"10.0.0.1", "http://10.0.0.1:3000", true},
           row{"127.0.0.1", "http://127.0.0.2:3000", false},
           row{"127.0.0.1", "http://localhost:3001", false},
           row{"127.0.0.1", "http://localhost", false},
           row{"0.0.0.0", "http://mcp.internal:3000", false},
       }) {
    auto file = text + host + "\nmcp_server_url: \"" + url + "\"\n";
    if (refused) {
      EXPECT_THAT(bad(file), HasSubstr("config.yaml:4: mcp_server_url: value \"" + url +
                                       "\": is where this gateway itself listens"));
    } else {
      good(file);
    }
  }
  EXPECT_THAT(bad(text + "127.0.0.1\nupstreams: [{url: \"http://localhost:3000\"}]\n"),
              HasSubstr("upstreams[0].url: value \"http://localhost:3000\": is where this gateway itself"));
}

TEST(Derive, AnUpstreamIsGivenOnce) {
  EXPECT_THAT(bad("port: 1\n"),
              HasSubstr("mcp_server_url: is missing: there is no MCP server to protect (add mcp_server_url"));
  EXPECT_THAT(bad(upstream + "upstreams: [{url: \"http://localhost:1\"}]\n"),
              HasSubstr("is given together with upstreams"));
  EXPECT_THAT(bad("upstreams: []\n"), HasSubstr("mcp_server_url: is missing"));
}

TEST(Derive, ToolsNameTheirScopes) {
  auto s = good(
      upstream +
      "tools:\n  echo: [a, b]\n  one: {any_of: [c, a]}\n  all: {all_of: [d]}\n  open: []\n  text: e f\n");
  ASSERT_TRUE(s.tools_given);
  ASSERT_EQ(s.tools.size(), 5U);
  EXPECT_EQ(s.tools[0].needed, scopes_needed::all);
  EXPECT_EQ(s.tools[1].needed, scopes_needed::any);
  EXPECT_EQ(s.tools[2].needed, scopes_needed::all);
  EXPECT_THAT(s.tools[3].scopes, IsEmpty());
  EXPECT_THAT(s.tools[4].scopes, ElementsAre("e", "f"));
  EXPECT_THAT(s.scopes_supported, ElementsAre("mcp", "a", "b", "c", "d", "e", "f"));
  EXPECT_TRUE(good(upstream + "tools: {}\n").tools_given);

  struct row {
    const char *tools, *message;
  };
  for (auto [tools, message] :
       {row{"tools:\n", "tools: has no value"}, row{"tools: [a]\n", "tools: must be a map"},
        row{"tools: {a: {any_of: []}}\n", "tools.a.any_of: names no scope"},
        row{"tools: {a: {anyof: [b]}}\n", "tools.a: must be a list of scopes, {any_of"},
        row{"tools: {a: {any_of: [b], all_of: [c]}}\n", "tools.a: has any_of and all_of"},
        row{"tools: {a: }\n", "tools.a: must be a list of scopes, and is empty"},
        row{"tools: {a: [\"b c\"]}\n", "tools.a: value \"b c\": must be a scope"},
        row{"tools: {a: [[b]]}\n", "must be a list of single values"},
        row{"tools: {a: \"\"}\n", "tools.a: names no scope"},
        row{"tools: {a: \"${EMPTY:-}\"}\n", "[] or {public: true} asks for nothing"},
        row{"tools: {a: {any_of: [b]}, c: {all_of: \" , \"}}\n", "tools.c.all_of: names no scope"},
        row{"tools: {\"\": [b]}\n", "has a line without a name"}}) {
    EXPECT_THAT(bad(upstream + tools), HasSubstr(message)) << tools;
  }
}

TEST(Derive, AnEmptyVariableOpensNoServerInSilence) {
  auto server = [](const std::string& said) {
    return "upstreams: [{name: a, url: \"http://localhost:1\", scopes: " + said + "}]\n";
  };
  EXPECT_THAT(bad(server("\"${EMPTY:-}\"")), HasSubstr("upstreams[0].scopes: names no scope"));
  EXPECT_THAT(bad(server("\"\"")), HasSubstr("write [] to ask for none"));
  EXPECT_THAT(good(server("[]")).upstreams[0].scopes, IsEmpty());
  EXPECT_THAT(good(server("\"[]\"")).upstreams[0].scopes, IsEmpty()) << "that is said, too";
  EXPECT_THAT(good(server("a b")).upstreams[0].scopes, ElementsAre("a", "b"));
}

TEST(Derive, ScopesThatAreNeededMustBeOffered) {
  EXPECT_THAT(good(upstream + "scopes_supported: [a, b]\ntools: {t: [b]}\n").scopes_supported,
              ElementsAre("a", "b"));
  EXPECT_THAT(bad(upstream + "scopes_supported: [a]\ntools: {t: [b]}\n"), HasSubstr("it lacks b"));
  EXPECT_THAT(bad(upstream + "clients: [{client_id: c, redirect_uris: [https://a.example], scopes: [z]}]\n"),
              HasSubstr("clients[0].scopes: value \"z\": must be among scopes_supported; it adds z"));
}

TEST(Derive, ClientsOfTheFileAreComplete) {
  EXPECT_THAT(bad("public_url: https://mcp.example.com\n" + std::string(upstream) +
                  "clients: [{client_id: c, redirect_uris: [https://mcp.example.com/oauth/authorize]}]\n"),
              HasSubstr("has an address of this gateway itself"));
  auto s = good(upstream + "clients: [{client_id: c, redirect_uris: https://a.example/cb}]\n");
  EXPECT_EQ(s.clients[0].client_name, "c");
  EXPECT_THAT(s.clients[0].redirect_uris, ElementsAre("https://a.example/cb"));
  auto errors =
      bad(upstream + "clients: [{client_id: c, redirect_uris: [https://a.example]}, {client_id: c}, {}]\n");
  EXPECT_THAT(errors, HasSubstr("clients[1].client_id: value \"c\": is given twice"));
  EXPECT_THAT(errors, HasSubstr("clients[1]: has no redirect_uris"));
  EXPECT_THAT(errors, HasSubstr("clients[2]: has no client_id"));
}

TEST(Derive, BrowsersOfThisMachineMayCallAGatewayOfThisMachine) {
  EXPECT_THAT(good(upstream).cors.origins, ElementsAre("http://localhost:*", "http://127.0.0.1:*"));
  EXPECT_THAT(good(upstream + "public_url: https://a.example\n").cors.origins, IsEmpty());
  EXPECT_THAT(good(upstream + "cors: {origins: []}\n").cors.origins, IsEmpty());
  EXPECT_THAT(good(upstream + "cors: {origins: \"*\"}\n").cors.origins, ElementsAre("*"));
  EXPECT_THAT(bad(upstream + "cors: {origins: [\"*\"], allow_credentials: true}\n"),
              HasSubstr("must not hold * while cors.allow_credentials is true"));
}

TEST(Derive, AdmissionFitsIntoTheBody) {
  EXPECT_THAT(bad(upstream + "limits: {body: 1KiB}\n"),
              HasSubstr("limits.body: value \"1KiB\": must leave limits.admission"));
  EXPECT_EQ(good(upstream + "limits: {body: 1KiB, admission: 1KiB}\n").limits.body, 1024U);
}

TEST(Derive, WarnsOfHeadersInBothListsAndOfTopicsThatNobodyKnows) {
  auto answer =
      load({"config.yaml", upstream + "header_forwarding:\n  forward_headers: [X-A, X-Both]\n"
                                      "  blocked_headers: [x-both]\nlogging: {debug: [\"*\", oauth:pkc]}\n"});
  ASSERT_TRUE(answer);
  EXPECT_THAT(
      answer->warnings,
      ElementsAre("header_forwarding: X-Both is both in forward_headers and in blocked_headers, and is "
                  "blocked",
                  "DEBUG: oauth:pkc watches nothing (did you mean oauth:pkce?)"));
}

TEST(Derive, ARecordOfDecisionsHasAFileOfItsOwn) {
  auto s = good(upstream + "audit: {file: audit.log}\n");
  EXPECT_TRUE(s.audit.enabled());
  EXPECT_FALSE(s.audit.wants_allowed());
  EXPECT_EQ(s.audit.on_failure, "refuse");
  EXPECT_TRUE(good(upstream + "audit: {file: audit.log, decisions: all}\n").audit.wants_allowed());
  for (const char* without : {"decisions: all", "on_failure: refuse"}) {
    EXPECT_THAT(bad(upstream + "audit: {" + without + "}\n"), HasSubstr("audit.file: is missing")) << without;
  }
  EXPECT_THAT(bad(upstream + "audit: {file: logs/proxy.log}\n"),
              HasSubstr("is the file of the log as well, from which lines may be dropped"));
}

TEST(Derive, AResourceNameIsOfOneServer) {
  EXPECT_EQ(good(upstream + "resource_name: Tickets\n").upstreams.at(0).resource_name, "Tickets");
  auto answer = load({"config.yaml",
                      "upstreams: [{name: a, url: http://localhost:1, resource_name: A}]\n"
                      "resource_name: Tickets\n"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value.upstreams.at(0).resource_name, "A");
  EXPECT_THAT(answer->warnings, testing::Contains(HasSubstr("resource_name is not used")));
}

TEST(Derive, ListingAuthorizationMeansTheVerifiedTokenUnlessSomethingElseIsSaid) {
  const std::string listed = "header_forwarding: {forward_headers: [authorization]}\n";
  EXPECT_EQ(good(upstream).upstreams[0].authorization, "none");
  EXPECT_EQ(good(upstream + listed).upstreams[0].authorization, "verified");
  const std::string corp = "providers: {corp: {type: oidc, issuer: https://idp.example.com, client_id: c}}\n";
  EXPECT_EQ(good(upstream + corp + "upstream_authorization: provider\n").upstreams[0].authorization,
            "provider");
  EXPECT_EQ(good(upstream + listed + "upstream_authorization: minted\n").upstreams[0].authorization,
            "minted");
  auto kept_back = load({"config.yaml", upstream + listed + "upstream_authorization: none\n"});
  ASSERT_TRUE(kept_back);
  EXPECT_EQ(kept_back->value.upstreams[0].authorization, "none");
  EXPECT_THAT(kept_back->warnings, ElementsAre(HasSubstr("lists Authorization")));
}

TEST(Derive, AnUpstreamWithAHostHasItsResourceThere) {
  const std::string mail = "upstreams: [{name: mail, url: http://m, paths: [/mcp], hosts: [Mail.example]}]\n";
  EXPECT_EQ(good(mail + "public_url: https://a.example\n").upstreams[0].resource, "https://mail.example/mcp");
  EXPECT_EQ(good(mail + "public_url: https://a.example:8443\n").upstreams[0].resource,
            "https://mail.example:8443/mcp");
  EXPECT_EQ(with_port(good(mail + "port: 0\n"), 9191).upstreams[0].resource, "http://mail.example:9191/mcp");
}

TEST(Derive, LocalUsersHaveNoTokenOfAProvider) {
  const std::string wanted = "is provider, and local users have no token of one";
  EXPECT_THAT(bad(upstream + "providers: {local: {}}\nupstream_authorization: provider\n"),
              HasSubstr(wanted));
  EXPECT_THAT(
      bad("providers: {here: {type: local}, corp: {type: oidc, issuer: https://a.example, client_id: c}}\n"
          "upstreams: [{name: a, url: http://a, paths: [/a], upstream_authorization: provider}]\n"),
      HasSubstr("upstreams[0].upstream_authorization: value \"provider\": " + wanted));
  EXPECT_THAT(bad("upstreams: [{name: a, url: http://a, paths: [/a], require_auth: false,"
                  " upstream_authorization: provider}]\n"),
              HasSubstr("needs somebody who has signed in"));
}

}  // namespace
}  // namespace mcp_oauth
