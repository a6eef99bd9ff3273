#include "library/fixture.h"
#include "library/make_config.h"
#include "library/parts.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using v1::any_of;
using v1::config;
using v1::options;

options good() {
  options o;
  o.server.issuer = "https://idp.example.com";
  o.resource = "https://mcp.example.com/mcp";
  return o;
}

std::vector<std::string> messages(const v1::outcome<config, v1::config_problems>& made) {
  std::vector<std::string> texts;
  if (made) return texts;
  for (const auto& problem : made.error().list) texts.push_back(problem.message);
  return texts;
}

TEST(LibraryConfig, TakesAnIssuerAndAResource) {
  auto made = config::make(good());
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->resource(), "https://mcp.example.com/mcp");
  EXPECT_EQ(made->inside().issuers[0].rules.audiences,
            std::vector<std::string>{"https://mcp.example.com/mcp"});
}

TEST(LibraryConfig, SaysAllThatIsWrongAtOnceInTheWordsOfTheGuides) {
  auto made = config::make({});
  EXPECT_THAT(messages(made), ElementsAre("provider is required", "resource URI is required"));
  EXPECT_THAT(made.error().text(),
              HasSubstr("invalid config: provider is required; resource URI is required\n  provider: "));
}

struct mistake {
  const char* what;
  std::function<void(options&)> make;
  std::vector<std::string> messages;
};

