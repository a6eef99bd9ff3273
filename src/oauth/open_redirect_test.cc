#include "oauth/authorization_request.h"
#include "oauth/browser_reading.h"
#include "oauth/redirect_payloads.h"
#include "oauth/redirect_uri.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

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

// The judge of the tests below and of those in broker/, held to what a browser's parser answers.
TEST(OpenRedirect, IsJudgedAsABrowserReads) {
  struct row {
    std::string_view text, goes;
  };
  const std::string_view base = "https://ours.example";
  for (auto [text, goes] : {row{"/a", "https://ours.example"},
                            row{"", "https://ours.example"},
                            row{"a:b/c", "a:"},
                            row{"//evil.example", "https://evil.example"},
                            row{"/\\evil.example", "https://evil.example"},
                            row{"\\\\evil.example", "https://evil.example"},
                            row{"/\t/evil.example", "https://evil.example"},
                            row{" \x01//evil.example", "https://evil.example"},
                            row{"////evil.example", "https://evil.example"},
                            row{"https:evil.example", "https://ours.example"},
                            row{"https:/evil.example", "https://ours.example"},
                            row{"https:\\\\evil.example", "https://evil.example"},
                            row{"http:evil.example", "http://evil.example"},
                            row{"https:///evil.example", "https://evil.example"},
                            row{"https://ours.example@evil.example", "https://evil.example"},
                            row{"https://ours.example\\@evil.example", "https://ours.example"},
                            row{"https://evil.example\\.ours.example", "https://evil.example"},
                            row{"https://EVIL%2Eexample:443/", "https://evil.example"},
                            row{"https://evil\xE3\x80\x82"
                                "example",
                                "https://evil.example"},
                            row{"https://\xEF\xBD\x85vil.example", "https://evil.example"},
                            row{"https://2130706433", "https://127.0.0.1"},
                            row{"https://0x7f.1", "https://127.0.0.1"},
                            row{"https://0177.0.0.1.", "https://127.0.0.1"},
                            row{"https://\xE2\x91\xA0\xE2\x91\xA1\xE2\x91\xA6.0.0.1", "https://127.0.0.1"},
                            row{"https://[::ffff:127.0.0.1]:8443", "https://[::ffff:127.0.0.1]:8443"},
                            row{"https://a b", ""},
                            row{"https://a%00b", ""},
                            row{"https://a:99999", ""},
                            row{"https://256.1.1.1", ""},
                            row{"java\nscript:alert(1)", "javascript:"},
                            row{"\x01 javascript:alert(1)", "javascript:"},
                            row{"cursor://anysphere/x", "cursor://anysphere"},
                            row{"/%2fevil.example", "https://ours.example"}}) {
    EXPECT_EQ(where_a_browser_goes(text, base), goes) << text;
  }
}

TEST(OpenRedirect, HasHundredsOfDifferentPayloads) { EXPECT_GT(every_payload().size(), 4000u); }

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
  server_rules rules;
  rules.private_use_schemes = {"javascript", "data", "file", "blob"};
  for (const auto& payload : script_payloads()) {
    EXPECT_FALSE(check_redirect_uri_registrable(payload, rules)) << payload;
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
