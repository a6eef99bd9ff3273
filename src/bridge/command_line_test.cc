#include "bridge/command_line.h"

#include "bridge/kept.h"
#include "bridge/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

bridge_settings some() {
  bridge_settings s;
  s.upstream.url = "https://mcp.example/mcp?a=1&b=2";
  return s;
}

TEST(CommandLine, WhatMayBeSecretIsNotShown) {
  EXPECT_THAT(
      without_secrets({"https://m.example", "--client-id", "c", "--client-secret", "s3cr3t", "--debug"}),
      ElementsAre("https://m.example", "--client-id", "c", "--client-secret", "***", "--debug"));
  EXPECT_THAT(without_secrets({"--client-secret=s3cr3t", "--header", "X-Key: s3cr3t",
                               "--header=X-Two: ${KEY}", "--authorize-param", "k=s3cr3t"}),
              ElementsAre("--client-secret=***", "--header", "X-Key: ***", "--header=X-Two: ${KEY}",
                          "--authorize-param", "k=***"));
  EXPECT_THAT(without_secrets({"--static-oauth-client-info", R"({"client_secret":"s3cr3t"})",
                               "--static-oauth-client-info", "@/file", "--access-token-command",
                               "curl -u a:s3cr3t", "--identity-client-secret"}),
              ElementsAre("--static-oauth-client-info", "***", "--static-oauth-client-info", "@/file",
                          "--access-token-command", "***", "--identity-client-secret"));
  EXPECT_THAT(without_secrets({"--header", "s3cr3t-without-a-name", "--header", "A: ${X}s3cr3t"}),
              ElementsAre("--header", "***", "--header", "A: ***"));
  for (const auto& option : bridge_options()) {
    if (option.flag.empty() || !option.is_secret) continue;
    EXPECT_THAT(without_secrets({std::string(option.flag), "s3cr3t"}), ElementsAre(option.flag, "***"));
  }
}

TEST(CommandLine, NamesTheCommandWithEverythingThatWasGiven) {
  auto s = some();
  EXPECT_EQ(bridge_command_line("login", s),
            "mcp-oauth-proxy bridge login 'https://mcp.example/mcp?a=1&b=2'");
  s.shown_arguments = {"--client-id", "c", "--scope", "a b"};
  s.named_variables = {"OAUTH2_AUDIENCE", "OAUTH2_CLIENT_SECRET"};
  auto whole = bridge_command_line("logout", s);
  EXPECT_EQ(
      whole,
      "mcp-oauth-proxy bridge logout 'https://mcp.example/mcp?a=1&b=2' --client-id c --scope 'a b' (with "
      "OAUTH2_AUDIENCE, OAUTH2_CLIENT_SECRET as the bridge has it)");
  EXPECT_EQ(with_command_lines("First mcp-oauth-proxy bridge logout URL, and so on.", s),
            "First " + whole + ", and so on.");
  EXPECT_THAT(with_command_lines("Run mcp-oauth-proxy bridge login URL in a terminal", s),
              HasSubstr("bridge login 'https://mcp.example/mcp?a=1&b=2' --client-id c"));
  EXPECT_EQ(with_command_lines("Nothing of that.", s), "Nothing of that.");
}

TEST(CommandLine, WhoRunsTheCommandMayBeAsked) {
  auto s = some();
  s.upstream.url = "https://mcp.example/mcp";
  s.sign_in.interactive = false;
  const std::string line = "mcp-oauth-proxy bridge login https://mcp.example/mcp";
  s.shown_arguments = {"--interactive", "false", "--client-id", "c"};
  EXPECT_EQ(bridge_command_line("login", s), line + " --client-id c");
  s.shown_arguments = {"--interactive=false", "--client-id", "c"};
  EXPECT_EQ(bridge_command_line("login", s), line + " --client-id c");
  s.shown_arguments = {};
  s.named_variables = {"OAUTH2_CLIENT_ID", "OAUTH2_INTERACTIVE"};
  EXPECT_EQ(bridge_command_line("login", s),
            line + " --interactive true (with OAUTH2_CLIENT_ID as the bridge has it)");
  s.named_variables = {"MCP_PROXY_CONFIG"};
  EXPECT_EQ(bridge_command_line("login", s),
            line + " --interactive true (with MCP_PROXY_CONFIG as the bridge has it)");
  s.named_variables = {};
  s.shown_arguments = {"--config", "bridge.json"};
  EXPECT_EQ(bridge_command_line("login", s), line + " --config bridge.json --interactive true");
  s.sign_in.interactive = true;
  EXPECT_EQ(bridge_command_line("login", s), line + " --config bridge.json");
}

