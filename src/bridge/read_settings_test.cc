#include "bridge/read_settings.h"

#include "bridge/options.h"
#include "bridge/sign_in_fixture.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

namespace mcp_oauth {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct settings_run {
  std::map<std::string, std::string, std::less<>> environment, files;
  std::vector<std::string> arguments;
  bool drop_in = true;

  tl::expected<bridge_command, std::vector<std::string>> read() const {
    bridge_input in;
    in.arguments = arguments;
    in.drop_in = drop_in;
    in.environment = [this](std::string_view name) -> std::optional<std::string> {
      auto found = environment.find(name);
      return found == environment.end() ? std::nullopt : std::optional(found->second);
    };
    for (const auto& [name, value] : environment) in.variables.push_back(name);
    in.read_file = [this](const std::string& path) -> result<std::string> {
      auto found = files.find(path);
      if (found == files.end()) return fail(errc::file_unreadable, "no such file or directory");
      return found->second;
    };
    return read_bridge_settings(in);
  }
  std::vector<std::string> errors() const {
    auto got = read();
    return got ? std::vector<std::string>{} : got.error();
  }
};

settings_run drop_in() {
  settings_run run;
  run.environment = {{"UPSTREAM_URL", "https://mcp.example/mcp"},
                     {"OAUTH2_GRANT", "client_credentials"},
                     {"OAUTH2_CLIENT_ID", "id"},
                     {"OAUTH2_CLIENT_SECRET", "the secret"}};
  return run;
}
settings_run bridge(std::vector<std::string> arguments) {
  settings_run run;
  run.drop_in = false;
  run.arguments = std::move(arguments);
  return run;
}

TEST(BridgeOptions, EveryOptionHasItsOwnNames) {
  std::set<std::string_view> seen;
  for (const auto& row : bridge_options()) {
    EXPECT_TRUE(seen.insert(row.key).second) << row.key;
    EXPECT_TRUE(seen.insert(row.variable).second) << row.variable;
    EXPECT_TRUE(row.flag.empty() || seen.insert(row.flag).second) << row.flag;
    EXPECT_FALSE(row.about.empty() || row.fallback.empty()) << row.key;
  }
  for (const auto& row : bridge_flags()) EXPECT_TRUE(seen.insert(row.name).second) << row.name;
}

TEST(BridgeOptions, EachTakesSomethingAndRefusesSomething) {
  const std::string_view values[] = {"https://x.example/",
                                     "5",
                                     "true",
                                     R"({"a":"b"})",
                                     "header",
                                     "http-only",
                                     "legacy",
                                     "file",
                                     "debug",
                                     "device_code",
                                     "/path",
                                     R"(["a","b"])",
                                     "a,b",
                                     "k=v",
                                     "x",
                                     R"({"client_id":"c"})",
                                     "X-A: 1"};
  auto takes = [](auto take, std::string_view value) {
    bridge_settings s;
    return !take(s, value);
  };
  for (const auto& row : bridge_options()) {
    EXPECT_TRUE(std::any_of(std::begin(values), std::end(values), [&](auto v) { return takes(row.take, v); }))
        << row.key;
    bool free_text = row.of == bridge_option::kind::text || row.of == bridge_option::kind::list;
    EXPECT_TRUE(free_text || !takes(row.take, "x")) << row.key;
    EXPECT_TRUE(row.of == bridge_option::kind::list || row.of == bridge_option::kind::map ||
                !takes(row.take, ""))
        << row.key;
  }
  for (const auto& row : bridge_flags())
    EXPECT_TRUE(std::any_of(std::begin(values), std::end(values), [&](auto v) { return takes(row.take, v); }))
        << row.name;
}

TEST(BridgeSettings, ListsAreWordsOrJson) {
  auto run = bridge({"https://m.example"});
  run.environment["UPSTREAM_IGNORED_TOOLS"] = "a, b*";
  EXPECT_THAT(run.read()->settings.upstream.ignored_tools, ElementsAre("a", "b*"));
  run.environment["UPSTREAM_IGNORED_TOOLS"] = R"(["c d"])";
  EXPECT_THAT(run.read()->settings.upstream.ignored_tools, ElementsAre("c d"));
  for (const char* odd : {"[", "[1]", R"([{"a":1}])"}) {
    run.environment["UPSTREAM_IGNORED_TOOLS"] = odd;
    EXPECT_THAT(run.errors(), ElementsAre(HasSubstr("UPSTREAM_IGNORED_TOOLS"))) << odd;
  }
}

TEST(BridgeSettings, TimesMayHaveAUnit) {
  auto run = drop_in();
  run.environment["UPSTREAM_TIMEOUT_MS"] = "30s";
  run.environment["OAUTH2_CALLBACK_TIMEOUT_SECONDS"] = "10m";
  auto got = run.read();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->settings.upstream.timeout, seconds(30));
  EXPECT_EQ(got->settings.sign_in.callback_timeout, seconds(600));
}

