#include "config/load.h"

#include "config/describe.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using variables = std::map<std::string, std::string, std::less<>>;

const std::string upstream = "mcp_server_url: http://localhost:3000\n";

config_input input_of(std::string text, variables environment = {}, variables files = {}) {
  config_input input{"config.yaml", std::move(text)};
  input.environment = [environment =
                           std::move(environment)](std::string_view name) -> std::optional<std::string> {
    auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  input.read_file = [files = std::move(files)](const std::string& path) -> result<std::string> {
    auto found = files.find(path);
    if (found == files.end()) return fail(errc::file_unreadable, "No such file or directory");
    return found->second;
  };
  return input;
}

// The settings of a file that must load; with `upstream` before it.
settings good(const std::string& text, variables environment = {}) {
  auto answer = load(input_of(upstream + text, std::move(environment)));
  if (answer) return answer->value;
  for (const auto& e : answer.error()) ADD_FAILURE() << to_string(e);
  return {};
}

// Every error of a file that must not load, one on each line, with `upstream` as its first line.
std::string bad(const std::string& text, variables environment = {}, bool with_upstream = true) {
  auto answer = load(input_of((with_upstream ? upstream : "") + text, std::move(environment)));
  if (answer) {
    ADD_FAILURE() << "loaded: " << text;
    return "";
  }
  std::string errors;
  for (const auto& e : answer.error()) errors += to_string(e) + "\n";
  return errors;
}

TEST(Load, OneLineIsEnough) {
  auto s = good("");
  EXPECT_EQ(s.public_url, "http://127.0.0.1:8080");
  EXPECT_EQ(s.callback_url, "http://127.0.0.1:8080/auth/callback");
  EXPECT_EQ(s.database_url, "sqlite://oauth.db");
  ASSERT_EQ(s.providers.size(), 1U);
  EXPECT_EQ(s.providers[0].type, "local");
  EXPECT_EQ(s.providers[0].name, "local");
  ASSERT_EQ(s.upstreams.size(), 1U);
  EXPECT_EQ(s.upstreams[0].url, "http://localhost:3000");
  EXPECT_THAT(s.upstreams[0].paths, ElementsAre("/mcp"));
  EXPECT_EQ(s.upstreams[0].resource, "http://127.0.0.1:8080/mcp");
  EXPECT_THAT(s.scopes_supported, ElementsAre("mcp"));
  EXPECT_FALSE(s.tools_given);
}

TEST(Load, NoFileIsNeededWhenTheEnvironmentSaysEnough) {
  auto input = input_of("", {{"MCP_SERVER_URL", "http://mcp:3000"},
                             {"HOST", "0.0.0.0"},
                             {"CALLBACK_URL", "https://a.example/callback"}});
  input.text.reset();
  input.file = config_file::optional;
  auto answer = load(input);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value.upstreams[0].url, "http://mcp:3000");
  EXPECT_EQ(answer->value.public_url, "https://a.example");
  EXPECT_EQ(answer->value.callback_url, "https://a.example/callback");
}

TEST(Load, AMissingFileIsNamedByItsAbsolutePath) {
  auto input = input_of("", {{"MCP_SERVER_URL", "http://mcp:3000"}});
  input.text.reset();
  input.absolute_path = "/srv/config.yaml";
  auto answer = load(input);
  ASSERT_FALSE(answer);
  ASSERT_EQ(answer.error().size(), 1U);
  EXPECT_EQ(answer.error()[0].code, errc::config_not_found);
  EXPECT_THAT(to_string(answer.error()[0]), HasSubstr("Config file not found: /srv/config.yaml ("));

  // Nobody asked for that file, but nothing else says what to do either.
  input.environment = nullptr;
  input.file = config_file::optional;
  answer = load(input);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error()[0].code, errc::config_not_found);
}

TEST(Load, TheDemoNeedsNoUpstream) {
  auto input = input_of("");
  EXPECT_FALSE(load(input));
  input.standalone_ok = true;
  auto answer = load(input);
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->value.upstreams, IsEmpty());

  input.text.reset();
  input.file = config_file::optional;
  EXPECT_TRUE(load(input));
}

TEST(Load, FlagsWinOverEnvironmentOverFileOverDefault) {
  auto input = input_of(upstream + "port: 1\nlog_level: warn\nworkers: 2\n",
                        {{"PORT", "3"}, {"LOG_LEVEL", "debug"}, {"MCP_OAUTH_WORKERS", ""}});
  input.flags = {{"port", "4"}, {"log-level", "error"}};
  auto answer = load(input);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value.port, 4);
  EXPECT_EQ(answer->value.log.level, "error");
  EXPECT_EQ(answer->value.workers, 2U);  // an empty variable counts as unset
  EXPECT_EQ(answer->value.limits.head, 32U * 1024);

  EXPECT_EQ(good("port: 1\n", {{"MCP_OAUTH_PORT", "2"}, {"PORT", "3"}}).port, 2);  // the generated name first
  EXPECT_EQ(good("port: 1\n", {{"PORT", "3"}}).port, 3);
  EXPECT_EQ(good("port: 1\n").port, 1);
}

