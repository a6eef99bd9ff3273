#include "app/fix_deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(FixDeployment, ACommandThatIsShownIsOneForThatFile) {
  EXPECT_THAT(to_text({of_mode()}, false), HasSubstr("chmod 0600 '/srv/a file'"));
}

}  // namespace
}  // namespace mcp_oauth
