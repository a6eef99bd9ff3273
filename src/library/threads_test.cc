// What many threads do at once; ./dev tsan reads along.

#include "library/fixture.h"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

void on_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (auto& t : threads) t.join();
}

TEST(LibraryThreads, ShareOneGuard) {
  library_world world;
  auto o = world.options();
  o.tools = {{"echo", {"tools:read"}}};
  auto g = *v1::guard::make(o);
  std::vector<std::string> tokens;
  for (int i = 0; i < 8; ++i) tokens.push_back(world.token_with({{"jti", json::value(i)}}));
  std::atomic<int> allowed{0}, denied{0};
  on_threads(4, [&](int thread) {
    auto mine = g;
    for (int i = 0; i < 60; ++i) {
      const auto& token = tokens[static_cast<std::size_t>(i + thread) % tokens.size()];
      auto asked = call_of(token, i % 3 == 0 ? "other" : "echo");
      if (mine.admit(asked.view()).allowed())
        ++allowed;
      else
        ++denied;
      if (i % 20 == 0) mine.forget(token);
      if (i % 25 == 0) mine.start_background_refresh();
      if (i % 40 == 0) mine.stop_background_refresh();
    }
  });
  EXPECT_EQ(allowed, 4 * 40);
  EXPECT_EQ(denied, 4 * 20);
}

TEST(LibraryThreads, FetchOnceForAllThatWait) {
  library_world world;
  auto g = *v1::guard::make(world.options());
  auto token = world.token();
  std::atomic<int> good{0};
  on_threads(8, [&](int) {
    if (g.validate(token)) ++good;
  });
  EXPECT_EQ(good, 8);
  EXPECT_EQ(world.fetches, 2);
}

