// What went wrong with settings of others, done to ours: docs/past-mistakes.md has the whole list.

#include "base/base64url.h"
#include "config/load.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

const std::string provider = "providers: {corp: {type: oidc, issuer: https://idp.example, client_id: x}}\n";

// "" when it loads, otherwise every error on a line.
std::string errors_of(const std::string& text, const std::string& key = {}) {
  config_input input{"config.yaml", "mcp_server_url: http://localhost:3000\n" + text};
  input.environment = [key](std::string_view name) -> std::optional<std::string> {
    if (name == "ENCRYPTION_KEY" && !key.empty()) return key;
    return std::nullopt;
  };
  input.read_file = [](const std::string&) -> result<std::string> {
    return fail(errc::file_unreadable, "none");
  };
  auto loaded = load(input);
  std::string all;
  if (!loaded) {
    for (const auto& e : loaded.error()) all += to_string(e) + "\n";
  }
  return all;
}

// ContextForge: the secret of the example file was in production.
TEST(AdvisoryConfig, GHSA_8pcq_mx48_hjvj_NoSecretOfAnExampleStarts) {
  std::string steps, same(32, '\x5a'), halves;
  for (int i = 0; i < 32; ++i) steps += static_cast<char>(i * 3);
  for (int i = 0; i < 32; ++i) halves += i % 2 == 0 ? '\xde' : '\xad';
  for (const auto& bytes :
       {std::string(32, '\0'), same, steps, halves, std::string("__REPLACE_ME__REPLACE_ME__REPLAC"),
        std::string("correct-horse-battery-staple-123"), std::string("0123456789abcdef0123456789abcdef"),
        std::string("change-me-to-32-bytes-of-secret!")}) {
    ASSERT_EQ(bytes.size(), 32u);
    for (const auto& text : {base64url_encode(bytes), base64_encode(bytes)}) {
      EXPECT_THAT(errors_of("encryption_key: " + text + "\n"),
                  HasSubstr("encryption_key: must be random bytes"));
      EXPECT_THAT(errors_of("", text), HasSubstr("ENCRYPTION_KEY: must be random bytes"))
          << "wherever it comes from";
    }
  }
  EXPECT_THAT(errors_of("encryption_key: deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef\n"),
              HasSubstr("must be random bytes"));
  for (const char* text : {"__REPLACE_ME__", "change-me", "secret", "", "{{ encryption_key }}"}) {
    EXPECT_THAT(errors_of("encryption_key: \"" + std::string(text) + "\"\n"),
                HasSubstr("encryption_key: must"))
        << text;
  }
  for (const char* text :
       {"__REPLACE_ME__", "changeme", "<your-client-secret>", "YOUR_CLIENT_SECRET_HERE", "secret"}) {
    EXPECT_THAT(
        errors_of(
            "providers: {corp: {type: oidc, issuer: https://idp.example, client_id: x, client_secret: \"" +
            std::string(text) + "\"}}\n"),
        HasSubstr("providers.corp.client_secret: must be the secret itself"))
        << text;
  }
  for (const char* text : {"", "__REPLACE_ME__", "hunter2", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                           "your-client-secret-of-the-docs"}) {
    EXPECT_THAT(errors_of("clients: [{client_id: a, redirect_uris: [https://a.example/], client_secret: \"" +
                          std::string(text) + "\"}]\n"),
                HasSubstr("client_secret: must have at least 22 characters"))
        << text;
  }
  EXPECT_EQ(errors_of("", "6tHuvFyXGpPrEvrrcSVtgmuoEpKVtE3BWCzF0Wl9u9M="), "");
}

// oauth2-proxy 7.0: a restriction that was written down was not known any more, and nobody said so.
TEST(AdvisoryConfig, GHSA_652x_m2gr_hppm_ARestrictionThatIsNotUnderstoodStopsTheStart) {
  for (const char* line :
       {"allowed_group: [admins]", "allowed_organizations: [acme]", "gitlab_group: admins",
        "allowed_user: ada", "allowedUsers: [ada]", "allowed_domain: corp.example",
        "email_domains: [corp.example]", "hosted_domain: corp.example", "allowed_domains: [\"*\"]",
        "allowed_domains: [\"@corp.example\"]", "allowed_domains: [\"\"]", "allowed_users: [\"\"]",
        "allowed_domains: {a: b}", "allowed_users: [[ada]]"}) {
    EXPECT_NE(
        errors_of(
            "providers:\n  corp:\n    type: oidc\n    issuer: https://idp.example\n    client_id: x\n    " +
            std::string(line) + "\n"),
        "")
        << line;
  }
  for (const char* line : {"tool: {echo: [a]}", "tools: {echo: {any: [a]}}",
                           "tools: {echo: {any_of: a, all_of: b}}", "tools: {echo: {}}", "tools: {\"\": [a]}",
                           "tools: [echo]", "policy: {deny: all}", "required_scopes: [a]"}) {
    EXPECT_NE(errors_of(provider + line + "\n"), "") << line;
  }
  EXPECT_EQ(errors_of(provider), "");
}

}  // namespace
}  // namespace mcp_oauth