TEST(BridgeOptions, EveryNameIsInTheGuide) {
  std::ifstream file(std::string(MOP_SOURCE_DIR) + "/docs/guide/bridge.md");
  std::string page(std::istreambuf_iterator<char>(file), {});
  auto named = [&](std::string_view name) { return page.find("`" + std::string(name)) != std::string::npos; };
  for (const auto& row : bridge_options()) {
    EXPECT_TRUE(named(row.key)) << row.key;
    EXPECT_TRUE(named(row.variable)) << row.variable;
    EXPECT_TRUE(row.flag.empty() || named(row.flag)) << row.flag;
  }
  for (const auto& row : bridge_flags()) EXPECT_TRUE(named(row.name)) << row.name;
}

// Every key, variable and default of the guide.
TEST(BridgeSettings, TheDropInHasTheGuidesDefaults) {
  auto got = drop_in().read();
  ASSERT_TRUE(got) << got.error().front();
  const auto& s = got->settings;
  EXPECT_EQ(s.upstream.timeout, milliseconds(300'000));
  EXPECT_TRUE(s.upstream.open_server_stream);
  EXPECT_EQ(s.upstream.protocol_version, "");
  EXPECT_EQ(s.sign_in.refresh_skew, seconds(30));
  EXPECT_TRUE(s.sign_in.interactive);
  EXPECT_EQ(s.sign_in.callback_host, "127.0.0.1");
  EXPECT_EQ(s.sign_in.callback_path, "/callback");
  EXPECT_EQ(s.sign_in.callback_timeout, seconds(300));
  EXPECT_TRUE(s.sign_in.discovery);
  EXPECT_EQ(s.log_level, bridge_log_level::info);
  EXPECT_FALSE(s.danger_allow_insecure_http);
  EXPECT_TRUE(s.drop_in);
  EXPECT_EQ(s.sign_in.client_secret.reveal(), "the secret");
}

TEST(BridgeSettings, EveryKeyOfTheGuideIsReadOfTheFile) {
  settings_run run;
  run.environment = {{"MCP_PROXY_CONFIG", "/c.json"}};
  run.files["/c.json"] = R"({
    "upstream": {"url": "https://mcp.example/mcp", "timeoutMs": 30000, "openServerStream": false, "protocolVersion": "2025-06-18"},
    "oauth2": {"grant": "authorization_code", "tokenUrl": "https://as/token", "clientId": "id", "clientSecret": "sec",
      "scope": "a b", "resource": "urn:x", "audience": "aud", "authStyle": "header", "refreshSkewSeconds": 5,
      "extraParams": {"k": "v"}, "authorizationCode": "code", "codeVerifier": "ver", "authorizationUrl": "https://as/auth",
      "redirectUri": "http://127.0.0.1:9/cb", "refreshToken": "ref", "interactive": false, "callbackHost": "localhost",
      "callbackPort": 9, "callbackTimeoutSeconds": 7, "tokenCacheDir": "/cache"},
    "discovery": {"enabled": false}, "log": {"level": "trace"}, "allowInsecureHttp": true})";
  auto got = run.read();
  ASSERT_TRUE(got) << got.error().front();
  const auto& s = got->settings;
  const auto& o = s.sign_in;
  EXPECT_EQ(s.upstream.timeout, seconds(30));
  EXPECT_FALSE(s.upstream.open_server_stream);
  EXPECT_EQ(s.upstream.protocol_version, "2025-06-18");
  EXPECT_EQ(o.token_url, "https://as/token");
  EXPECT_EQ(o.client_auth, bridge_client_auth::header);
  EXPECT_EQ(o.scope, "a b");
  EXPECT_EQ(o.resource, "urn:x");
  EXPECT_EQ(o.audience, "aud");
  EXPECT_EQ(o.refresh_skew, seconds(5));
  EXPECT_EQ(o.extra_params.front().second, "v");
  EXPECT_EQ(o.authorization_code.reveal(), "code");
  EXPECT_EQ(o.code_verifier.reveal(), "ver");
  EXPECT_EQ(o.authorization_url, "https://as/auth");
  EXPECT_EQ(o.redirect_uri, "http://127.0.0.1:9/cb");
  EXPECT_EQ(o.refresh_token.reveal(), "ref");
  EXPECT_FALSE(o.interactive);
  EXPECT_EQ(o.callback_host, "localhost");
  EXPECT_EQ(o.callback_port, 9);
  EXPECT_EQ(o.callback_timeout, seconds(7));
  EXPECT_EQ(o.token_cache_dir, "/cache");
  EXPECT_FALSE(o.discovery);
  EXPECT_EQ(s.log_level, bridge_log_level::trace);
  EXPECT_TRUE(s.danger_allow_insecure_http);
  // The environment wins over the file.
  run.environment["OAUTH2_SCOPE"] = "c";
  EXPECT_EQ(run.read()->settings.sign_in.scope, "c");
}

