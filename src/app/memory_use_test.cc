#include "app/memory_use.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

// A queue that grows to 8 MiB, as the log's does while a disk is slow, and what is allocated meanwhile and
// stays. In a process of its own, since what is set holds for the whole of it.
int kept_mib_after_stalls(void (*first)()) {
  auto child = ::fork();
  if (child == 0) {
    first();
    std::thread([] {
      std::vector<std::unique_ptr<char[]>> stays;
      for (int stall = 0; stall < 4; ++stall) {
        std::string queue;
        while (queue.size() < std::size_t{8} << 20) queue.append(16 * 1024, 'x');
        stays.push_back(std::make_unique<char[]>(64 * 1024));
      }
      ::_exit(static_cast<int>(::mallinfo2().fordblks >> 20));
    }).join();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

// Under a sanitizer the C library's own counts stand still.
TEST(MemoryUse, IsNoLargerForGoodAfterAStall) {
  EXPECT_EQ(kept_mib_after_stalls(give_back_large_memory), 0);
  auto counted = ::mallinfo2().arena != 0;
  if (counted) {
    EXPECT_GE(kept_mib_after_stalls([] {}), 8) << "what the C library does otherwise";
  }
}

}  // namespace
}  // namespace mcp_oauth
