#include "oauth/redirect_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

bool registrable(std::string_view uri, const std::vector<std::string>& listed = {}) {
  server_rules rules;
  rules.issuer = "https://gateway.example:8443";
  rules.private_use_schemes = listed;
  auto outcome = check_redirect_uri_registrable(uri, rules);
  if (!outcome) {
    EXPECT_EQ(outcome.error().code, errc::redirect_uri_refused) << uri;
    EXPECT_FALSE(outcome.error().detail.empty()) << uri;
  }
  return outcome.has_value();
}

TEST(RedirectUri, OfEveryKnownClientMayBeRegistered) {
  for (auto uri : {
           "https://claude.ai/api/mcp/auth_callback",
           "https://claude.com/api/mcp/auth_callback",
           "https://chatgpt.com/connector_platform_oauth_redirect",
           "https://vscode.dev/redirect",
           "https://insiders.vscode.dev/redirect",
           "http://127.0.0.1/",
           "http://127.0.0.1:33418/",
           "http://localhost/callback",
           "http://127.0.0.1/callback",
           "http://localhost:8787/callback",
           "http://localhost:6274/oauth/callback",
           "http://[::1]:3000/cb",
           "http://127.42.0.9:3000/cb?a=b",
           "cursor://anysphere.cursor-mcp/oauth/callback",
           "https://www.cursor.com/agents/mcp/oauth/callback",
           "vscode://vscode.github-authentication/did-authenticate",
           "vscode-insiders://vscode.github-authentication/did-authenticate",
           "windsurf://codeium.windsurf/oauth",
           "com.example.app:/oauth",
           "com.example.app://oauth/callback?tenant=1",
           "https://host_with_underscore.example:8443/cb;v=1?x=%C3%A9",
           "https://xn--bcher-kva.example/cb",
           "https://[2001:db8::1]/cb",
       }) {
    EXPECT_TRUE(registrable(uri)) << uri;
  }
}

TEST(RedirectUri, OfAPrivateUseSchemeNeedsADotOrAListing) {
  EXPECT_FALSE(registrable("myapp://callback"));
  EXPECT_TRUE(registrable("myapp://callback", {"other", "myapp"}));
  EXPECT_TRUE(registrable("MyApp://callback", {"myAPP"}));
  EXPECT_FALSE(registrable("myapp2://callback", {"myapp"}));
  EXPECT_TRUE(check_redirect_uri_form("myapp://callback"));
  for (auto known : known_private_use_schemes())
    EXPECT_TRUE(registrable(std::string(known) + "://callback")) << known;
}

// An answer there would be a request that the browser says comes from us.
TEST(RedirectUri, OfThisServerItselfIsNobodys) {
  for (auto uri :
       {"https://gateway.example:8443/", "https://gateway.example:8443/oauth/authorize?client_id=other",
        "HTTPS://GATEWAY.example:8443/cb"}) {
    EXPECT_FALSE(registrable(uri)) << uri;
  }
  for (auto uri : {"https://gateway.example/cb", "https://gateway.example:8444/cb",
                   "https://app.gateway.example:8443/cb"}) {
    EXPECT_TRUE(registrable(uri)) << uri;
  }
}

TEST(RedirectUri, OfADangerousSchemeIsRefusedEvenWhenListed) {
  for (std::string scheme :
       {"javascript",  "data",       "file", "blob",   "about",     "ws",  "wss", "vbscript",
        "view-source", "filesystem", "ftp",  "mailto", "intent",    "jar", "smb", "ms-msdt",
        "tel",         "sms",        "ldap", "chrome", "search-ms", "urn"}) {
    for (std::string shape : {":/x", "://x/y", ":x"}) {
      EXPECT_FALSE(registrable(scheme + shape, {scheme})) << scheme + shape;
      EXPECT_FALSE(check_redirect_uri_form(scheme + shape)) << scheme + shape;
    }
  }
}

