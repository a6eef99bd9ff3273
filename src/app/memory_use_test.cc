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

constexpr int not_counted = 100;  // under a sanitizer the C library's own counts stand still

// A queue that grows to 8 MiB, as the log's does while a disk is slow, and what is allocated meanwhile and
// stays. Ends the process with the MiB that are free and kept.
void stall_four_times() {
  std::thread([] {
    std::vector<std::unique_ptr<char[]>> stays;
    for (int stall = 0; stall < 4; ++stall) {
      std::string queue;
      while (queue.size() < std::size_t{8} << 20) queue.append(16 * 1024, 'x');
      stays.push_back(std::make_unique<char[]>(64 * 1024));
    }
    auto counts = ::mallinfo2();
    ::_exit(counts.arena == 0 ? not_counted : static_cast<int>(counts.fordblks >> 20));
  }).join();
}

// In processes of their own, as what is set holds for the whole of one.
TEST(MemoryUse, IsNoLargerForGoodAfterAStall) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        give_back_large_memory();
        stall_four_times();
      },
      [](int status) { return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == not_counted; }, "");
  EXPECT_EXIT(
      stall_four_times(), [](int status) { return WEXITSTATUS(status) >= 8; }, "")
      << "what the C library does otherwise";
}

}  // namespace
}  // namespace mcp_oauth
