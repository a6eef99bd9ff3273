#include "config/load.h"

#include <map>
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

std::vector<std::string> errors_of(config_input input) {
  std::vector<std::string> texts;
  auto answer = load(input);
  if (!answer) {
    for (const auto& e : answer.error()) texts.push_back(to_string(e));
  }
  return texts;
}
config_input file_of(const std::string& text) { return {"config.yaml", text}; }

TEST(Messages, AKeyGivenTwiceIsNamedAndTheOtherMistakesStayVisible) {
  auto errors = errors_of(
      file_of("mcp_server_url: http://localhost:3000\nport: 1\ncors: {enabled: true, enabled: false}\n"
              "port: 2\nprot: 3\n\"sk-12 34\": 1\n\"sk-12 34\": 2\n"));
  EXPECT_THAT(errors,
              testing::IsSupersetOf(
                  {testing::StrEq("config.yaml:4: the key port is given twice in one map, first on "
                                  "line 2 (keep one of them)"),
                   testing::StrEq("config.yaml:3: the key enabled is given twice in one map, first on "
                                  "line 3 (keep one of them)"),
                   testing::StrEq("config.yaml:7: a key is given twice in one map, first on line 6 "
                                  "(keep one of them)")}));
  EXPECT_THAT(errors, testing::Contains(HasSubstr("config.yaml:5: prot: is not a key of this version")));
}

TEST(Messages, AMisspeltParameterOfTheDatabaseIsNamed) {
  EXPECT_THAT(
      first_error(file_of(smallest + std::string("database_url: postgresql://u:p@db/name?connect_timeout=3&"
                                                 "sslmod=require\n"))),
      testing::AllOf(HasSubstr("config.yaml:2: database_url"),
                     HasSubstr("has the parameter sslmod, which PostgreSQL does not know (did you mean "
                               "sslmode?)")));
  auto newer = file_of(smallest + std::string("encryption_key: ${K}\ndatabase_url: "
                                              "postgresql://u:p@db/name?qqqqqqqqqqqq=1&sslmode=require\n"));
  newer.environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "K") return "a8Jk2mX0v1Qe7rT4yU6iO9pL3sD5fG8hZ0xC2vB4nM8=";
    return std::nullopt;
  };
  EXPECT_THAT(errors_of(newer), IsEmpty()) << "what a newer libpq may know";
}

TEST(Messages, WhatUpstreamAuthorizationLacksIsSaidAboutWhatTheFileHas) {
  auto fixed = first_error(file_of(smallest + std::string("upstream_authorization: static\n")));
  EXPECT_THAT(fixed, testing::AllOf(
                         HasSubstr("config.yaml:2: upstream_authorization"), Not(HasSubstr("upstreams[0]")),
                         HasSubstr("write the server under upstreams in place of mcp_server_url")));
  auto nobody = first_error(file_of(smallest + std::string("upstream_authorization: provider\n")));
  EXPECT_THAT(nobody,
              testing::AllOf(HasSubstr("there is no identity provider"), Not(HasSubstr("remove the local"))));
}

TEST(Messages, AMisspeltProviderIsNamedWithTheNearest) {
  EXPECT_THAT(first_error(file_of(smallest + std::string("providers: {gogle: {client_id: a}}\n"))),
              HasSubstr("providers.gogle: has no type (did you mean google? if not, add type: oidc"));
  EXPECT_THAT(
      first_error(file_of(smallest + std::string("providers: {corp: {type: odic, issuer: https://a.example, "
                                                 "client_id: a}}\n"))),
      HasSubstr("(did you mean oidc?)"));
}

TEST(Messages, AProviderThatIsNotIndentedIsSaidToBeSo) {
  auto errors = errors_of(
      file_of(smallest +
              std::string("providers:\ncorp:\n  type: oidc\n  issuer: https://a.example\n  client_id: a\n")));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], testing::AllOf(HasSubstr("config.yaml:3: corp: "),
                                        HasSubstr("indented below providers"), Not(HasSubstr("cors"))));
}

TEST(Messages, ACookieThatIsListedAndNeverForwardedIsWarnedAbout) {
  EXPECT_THAT(
      warnings_with({}, "header_forwarding: {forward_headers: [Cookie, X-A]}\n"),
      ElementsAre(HasSubstr("header_forwarding.forward_headers lists Cookie, which is never forwarded")));
  EXPECT_THAT(warnings_with({}, "header_forwarding: {forward_headers: [X-A]}\n"), IsEmpty());
}