TEST(RedirectUri, OfWrongFormIsRefused) {
  for (std::string uri : {
           std::string(),
           std::string("callback"),
           std::string("/callback"),
           std::string("//client.example/cb"),
           std::string("https://"),
           std::string("https:///cb"),
           std::string("https:client.example"),
           std::string("https://client.example/cb#"),
           std::string("https://client.example/cb#frag"),
           std::string("https://user@client.example/cb"),
           std::string("https://user:pw@client.example/cb"),
           std::string("https://*.client.example/cb"),
           std::string("https://client.*/cb"),
           std::string("https://.client.example/cb"),
           std::string("https://client..example/cb"),
           std::string("https://client.example:0/cb"),
           std::string("https://client.example:65536/cb"),
           std::string("https://client.example:/cb"),
           std::string("https://client.example:x/cb"),
           std::string("http://127.0.0.1:00246/cb"),
           std::string("https://client.example:0443/cb"),
           std::string("https://client.example/c b"),
           std::string("https://client.example/cb\n"),
           std::string("https://client.example/cb\\x"),
           std::string("https://client.example/\xC3\xA9"),
           std::string("https://client.example/cb%"),
           std::string("https://client.example/cb%zz"),
           std::string("https://client.example/%0d%0aSet-Cookie:a=b"),
           std::string("https://client.example/%00"),
           std::string("https://client.example/%7f"),
           std::string("https://client.example/cb?x=%0A"),
           std::string("https://client.example/cb?x=%FF"),
           std::string("https://client,example/cb"),
           std::string("https://client.example/cb\0", 26),
           std::string("http://client.example/cb"),
           std::string("http://10.0.0.1/cb"),
           std::string("http://0.0.0.0/cb"),
           std::string("com.example.app:"),
           std::string("com.example.app:cb"),
           std::string("com.example.app://"),
           std::string("example.com:443/cb"),
           std::string("localhost:3000/cb"),
       }) {
    EXPECT_FALSE(registrable(uri)) << uri;
  }
}

TEST(RedirectUri, ShowsAnAddressForWhatItIs) {
  for (std::string host : {"2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.01", "1.2.3",
                           "1.2.3.256", "1.2.3.4.5", "1.2.3.0x4", "client.0", "1.2.3.04.", "0x"}) {
    EXPECT_FALSE(registrable("https://" + host + "/cb")) << host;
  }
  for (std::string host :
       {"192.0.2.1", "1password.com", "0x.example", "client.example.", "4.example.c0m", "3com"}) {
    EXPECT_TRUE(registrable("https://" + host + "/cb")) << host;
  }
}

TEST(RedirectUri, MayNotHoldAParameterOfTheAnswer) {
  for (std::string name : {"code", "state", "iss", "error", "error_description", "error_uri", "c%6Fde"}) {
    EXPECT_FALSE(registrable("https://client.example/cb?a=b&" + name + "=x")) << name;
    EXPECT_FALSE(registrable("https://client.example/cb?" + name)) << name;
  }
  EXPECT_TRUE(registrable("https://client.example/cb?codec=x"));
}

TEST(RedirectUri, IsAtMost2048CharactersLong) {
  std::string start = "https://client.example/";
  EXPECT_TRUE(registrable(start + std::string(2048 - start.size(), 'a')));
  EXPECT_FALSE(registrable(start + std::string(2049 - start.size(), 'a')));
}

TEST(RedirectUri, MatchesExactly) {
  EXPECT_TRUE(redirect_uri_matches("https://client.example/cb?x=1", "https://client.example/cb?x=1"));
  for (auto other :
       {"https://client.example/cb?x=2", "https://client.example/cb", "https://client.example/cb/?x=1",
        "HTTPS://client.example/cb?x=1", "https://CLIENT.example/cb?x=1", "https://client.example:443/cb?x=1",
        "https://client.example/cb?x=1&y", "https://client.example/c%62?x=1", "http://client.example/cb?x=1",
        "https://client.example/./cb?x=1", "https://client.example/cb?x=1 ", ""}) {
    EXPECT_FALSE(redirect_uri_matches("https://client.example/cb?x=1", other)) << other;
  }
}

TEST(RedirectUri, OnLoopbackMayDifferInThePort) {
  struct {
    std::string registered, requested;
  } const table[] = {
      {"http://127.0.0.1/cb", "http://127.0.0.1:50123/cb"},
      {"http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"},
      {"http://127.0.0.1:1/cb", "http://127.0.0.1/cb"},
      {"http://127.9.8.7/cb", "http://127.9.8.7:80/cb"},
      {"http://localhost/callback", "http://localhost:3118/callback"},
      {"http://[::1]/cb", "http://[::1]:8080/cb"},
      {"http://[::1]:9/cb?x=1", "http://[::1]/cb?x=1"},
      {"http://localhost", "http://localhost:99"},
      {"http://localhost?x=1", "http://localhost:99?x=1"},
  };
  for (const auto& row : table)
    EXPECT_TRUE(redirect_uri_matches(row.registered, row.requested)) << row.requested;
}

