#include "config/describe.h"
#include "config/load.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

// tests/golden/config/*.txt: a file, a line of dashes, and what comes of it:
// the settings, or every error. Comments
// `# env: NAME=value` and `# flag: name=value` in the file are also the
// environment and the command line. With UPDATE_GOLDEN set the second halves
// are written anew, for review.

namespace mcp_oauth {
namespace {

constexpr std::string_view divider = "----------\n";

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

config_input input_of(const std::string& text) {
  config_input input{"config.yaml", text};
  std::map<std::string, std::string, std::less<>> environment;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    auto equals = line.find('=');
    if (line.starts_with("# env: ")) environment[line.substr(7, equals - 7)] = line.substr(equals + 1);
    if (line.starts_with("# flag: "))
      input.flags.emplace_back(line.substr(8, equals - 8), line.substr(equals + 1));
  }
  input.environment = [environment](std::string_view name) -> std::optional<std::string> {
    auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  input.read_file = [](const std::string&) -> result<std::string> {
    return fail(errc::file_unreadable, "No such file or directory");
  };
  return input;
}

std::string outcome(const config_input& input) {
  auto answer = load(input);
  std::string text;
  if (!answer) {
    for (const auto& e : answer.error()) text += to_string(e) + "\n";
    return text;
  }
  for (const auto& warning : answer->warnings) text += "# warning: " + warning + "\n";
  return text + to_yaml(answer->value);
}

TEST(Golden, EveryFileGivesWhatItSays) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MOP_SOURCE_DIR "/tests/golden/config")) {
    ++files;
    SCOPED_TRACE(entry.path().filename().string());
    auto text = slurp(entry.path());
    auto middle = text.find(divider);
    ASSERT_NE(middle, std::string::npos);
    auto given = text.substr(0, middle), wanted = text.substr(middle + divider.size());
    auto got = outcome(input_of(given));
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
      std::ofstream(entry.path(), std::ios::binary) << given << divider << got;
      continue;
    }
    EXPECT_EQ(got, wanted);
  }
  EXPECT_GE(files, 10U);
}

// What the dump of a file without secrets says, loads, and gives the same dump.
TEST(Golden, ADumpReadsBackAsItself) {
  std::size_t dumps = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MOP_SOURCE_DIR "/tests/golden/config")) {
    SCOPED_TRACE(entry.path().filename().string());
    auto text = slurp(entry.path());
    auto answer = load(input_of(text.substr(0, text.find(divider))));
    if (!answer || !answer->value.encryption_key.empty()) continue;
    // Their secrets are shown too short to be any.
    const auto& issuers = answer->value.issuers;
    if (std::any_of(issuers.begin(), issuers.end(), [](const auto& i) { return !i.jwt_secret.empty(); }))
      continue;
    const auto& providers = answer->value.providers;
    if (std::any_of(providers.begin(), providers.end(),
                    [](const auto& p) { return !p.shared_secret.empty(); }))
      continue;
    ++dumps;
    auto dump = to_yaml(answer->value);
    auto again = outcome({"config.yaml", dump});
    // Behind what it warns of.
    while (again.starts_with("# warning: ")) again.erase(0, again.find('\n') + 1);
    EXPECT_EQ(again, dump);
  }
  EXPECT_GE(dumps, 3U);
}

}  // namespace
}  // namespace mcp_oauth
