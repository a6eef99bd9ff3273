#include "oauth/authorization_request.h"
#include "oauth/redirect_uri.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

// Ways to make a browser, or a careless reader, go elsewhere than a registered URI says. Families of payloads
// are multiplied out, so that each confusion stands in every place where it can stand.
constexpr const char* trusted_host = "client.example";
constexpr const char* registered_web = "https://client.example/callback";
constexpr const char* registered_loopback = "http://127.0.0.1/callback";
constexpr const char* registered_localhost = "http://localhost/callback";
constexpr const char* registered_application = "cursor://anysphere.cursor-mcp/oauth/callback";

std::vector<std::string> foreign_hosts() {
  return {"evil.example",
          "evil.example.",
          "client.example.evil.example",
          "evil-client.example",
          "clientXexample",
          "client.example%2eevil.example",
          "client.example%00.evil.example",
          "client.example%09.evil.example",
          "evil%E3%80%82example",
          "xn--clint-esa.example",
          "169.254.169.254",
          "2130706434",
          "0x7f000001.evil.example",
          "[::ffff:169.254.169.254]",
          "[fe80::1%25eth0]"};
}

// The host of a URI is foreign, however much of the trusted one it shows.
std::vector<std::string> confused_authorities() {
  std::vector<std::string> all;
  for (const auto& evil : foreign_hosts()) {
    std::string trusted = trusted_host;
    for (const auto& authority :
         {evil, trusted + "@" + evil, trusted + ":443@" + evil, trusted + "%40" + evil,
          trusted + "\\@" + evil, trusted + "\\" + evil, trusted + ".\t@" + evil, trusted + "%5c@" + evil,
          trusted + "&@" + evil + "#", evil + "#@" + trusted, evil + "?@" + trusted, evil + "\\." + trusted,
          evil + "/." + trusted, evil + "%2f." + trusted, evil + "%23." + trusted, evil + ";" + trusted,
          evil + ":80#@" + trusted}) {
      all.push_back(authority);
    }
  }
  return all;
}

std::vector<std::string> web_payloads() {
  std::vector<std::string> all;
  for (const auto& authority : confused_authorities()) {
    for (std::string before :
         {"https://", "http://", "//", "https:/", "https:", "https:\\\\", "https:///", "https://\t"}) {
      all.push_back(before + authority + "/callback");
    }
  }
  return all;
}

std::vector<std::string> script_payloads() {
  std::vector<std::string> all;
  for (std::string scheme : {"javascript",
                             "JavaScript",
                             "jAvAsCrIpT",
                             "java\tscript",
                             "java\nscript",
                             "java\r\nscript",
                             "\x01javascript",
                             " javascript",
                             "\tjavascript",
                             "javascript\t",
                             "java%0ascript",
                             "javascript%3a",
                             "data",
                             "DATA",
                             "vbscript",
                             "blob",
                             "file",
                             "filesystem",
                             "view-source",
                             "about",
                             "ws",
                             "wss",
                             "feed:javascript",
                             "jar:https",
                             "view-source:javascript"}) {
    for (std::string body :
         {":alert(1)", "://client.example/%0aalert(1)", ":/*https://client.example/callback*/alert(1)",
          ":text/html,<script>alert(1)</script>", ":text/html;base64,PHNjcmlwdD4=",
          "://client.example/callback", ":///etc/passwd", ":https://client.example/callback", ":/callback"}) {
      all.push_back(scheme + body);
    }
  }
  return all;
}

// Changes of a registered URI that a lenient comparison lets pass.
std::vector<std::string> changed(const std::string& registered) {
  std::vector<std::string> all;
  for (std::string tail : {"/",
                           "//",
                           "/..",
                           "/../evil",
                           "/..;/evil",
                           "/%2e%2e/evil",
                           "/%2e%2e%2fevil",
                           "..",
                           ".evil",
                           "%00",
                           "%20",
                           " ",
                           "\t",
                           "\n",
                           "\r\nLocation: https://evil.example",
                           "?next=//evil.example",
                           "?",
                           "#",
                           "#@evil.example",
                           ";@evil.example",
                           "@evil.example",
                           "%0d%0a",
                           "%09",
                           "&x=y",
                           "\\",
                           "\\..\\evil",
                           "*",
                           "%2f..%2fevil",
                           "\xE2\x80\xAE",
                           "\xC2\xA0",
                           "?code=stolen"}) {
    all.push_back(registered + tail);
  }
  for (std::string head :
       {" ", "\t", "\n", "\x01", "//", "/", "/\\", "\\/", "x", "url=", "%20", "https://evil.example/?",
        "https://evil.example#", "https://evil.example\\", "view-source:", "javascript:"}) {
    all.push_back(head + registered);
  }
  all.push_back(registered.substr(0, registered.size() - 1));
  auto colon = registered.find(':');
  all.push_back(registered.substr(0, colon) + "s" + registered.substr(colon));
  all.push_back(registered.substr(colon + 1));
  return all;
}

