#include "config/load.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What a newcomer is told, where a bare rule would leave the cause open.

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto smallest = "mcp_server_url: http://localhost:3000\n";

std::vector<std::string> warnings_with(std::vector<std::string> variables, const std::string& more = "") {
  config_input input{"config.yaml", smallest + more};
  input.variables = std::move(variables);
  auto answer = load(input);
  if (answer) return answer->warnings;
  ADD_FAILURE() << to_string(answer.error().front());
  return {};
}

std::string first_error(config_input input) {
  auto answer = load(input);
  return answer ? "" : to_string(answer.error().front());
}

TEST(Variables, AMisspeltOneIsNamedWithTheNearest) {
  EXPECT_THAT(warnings_with({"MCP_OAUTH_PRT"}),
              ElementsAre("environment: MCP_OAUTH_PRT sets nothing (did you mean MCP_OAUTH_PORT?)"));
  EXPECT_THAT(warnings_with({"MCP_OAUTH_ENCRYPTION_KEYFILE"}),
              ElementsAre(HasSubstr("did you mean MCP_OAUTH_ENCRYPTION_KEY_FILE?")));
  EXPECT_THAT(warnings_with({"MCP_OAUTH_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"}),
              ElementsAre("environment: MCP_OAUTH_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ sets nothing"));
}

TEST(Variables, AProviderThatTheFileDoesNotNameSetsNothing) {
  EXPECT_THAT(warnings_with({"MCP_OAUTH_PROVIDERS_CORP_CLIENT_ID"}), ElementsAre(HasSubstr("sets nothing")));
  EXPECT_THAT(warnings_with({"MCP_OAUTH_PROVIDERS_CORP_CLIENT_ID"},
                            "providers:\n  corp: {issuer: 'https://idp.example.com', client_id: x}\n"),
              IsEmpty());
}

TEST(Variables, KnownAndForeignOnesAreNotWarnedAbout) {
  EXPECT_THAT(warnings_with({"MCP_OAUTH_PORT", "MCP_OAUTH_TLS_CERT_FILE", "MCP_OAUTH_ENCRYPTION_KEY_FILE",
                             "MCP_OAUTH_PROXY", "LOG_LEVEL", "HOME", ""}),
              IsEmpty());
}

TEST(Messages, HostThatIsNoPublicAddressSaysThatItOnlyBinds) {
  config_input input{"config.yaml", smallest};
  input.flags = {{"host", "10.9.9.9"}};
  EXPECT_EQ(
      first_error(input),
      "command line: --host: value \"10.9.9.9\": would make http://10.9.9.9:8080 the public address, and "
      "that must use https unless it is on this machine (--host only binds; set public_url to what "
      "clients use)");
  EXPECT_THAT(first_error({"config.yaml", smallest + std::string("host: 10.9.9.9\n")}),
              HasSubstr("(host only binds;"));
  EXPECT_THAT(first_error({"config.yaml", smallest + std::string("public_url: http://mcp.example.com\n")}),
              Not(HasSubstr("only binds")));
}

TEST(Messages, AValueStandsInThemOnce) {
  auto text = first_error({"config.yaml", smallest + std::string("trusted_proxies: [everyone]\n")});
  EXPECT_EQ(text.find("everyone"), text.rfind("everyone")) << text;
  EXPECT_THAT(text, HasSubstr("\"everyone\""));

  config_input input{"config.yaml", smallest};
  input.environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "MCP_OAUTH_PORT_FILE") return "/run/port";
    return std::nullopt;
  };
  input.read_file = [](const std::string& path) -> result<std::string> {
    return fail(errc::file_unreadable, path);
  };
  text = first_error(input);
  EXPECT_THAT(text, HasSubstr("value \"/run/port\": names a file that cannot be read"));
  EXPECT_EQ(text.find("/run/port"), text.rfind("/run/port")) << text;
}

}  // namespace
}  // namespace mcp_oauth
