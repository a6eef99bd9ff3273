#include "net/blocking.h"

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace mcp_oauth::net {
namespace {

// A job that runs until it is let go.
struct gate {
  std::promise<void> begun;
  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
  std::function<void()> job() {
    return [this] {
      begun.set_value();
      opened.wait();
    };
  }
};

TEST(BlockingPool, TakesNoMoreThanMayWait) {
  gate g;
  std::atomic<int> ran{0};
  blocking_pool pool(1, 2);
  ASSERT_TRUE(pool.submit(g.job()));
  g.begun.get_future().wait();
  EXPECT_TRUE(pool.submit([&] { ++ran; }));
  std::promise<void> last;
  EXPECT_TRUE(pool.submit([&] { last.set_value(); }));
  EXPECT_FALSE(pool.submit([&] { ran += 100; }));
  g.open.set_value();
  last.get_future().wait();
  EXPECT_EQ(ran, 1);
  std::promise<void> again;
  EXPECT_TRUE(pool.submit([&] { again.set_value(); })) << "there is room again";
  again.get_future().wait();
}

TEST(BlockingPool, DropsWhatWaitsWhenItEnds) {
  gate g;
  std::atomic<bool> ran{false};
  auto held = std::make_shared<int>(0);
  std::thread opener;
  {
    blocking_pool pool(1);
    ASSERT_TRUE(pool.submit(g.job()));
    g.begun.get_future().wait();
    ASSERT_TRUE(pool.submit([&ran, held] { ran = true; }));
    EXPECT_EQ(held.use_count(), 2);
    // What waits is let go of before the one that runs has ended.
    opener = std::thread([&] {
      while (held.use_count() > 1) std::this_thread::yield();
      g.open.set_value();
    });
  }
  opener.join();
  EXPECT_FALSE(ran);
}

struct plain {
  int number = 0;
};

task<void> ask(worker& w, blocking_pool& pool, std::promise<void>& done, errc& code, int& number,
               bool& threw) {
  auto failing = []() -> result<int> { return 1; };
  off_loop with_error(w, pool, failing);
  auto got = co_await with_error;
  code = got ? errc::count_ : got.error().code;
  auto simple = [] { return plain{7}; };
  off_loop without(w, pool, simple);
  number = (co_await without).number;
  auto throwing = []() -> result<int> { throw std::runtime_error("x"); };
  off_loop thrown(w, pool, throwing);
  try {
    co_await thrown;
  } catch (const std::runtime_error&) {
    threw = true;
  }
  done.set_value();
}

struct outcome {
  errc code = errc::internal;
  int number = -1;
  bool threw = false;
};

outcome outcome_with(blocking_pool& pool) {
  worker w(0);
  outcome seen;
  std::promise<void> done;
  std::thread loop([&] { w.run(); });
  w.post([&] { spawn(ask(w, pool, done, seen.code, seen.number, seen.threw)); });
  done.get_future().wait();
  w.stop();
  loop.join();
  return seen;
}

TEST(OffLoop, GivesTheValueAndWhatWasThrown) {
  blocking_pool pool(1);
  auto seen = outcome_with(pool);
  EXPECT_EQ(seen.code, errc::count_);
  EXPECT_EQ(seen.number, 7);
  EXPECT_TRUE(seen.threw);
}

TEST(OffLoop, FailsAtOnceWhenThePoolIsFull) {
  blocking_pool full(1, 0);
  auto seen = outcome_with(full);
  EXPECT_EQ(seen.code, errc::overloaded);
  EXPECT_EQ(seen.number, 0) << "a value that can hold no error is empty";
  EXPECT_FALSE(seen.threw);
}

}  // namespace
}  // namespace mcp_oauth::net