TEST(BridgeSettings, SayWhatIsWrongInTheGuidesWords) {
  struct row {
    const char *name, *value, *says;
  };
  for (const auto& [name, value, says] :
       {row{"UPSTREAM_TIMEOUT_MS", "abc",
            R"(failed to load config: UPSTREAM_TIMEOUT_MS must be an integer, got "abc")"},
        row{"OAUTH2_CALLBACK_PORT", "70000",
            R"(failed to load config: OAUTH2_CALLBACK_PORT is out of range: "70000")"},
        row{"OAUTH2_CALLBACK_PORT", "99999999999999",
            R"(failed to load config: OAUTH2_CALLBACK_PORT is out of range: )"},
        row{"OAUTH2_REFRESH_SKEW_SECONDS", "-1",
            R"(failed to load config: OAUTH2_REFRESH_SKEW_SECONDS is out of range: "-1")"},
        row{"OAUTH2_CALLBACK_TIMEOUT_SECONDS", "0",
            "failed to load config: OAUTH2_CALLBACK_TIMEOUT_SECONDS is out of range"},
        row{"OAUTH2_EXTRA_PARAMS", "{broken",
            "failed to load config: OAUTH2_EXTRA_PARAMS is not valid JSON: "},
        row{"OAUTH2_EXTRA_PARAMS", R"({"state":"x"})", "state is a parameter of the sign-in itself"},
        row{"UPSTREAM_URL", "http://mcp.example/mcp",
            "failed to load config: upstream.url uses cleartext http to a non-loopback host (mcp.example), "
            "which would leak"},
        row{"OAUTH2_TOKEN_URL", "http://as.example/t",
            "failed to load config: oauth2.tokenUrl uses cleartext http"},
        row{"UPSTREAM_URL", "ftp://mcp.example",
            R"(failed to load config: UPSTREAM_URL must use http or https, got "ftp:")"},
        row{"UPSTREAM_URL", "not a url", "failed to load config: UPSTREAM_URL: Invalid url"},
        row{"OAUTH2_GRANT", "password",
            "OAUTH2_GRANT: Invalid value \"password\"; it is one of authorization_code, client_credentials"},
        row{"OAUTH2_AUTH_STYLE", "query", "it is one of header, body"},
        row{"OAUTH2_INTERACTIVE", "maybe", R"(OAUTH2_INTERACTIVE must be true or false, got "maybe")"},
        row{"LOG_LEVEL", "loud", "it is one of trace, debug"},
        row{"MCP_PROXY_CONFIG", "/absent.json",
            "failed to load config: ENOENT: no such file or directory, open '/absent.json'"},
        row{"DISCOVERY_ENABLED", "false",
            "failed to build oauth2 grant: OAuth2 token endpoint is not set; provide tokenUrl or enable "
            "discovery"}}) {
    auto run = drop_in();
    run.environment[name] = value;
    EXPECT_THAT(run.errors(), Contains(HasSubstr(says))) << name << "=" << value;
  }
  for (auto [name, says] : {std::pair{"UPSTREAM_URL", "upstream.url: Required"},
                            std::pair{"OAUTH2_GRANT", "oauth2.grant: Required"},
                            std::pair{"OAUTH2_CLIENT_ID", "oauth2.clientId: Required"}}) {
    auto run = drop_in();
    run.environment.erase(name);
    EXPECT_THAT(run.errors(), Contains(HasSubstr(says)));
  }
}