TEST(Messages, AFlagIsNamedAsItIsTyped) {
  config_input input{"config.yaml", ""};
  input.flags = {{"mcp_server_url", "localhost:3000"}};
  EXPECT_THAT(first_error(input), HasSubstr("command line: --mcp-server-url: "));
}

TEST(Variables, ThatSetNothingAreToldBesideErrors) {
  config_input input{"config.yaml", "prot: 1\n"};
  input.variables = {"MCP_OAUTH_PRT"};
  std::vector<std::string> beside;
  ASSERT_FALSE(load(input, &beside));
  EXPECT_THAT(beside, ElementsAre(HasSubstr("did you mean MCP_OAUTH_PORT?")));
}

// ---- providers of the environment
loaded with_environment(const std::string& text, std::map<std::string, std::string, std::less<>> variables,
                        const std::string& mode = "") {
  config_input input{"config.yaml", smallest + text + (mode.empty() ? "" : "mode: " + mode + "\n")};
  for (const auto& [name, value] : variables) input.variables.push_back(name);
  input.environment = [variables](std::string_view name) -> std::optional<std::string> {
    auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  auto answer = load(input);
  if (answer) return *answer;
  for (const auto& e : answer.error()) ADD_FAILURE() << to_string(e);
  return {};
}
const std::map<std::string, std::string, std::less<>> google = {
    {"GOOGLE_CLIENT_ID", "a.apps.googleusercontent.com"}, {"GOOGLE_CLIENT_SECRET", "kept-apart-1"}};

TEST(ProvidersOfTheEnvironment, AKnownOneWithIdAndSecretIsTheProviderWhereTheFileNamesNone) {
  auto got = with_environment("", google);
  ASSERT_EQ(got.value.providers.size(), 1U);
  EXPECT_EQ(got.value.providers[0].type, "google");
  EXPECT_EQ(got.value.providers[0].client_id, "a.apps.googleusercontent.com");
  EXPECT_EQ(got.value.providers[0].client_secret.reveal(), "kept-apart-1");
  EXPECT_THAT(got.warnings, ElementsAre(HasSubstr("make google the provider")));
  auto two = google;
  two["GITHUB_CLIENT_ID"] = "Iv1.0123456789abcdef";
  two["GITHUB_CLIENT_SECRET"] = "kept-apart-2";
  two["MCP_OAUTH_PROVIDERS_GITHUB_ALLOWED_USERS"] = "ada@example.com";
  auto both = with_environment("", two);
  ASSERT_EQ(both.value.providers.size(), 2U);
  EXPECT_EQ(both.value.providers[1].allowed_users, std::vector<std::string>{"ada@example.com"});
}

TEST(ProvidersOfTheEnvironment, ElsewhereTheyAreNoneAndThatIsSaid) {
  const std::string wanted = "environment: GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET set nothing";
  auto beside = with_environment("providers: {local: {}}\n", google);
  EXPECT_EQ(beside.value.providers.size(), 1U);
  EXPECT_THAT(beside.warnings,
              ElementsAre(testing::AllOf(HasSubstr(wanted), HasSubstr("(providers: {google: {}})"))));
  EXPECT_THAT(with_environment("providers: {google: {}}\n", google).warnings, IsEmpty());
  auto half = google;
  half.erase("GOOGLE_CLIENT_SECRET");
  EXPECT_EQ(with_environment("", half).value.providers[0].type, "local");
  auto okta = with_environment("", {{"OKTA_CLIENT_ID", "a"}, {"OKTA_CLIENT_SECRET", "kept-apart-3"}});
  EXPECT_EQ(okta.value.providers[0].type, "local") << "nobody said which organization";
  EXPECT_THAT(okta.warnings, ElementsAre(HasSubstr("(providers: {okta: {issuer: …}})")));
  auto guard = with_environment("issuer: https://a.example\n", google, "native");
  EXPECT_THAT(guard.value.providers, IsEmpty());
  EXPECT_THAT(guard.warnings, IsEmpty());
}

TEST(ProvidersOfTheEnvironment, AVariableOfOneThatNobodyNamedSaysWhich) {
  EXPECT_THAT(
      warnings_with({"MCP_OAUTH_PROVIDERS_CORP_ISSUER"}),
      ElementsAre(
          "environment: MCP_OAUTH_PROVIDERS_CORP_ISSUER sets nothing: the file names no provider corp "
          "under providers"));
  EXPECT_THAT(warnings_with({"MCP_OAUTH_PROVIDERS_BIG_CORP_CLIENT_SECRET_FILE"}),
              ElementsAre(HasSubstr("the file names no provider big_corp")));
}

}  // namespace
}  // namespace mcp_oauth
