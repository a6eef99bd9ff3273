#include "app/command_line.h"

#include "app/file_access.h"
#include "config/keys.h"
#include "store/test_folder.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct ended {
  int code = 0;
  std::string out, err;
};

ended run(std::vector<const char*> words) {
  words.insert(words.begin(), "mcp-oauth-proxy");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  ended e;
  e.code = run_command_line(static_cast<int>(words.size()), words.data());
  e.out = testing::internal::GetCapturedStdout();
  e.err = testing::internal::GetCapturedStderr();
  return e;
}

// A folder that is also the current one, as for somebody who types commands in it.
class CommandLine : public testing::Test {
 protected:
  CommandLine() : before_(std::filesystem::current_path()) { std::filesystem::current_path(folder.file("")); }
  ~CommandLine() override { std::filesystem::current_path(before_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder.file(name)) << text; }

  test_folder folder;

 private:
  std::filesystem::path before_;
};

TEST_F(CommandLine, TwoConfigurationFilesAreOneTooMany) {
  write("config.yaml", "mcp_server_url: http://localhost:3000\n");
  auto two = run({"--config", "nope.yaml", "validate-config", "config.yaml"});
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.err, HasSubstr("two configuration files are named: --config nope.yaml and config.yaml"));
  EXPECT_EQ(run({"--config", "config.yaml", "validate-config", "config.yaml"}).code, 0);
}

TEST_F(CommandLine, TheVersionOfADatabaseThatIsNotThereIsNone) {
  auto none = run({"migrate", "version"});
  EXPECT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(none.out, "0\n");
  EXPECT_FALSE(std::filesystem::exists("oauth.db"));
}

TEST_F(CommandLine, AVariableThatSetsNothingIsToldBesideAnError) {
  ::setenv("MCP_OAUTH_MCP_SERVR_URL", "http://localhost:3000", 1);
  write("config.yaml", "port: 0\n");
  auto wrong = run({"validate-config", "config.yaml"});
  ::unsetenv("MCP_OAUTH_MCP_SERVR_URL");
  EXPECT_EQ(wrong.code, 3);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("mcp_server_url: is missing"),
                               HasSubstr("did you mean MCP_OAUTH_MCP_SERVER_URL?")));
}

TEST_F(CommandLine, HelpShowsExamplesAndTypes) {
  auto help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("mcp-oauth-proxy demo --port 8081"), HasSubstr("docs/guide"),
                              HasSubstr("--port PORT"), Not(HasSubstr("TEXT"))));
  for (auto what : {"--config", "CONFIG_PATH", "--debug", "--verbose", "--version", "--host",
                    "--mcp-server-url", "demo-server", "check-config", "validate-config", "users", "migrate",
                    "docs", "_FILE", "DEBUG names", "Exit codes: 0 "}) {
    EXPECT_THAT(help.out, HasSubstr(what));
  }
  EXPECT_THAT(run({"demo", "--help"}).out, HasSubstr("--port PORT"));
  EXPECT_THAT(run({"users", "--help"}).out, HasSubstr("Give a user a new one-time password"));
}

TEST_F(CommandLine, ACommandThatDoesNotExistIsNamedWithThoseThatDo) {
  auto e = run({"bogus"});
  EXPECT_EQ(e.code, 2);
  EXPECT_THAT(e.err, AllOf(HasSubstr("there is no command bogus (demo, demo-server, check-config"),
                           HasSubstr("--help")));
  e = run({"users", "bogus"});
  EXPECT_EQ(e.code, 2);
  EXPECT_THAT(e.err, HasSubstr("there is no command users bogus (add, reset, remove, list)"));
  e = run({"users"});
  EXPECT_EQ(e.code, 2);
  EXPECT_THAT(e.err, HasSubstr("users needs one of: add, reset, remove, list"));
}

TEST_F(CommandLine, UsersNeverMakesADatabaseThatNobodyNamed) {
  for (const char* what : {"add", "reset", "remove"}) {
    auto e = run({"users", what, "ada"});
    EXPECT_EQ(e.code, 4) << what;
    EXPECT_THAT(e.err, HasSubstr("there is no oauth.db here; give --config")) << what;
  }
  EXPECT_EQ(run({"users", "list"}).code, 4);
  write("config.yaml", "mcp_server_url: http://localhost:3000\n");
  for (const char* what : {"reset", "remove"}) EXPECT_EQ(run({"users", what, "ada"}).code, 4) << what;
  EXPECT_THAT(run({"users", "list"}).err, HasSubstr("there is no database at " + absolute_path("oauth.db")));
  EXPECT_FALSE(std::filesystem::exists("oauth.db"));
}