TEST(BridgeSettings, UnknownKeysAndFlagsAreErrorsWithTheNearestName) {
  auto run = drop_in();
  run.environment["MCP_PROXY_CONFIG"] = "/c.json";
  run.files["/c.json"] = R"({"upstream":{"timeoutms":5},"oauth2":{"clientID":"x"},"bogus":1,"log":"info"})";
  EXPECT_THAT(run.errors(), ElementsAre("failed to load config: /c.json: the key upstream.timeoutms is not "
                                        "known; the nearest is upstream.timeoutMs",
                                        "failed to load config: /c.json: the key oauth2.clientID is not "
                                        "known; the nearest is oauth2.clientId",
                                        "failed to load config: /c.json: the key bogus is not known",
                                        "failed to load config: /c.json: log: Expected object"));
  EXPECT_THAT(
      bridge({"https://m.example", "--alow-http"}).errors(),
      ElementsAre("failed to load config: the flag --alow-http is not known; the nearest is --allow-http"));
  auto typo = drop_in();
  typo.environment["OAUTH2_CLIENTID"] = "x";
  auto got = typo.read();
  ASSERT_TRUE(got);
  EXPECT_THAT(got->warnings,
              ElementsAre("the variable OAUTH2_CLIENTID is not known and does nothing; the nearest is "
                          "OAUTH2_CLIENT_ID"));
}

TEST(BridgeSettings, TheEndOfAFlagIsNearerThanAnotherFlag) {
  EXPECT_THAT(
      bridge({"https://m.example", "--port", "4000"}).errors(),
      Contains("failed to load config: the flag --port is not known; the nearest is --callback-port"));
}

TEST(BridgeSettings, UnderTheOtherNameWordsAndHelpSayWhereTheRestIs) {
  auto run = drop_in();
  run.arguments = {"login"};
  EXPECT_THAT(run.errors(), Contains(HasSubstr("for login and status use mcp-oauth-proxy bridge")));
  EXPECT_THAT(bridge_help(true), HasSubstr("settings come from the environment and MCP_PROXY_CONFIG"));
  EXPECT_THAT(bridge_help(true), ::testing::Not(HasSubstr("CALLBACK-PORT")));
  EXPECT_THAT(bridge_help(false), HasSubstr("[CALLBACK-PORT]"));
}

TEST(BridgeSettings, TheRedirectUriIsTheOneOfMcpRemoteWhereThatWasRegistered) {
  const std::string info = R"({"client_id":"reg1"})";
  for (const std::vector<std::string>& rest : {std::vector<std::string>{"3334"},
                                               {"--static-oauth-client-info", info},
                                               {"3334", "--static-oauth-client-info", info}}) {
    std::vector<std::string> arguments = {"https://m.example"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    auto got = bridge(arguments).read();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->settings.sign_in.callback_host, "localhost") << rest[0];
    EXPECT_EQ(got->settings.sign_in.callback_path, "/oauth/callback") << rest[0];
    arguments.insert(arguments.end(), {"--host", "127.0.0.1", "--callback-path", "/callback"});
    got = bridge(arguments).read();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->settings.sign_in.callback_host, "127.0.0.1") << rest[0];
    EXPECT_EQ(got->settings.sign_in.callback_path, "/callback") << rest[0];
  }
  for (const std::vector<std::string>& ours :
       {std::vector<std::string>{}, {"--callback-port", "4000"}, {"--client-id", "c"}}) {
    std::vector<std::string> arguments = {"https://m.example"};
    arguments.insert(arguments.end(), ours.begin(), ours.end());
    EXPECT_EQ(bridge(arguments).read()->settings.sign_in.callback_path, "/callback");
  }
}

TEST(BridgeSettings, VariablesOfOtherProgramsAreNotWarnedOf) {
  auto run = drop_in();
  run.environment["OAUTH2_PROXY_CLIENT_ID"] = "of oauth2-proxy";
  run.environment["PATH"] = "/bin";
  EXPECT_TRUE(run.read()->warnings.empty());
}