TEST(Load, TheEnvironmentReachesItemsByName) {
  auto s = good("providers:\n  my-idp: {type: oidc, issuer: https://idp.example.com}\n",
                {{"MCP_OAUTH_PROVIDERS_MY_IDP_CLIENT_ID", "id"},
                 {"MCP_OAUTH_PROVIDERS_MY_IDP_SCOPES", "openid, groups"},
                 {"MCP_OAUTH_CORS_ORIGINS", "https://a.example https://b.example"}});
  EXPECT_EQ(s.providers[0].client_id, "id");
  EXPECT_THAT(s.providers[0].scopes, ElementsAre("openid", "groups"));
  EXPECT_THAT(s.cors.origins, ElementsAre("https://a.example", "https://b.example"));
}

TEST(Load, ASecretMayComeFromAFile) {
  const std::string idp = "providers:\n  idp: {type: oidc, issuer: https://idp.example.com, client_id: a}\n";
  auto input = input_of(upstream + idp, {{"MCP_OAUTH_PROVIDERS_IDP_CLIENT_SECRET_FILE", "/run/secrets/idp"}},
                        {{"/run/secrets/idp", "hush\r\n"}});
  auto answer = load(input);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value.providers[0].client_secret.reveal(), "hush");

  EXPECT_THAT(bad(idp, {{"MCP_OAUTH_PROVIDERS_IDP_CLIENT_SECRET_FILE", "/none"}}),
              HasSubstr("environment: MCP_OAUTH_PROVIDERS_IDP_CLIENT_SECRET_FILE: value \"/none\": names a "
                        "file that cannot "
                        "be read: No such file or directory"));
  EXPECT_THAT(bad("", {{"ENCRYPTION_KEY", "a"}, {"ENCRYPTION_KEY_FILE", "/b"}}), HasSubstr("together with"));
}

TEST(Load, NoSecretAppearsInErrorsOrInTheDump) {
  const std::string secrets =
      "encryption_key: s3cret\n"
      "client_secret: s3cret\n"
      "database_url: mysql://user:s3cret@db/x\n"
      "mcp_server_url: http://user:s3cret@localhost\n"
      "upstreams: s3cret\n"
      "tools: s3cret\n"
      "providers:\n"
      "  a: {type: oidc, client_secret: [s3cret]}\n"
      "  b: {type: oidc, client_secret: \"s3cret\\n\"}\n"
      "  c: {type: oidc, client_secrt: s3cret}\n"
      "  d: {type: local, client_secret: s3cret}\n"
      "clients:\n"
      "  - {client_id: a, client_secret: {a: s3cret}}\n";
  auto errors =
      bad(secrets, {{"MCP_OAUTH_ENCRYPTION_KEY", "s3cret"}, {"LOG_LEVEL", "x://a:s3cret@b"}}, false);
  EXPECT_THAT(errors, Not(HasSubstr("s3cret")));
  EXPECT_THAT(errors, HasSubstr("providers.d.client_secret: has no meaning"));

  auto s = good(
      "encryption_key: s3cretyXGpPrEvrrcSVtgmuoEpKVtE3BWCzF0Wl9u9M\n"
      "providers: {a: {type: oidc, issuer: https://a.example, client_id: x, client_secret: s3cret}}\n"
      "clients: [{client_id: a, client_secret: s3cret-s3cret-s3cret-s3cret, redirect_uris: "
      "[https://a.example]}]\n");
  EXPECT_EQ(s.encryption_key.reveal().size(), 32U);
  EXPECT_EQ(s.providers[0].client_secret.reveal(), "s3cret");
  EXPECT_THAT(to_yaml(s), Not(HasSubstr("s3c")));
  EXPECT_THAT(to_yaml(s), HasSubstr("client_secret: \"***\""));
}

TEST(Load, KeysOfTheGuideMeanTheSameAsOurs) {
  auto s = good(
      "public_url: https://a.example\nblocked_headers: [X-A]\nlogging: {level: debug}\ntimeouts: {connect: "
      "2s}\n");
  EXPECT_EQ(s.public_url, "https://a.example");
  EXPECT_THAT(s.headers.blocked, ElementsAre("X-A"));
  EXPECT_EQ(s.log.level, "debug");
  EXPECT_EQ(s.timeouts.connect, milliseconds(2000));
  EXPECT_EQ(good("connect_timeout: 250\n").timeouts.connect, milliseconds(250));

  EXPECT_EQ(good("log_level: warn\nlogging: {level: warn}\n").log.level, "warn");
  EXPECT_THAT(
      bad("log_level: info\nlogging: {level: debug}\n"),
      HasSubstr(
          "logging.level: value \"debug\": means the same as log_level on line 2 and says something else"));
}