TEST(RedirectUri, OnLoopbackMayDifferInNothingElse) {
  struct {
    std::string registered, requested;
  } const table[] = {
      {"http://localhost/cb", "http://127.0.0.1:1/cb"},
      {"http://127.0.0.1/cb", "http://localhost:1/cb"},
      {"http://127.0.0.1/cb", "http://127.0.0.2:1/cb"},
      {"http://127.0.0.1/cb", "http://[::1]:1/cb"},
      {"http://127.0.0.1/cb", "https://127.0.0.1:1/cb"},
      {"https://localhost/cb", "https://localhost:1/cb"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:1/cb/"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:1/CB"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:1/cb?x"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:1/cb#x"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:0/cb"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:/cb"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:1x/cb"},
      {"http://127.0.0.1/cb", "http://a@127.0.0.1:1/cb"},
      {"http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb"},
      {"http://127.0.0.1/cb", "http://127.0.0.1.evil.example:1/cb"},
      {"http://localhost/cb", "http://localhost.evil.example:1/cb"},
      {"http://localhost/cb", "http://evil.localhost:1/cb"},
      {"http://127.0.0.1/cb", "http://127.1:1/cb"},
      {"http://client.example/cb", "http://client.example:1/cb"},
      {"https://client.example/cb", "https://client.example:1/cb"},
      {"cursor://localhost/cb", "cursor://localhost:1/cb"},
      {"http://localhost/cb", "http://LOCALHOST:1/cb"},
  };
  for (const auto& row : table)
    EXPECT_FALSE(redirect_uri_matches(row.registered, row.requested)) << row.requested;
}

TEST(RedirectUri, IsDescribedForAPage) {
  auto is = [](std::string_view uri, redirect_kind kind, std::string_view where) {
    auto target = describe_redirect_uri(uri);
    EXPECT_EQ(target.kind, kind) << uri;
    EXPECT_EQ(target.where, where) << uri;
  };
  is("https://Claude.AI/cb", redirect_kind::web, "claude.ai");
  is("https://claude.ai:8443/cb", redirect_kind::web, "claude.ai:8443");
  is("http://localhost:3000/cb", redirect_kind::loopback, "localhost:3000");
  is("http://[::1]/cb", redirect_kind::loopback, "[::1]");
  is("cursor://anysphere.cursor-mcp/cb", redirect_kind::application, "cursor");
  EXPECT_EQ(describe_redirect_uri("javascript:alert(1)").where, "");
  EXPECT_EQ(describe_redirect_uri("https://claude.ai@evil.example/").where, "");
  EXPECT_EQ(describe_redirect_uri("").where, "");
}

TEST(RedirectUri, KeepsItsQueryWhenParametersAreAdded) {
  form answer;
  answer.add("code", "a b&c=d");
  answer.add("iss", "https://as.example");
  std::string added = "code=a%20b%26c%3Dd&iss=https%3A%2F%2Fas.example";
  EXPECT_EQ(redirect_with("https://c.example/cb", answer), "https://c.example/cb?" + added);
  EXPECT_EQ(redirect_with("https://c.example/cb?x=1", answer), "https://c.example/cb?x=1&" + added);
  EXPECT_EQ(redirect_with("https://c.example/cb?", answer), "https://c.example/cb?" + added);
  EXPECT_EQ(redirect_with("https://c.example/cb?x=1&", answer), "https://c.example/cb?x=1&" + added);
  EXPECT_EQ(redirect_with("com.example.app:/cb", answer), "com.example.app:/cb?" + added);
  EXPECT_EQ(redirect_with("https://c.example/cb", form()), "https://c.example/cb");
}

TEST(RedirectUri, NeverLetsAParameterBreakTheHeader) {
  form answer;
  answer.add("state", "x\r\nSet-Cookie: a=b");
  EXPECT_EQ(redirect_with("https://c.example/cb", answer).find_first_of("\r\n "), std::string::npos);
}

}  // namespace
}  // namespace mcp_oauth