TEST(BridgeSettings, AWordInThePlaceOfTheUrlIsNamedAndNothingElse) {
  struct row {
    std::vector<std::string> arguments;
    const char* says;
  };
  for (const auto& [arguments, says] :
       {row{{"logn", "https://m.example"}, R"("logn" is not a command; the nearest is login)"},
        row{{"stauts", "https://m.example", "--debug"},
            R"("stauts" is not a command; the nearest is status)"},
        row{{"doctor"}, R"("doctor" is neither a URL nor a command: login, logout and status are)"},
        row{{"--debug", "login", "https://m.example"},
            "login stands before the flags: mcp-oauth-proxy bridge login URL"},
        row{{"mcp.example.com/mcp"}, R"(has no scheme; is https://mcp.example.com/mcp meant?)"},
        row{{"localhost:8080/mcp", "3334"}, R"(has no scheme; is http://localhost:8080/mcp meant?)"},
        row{{"http:/m.example"}, R"(the URL: Invalid url "http:/m.example")"},
        row{{"ftp://m.example"}, R"(the URL must use http or https, got "ftp:")"}}) {
    EXPECT_THAT(bridge(arguments).errors(), ElementsAre(HasSubstr(says))) << arguments[0];
  }
  EXPECT_THAT(bridge({}).errors(), ElementsAre(HasSubstr("upstream.url: Required")));
}

TEST(BridgeSettings, ATransportThatIsWrittenAsAFlagIsNamed) {
  EXPECT_THAT(bridge({"https://m.example", "--http-only"}).errors(),
              ElementsAre(HasSubstr("the flag --http-only is not known; it is --transport http-only")));
}

TEST(BridgeSettings, HowAllOfItWasGivenIsRememberedWithoutSecrets) {
  auto run =
      bridge({"login", "https://m.example/mcp", "3334", "--client-id", "c", "--client-secret", "s3cr3t"});
  run.environment = {{"OAUTH2_SCOPE", "a"}, {"LOG_LEVEL", "info"}, {"HOME", "/h"}, {"OAUTH2_AUDIENCE", ""}};
  auto got = run.read();
  ASSERT_TRUE(got);
  EXPECT_THAT(got->settings.shown_arguments,
              ElementsAre("3334", "--client-id", "c", "--client-secret", "***"));
  EXPECT_THAT(got->settings.named_variables, ElementsAre("OAUTH2_SCOPE"));
}

TEST(BridgeSettings, StatusMayBeForPrograms) {
  EXPECT_TRUE(bridge({"status", "https://m.example", "--json"}).read()->as_json);
  EXPECT_TRUE(bridge({"status", "--json"}).read()->as_json);
  EXPECT_FALSE(bridge({"status"}).read()->as_json);
  EXPECT_THAT(bridge({"login", "https://m.example", "--json"}).errors(), ElementsAre(HasSubstr("--json")));
}

TEST(BridgeSettings, AllErrorsComeAtOnceAndNoneHoldsASecret) {
  auto run = drop_in();
  run.environment["UPSTREAM_TIMEOUT_MS"] = "x";
  run.environment["OAUTH2_CALLBACK_PORT"] = "y";
  run.environment["OAUTH2_EXTRA_PARAMS"] = "s3cr3t-value";
  run.environment["UPSTREAM_HEADERS"] = R"({"X-Key":"s3cr3t-value\u0007"})";
  auto errors = run.errors();
  EXPECT_EQ(errors.size(), 4U);
  for (const auto& one : errors) EXPECT_THAT(one, Not(HasSubstr("s3cr3t")));
}

TEST(BridgeSettings, AnEmptyVariableIsNotSet) {
  auto run = drop_in();
  for (const char* name :
       {"DISCOVERY_ENABLED", "OAUTH2_INTERACTIVE", "OAUTH2_SCOPE", "LOG_LEVEL", "MCP_PROXY_CONFIG"})
    run.environment[name] = "";
  auto got = run.read();
  ASSERT_TRUE(got) << got.error().front();
  EXPECT_TRUE(got->settings.sign_in.discovery);
  EXPECT_TRUE(got->settings.sign_in.interactive);
}