TEST_F(CommandLine, UsersNamesItsDatabase) {
  write("config.yaml", "mcp_server_url: http://localhost:3000\n");
  const auto place = absolute_path("oauth.db");
  EXPECT_THAT(run({"users", "add", "Ada"}).out,
              HasSubstr("user ada added to " + place + ", one-time password: "));
  EXPECT_THAT(run({"users", "add", "ada"}).err, HasSubstr("exists already in " + place));
  EXPECT_THAT(run({"users", "reset", "ada"}).out,
              HasSubstr("user ada reset in " + place + ", one-time password: "));
  EXPECT_THAT(run({"users", "list"}).out, AllOf(HasSubstr(place), HasSubstr("ada")));
  EXPECT_THAT(run({"users", "remove", "ada"}).out, HasSubstr("user ada removed from " + place));
  EXPECT_THAT(run({"users", "remove", "ada"}).err, HasSubstr("there is no ada in " + place));
  EXPECT_EQ(run({"users", "list"}).out, "no users in " + place + "\n");
}

TEST_F(CommandLine, CheckConfigSaysTheWordsOfTheGuide) {
  write("config.yaml", "mcp_server_url: http://127.0.0.1:1\nport: 0\nsession_timeout: 120\n");
  auto e = run({"check-config", "config.yaml"});
  EXPECT_EQ(e.code, 0);
  EXPECT_THAT(e.out, HasSubstr("✓ Syntax valid\n✓ Required fields present\n✓ Provider credentials "
                               "configured\n✓ Database connection valid\n"));
  EXPECT_THAT(e.out, HasSubstr("\n⚠ Warning: session_timeout is low (< 300s)\n"));
  EXPECT_THAT(e.out, HasSubstr("Database: " + absolute_path("oauth.db") + " will be created"));
  EXPECT_THAT(e.err, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists("oauth.db"));
  EXPECT_FALSE(std::filesystem::exists("logs"));
}

TEST_F(CommandLine, CheckConfigFailsWhereAStartWould) {
  write("config.yaml", "mcp_server_url: http://127.0.0.1:1\nport: 0\ndatabase_url: sqlite://no/such/x.db\n");
  auto e = run({"check-config", "config.yaml"});
  EXPECT_EQ(e.code, 4);
  EXPECT_THAT(e.out, Not(HasSubstr("Database connection valid")));
  EXPECT_THAT(e.err, HasSubstr("there is no folder " + absolute_path("no/such")));
}

TEST_F(CommandLine, AFolderIsNoConfiguration) {
  std::filesystem::create_directory("conf.d");
  auto e = run({"check-config", "conf.d"});
  EXPECT_EQ(e.code, 3);
  EXPECT_THAT(e.err, HasSubstr(absolute_path("conf.d") + ": cannot be read: is a folder, not a file"));
}

TEST_F(CommandLine, DocsPrintsWhatItWroteAndFailsWhereItCannot) {
  auto e = run({"docs", "--out", "reference"});
  EXPECT_EQ(e.code, 0);
  for (const char* name : {"configuration.md", "config.schema.json", "errors.md", "doctor.schema.json"}) {
    EXPECT_THAT(e.out, HasSubstr("reference/" + std::string(name) + "\n"));
    EXPECT_TRUE(std::filesystem::exists("reference/" + std::string(name)));
  }
  write("taken", "a file");
  e = run({"docs", "--out", "taken"});
  EXPECT_EQ(e.code, 4);
  EXPECT_THAT(e.err, HasSubstr("cannot be written"));
}

// What a text names must exist: a command between backticks, a key with a dot in it.
TEST(Catalogue, NamesOnlyCommandsAndKeysThatExist) {
  const auto commands = command_names();
  auto is_command = [&](const std::string& text) {
    return std::any_of(commands.begin(), commands.end(), [&](const auto& name) {
      return text == name || (text.starts_with(name + " ") && name != "users");
    });
  };
  const std::regex quoted("`([^`]*)`"), dotted("\\b[a-z_]+(\\.([a-z_]+|NAME))+\\b");
  int seen = 0;
  auto each = [&](const std::string& text, const std::regex& of, std::size_t group, auto&& judge) {
    for (std::sregex_iterator it(text.begin(), text.end(), of), end; it != end; ++it, ++seen)
      judge((*it)[group].str());
  };
  for (const auto& row : catalogue()) {
    SCOPED_TRACE(row.id);
    const std::string text =
        std::string(row.description) + " " + std::string(row.cause) + " " + std::string(row.fix);
    each(text, quoted, 1, [&](const std::string& word) {
      EXPECT_TRUE(is_command(word) || find_config_key(word) != nullptr) << word;
    });
    each(text, dotted, 0, [&](std::string word) {
      if (auto name = word.find("NAME"); name != std::string::npos) word.replace(name, 4, "*");
      EXPECT_NE(find_config_key(word), nullptr) << word;
    });
  }
  EXPECT_GE(seen, 5);
}

}  // namespace
}  // namespace mcp_oauth
