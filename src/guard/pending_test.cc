#include "guard/pending.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Pending, WakesEverybodyOnceAndWhoComesLateAtOnce) {
  pending p;
  int woken = 0;
  p.when_settled([&] { ++woken; });
  p.when_settled([&] { ++woken; });
  EXPECT_FALSE(p.settled());
  EXPECT_EQ(woken, 0);
  p.settle();
  EXPECT_TRUE(p.settled());
  EXPECT_EQ(woken, 2);
  p.settle();
  EXPECT_EQ(woken, 2);
  p.when_settled([&] { ++woken; });
  EXPECT_EQ(woken, 3);
}

TEST(Pending, LosesNobodyBetweenThreads) {
  for (int round = 0; round < 200; ++round) {
    pending p;
    std::atomic<int> woken = 0;
    std::thread other([&] { p.settle(); });
    for (int i = 0; i < 5; ++i) p.when_settled([&] { ++woken; });
    other.join();
    EXPECT_EQ(woken, 5);
  }
}

}  // namespace
}  // namespace mcp_oauth