TEST(BridgeSettings, ASecretMayComeFromAFile) {
  auto run = drop_in();
  run.environment.erase("OAUTH2_CLIENT_SECRET");
  run.environment["OAUTH2_CLIENT_SECRET_FILE"] = "/run/secret";
  run.files["/run/secret"] = "of the file\n";
  EXPECT_EQ(run.read()->settings.sign_in.client_secret.reveal(), "of the file");
}

TEST(BridgeSettings, TheFlagsOfMcpRemoteAreTaken) {
  auto run = bridge({"https://mcp.example/mcp",
                     "3334",
                     "--header",
                     "X-Key: ${KEY}",
                     "--header",
                     "X-Two:2",
                     "--transport",
                     "sse-first",
                     "--protocol",
                     "legacy",
                     "--allow-http",
                     "--host",
                     "localhost",
                     "--callback-path",
                     "/oauth/callback",
                     "--auth-success-url",
                     "https://done.example",
                     "--auth-timeout",
                     "60",
                     "--static-oauth-client-info",
                     R"({"client_id":"cid","client_secret":"${KEY}"})",
                     "--static-oauth-client-metadata",
                     R"({"scope":"a b"})",
                     "--client-metadata-url",
                     "https://c.example/m.json",
                     "--token-endpoint",
                     "https://as.example/t",
                     "--use-id-token",
                     "--disable-resource-parameter",
                     "--authorize-param",
                     "prompt=login",
                     "--ignore-tool",
                     "delete_*",
                     "--ignore-tool",
                     "drop",
                     "--keep-alive",
                     "--ping-interval",
                     "10",
                     "--connect-timeout",
                     "5",
                     "--headers-timeout=7",
                     "--body-timeout",
                     "0",
                     "--ipv4",
                     "--enable-proxy",
                     "--disable-cookies",
                     "--debug"});
  run.environment["KEY"] = "value of key";
  auto got = run.read();
  ASSERT_TRUE(got) << got.error().front();
  const auto& s = got->settings;
  EXPECT_EQ(s.upstream.url, "https://mcp.example/mcp");
  EXPECT_EQ(s.sign_in.callback_port, 3334);
  ASSERT_EQ(s.upstream.headers.size(), 2U);
  EXPECT_EQ(s.upstream.headers[0].second.reveal(), "value of key");
  EXPECT_EQ(s.upstream.transport, bridge_transport::sse_first);
  EXPECT_EQ(s.upstream.protocol, bridge_protocol::legacy);
  EXPECT_TRUE(s.danger_allow_insecure_http);
  EXPECT_EQ(s.sign_in.callback_host, "localhost");
  EXPECT_EQ(s.sign_in.callback_path, "/oauth/callback");
  EXPECT_EQ(s.sign_in.callback_timeout, seconds(60));
  EXPECT_EQ(s.sign_in.client_id, "cid");
  EXPECT_EQ(s.sign_in.client_secret.reveal(), "value of key");
  EXPECT_EQ(s.sign_in.scope, "a b");
  EXPECT_TRUE(s.sign_in.use_id_token);
  EXPECT_FALSE(s.sign_in.send_resource);
  EXPECT_EQ(s.sign_in.authorize_params.front().second, "login");
  EXPECT_THAT(s.upstream.ignored_tools, ElementsAre("delete_*", "drop"));
  EXPECT_EQ(s.upstream.ping_interval, seconds(10));
  EXPECT_EQ(s.upstream.connect_timeout, seconds(5));
  EXPECT_EQ(s.upstream.timeout, seconds(7));
  EXPECT_TRUE(s.upstream.ipv4_only);
  EXPECT_FALSE(s.upstream.cookies);
  EXPECT_EQ(s.log_level, bridge_log_level::debug);

  auto resource =
      bridge({"https://m.example", "--resource", "https://m.example/api", "--silent", "--device-code"})
          .read();
  ASSERT_TRUE(resource);
  EXPECT_EQ(resource->settings.sign_in.resource, "https://m.example/api");
  EXPECT_EQ(resource->settings.sign_in.grant, bridge_grant::device_code);
  EXPECT_FALSE(bridge({"https://m.example", "--resource="}).read()->settings.sign_in.send_resource);
}

