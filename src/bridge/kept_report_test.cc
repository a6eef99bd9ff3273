#include "bridge/kept_report.h"

#include "bridge/sign_in_fixture.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const auto now = from_unix(1'799'990'300);

kept_report a_report() {
  kept_report report;
  report.file = "/cache/0123.json.enc";
  report.kept.server = "https://mcp.example/mcp";
  report.kept.settings = "--client-id c";
  report.kept.keep(client_kept());
  report.kept.tokens = tokens_kept();
  return report;
}

TEST(KeptReport, TellsPeopleWhatIsKeptAndUntilWhen) {
  auto report = a_report();
  auto text = to_text(report, now);
  EXPECT_THAT(text,
              AllOf(HasSubstr("https://mcp.example/mcp\n"), HasSubstr("  settings      --client-id c\n"),
                    HasSubstr("  client        client-0 at https://as.example, registered by itself\n"),
                    HasSubstr("  access token  ends in 5 min ("), HasSubstr("  refresh token yes\n"),
                    HasSubstr("  scope         tools:read\n")));
  EXPECT_TRUE(report.is_usable(now));
  auto later = now + seconds(3600);
  EXPECT_THAT(to_text(report, later), HasSubstr("access token  ended "));
  EXPECT_TRUE(report.is_usable(later)) << "there is a refresh token";
  report.kept.tokens->refresh_token = secret();
  EXPECT_FALSE(report.is_usable(later));
  EXPECT_THAT(to_text(report, later), HasSubstr("none: a new sign-in is needed then"));
  report.kept.settings = "--grant client_credentials --client-id c";
  EXPECT_THAT(to_text(report, later), HasSubstr("none: the bridge gets a new token by itself"));
  report.kept.tokens->lifetime.reset();
  EXPECT_THAT(to_text(report, later), HasSubstr("until the server refuses it"));
  report.kept.tokens.reset();
  report.last_failure = kept_report::failure{"MOP-SIN-010", "nobody came", now - seconds(60)};
  EXPECT_THAT(to_text(report, now), AllOf(HasSubstr("signed in     no"),
                                          HasSubstr("last failure  nobody came (MOP-SIN-010, 60 s ago)")));
  EXPECT_FALSE(report.is_usable(now));
}

TEST(KeptReport, TellsProgramsTheSameAndNoSecret) {
  auto report = a_report();
  report.of_these_settings = true;
  auto o = to_json(report, now);
  EXPECT_EQ(o.at("server").as_string(), "https://mcp.example/mcp");
  EXPECT_EQ(o.at("settings").as_string(), "--client-id c");
  EXPECT_TRUE(o.at("of_these_settings").as_bool());
  EXPECT_TRUE(o.at("usable").as_bool());
  EXPECT_TRUE(o.at("last_failure").is_null());
  const auto& token = o.at("token").as_object();
  EXPECT_EQ(token.at("issuer").as_string(), "https://as.example");
  EXPECT_FALSE(token.at("expired").as_bool());
  EXPECT_TRUE(token.at("refreshable").as_bool());
  EXPECT_EQ(o.at("clients").as_array().at(0).at("client_id").as_string(), "client-0");
  auto text = json::serialize(o) + to_text(report, now);
  for (const char* hidden : {"access-0", "refresh-0"}) EXPECT_THAT(text, Not(HasSubstr(hidden)));
  report.kept.tokens->lifetime.reset();
  EXPECT_TRUE(to_json(report, now).at("token").at("expires").is_null());
  EXPECT_TRUE(to_json(report, now).at("token").at("expired").is_null());
  report.kept.tokens.reset();
  report.kept.settings.clear();
  report.last_failure = kept_report::failure{"MOP-SIN-010", "nobody came", now};
  EXPECT_TRUE(to_json(report, now).at("token").is_null());
  EXPECT_TRUE(to_json(report, now).at("settings").is_null());
  EXPECT_EQ(to_json(report, now).at("last_failure").at("id").as_string(), "MOP-SIN-010");
}

// What an authorization server calls a client or a scope is a stranger's word, and `status` is for terminals.
TEST(KeptReport, ATerminalActsOnNothingThatAServerSaid) {
  const std::string hostile =
      "a\x1B]0;title\x07\x1B[2J\r\n  signed in     no\x7F\xC2\x9B"
      "31mz";
  auto report = a_report();
  report.kept.clients.front().client_id = hostile;
  report.kept.clients.front().issuer = hostile;
  report.kept.tokens->issuer = hostile;
  report.kept.tokens->resource = hostile;
  report.kept.tokens->granted = hostile;
  report.last_failure = kept_report::failure{"MOP-SIN-010", hostile, now};
  auto controls = [](const std::string& text) {
    std::string found;
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto c = static_cast<unsigned char>(text[i]);
      auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
      if ((c < 0x20 && c != '\n') || c == 0x7F || (c == 0xC2 && next < 0xA0))
        found += std::to_string(c) + " ";
    }
    return found;
  };
  auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  auto plain = a_report();
  plain.last_failure = kept_report::failure{"MOP-SIN-010", "why", now};
  auto text = to_text(report, now);
  EXPECT_EQ(controls(text), "");
  EXPECT_EQ(lines(text), lines(to_text(plain, now)));
  EXPECT_THAT(text, HasSubstr("a]0;title[2J signed in no31mz"));
  // For programs the word stays what it is.
  auto line = to_line(to_json(report, now));
  EXPECT_EQ(controls(line), "");
  auto again = parse_json_object(line);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->at("token").at("scope").as_string(), json::string_view(hostile.data(), hostile.size()));
}

}  // namespace
}  // namespace mcp_oauth
