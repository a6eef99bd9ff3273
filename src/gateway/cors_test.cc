#include "gateway/cors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

cors_settings listing(std::vector<std::string> origins) {
  cors_settings conf;
  conf.origins = std::move(origins);
  return conf;
}

TEST(Cors, LetsOurOwnPagesAndTheListedOnesCallMcp) {
  struct row {
    const char *listed, *origin;
    bool may;
  };
  for (const auto& r :
       {row{"https://app.example", "https://h", true},
        row{"https://app.example", "https://app.example", true},
        row{"https://app.example", "https://app.example.evil.example", false},
        row{"https://app.example", "https://app.example:444", false},
        row{"https://app.example", "http://app.example", false}, row{"https://app.example", "null", false},
        row{"https://app.example", "", false}, row{"http://localhost:*", "http://localhost", true},
        row{"http://localhost:*", "http://localhost:5173", true},
        row{"http://localhost:*", "http://localhost:", false},
        row{"http://localhost:*", "http://localhost:5173.evil.example", false},
        row{"http://localhost:*", "http://localhost.evil.example", false},
        row{"http://localhost:*", "http://localhost:-1", false}, row{"*", "https://anyone.example", true}}) {
    EXPECT_EQ(cors_rules(listing({r.listed}), "https://h").may_call_mcp(r.origin), r.may)
        << r.listed << " " << r.origin;
  }
}

TEST(Cors, OfAServerThatTurnedItOffLetsOnlyItsOwnPagesIn) {
  auto conf = listing({"*"});
  conf.enabled = false;
  EXPECT_FALSE(cors_rules(conf, "https://h").may_call_mcp("https://app.example"));
  EXPECT_TRUE(cors_rules(conf, "https://h").may_call_mcp("https://h"));
}

TEST(Cors, NamesAnOriginOnlyWhenItIsKnown) {
  cors_rules rules(listing({"https://app.example"}), "https://h");
  EXPECT_EQ(rules.fields_for("https://app.example", false).first("access-control-allow-origin"),
            "https://app.example");
  EXPECT_EQ(rules.fields_for("https://evil.example", true).first("access-control-allow-origin"), "*");
  EXPECT_EQ(rules.fields_for("https://evil.example", false).count("access-control-allow-origin"), 0u);
  EXPECT_EQ(rules.fields_for("", true).count("access-control-allow-origin"), 0u);
  for (auto origin : {"", "https://app.example", "https://evil.example"}) {
    EXPECT_EQ(rules.fields_for(origin, true).first("vary"), "Origin") << origin;
  }
}

TEST(Cors, AllowsCredentialsToKnownOriginsOnly) {
  auto conf = listing({"https://app.example"});
  conf.allow_credentials = true;
  cors_rules rules(conf, "https://h");
  EXPECT_EQ(rules.fields_for("https://app.example", true).first("access-control-allow-credentials"), "true");
  EXPECT_EQ(rules.fields_for("https://evil.example", true).count("access-control-allow-credentials"), 0u);
}

TEST(Cors, APreflightSaysWhatMayBeSentAndNothingToAStranger) {
  auto conf = listing({"https://app.example"});
  conf.allowed_headers = {"X-Custom", "content-type"};
  cors_rules rules(conf, "https://h");
  auto fields = rules.preflight_for("https://app.example", false, "GET, POST");
  EXPECT_EQ(fields.first("access-control-allow-methods"), "GET, POST");
  std::string headers(fields.first("access-control-allow-headers"));
  EXPECT_THAT(headers, HasSubstr("Authorization"));
  EXPECT_THAT(headers, EndsWith(", X-Custom")) << "and Content-Type only once";
  EXPECT_EQ(fields.count("access-control-expose-headers"), 0u);
  EXPECT_EQ(fields.count("vary"), 2u);
  auto stranger = rules.preflight_for("https://evil.example", false, "GET, POST");
  EXPECT_EQ(stranger.count("access-control-allow-methods"), 0u);
}

TEST(Cors, APreflightAllowsTheFieldsThatMcpMirrorsParametersInto) {
  cors_rules rules(listing({"https://app.example"}), "https://h");
  auto allowed = [&](std::string_view asked) {
    return std::string(rules.preflight_for("https://app.example", false, "POST", asked)
                           .first("access-control-allow-headers"));
  };
  EXPECT_THAT(allowed("x-evil, mcp-param-city , MCP-Param-B"), EndsWith(", mcp-param-city, MCP-Param-B"));
  EXPECT_THAT(allowed("x-evil"), Not(HasSubstr("x-evil")));
  EXPECT_THAT(allowed("mcp-a\r\nX-Evil: 1, mcp-b c"), Not(HasSubstr("mcp-")));
  std::string many;
  for (int i = 0; i < 100; ++i) many += "mcp-" + std::to_string(i) + ",";
  EXPECT_THAT(allowed(many), EndsWith(", mcp-63")) << "no more than 64";
}

TEST(CorsRules, NameWhatAForeignOriginNearlyIs) {
  cors_settings conf;
  conf.origins = {"http://localhost:3000", "https://app.example", "http://127.0.0.1:*"};
  cors_rules rules(conf, "https://gate.example");
  struct row {
    const char *origin, *said;
  };
  for (const auto& r :
       {row{"https://localhost:3000", "http://localhost:3000 is configured, with another scheme"},
        row{"http://localhost:3001", "http://localhost:3000 is configured, with another port"},
        row{"https://www.app.example", "https://app.example is configured, with another host"},
        row{"https://127.0.0.1:1", "http://127.0.0.1:* is configured, with another scheme"},
        row{"https://evil.example", "it is not in cors.origins"},
        row{"null", "it is no origin of http or https"}}) {
    EXPECT_EQ(rules.near_miss(r.origin), r.said) << r.origin;
  }
  conf.enabled = false;
  EXPECT_EQ(cors_rules(conf, "https://gate.example").near_miss("http://localhost:3000"),
            "cors.enabled is false");
}

TEST(CorsRules, AllowFormsWhatTheyNeedAndWhatIsConfigured) {
  cors_settings conf;
  conf.origins = {"https://app.example"};
  conf.allowed_headers = {"authorization", "X-Extra"};
  cors_rules rules(conf, "https://gate.example");
  auto fields = rules.preflight_of_forms("https://app.example", false, "mcp-protocol-version");
  EXPECT_EQ(fields.first("Access-Control-Allow-Headers"),
            "Authorization, Content-Type, X-Extra, mcp-protocol-version");
  EXPECT_EQ(fields.first("Access-Control-Allow-Methods"), "GET, POST, OPTIONS");
}

}  // namespace
}  // namespace mcp_oauth