TEST(BridgeSettings, FilesOfFlagsAreRead) {
  auto run = bridge({"https://m.example", "--header-file", "/h", "--static-oauth-client-info", "@/info",
                     "--config", "/c.json"});
  run.files["/h"] = "# mine\n\nX-One: 1\r\nX-Two: ${TWO}\n";
  run.files["/info"] = R"({"client_id":"cid"})";
  run.files["/c.json"] = R"({"log":{"level":"warn"}})";
  run.environment["TWO"] = "2";
  auto got = run.read();
  ASSERT_TRUE(got) << got.error().front();
  EXPECT_EQ(got->settings.upstream.headers.size(), 2U);
  EXPECT_EQ(got->settings.sign_in.client_id, "cid");
  EXPECT_EQ(got->settings.log_level, bridge_log_level::warn);
  run.environment.erase("TWO");
  EXPECT_THAT(run.errors(), ElementsAre(HasSubstr("/h:4: ${TWO} is not set")));
}

TEST(BridgeSettings, RefusesWhatCannotWork) {
  struct row {
    std::vector<std::string> arguments;
    const char* says;
  };
  for (const auto& [arguments, says] :
       {row{{}, "the URL of the MCP server is the first argument"}, row{{"mcp.example"}, "has no scheme"},
        row{{"https://m.example", "3334", "more"}, "what is \"more\" for?"},
        row{{"https://m.example", "port"}, "the callback port must be an integer"},
        row{{"http://m.example"}, "uses cleartext http"},
        row{{"https://m.example", "--header"}, "--header needs a value"},
        row{{"https://m.example", "--header", "Authorization: Bearer x"},
            "the bridge owns the upstream Authorization header"},
        row{{"https://m.example", "--header", "Host: x"}, "the bridge sets Host itself"},
        row{{"https://m.example", "--header", "no colon"}, "a header is NAME: VALUE"},
        row{{"https://m.example", "--client-credentials"}, "oauth2.clientId: Required"},
        row{{"https://m.example", "--grant", "jwt_bearer"}, "oauth2.assertionFile: Required"},
        row{{"https://m.example", "--grant", "token"}, "oauth2.accessToken: Required"},
        row{{"https://m.example", "--client-metadata-url", "http://127.0.0.1/x"}, "must use https"},
        row{{"https://m.example", "--callback-path", "x y"}, "a plain path"},
        row{{"https://m.example", "--certificate-file", "x"}, "belong together"},
        row{{"https://m.example", "--authorize-param", "state=x"},
            "state is a parameter of the sign-in itself"}}) {
    EXPECT_THAT(bridge(arguments).errors(), Contains(HasSubstr(says)));
  }
}

TEST(BridgeSettings, WhatIsKeptIsToldAndForgottenWithoutTheSecretsOfIt) {
  for (const std::vector<std::string>& settings :
       {std::vector<std::string>{"--grant", "client_credentials", "--client-id", "c"},
        {"--grant", "token"},
        {"--grant", "jwt_bearer"},
        {"--grant", "enterprise", "--client-id", "c"}}) {
    for (const char* verb : {"status", "logout", "login"}) {
      std::vector<std::string> arguments = {verb, "https://m.example"};
      arguments.insert(arguments.end(), settings.begin(), settings.end());
      EXPECT_EQ(bridge(arguments).errors().empty(), std::string_view(verb) != "login")
          << verb << " " << settings[1];
    }
  }
}

TEST(BridgeSettings, KnowWhatIsToBeDone) {
  EXPECT_EQ(bridge({"login", "https://m.example"}).read()->verb, bridge_verb::login);
  EXPECT_EQ(bridge({"logout", "https://m.example"}).read()->verb, bridge_verb::logout);
  EXPECT_EQ(bridge({"status"}).read()->verb, bridge_verb::status);
  EXPECT_EQ(bridge({"--help"}).read()->verb, bridge_verb::help);
  EXPECT_EQ(bridge({"https://m.example"}).read()->verb, bridge_verb::serve);
  auto given = bridge({"https://m.example"});
  given.environment["OAUTH2_ACCESS_TOKEN"] = "given token";
  EXPECT_EQ(given.read()->settings.sign_in.grant, bridge_grant::given);
  EXPECT_THAT(bridge_help(), HasSubstr("--static-oauth-client-info VALUE"));
}

}  // namespace
}  // namespace mcp_oauth