TEST(Load, RateLimitsMayBeOffAndHaveOlderNames) {
  auto off =
      good("rate_limits: {requests_per_minute: 0, registrations_per_hour: 0, user_tokens_per_minute: 0}\n")
          .rates;
  EXPECT_EQ(off.requests_per_minute, 0U);
  EXPECT_EQ(off.registrations_per_hour, 0U);
  EXPECT_EQ(off.user_tokens_per_minute, 0U);
  EXPECT_EQ(off.sign_ins_per_minute, 300U);
  auto older = good("limits: {requests_per_minute: 7, registrations_per_hour: 8}\n").rates;
  EXPECT_EQ(older.requests_per_minute, 7U);
  EXPECT_EQ(older.registrations_per_hour, 8U);
}

TEST(Load, TransformsOfAnswersAreReadAndReadBack) {
  auto none = good("response_transform: none\n").transform;
  EXPECT_TRUE(none.empty());
  auto input = input_of(
      "public_url: https://gate.example\n"
      "response_transform: {remove_headers: [X-Internal-*], rename_headers: {X-Old: X-New}}\n"
      "upstreams:\n"
      "  - {name: one, url: 'http://a', paths: [/one]}\n"
      "  - {name: two, url: 'http://b', paths: [/two], response_transform: {add_headers: {X-By: gate "
      "way}}}\n");
  auto first = load(input);
  ASSERT_TRUE(first);
  auto again = load(input_of(to_yaml(first->value)));
  ASSERT_TRUE(again) << to_yaml(first->value);
  for (const auto& s : {first->value, again->value}) {
    EXPECT_THAT(s.upstreams[0].transform.remove, ElementsAre("X-Internal-*"));
    EXPECT_THAT(s.upstreams[0].transform.rename,
                ElementsAre(std::pair<std::string, std::string>("X-Old", "X-New")));
    EXPECT_THAT(s.upstreams[1].transform.remove, IsEmpty()) << "its own, and nothing else";
    EXPECT_THAT(s.upstreams[1].transform.add,
                ElementsAre(std::pair<std::string, std::string>("X-By", "gate way")));
  }
}

TEST(Load, ATransformThatWouldTouchWhatMustStayIsNamed) {
  for (auto [line, named] :
       {std::pair{"remove_headers: [Content-Length]",
                  "remove_headers: value \"Content-Length\": belongs to the connection"},
        {"remove_headers: ['*']", "would remove content-type"},
        {"add_headers: {Mcp-Session-Id: x}", "\"Mcp-Session-Id\" belongs to MCP"},
        {"add_headers: {X-A: \"a\\tb\"}", "add_headers: \"X-A\" must not have line breaks"},
        {"add_headers: {X-A: ''}", "add_headers: X-A: the value must be"},
        {"rename_headers: {X-A: Access-Control-Allow-Origin}",
         "X-A: \"Access-Control-Allow-Origin\" follows from cors"},
        {"rename_headers: {WWW-Authenticate: X-A}", "\"WWW-Authenticate\" is said by the gateway itself"},
        {"rename_headers: {X-A: 'b c'}", "must be a header name"},
        {"drop_headers: [X-A]", "response_transform.drop_headers"}}) {
    auto top = load(input_of(upstream + "response_transform: {" + line + "}\n"));
    ASSERT_FALSE(top) << line;
    EXPECT_THAT(to_string(top.error()[0]), HasSubstr(named));
    auto own = load(input_of(std::string("public_url: https://g.example\nupstreams:\n  - {name: a, url: "
                                         "'http://a', paths: [/a], response_transform: {") +
                             line + "}}\n"));
    ASSERT_FALSE(own) << line;
    EXPECT_THAT(to_string(own.error()[0]), HasSubstr("upstreams[0].response_transform."));
  }
  EXPECT_FALSE(load(input_of(upstream + "response_transform: upper\n")));
}

TEST(Load, WhoMayReadTheCountsIsChecked) {
  auto given = good("metrics: {allow: [10.0.0.0/8, ::1], token: a-token-of-22-characters}\n").metrics;
  EXPECT_EQ(given.allow.size(), 2U);
  EXPECT_FALSE(given.token.empty());
  for (auto bad : {"metrics: {allow: [everybody]}", "metrics: {token: short}", "metrics: {token: changeme}",
                   "trusted_proxy_header: X-Real-IP"})
    EXPECT_FALSE(load(input_of(upstream + bad + "\n"))) << bad;
  EXPECT_EQ(good("trusted_proxy_header: forwarded\n").trusted_proxy_header, "Forwarded");
}

