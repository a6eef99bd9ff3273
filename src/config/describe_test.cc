#include "config/describe.h"

#include "base/json.h"
#include "base/text.h"
#include "config/config_error.h"
#include "config/keys.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;

TEST(Keys, AreNamedOnceAndExplained) {
  std::set<std::string> names, variables;
  for (const auto& key : config_keys()) {
    EXPECT_TRUE(names.emplace(key.path).second) << key.path;
    for (const auto& other : split_words(key.also)) EXPECT_TRUE(names.insert(other).second) << other;
    EXPECT_TRUE(variables.insert(environment_name(key.path)).second) << key.path;
    for (const auto& other : split_words(key.environment))
      EXPECT_TRUE(variables.insert(other).second) << other;
    EXPECT_TRUE(key.doc.ends_with('.')) << key.path;
    EXPECT_LE(key.least, key.most) << key.path;
  }
  // NAME_FILE is where NAME may be read from; no key may claim such a name.
  for (const auto& name : variables) EXPECT_FALSE(variables.contains(name + "_FILE")) << name;
}

TEST(Keys, AreFoundUnderEveryName) {
  EXPECT_EQ(find_config_key("issuer"), find_config_key("issuers[].issuer"));
  EXPECT_NE(find_config_key("tls.cert_file"), nullptr);
  EXPECT_EQ(find_config_key("tls"), nullptr);
  EXPECT_EQ(find_config_key(""), nullptr);
}

TEST(Keys, DefaultsKeepTheirOwnRules) {
  config_draft draft;
  draft.providers.emplace_back();
  draft.upstreams.emplace_back();
  draft.clients.emplace_back();
  draft.issuers.emplace_back();
  for (const auto& key : config_keys()) {
    if (const auto* text = std::get_if<config_place<std::string>>(&key.slot)) {
      auto value = (*text)(draft, 0);
      if (!value.empty()) {
        EXPECT_FALSE(assign(key, draft, 0, value)) << key.path;
      }
    } else if (const auto* duration = std::get_if<config_place<seconds>>(&key.slot)) {
      EXPECT_FALSE(assign(key, draft, 0, std::to_string((*duration)(draft, 0).count()))) << key.path;
    } else if (const auto* short_duration = std::get_if<config_place<milliseconds>>(&key.slot)) {
      EXPECT_FALSE(assign(key, draft, 0, std::to_string((*short_duration)(draft, 0).count()))) << key.path;
    } else if (const auto* number = std::get_if<config_place<std::uint32_t>>(&key.slot)) {
      EXPECT_FALSE(assign(key, draft, 0, std::to_string((*number)(draft, 0)))) << key.path;
    }
  }
}

TEST(Keys, EnvironmentNamesFollowFromPaths) {
  EXPECT_EQ(environment_name("tls.cert_file"), "MCP_OAUTH_TLS_CERT_FILE");
  EXPECT_EQ(environment_name("providers.my-idp.issuer"), "MCP_OAUTH_PROVIDERS_MY_IDP_ISSUER");
}

TEST(Displayed, IsOneShortLineWithoutCredentials) {
  EXPECT_EQ(displayed("plain"), "plain");
  EXPECT_EQ(displayed("postgresql://user:p@ss/w@host/db"), "postgresql://***@host/db");
  EXPECT_EQ(displayed("https://a.example/mcp?key=s3cret"), "https://a.example/mcp?***");
  EXPECT_EQ(displayed("postgresql://host/db?sslmode=no"), "postgresql://host/db?sslmode=no");
  EXPECT_EQ(displayed("a\nb\x7f\"\\"), "a\\x0ab\\x7f\\\"\\\\");
  EXPECT_EQ(displayed(std::string(100, 'x')), std::string(80, 'x') + "…");
  EXPECT_EQ(displayed(std::string(79, 'x') + "ü"), std::string(79, 'x') + "…");
}

TEST(ConfigError, PrintsWhatItKnows) {
  EXPECT_EQ(to_string({"config.yaml", 7, "port", "80800", "must be less", "try 8080"}),
            "config.yaml:7: port: value \"80800\": must be less (try 8080)");
  EXPECT_EQ(to_string({"environment", 0, "PORT", "", "must be", ""}), "environment: PORT: must be");
}

TEST(Describe, TheDumpHidesThePasswordOfTheDatabaseAndNothingElse) {
  settings s;
  s.database_url = "postgresql://user:s3cret@host/db";
  s.upstreams.emplace_back().url = "https://a.example/@me";
  EXPECT_THAT(to_yaml(s), HasSubstr("postgresql://***@host/db"));
  EXPECT_THAT(to_yaml(s), HasSubstr("url: https://a.example/@me"));
}

TEST(Describe, TheReferenceHasEveryKeyAndName) {
  auto page = reference_markdown();
  for (const auto& key : config_keys()) {
    EXPECT_THAT(page, HasSubstr("| `" + std::string(key.path) + "`"));
    EXPECT_THAT(page, HasSubstr(std::string(key.doc)));
    for (const auto& other : split_words(key.environment))
      EXPECT_THAT(page, HasSubstr("`" + (other.starts_with('*') ? "<NAME>" + other.substr(1) : other) + "`"));
  }
  EXPECT_THAT(page,
              HasSubstr("| `port` | number, 0 to 65535 | `8080` | `MCP_OAUTH_PORT`, `PORT`, `MCP_PORT` |"));
  EXPECT_THAT(page, HasSubstr("`MCP_OAUTH_PROVIDERS_<NAME>_CLIENT_SECRET`"));
  EXPECT_THAT(page,
              HasSubstr("| `connect_timeout`, `timeouts.connect` | milliseconds, 1 to 3600000 | `10000` |"));
}

TEST(Describe, TheSchemaHasEveryKey) {
  auto schema = parse_json_object(json_schema());
  ASSERT_TRUE(schema);
  const auto& top = schema->at("properties").as_object();
  EXPECT_EQ(schema->at("additionalProperties"), false);
  EXPECT_EQ(top.at("port").as_object().at("maximum"), 65535);
  EXPECT_EQ(top.at("timeouts").as_object().at("properties").as_object().size(), 9U);
  EXPECT_TRUE(top.at("logging").as_object().at("properties").as_object().contains("level"));
  EXPECT_TRUE(top.contains("issuer"));
  EXPECT_TRUE(top.at("tools").as_object().contains("additionalProperties"));
  const auto& upstream = top.at("upstreams").as_object().at("items").as_object().at("properties").as_object();
  EXPECT_TRUE(upstream.contains("url"));
  const auto& forms = top.at("providers").as_object().at("anyOf").as_array();
  const auto& by_name =
      forms.at(0).as_object().at("additionalProperties").as_object().at("properties").as_object();
  const auto& listed = forms.at(1).as_object().at("items").as_object().at("properties").as_object();
  EXPECT_TRUE(by_name.contains("client_secret"));
  EXPECT_EQ(listed.size(), by_name.size() + 1);  // and its name
}

}  // namespace
}  // namespace mcp_oauth