TEST(LibraryConfig, NamesEachMistake) {
  const std::vector<mistake> mistakes = {
      {"provider hmac without its key",
       [](options& o) { o.provider = "hmac"; },
       {"JWTSecret is required for HMAC provider"}},
      {"an OIDC provider without issuer",
       [](options& o) {
         o.provider = "okta";
         o.server.issuer = "";
       },
       {"Issuer is required for OIDC provider"}},
      {"a provider, and neither audience nor resource",
       [](options& o) {
         o.provider = "okta";
         o.resource = "";
       },
       {"audience is required", "resource URI is required"}},
      {"an unknown provider",
       [](options& o) { o.provider = "oktta"; },
       {R"(unknown provider: "oktta" (supported: hmac, okta, google, azure, oidc))"}},
      {"Google without its client id as audience",
       [](options& o) {
         o.provider = "google";
         o.server.issuer = "";
       },
       {"audience is required"}},
      {"keys and no issuer",
       [](options& o) {
         o.server.issuer = "";
         o.server.jwks_url = "https://idp.example.com/keys";
       },
       {"issuer is required"}},
      {"a relative resource",
       [](options& o) { o.resource = "mcp.example.com/mcp"; },
       {R"(resource URI must be an absolute URI with scheme and host (got "mcp.example.com/mcp"))"}},
      {"a resource of no web",
       [](options& o) { o.resource = "urn:mcp"; },
       {R"(resource URI must be an absolute URI with scheme and host (got "urn:mcp"))"}},
      {"a resource with a fragment",
       [](options& o) { o.resource += "#here"; },
       {R"(resource URI must have neither query nor fragment (got "https://mcp.example.com/mcp#here"))"}},
      {"an issuer without scheme",
       [](options& o) { o.server.issuer = "company.okta.com"; },
       {R"(issuer URL must use http or https scheme, got "company.okta.com")"}},
      {"an issuer of another scheme",
       [](options& o) { o.server.issuer = "ftp://company.okta.com"; },
       {R"(issuer URL must use http or https scheme, got "ftp://company.okta.com")"}},
      {"an issuer with a query",
       [](options& o) { o.server.issuer = "https://company.okta.com?x=1"; },
       {R"(issuer URL must have neither query nor fragment, got "https://company.okta.com?x=1")"}},
      {"an issuer in clear",
       [](options& o) { o.server.issuer = "http://company.okta.com"; },
       {R"(issuer URL must use HTTPS for non-localhost hosts, got "http://company.okta.com")"}},
      {"key URL in clear",
       [](options& o) { o.server.jwks_url = "http://company.okta.com/keys"; },
       {R"(jwks_url must use HTTPS for non-localhost hosts, got "http://company.okta.com/keys")"}},
      {"keys that are none", [](options& o) { o.server.keys = "{}"; }, {}},
      {"introspection without credentials",
       [](options& o) { o.server.introspection_url = "https://idp.example.com/introspect"; },
       {"introspection client credentials are required when introspection is enabled"}},
      {"a mode that takes revoked tokens",
       [](options& o) { o.server.validation_mode = "jwt_or_introspect"; },
       {"validation mode jwt_or_introspect is not offered: it takes revoked tokens and those with a bad "
        "signature"}},
      {"an unknown mode",
       [](options& o) { o.server.validation_mode = "jwtonly"; },
       {R"(unknown validation mode: "jwtonly")"}},
      {"an unknown algorithm",
       [](options& o) { o.server.algorithms = {"none"}; },
       {R"(unknown algorithm: "none")"}},
      {"two scopes in one text",
       [](options& o) { o.tools = {{"echo", {"tools:read tools:write"}}}; },
       {R"(no scope: "tools:read tools:write")"}},
      {"a rule for nothing", [](options& o) { o.tools = {{"", {}}}; }, {"a rule has no name"}},
      {"any of no scopes", [](options& o) { o.prompts = {{"p", any_of({})}}; }, {"any_of nothing"}},
      {"a page instead of an origin",
       [](options& o) { o.allowed_origins = {"https://app.example.com/x"}; },
       {R"(not an origin: "https://app.example.com/x")"}},
      {"hours of leeway", [](options& o) { o.leeway = std::chrono::hours(1); }, {"3600 is out of range"}},
      {"no memory of tokens", [](options& o) { o.remembered_tokens = 0; }, {"0 is out of range"}},
      {"half a word for dpop", [](options& o) { o.dpop = "on"; }, {R"(unknown: "on")"}},
      {"nonces for proofs that are not taken",
       [](options& o) { o.dpop_nonces = true; },
       {"dpop_nonces is set, and dpop is off"}},
      {"a short key for nonces",
       [](options& o) {
         o.dpop = "accepted";
         o.dpop_nonces = true;
         o.dpop_nonce_key = "short";
       },
       {"dpop_nonce_key has 5 bytes"}},
      {"a key for no nonces",
       [](options& o) { o.dpop_nonce_key = std::string(32, 'k'); },
       {"dpop_nonce_key is set, and no nonces are demanded"}},
      {"a policy from two places",
       [](options& o) {
         o.policy_url = "https://policy.example.com";
         o.tools = {};
       },
       {"tools and policy_url are both given"}},
      {"a policy in clear",
       [](options& o) { o.policy_url = "http://policy.example.com"; },
       {R"(policy_url must use HTTPS for non-localhost hosts, got "http://policy.example.com")"}},
      {"a policy that is too old before it is renewed",
       [](options& o) {
         o.policy_url = "https://policy.example.com";
         o.policy_max_age = o.policy_refresh;
       },
       {"policy_max_age is not longer than policy_refresh"}},
      {"a policy for ever",
       [](options& o) {
         o.policy_url = "https://policy.example.com";
         o.policy_max_age = std::chrono::hours(48);
       },
       {"172800 is out of range"}},
      {"a token with a line break",
       [](options& o) {
         o.policy_url = "https://policy.example.com";
         o.policy_token = "a\nb";
       },
       {"policy_token is no text of visible characters"}},
      {"a token for no policy",
       [](options& o) { o.policy_token = "abc"; },
       {"policy_token is set, and policy_url is not"}},
      {"half a word for certificates",
       [](options& o) { o.certificate_binding = "on"; },
       {R"(unknown: "on")"}},
      {"a second server without issuer",
       [](options& o) { o.more_servers.resize(1); },
       {"issuer is required"}},
      {"a secret without its provider",
       [](options& o) { o.jwt_secret = std::string(32, 'k'); },
       {"provider is required"}},
      {"a short secret",
       [](options& o) {
         o.provider = "hmac";
         o.jwt_secret = "short";
       },
       {}},
      {"one issuer twice",
       [](options& o) {
         o.more_servers.resize(1);
         o.more_servers[0].issuer = o.server.issuer;
       },
       {}},
  };
  for (const auto& m : mistakes) {
    auto o = good();
    m.make(o);
    auto made = config::make(o);
    EXPECT_FALSE(made) << m.what;
    if (made) continue;
    EXPECT_FALSE(made.error().list.empty()) << m.what;
    if (!m.messages.empty()) {
      EXPECT_EQ(messages(made), m.messages) << m.what;
    }
  }
}

TEST(LibraryConfig, TakesWhatLooksOddAndIsRight) {
  const std::vector<std::pair<const char*, std::function<void(options&)>>> fine = {
      {"an issuer with a slash, as some have",
       [](options& o) { o.server.issuer = "https://tenant.auth0.com/"; }},
      {"an issuer on this machine", [](options& o) { o.server.issuer = "http://localhost:8080"; }},
      {"http that was asked for",
       [](options& o) {
         o.server.issuer = "http://idp.internal";
         o.danger_allow_http = true;
       }},
      {"an audience that is a URL and the resource as well",
       [](options& o) {
         o.audiences = {"https://mcp.example.com/mcp"};
         o.resource = "";
       }},
      {"an audience that is no URL", [](options& o) { o.audiences = {"api://my-server"}; }},
      {"Google with a client id",
       [](options& o) {
         o.provider = "google";
         o.server.issuer = "";
         o.audiences = {"1234.apps.googleusercontent.com"};
       }},
      {"an empty list of scopes: every valid token may", [](options& o) { o.tools = {{"echo", {}}}; }},
      {"HMAC with a name as issuer",
       [](options& o) {
         o.provider = "hmac";
         o.server.issuer = "my-tests";
         o.jwt_secret = std::string(32, 'k');
       }},
  };
  for (const auto& [what, change] : fine) {
    auto o = good();
    change(o);
    auto made = config::make(o);
    EXPECT_TRUE(made) << what << ": " << (made ? "" : made.error().text());
  }
}

TEST(LibraryConfig, WarnsOfWhatIsPossibleAndWide) {
  auto o = good();
  o.danger_any_audience = true;
  o.resource = "http://mcp.example.com/mcp";
  auto made = config::make(o);
  ASSERT_TRUE(made);
  EXPECT_THAT(made->warnings(), Contains(HasSubstr("every valid token may call every tool")));
  EXPECT_THAT(made->warnings(), Contains(HasSubstr("danger_any_audience")));
  EXPECT_THAT(made->warnings(), Contains(HasSubstr("in clear")));
}

TEST(LibraryConfig, WarnsOfATableWithoutRules) {
  auto o = good();
  o.tools = {};
  auto made = config::make(o);
  ASSERT_TRUE(made);
  EXPECT_THAT(made->warnings(), ElementsAre("tools is empty: no tool can be called"));
}

TEST(LibraryConfigJson, ReadsEveryKindOfMember) {
  library_world world;
  auto made = config::from_json(R"({"keys": )" + world.keys() + R"(,
    "issuer": "https://idp.example.com", "resource": "https://mcp.example.com/mcp", "audience": "api://server",
    "scopes": ["mcp"], "leeway": 5, "danger_id_tokens": true, "algorithms": ["ES256"], "dpop": "accepted",
    "required_claims": {"tid": ["a", "b"]},
    "tools": {"echo": ["tools:read"], "delete_*": {"any_of": ["tools:write", "tools:admin"]}, "ping": []},
    "more_servers": [{"issuer": "https://other.example.com", "jwks_url": "https://other.example.com/keys"}]})");
  ASSERT_TRUE(made) << made.error().text();
  const auto& parts = made->inside();
  EXPECT_EQ(parts.issuers.size(), 2U);
  EXPECT_EQ(parts.issuers[0].rules.audiences, std::vector<std::string>{"api://server"});
  EXPECT_EQ(parts.issuers[0].rules.leeway, seconds(5));
  EXPECT_TRUE(std::holds_alternative<fixed_keys>(parts.issuers[0].keys));
  EXPECT_EQ(parts.issuers[0].rules.required.at(0).any_of, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(std::holds_alternative<keys_by_url>(parts.issuers[1].keys));
  EXPECT_EQ(parts.rules.dpop, dpop_use::accepted);
  EXPECT_THAT(parts.metadata,
              HasSubstr(R"("scopes_supported":["mcp","tools:read","tools:write","tools:admin"])"));
}

TEST(LibraryConfigJson, NamesWhatItDoesNotUnderstand) {
  struct row {
    const char* json;
    const char* text;
  };
  const std::vector<row> rows = {
      {"", "is no JSON object"},
      {"[]", "is no JSON object"},
      {R"({"issuer": "https://a.example", "issuer": "https://b.example"})", "is no JSON object"},
      {R"({"isuer": "https://a.example"})", "did you mean issuer?"},
      {R"({"issuer": 1})", "is not a text"},
      {R"({"scopes": "mcp"})", "is not a list of texts"},
      {R"({"scopes": [1]})", "is not a list of texts"},
      {R"({"leeway": "1"})", "is not a whole number"},
      {R"({"leeway": -1})", "-1 is out of range"},
      {R"({"remembered_tokens": -1})", "0 is out of range"},
      {R"({"danger_allow_http": "yes"})", "is not true or false"},
      {R"({"tools": ["echo"]})", "is not an object of pattern and scopes"},
      {R"({"tools": {"echo": {"some_of": ["a"]}}})", "is not a list of scopes, or"},
      {R"({"more_servers": [1]})", "is not an object"},
      {R"({"more_servers": [{"jwksurl": "x"}]})", "did you mean jwks_url?"},
  };
  for (const auto& r : rows) {
    auto made = config::from_json(r.json);
    ASSERT_FALSE(made) << r.json;
    EXPECT_THAT(made.error().text(), HasSubstr(r.text)) << r.json;
  }
}

using variables = std::map<std::string, std::string>;

options read(const variables& set, v1::problem_list& problems) {
  options o;
  v1::read_environment(
      [&](const std::string& name) -> std::optional<std::string> {
        auto found = set.find(name);
        return found != set.end() ? std::optional(found->second) : std::nullopt;
      },
      o, problems);
  return o;
}

TEST(LibraryEnvironment, KnowsTheNamesOfEachGuide) {
  for (const auto& set :
       std::vector<variables>{{{"OAUTH_ISSUER_URL", "https://idp.example.com"},
                               {"OAUTH_AUDIENCE", "https://mcp.example.com/mcp"}},
                              {{"OAUTH_PROVIDER", "okta"},
                               {"OIDC_ISSUER", "https://idp.example.com"},
                               {"OIDC_AUDIENCE", "api://server"},
                               {"MCP_URL", "https://mcp.example.com/mcp"}},
                              {{"OAUTH_PROVIDER", "hmac"},
                               {"OAUTH_ISSUER", "test"},
                               {"JWT_SECRET", std::string(32, 'k')},
                               {"MCP_URL", "https://mcp.example.com/mcp"}},
                              {{"AUTHSEC_ISSUER", "https://idp.example.com"},
                               {"AUTHSEC_RESOURCE_URI", "https://mcp.example.com/mcp"},
                               {"AUTHSEC_JWKS_URI", "https://idp.example.com/keys"},
                               {"AUTHSEC_INTROSPECTION_ENDPOINT", "https://idp.example.com/introspect"},
                               {"AUTHSEC_INTROSPECTION_ID", "rs"},
                               {"AUTHSEC_INTROSPECTION_SECRET", "s"},
                               {"AUTHSEC_VALIDATION_MODE", "jwt_and_introspect"},
                               {"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a", "b"]})"}}}) {
    v1::problem_list problems;
    auto o = read(set, problems);
    EXPECT_TRUE(problems.empty());
    auto made = config::make(o);
    EXPECT_TRUE(made) << set.begin()->first << (made ? "" : made.error().text());
  }
}

TEST(LibraryEnvironment, ReadsToolScopesAsAnyOfThem) {
  v1::problem_list problems;
  auto o = read({{"AUTHSEC_TOOL_SCOPES_JSON", R"({"echo": ["a", "b"], "open": []})"}}, problems);
  ASSERT_EQ(o.tools.size(), 2U);
  EXPECT_TRUE(o.tools[0].needed.any);
  EXPECT_FALSE(o.tools[1].needed.any);
}

TEST(LibraryEnvironment, TakesAnEmptyTableOfToolsAsOneThatDeniesAll) {
  v1::problem_list problems;
  EXPECT_TRUE(read({{"TOOL_SCOPES_JSON", "{}"}}, problems).tools.given());
  EXPECT_FALSE(read({{"TOOL_SCOPES_JSON", ""}}, problems).tools.given());
  EXPECT_TRUE(problems.empty());
}

TEST(LibraryEnvironment, TakesAPolicyFromAUrl) {
  v1::problem_list problems;
  auto o = read({{"MCP_OAUTH_POLICY_URL", "https://policy.example.com"},
                 {"MCP_OAUTH_POLICY_TOKEN", "abc"},
                 {"AUTHSEC_POLICY_MODE", "remote_required"}},
                problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(o.policy_url, "https://policy.example.com");
  EXPECT_EQ(o.policy_token, "abc");
}

TEST(LibraryEnvironment, RefusesToGuess) {
  const std::vector<std::pair<variables, const char*>> rows = {
      {{{"OAUTH_ISSUER_URL", "https://a.example"}, {"OIDC_ISSUER", "https://b.example"}},
       "are both set, and differ"},
      {{{"OAUTH_MODE", "proxy"}}, "mode proxy is no part of the library"},
      {{{"OAUTH_MODE", "relay"}}, "mode must be 'native' or 'proxy', got: relay"},
      {{{"OIDC_SKIP_AUDIENCE_CHECK", "true"}}, "is not honoured"},
      {{{"AUTHSEC_POLICY_MODE", "remote_required"}}, "a policy of AuthSec's service"},
      {{{"TOOL_SCOPES_JSON", "{"}}, "is no JSON object"},
      {{{"JWT_SECRET_FILE", "/nowhere/at/all"}}, "the file cannot be read"},
      {{{"JWT_SECRET_FILE", "/"}}, "the file cannot be read"},
  };
  for (const auto& [set, text] : rows) {
    v1::problem_list problems;
    read(set, problems);
    EXPECT_THAT(problems.take().text(), HasSubstr(text));
  }
}

TEST(LibraryEnvironment, IsThatOfTheProcess) {
  ::setenv("OAUTH_ISSUER_URL", "https://idp.example.com", 1);
  ::setenv("MCP_URL", "https://mcp.example.com/mcp", 1);
  ::setenv("OAUTH_REQUIRED_SCOPES", R"(["a", "b"])", 1);
  auto made = config::from_environment();
  EXPECT_TRUE(made) << (made ? "" : made.error().text());
  if (made) {
    EXPECT_EQ(made->resource(), "https://mcp.example.com/mcp");
  }
  EXPECT_TRUE(v1::guard::from_environment());
  ::unsetenv("OAUTH_ISSUER_URL");
  EXPECT_FALSE(v1::guard::from_environment());
  ::unsetenv("MCP_URL");
  ::unsetenv("OAUTH_REQUIRED_SCOPES");
}

TEST(LibraryEnvironment, TakesScopesAsAListOrAsWords) {
  for (auto text : {R"(["a", "b", 7])", "a b", "a,b", " a , b "}) {
    v1::problem_list problems;
    auto o = read({{"OAUTH_REQUIRED_SCOPES", text}}, problems);
    EXPECT_EQ(o.scopes, (std::vector<std::string>{"a", "b"})) << text;
  }
}

TEST(LibraryEnvironment, ReadsSecretsOutOfFiles) {
  auto path = testing::TempDir() + "/library_secret";
  std::ofstream(path) << "of a file\n";
  v1::problem_list problems;
  auto o = read({{"AUTHSEC_INTROSPECTION_SECRET_FILE", path}}, problems);
  EXPECT_EQ(o.server.introspection_client_secret, "of a file");
}

}  // namespace
}  // namespace mcp_oauth