std::vector<std::string> loopback_payloads() {
  std::vector<std::string> all;
  for (std::string host : {"127.0.0.1.evil.example",
                           "127.0.0.1.nip.io",
                           "localhost.evil.example",
                           "localhost.",
                           "localtest.me",
                           "127.1",
                           "127.0.1",
                           "0177.0.0.1",
                           "0x7f.0.0.1",
                           "0x7f000001",
                           "2130706433",
                           "017700000001",
                           "127.0.0.1.",
                           "0.0.0.0",
                           "0",
                           "[::]",
                           "[::ffff:127.0.0.1]",
                           "[0:0:0:0:0:0:0:1%25lo]",
                           "[::1].evil.example",
                           "127.0.0.256",
                           "127.0.0.1%2eevil.example",
                           "evil@127.0.0.1",
                           "127.0.0.1@evil.example",
                           "localhost@evil.example",
                           "127.0.0.1:80@evil.example",
                           "localhost%00.evil.example",
                           "localhost\\.evil.example",
                           "\xE2\x91\xA0\xE2\x91\xA1\xE2\x91\xA6.0.0.1",
                           "loc\xC3\xA0lhost",
                           "[::1"}) {
    for (std::string port :
         {"", ":8080", ":", ":0", ":65536", ":80@evil.example", ":-1", ":8080.evil.example"}) {
      all.push_back("http://" + host + port + "/callback");
    }
  }
  return all;
}

client_metadata client_with_all() {
  client_metadata client;
  client.redirect_uris = {registered_web, registered_loopback, registered_localhost, registered_application};
  return client;
}

server_rules rules() {
  server_rules r;
  r.resources = {"https://mcp.example/mcp"};
  return r;
}

std::vector<std::string> every_payload() {
  std::vector<std::string> all;
  for (const auto& family :
       {web_payloads(), script_payloads(), loopback_payloads(), changed(registered_web),
        changed(registered_loopback), changed(registered_localhost), changed(registered_application)}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

TEST(OpenRedirect, HasHundredsOfDifferentPayloads) {
  auto all = every_payload();
  std::set<std::string> different(all.begin(), all.end());
  EXPECT_GT(different.size(), 2000u);
}

TEST(OpenRedirect, NoPayloadMatchesARegisteredUri) {
  for (const auto& payload : every_payload()) {
    for (const auto& registered : client_with_all().redirect_uris) {
      EXPECT_FALSE(redirect_uri_matches(registered, payload)) << registered << " took " << payload;
    }
  }
}

// The whole check: the request is otherwise right, so only the redirect URI can refuse it; and never by a
// redirect.
TEST(OpenRedirect, NoPayloadIsEverRedirectedTo) {
  for (const auto& payload : every_payload()) {
    form parameters;
    parameters.add("client_id", "c");
    parameters.add("redirect_uri", payload);
    parameters.add("response_type", "code");
    parameters.add("code_challenge", std::string(43, 'a'));
    parameters.add("code_challenge_method", "S256");
    auto request = parse_authorization_request(parameters);
    if (!request) continue;
    auto outcome = check_authorization_request(*request, client_with_all(), rules());
    ASSERT_FALSE(outcome) << payload;
    EXPECT_FALSE(outcome.error().to_redirect()) << payload;
    EXPECT_EQ(outcome.error().why.code, errc::redirect_uri_mismatch) << payload;
  }
}

TEST(OpenRedirect, NoScriptIsRegistered) {
  for (const auto& payload : script_payloads()) {
    EXPECT_FALSE(check_redirect_uri_registrable(payload, {"javascript", "data", "file", "blob"})) << payload;
  }
}

TEST(OpenRedirect, NoFalseLoopbackIsRegistered) {
  for (const auto& payload : loopback_payloads()) {
    EXPECT_FALSE(check_redirect_uri_registrable(payload, {})) << payload;
  }
}

// What a stranger may register is his own host, and the page names that host: the one a browser goes to.
TEST(OpenRedirect, ARegisteredConfusionShowsTheForeignHost) {
  int registered = 0;
  for (const auto& payload : web_payloads()) {
    if (!check_redirect_uri_registrable(payload, {})) continue;
    ++registered;
    auto where = describe_redirect_uri(payload).where;
    EXPECT_FALSE(where.empty()) << payload;
    EXPECT_NE(where, trusted_host) << payload;
    auto authority = payload.substr(0, payload.find_first_of("/?", payload.find("//") + 2));
    EXPECT_EQ(authority.find_first_of("@\\%#\t"), std::string::npos) << payload;
  }
  EXPECT_GT(registered, 0);
}

TEST(OpenRedirect, WhatIsRegisteredStillPasses) {
  for (const auto& uri : client_with_all().redirect_uris) {
    EXPECT_TRUE(check_redirect_uri_registrable(uri, {})) << uri;
    EXPECT_TRUE(redirect_uri_matches(uri, uri)) << uri;
  }
}

}  // namespace
}  // namespace mcp_oauth