TEST(CommandLine, UnderTheOtherNameTheRedirectUriStaysTheSame) {
  auto s = some();
  s.upstream.url = "https://mcp.example/mcp";
  s.drop_in = true;
  EXPECT_EQ(bridge_command_line("login", s),
            "mcp-oauth-proxy bridge login https://mcp.example/mcp --callback-port 53682");
  EXPECT_EQ(bridge_command_line("logout", s), "mcp-oauth-proxy bridge logout https://mcp.example/mcp");
  s.sign_in.callback_port = 4000;
  s.named_variables = {"OAUTH2_CALLBACK_PORT"};
  EXPECT_EQ(bridge_command_line("login", s),
            "mcp-oauth-proxy bridge login https://mcp.example/mcp (with OAUTH2_CALLBACK_PORT as the bridge "
            "has it)");
}

TEST(CommandLine, TheSettingsOfASignInAreNamedWhereverTheirNameDiffers) {
  auto s = some();
  EXPECT_EQ(kept_settings(s), "");
  const auto plain = kept_name(s);
  using change = void (*)(bridge_settings&);
  for (auto make : std::initializer_list<change>{
           [](bridge_settings& b) { b.sign_in.client_id = "c"; },
           [](bridge_settings& b) { b.sign_in.client_metadata_url = "https://c.example/m.json"; },
           [](bridge_settings& b) { b.sign_in.token_url = "https://as.example/t"; },
           [](bridge_settings& b) { b.sign_in.authorization_url = "https://as.example/a"; },
           [](bridge_settings& b) { b.sign_in.audience = "aud"; },
           [](bridge_settings& b) { b.sign_in.identity_provider_url = "https://idp.example"; },
           [](bridge_settings& b) { b.sign_in.scope = ""; },
           [](bridge_settings& b) { b.sign_in.resource = "https://r.example"; },
           [](bridge_settings& b) { b.sign_in.issuer = "https://as.example"; },
           [](bridge_settings& b) { b.sign_in.assertion_file = "/f"; },
           [](bridge_settings& b) { b.sign_in.assertion_command = "echo s3cr3t"; },
           [](bridge_settings& b) { b.sign_in.identity_client_id = "i"; },
           [](bridge_settings& b) { b.sign_in.identity_token_url = "https://idp.example/t"; },
           [](bridge_settings& b) { b.sign_in.refresh_token = secret("s3cr3t"); },
           [](bridge_settings& b) { b.sign_in.authorize_params = {{"k", "s3cr3t"}}; },
           [](bridge_settings& b) { b.sign_in.extra_params = {{"k", "s3cr3t"}}; },
           [](bridge_settings& b) { b.upstream.headers = {{"X-Key", secret("s3cr3t")}}; },
           [](bridge_settings& b) { b.sign_in.grant = bridge_grant::client_credentials; },
           [](bridge_settings& b) { b.sign_in.grant = bridge_grant::jwt_bearer; },
           [](bridge_settings& b) { b.sign_in.grant = bridge_grant::enterprise; },
           [](bridge_settings& b) { b.sign_in.grant = bridge_grant::given; },
           [](bridge_settings& b) { b.sign_in.grant = bridge_grant::device_code; }}) {
    auto changed = some();
    make(changed);
    EXPECT_EQ(kept_settings(changed).empty(), kept_name(changed) == plain) << kept_settings(changed);
    EXPECT_THAT(kept_settings(changed), Not(HasSubstr("s3cr3t")));
  }
  s.sign_in.scope = "a b";
  s.sign_in.authorization_url = "https://as.example/a";
  s.upstream.headers = {{"X-Key", secret("s3cr3t")}};
  EXPECT_EQ(kept_settings(s),
            "OAUTH2_AUTHORIZATION_URL=https://as.example/a --scope 'a b' --header 'X-Key: ***'");
}

}  // namespace
}  // namespace mcp_oauth
