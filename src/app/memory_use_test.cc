#include "app/memory_use.h"

#include <cstdlib>
#include <fstream>
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

// KiB of this process that are resident, of a kind.
long resident(const std::string& kind) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kind)) return std::strtol(line.c_str() + kind.size(), nullptr, 10);
  }
  return 0;
}

TEST(MemoryUse, PagesOfTheProgramGoWhenTheyAreNotUsed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        auto before = resident("RssFile:");
        give_back_unused_memory();
        auto after = resident("RssFile:");
        // It goes on with what is read again from the files, exceptions included.
        bool thrown = false;
        try {
          throw std::string("thrown");
        } catch (const std::string&) {
          thrown = true;
        }
        ::_exit(thrown && after > 0 && after < before * 3 / 4 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(MemoryUse, FreeMemoryGoesThoughSomethingBehindItStays) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        keep_large_memory_at_hand();
        auto large = std::make_unique<std::string>(1'500'000, 'x');
        auto stays = std::make_unique<std::string>(5'000, 'x');
        large.reset();
        auto before = resident("RssAnon:");
        give_back_unused_memory();
        auto freed = before - resident("RssAnon:");
        bool counted = ::mallinfo2().arena != 0;
        ::_exit(stays && (freed > 1'000 || !counted) ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace mcp_oauth
