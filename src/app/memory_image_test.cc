#include "app/memory_image.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

// How a process ends that did `what` after it made its memory private.
template <class What>
int end_of(What what) {
  auto child = ::fork();
  if (child == 0) {
    keep_memory_private();
    what();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(MemoryImage, LeavesNoCoreFileAndIsReadableByNoOtherProcess) {
  EXPECT_EQ(end_of([] {
              rlimit limit{1, 1};
              ::getrlimit(RLIMIT_CORE, &limit);
              ::_exit(limit.rlim_cur == 0 && limit.rlim_max == 0 && ::prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1);
            }),
            0);
  auto crashed = end_of([] {
    ::signal(SIGABRT, SIG_DFL);
    ::raise(SIGABRT);
  });
  EXPECT_TRUE(WIFSIGNALED(crashed));
  EXPECT_FALSE(WCOREDUMP(crashed));
}

}  // namespace
}  // namespace mcp_oauth