TEST(Load, ANearNameIsSuggested) {
  EXPECT_THAT(
      bad("databse_url: x\n"),
      HasSubstr("config.yaml:2: databse_url: is not a key of this version (did you mean database_url?)"));
  EXPECT_THAT(bad("cors: {orgins: []}\n"),
              HasSubstr("cors.orgins: is not a key of this version (did you mean origins?)"));
  EXPECT_THAT(bad("cert_file: x\n"), HasSubstr("(it belongs here: tls.cert_file)"));
  EXPECT_THAT(bad("zzzzzzzzz: x\n"), HasSubstr("zzzzzzzzz: is not a key of this version\n"));
  // The table's own notation is not a name.
  EXPECT_THAT(bad("\"tls.cert_file\": x\n\"providers.*\": 1\n\"upstreams[]\": 1\n"),
              HasSubstr("upstreams[]: is not a key"));
}

TEST(Load, AWrongTypeIsNamed) {
  EXPECT_THAT(bad("port: [1]\n"), HasSubstr("port: must be a single value, and is a list"));
  EXPECT_THAT(bad("port:\n"), HasSubstr("port: has no value"));
  EXPECT_THAT(bad("cors: 1\n"), HasSubstr("cors: must be a map, and is a single value"));
  EXPECT_THAT(bad("cors: {origins: {a: b}}\n"), HasSubstr("cors.origins: must be a list, and is a map"));
  EXPECT_THAT(bad("cors: {origins: [[a]]}\n"),
              HasSubstr("cors.origins: must be a list of single values, and is a list"));
  EXPECT_THAT(bad("providers: x\n"),
              HasSubstr("providers: must be a map from names to providers, or a list"));
  EXPECT_THAT(bad("clients: {a: b}\n"), HasSubstr("clients: must be a list of maps, and is a map"));
  EXPECT_THAT(bad("clients: [a]\n"), HasSubstr("clients[0]: must be a map, and is a single value"));
  EXPECT_THAT(bad("providers: [a]\n"), HasSubstr("providers: must be a list of maps"));
  EXPECT_THAT(bad("providers: [{type: oidc}]\n"), HasSubstr("providers: has an element without a name"));
  EXPECT_THAT(bad("- a\n", {}, false), HasSubstr("config.yaml:1: must be a map of keys to values"));
  EXPECT_THAT(good("cors:\nproviders:\nclients:\n").clients, IsEmpty());  // an empty section is none
}

TEST(Load, NumbersKeepToTheirRange) {
  EXPECT_EQ(good("port: 0\n").port, 0);
  EXPECT_EQ(good("port: 65535\n").port, 65535);
  for (const char* port : {"-1", "65536", "8080.0", "0x50", "eighty", "\"\"", "99999999999999999999"}) {
    EXPECT_THAT(bad("port: " + std::string(port) + "\n"), HasSubstr("port: ")) << port;
  }
  EXPECT_EQ(good("session_timeout: 15m\n").session_timeout, seconds(900));
  EXPECT_EQ(good("refresh_token_lifetime: 30d\n").refresh_token_lifetime, seconds(2'592'000));
  EXPECT_EQ(good("refresh_grace_seconds: 0\n").refresh_grace, seconds(0));
  for (const char* line :
       {"session_timeout: 0", "session_timeout: -5", "code_lifetime: 601", "leeway: 11m",
        "session_timeout: 1500ms", "connect_timeout: 0", "connect_timeout: 1.5s", "limits: {head: 1023}",
        "limits: {body: 1TB}", "limits: {connections: 0}", "workers: 4294967296"}) {
    EXPECT_THAT(bad(std::string(line) + "\n"), HasSubstr("must be")) << line;
  }
}

TEST(Load, AShortSessionTimeoutIsWarnedAbout) {
  auto answer = load(input_of(upstream + "session_timeout: 299\n"));
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->warnings, ElementsAre("session_timeout is low (< 300s)"));
  answer = load(input_of(upstream + "session_timeout: 300\n"));
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->warnings, IsEmpty());
}

TEST(Load, DangersAreWarnedAbout) {
  auto answer = load(input_of(upstream + "danger_allow_http: true\ntrusted_proxies: [0.0.0.0/0]\n"));
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->warnings, ElementsAre(HasSubstr("0.0.0.0/0"), HasSubstr("danger_allow_http")));
}

}  // namespace
}  // namespace mcp_oauth
