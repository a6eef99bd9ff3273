#include "store/gathering.h"

#include <atomic>
#include <latch>
#include <set>
#include <thread>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

struct number : gathering::job {
  explicit number(int n) : given(n) {}
  int given;
  int doubled = 0;
};

void serve_all(std::span<gathering::job* const> jobs) {
  for (auto* one : jobs) {
    auto& n = static_cast<number&>(*one);
    n.doubled = 2 * n.given;
  }
}

TEST(Gathering, ServesWhoComesAlone) {
  std::size_t calls = 0;
  gathering all(1, 10, [&](std::span<gathering::job* const> jobs) {
    ++calls;
    EXPECT_EQ(jobs.size(), 1U);
    serve_all(jobs);
  });
  for (int i = 0; i < 3; ++i) {
    number mine(i);
    all.run(mine);
    EXPECT_EQ(mine.doubled, 2 * i);
  }
  EXPECT_EQ(calls, 3U);
}

TEST(Gathering, ServesTogetherWhoWaitedMeanwhile) {
  std::latch begun(1), go_on(1);
  std::vector<std::size_t> sizes;
  gathering all(1, 5, [&](std::span<gathering::job* const> jobs) {
    if (sizes.empty()) {
      begun.count_down();
      go_on.wait();
    }
    sizes.push_back(jobs.size());
    serve_all(jobs);
  });
  std::vector<std::thread> callers;
  std::atomic<int> right = 0, arriving = 0;
  auto come = [&](int n) {
    callers.emplace_back([&, n] {
      number mine(n);
      ++arriving;
      all.run(mine);
      right += mine.doubled == 2 * n ? 1 : 0;
    });
  };
  come(1);
  begun.wait();
  for (int n = 2; n <= 13; ++n) come(n);
  while (arriving < 13) std::this_thread::yield();
  go_on.count_down();
  for (auto& c : callers) c.join();
  EXPECT_EQ(right, 13);
  EXPECT_EQ(sizes.front(), 1U);
  std::size_t sum = 0;
  for (auto size : sizes) {
    EXPECT_LE(size, 5U) << "a bound on how long the first waits for the last";
    sum += size;
  }
  EXPECT_EQ(sum, 13U);
}

TEST(Gathering, LetsNoMoreServeAtATimeThanItMayAndForgetsNobody) {
  std::atomic<int> serving = 0, most = 0, served = 0;
  gathering all(2, 3, [&](std::span<gathering::job* const> jobs) {
    int now = ++serving;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    serve_all(jobs);
    served += static_cast<int>(jobs.size());
    --serving;
  });
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        number mine(i);
        all.run(mine);
        ASSERT_EQ(mine.doubled, 2 * i);
      }
    });
  }
  for (auto& c : callers) c.join();
  EXPECT_EQ(served, 16000);
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace mcp_oauth
