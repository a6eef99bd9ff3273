#include "app/fix_deployment.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

file_change of_mode() { return {proposed_change::kind::mode, "/srv/a file", 0, "0644", "0600", false, ""}; }

TEST(FixDeployment, SaysChangedOnlyOfWhatWasChanged) {
  auto change = of_mode();
  EXPECT_THAT(to_text({change}, false), HasSubstr("Nothing was changed. --fix --yes changes it."));
  change.failure = "EACCES: permission denied";
  EXPECT_THAT(to_text({change}, true),
              HasSubstr("not changed: EACCES: permission denied\nNothing was changed.\n"));
  change.failure.clear();
  change.made = true;
  EXPECT_THAT(to_text({change}, true), HasSubstr("Changed. Reload or restart"));
}

TEST(FixDeployment, AFileThatIsGoneIsNotChanged) {
  std::vector<file_change> changes{of_mode()};
  changes.front().file = "/nowhere/at all";
  make_changes(changes);
  EXPECT_FALSE(changes.front().made);
  EXPECT_NE(changes.front().failure, "");
  EXPECT_THAT(to_text(changes, true), Not(HasSubstr("Reload")));
}

// Of a configuration with these lines, what would become of the wrong address.
std::string changed(const std::string& text) {
  auto file = std::filesystem::temp_directory_path() / ("mop-fix-" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(file) << text;
  examination made;
  doctor_finding one;
  one.change = proposed_change{proposed_change::kind::value, file.string(), "http://h/wrong", "http://h/mcp"};
  made.findings.push_back(one);
  auto changes = changes_of(made);
  std::filesystem::remove(file);
  return changes.empty() ? "" : changes.front().after;
}

TEST(FixDeployment, ChangesTheUrlOfAnMcpServerAndNothingElse) {
  struct row {
    const char *text, *after;
  };
  for (const auto& [text, after] :
       {row{"mcp_server_url: http://h/wrong\n", "mcp_server_url: http://h/mcp"},
        row{"  \"mcp_server_url\": \"http://h/wrong\",\n", "  \"mcp_server_url\": \"http://h/mcp\","},
        row{"upstreams:\n  - url: 'http://h/wrong' # x\n", "  - url: 'http://h/mcp' # x"},
        row{"# mcp_server_url: http://h/wrong\nmcp_server_url: http://h/wrong\n",
            "mcp_server_url: http://h/mcp"},
        row{"# mcp_server_url: http://h/wrong\n", ""}, row{"issuer: http://h/wrong\n", ""},
        row{"upstreams:\n  - {name: a, url: \"http://h/wrong\"}\n", ""},
        row{"mcp_server_url: http://h/wrong/er\n", ""},
        row{"mcp_server_url: http://h/wrong\nurl: http://h/wrong\n", ""}, row{"http://h/wrong\n", ""}}) {
    EXPECT_EQ(changed(text), after) << text;
  }
}

TEST(FixDeployment, ACommandThatIsShownIsOneForThatFile) {
  EXPECT_THAT(to_text({of_mode()}, false), HasSubstr("chmod 0600 '/srv/a file'"));
}

}  // namespace
}  // namespace mcp_oauth