// The keys lose one and get it back, which makes every verdict void, and the policy changes, while host
// threads validate and decide. All that is fetched is good, so every answer is known.
TEST(LibraryThreads, JudgeWhileKeysAndPolicyAreSwapped) {
  library_world world;
  auto other = signing_key::generate_es256();
  std::atomic<int> keys_asked{0}, policies_asked{0};
  auto o = world.options();
  o.log = nullptr;
  o.policy_url = "https://policy.example.com/mcp.json";
  o.policy_refresh = std::chrono::seconds(1);
  o.policy_max_age = std::chrono::hours(24);
  o.fetch = [&](const v1::fetch_request& asked) {
    auto answer = world.answer(asked);
    if (asked.url == o.policy_url) {
      answer.status = 200;
      answer.body = ++policies_asked % 2 == 0 ? R"({"tools":{"echo":[]}})"
                                              : R"({"tools":{"echo":["tools:read"],"more":[]}})";
    } else if (asked.url.ends_with("/keys") && ++keys_asked % 2 == 0) {
      answer.body = json::serialize(key_set::of({world.key.public_part(), other.public_part()}).to_json());
    }
    return answer;
  };
  auto g = *v1::guard::make(o);
  std::vector<std::string> tokens;
  for (int i = 0; i < 8; ++i) {
    tokens.push_back(world.token_with({{"jti", json::value(i)}, {"exp", world.seconds_now + 86'400}}));
  }
  ASSERT_TRUE(g.start_background_refresh());
  constexpr int rounds = 60;
  std::atomic<int> allowed{0}, denied{0}, valid{0}, ready{0};
  on_threads(4, [&](int thread) {
    for (int i = 0; i < rounds; ++i) {
      if (thread == 0) {  // as the background does, and later than anything that was fetched is good for
        world.seconds_now += 301;
        if (!g.prepare()) ++ready;
        continue;
      }
      const auto& token = tokens[static_cast<std::size_t>(i + thread) % tokens.size()];
      auto good = call_of(token, "echo"), bad = call_of(token, "other");
      // Who read the clock before a leap sees answers of a time to come, and trusts none.
      auto holds = [&](auto asked) {
        for (;;) {
          auto then = world.seconds_now.load();
          if (asked()) return true;
          if (then == world.seconds_now) return false;
        }
      };
      if (holds([&] { return g.admit(good.view()).allowed(); })) ++allowed;
      if (holds([&] {
            auto refused = g.admit(bad.view());
            return !refused.allowed() && refused.refused()->reason() == "policy_denied";
          })) {
        ++denied;
      }
      if (holds([&] {
            auto who = g.validate(token);
            return who && !g.authorize_tool(*who, "echo");
          })) {
        ++valid;
      }
      (void)g.status().json();
    }
  });
  EXPECT_EQ(allowed, 3 * rounds);
  EXPECT_EQ(denied, 3 * rounds);
  EXPECT_EQ(valid, 3 * rounds);
  EXPECT_GT(keys_asked, 1);
  EXPECT_GT(policies_asked, 1);
}

TEST(LibraryThreads, RefreshFetchesWithoutARequest) {
  library_world world;
  auto o = world.options();
  std::mutex mutex;
  std::condition_variable news;
  bool keys = false;
  o.fetch = [&](const v1::fetch_request& asked) {
    auto answer = world.answer(asked);
    const std::lock_guard hold(mutex);
    keys = keys || asked.url.ends_with("/keys");
    news.notify_all();
    return answer;
  };
  {
    auto g = *v1::guard::make(o);
    ASSERT_TRUE(g.start_background_refresh());
    ASSERT_TRUE(g.start_background_refresh());
    std::unique_lock hold(mutex);
    EXPECT_TRUE(news.wait_for(hold, std::chrono::seconds(30), [&] { return keys; }));
  }
  // The guard is gone, and its thread with it: nothing of this frame is used any more.
}

bool runs(pid_t thread) { return std::filesystem::exists("/proc/self/task/" + std::to_string(thread)); }

bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string stat;
  std::getline(file, stat);
  auto name_end = stat.rfind(") ");
  return name_end != std::string::npos && stat.substr(name_end + 2, 1) == "S";
}

TEST(LibraryThreads, TheSecondWaitsForWhatTheFirstFetches) {
  library_world world;
  auto token = world.token_with({});
  std::optional<v1::guard> g;
  std::thread second;
  std::atomic<bool> accepted{false};
  auto o = world.options();
  o.log = nullptr;
  o.fetch = [&](const v1::fetch_request& asked) {
    if (!second.joinable()) {
      std::atomic<pid_t> number{0};
      second = std::thread([&] {
        number = ::gettid();
        number.notify_one();
        accepted = static_cast<bool>(g->validate(token));
      });
      number.wait(0);
      while (!accepted && !sleeps(number)) std::this_thread::yield();
    }
    return world.answer(asked);
  };
  g.emplace(*v1::guard::make(o));
  EXPECT_TRUE(g->validate(token));
  second.join();
  EXPECT_TRUE(accepted);
  EXPECT_EQ(world.fetches, 2) << "metadata and keys, once";
}

TEST(LibraryThreads, TheLastCopyMayGoOnTheRefreshThread) {
  // Shared, since the thread may outlive this frame by moments.
  auto world = std::make_shared<library_world>();
  auto holder = std::make_shared<std::optional<v1::guard>>();
  auto refresher = std::make_shared<std::atomic<pid_t>>(0);
  std::promise<void> only_one_left, gone;
  // Told when the guard's copy of the function goes, with all that it holds.
  std::shared_ptr<void> bell(nullptr, [&gone](void*) { gone.set_value(); });
  auto o = world->options();
  o.log = nullptr;
  o.clock = nullptr;
  o.fetch = [world, holder, refresher, bell,
             ready = only_one_left.get_future().share()](const v1::fetch_request& asked) {
    *refresher = ::gettid();
    ready.wait();
    holder->reset();
    return world->answer(asked);
  };
  holder->emplace(*v1::guard::make(o));
  o.fetch = nullptr;
  bell.reset();
  v1::guard(**holder).start_background_refresh();
  only_one_left.set_value();
  gone.get_future().wait();
  EXPECT_FALSE(holder->has_value());
  EXPECT_GT(world->fetches, 0);
  // It was let go, not joined, and has memory of OpenSSL until it ends.
  for (auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
       runs(*refresher) && std::chrono::steady_clock::now() < until;) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(runs(*refresher));
}

}  // namespace
}  // namespace mcp_oauth
