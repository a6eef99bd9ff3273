// What the store owes to the world outside one process: kills, full disks, other processes.
#include "store/sqlite_store.h"
#include "store/test_folder.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

using std::chrono::hours;

const time_point now = from_unix(1'800'000'000);

change putting(std::string kind, std::string id) {
  record r{.kind = std::move(kind),
           .id = std::move(id),
           .grant = "g",
           .user = "",
           .provider = "",
           .data = std::string(300, 'd'),
           .created = now,
           .expires = now + hours(1)};
  return {.when = {}, .put = {std::move(r)}, .erase = {}};
}

// Words of a fixed size: one write to a pipe is never torn.
using word = std::array<char, 16>;
word to_word(const std::string& text) {
  word w{};
  std::memcpy(w.data(), text.data(), std::min(text.size(), w.size() - 1));
  return w;
}

// A process of its own that reports words; the test's process has no store open while it starts one.
class child final {
 public:
  explicit child(const std::function<int(int report)>& body) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::_exit(body(ends[1]));
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  ~child() {
    kill();
    ::close(from_);
    if (!waited_) (void)wait();
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  // The next word, or "" when the process is gone and all it said was read.
  std::string read() {
    word w{};
    std::size_t got = 0;
    while (got < w.size()) {
      auto n = ::read(from_, w.data() + got, w.size() - got);
      if (n <= 0) return {};
      got += static_cast<std::size_t>(n);
    }
    return w.data();
  }
  void kill() {
    if (!waited_) ::kill(pid_, SIGKILL);
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    waited_ = true;
    return status;
  }

 private:
  pid_t pid_ = -1;
  int from_ = -1;
  bool waited_ = false;
};

std::string integrity(const std::string& path) {
  sqlite3* db = nullptr;
  std::string verdict;
  sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr);
  auto note = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) += values[0];
    return 0;
  };
  sqlite3_exec(db, "PRAGMA integrity_check", note, &verdict, nullptr);
  sqlite3_close(db);
  return verdict;
}

TEST(Durability, LosesNothingAcknowledgedToAKill) {
  constexpr int rounds = 20;
  std::mt19937 dice(20261121);
  test_folder folder;
  auto path = folder.file("oauth.db");
  std::vector<std::string> acknowledged;
  for (int round = 0; round < rounds; ++round) {
    auto started = acknowledged.size();
    {
      child writer([&](int report) {
        auto store = sqlite_store::open(path);
        if (!store) return 1;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
          threads.emplace_back([&, t] {
            for (int i = 0;; ++i) {
              auto id = std::to_string(round) + "-" + std::to_string(t) + "-" + std::to_string(i);
              auto done = (*store)->commit(putting(t % 2 ? "code" : "refresh", id), now);
              if (!done || !*done) ::_exit(2);
              auto w = to_word((t % 2 ? "c" : "r") + id);
              if (::write(report, w.data(), w.size()) != static_cast<ssize_t>(w.size())) ::_exit(3);
            }
          });
        }
        for (auto& t : threads) t.join();
        return 0;
      });
      // At a moment of the writer's life that differs from round to round; some die before their first
      // commit.
      auto until = dice() % 120;
      for (unsigned i = 0; i < until; ++i) {
        auto said = writer.read();
        ASSERT_FALSE(said.empty()) << "the writer ended by itself";
        acknowledged.push_back(said);
      }
      writer.kill();
      for (auto said = writer.read(); !said.empty(); said = writer.read()) acknowledged.push_back(said);
      int status = writer.wait();
      ASSERT_TRUE(WIFSIGNALED(status)) << status;
    }
    auto store = sqlite_store::open(path);
    ASSERT_TRUE(store.has_value()) << store.error().detail;
    for (auto i = started; i < acknowledged.size(); ++i) {
      auto kind = acknowledged[i][0] == 'c' ? "code" : "refresh";
      auto found = (*store)->get(kind, acknowledged[i].substr(1), now);
      ASSERT_TRUE(found.has_value()) << found.error().detail;
      EXPECT_TRUE(found->has_value()) << "lost " << acknowledged[i];
    }
    store->reset();
    EXPECT_EQ(integrity(path), "ok");
  }
  EXPECT_GT(acknowledged.size(), 100U);
  auto store = sqlite_store::open(path);
  ASSERT_TRUE(store.has_value());
  EXPECT_GE((*store)->count("code", now).value() + (*store)->count("refresh", now).value(),
            acknowledged.size());
}

TEST(Durability, GivesARecordToOneProcessOnly) {
  constexpr int codes = 150;
  test_folder folder;
  auto path = folder.file("oauth.db");
  {
    auto store = sqlite_store::open(path);
    ASSERT_TRUE(store.has_value());
    for (int i = 0; i < codes; ++i) {
      ASSERT_TRUE((*store)->commit(putting("code", std::to_string(i)), now).value());
    }
  }
  auto take_all = [&](int report) {
    auto store = sqlite_store::open(path);
    if (!store) return 1;
    for (int i = 0; i < codes; ++i) {
      auto taken = (*store)->take("code", std::to_string(i), now);
      if (!taken) return 2;
      auto w = to_word(std::to_string(i));
      if (*taken && ::write(report, w.data(), w.size()) < 0) return 3;
    }
    return 0;
  };
  std::map<std::string, int> winners;
  {
    child one(take_all);
    child two(take_all);
    child three(take_all);
    for (child* c : {&one, &two, &three}) {
      for (auto said = c->read(); !said.empty(); said = c->read()) ++winners[said];
      EXPECT_EQ(c->wait(), 0);
    }
  }
  EXPECT_EQ(winners.size(), static_cast<std::size_t>(codes));
  for (const auto& [id, times] : winners) EXPECT_EQ(times, 1) << id;
}

TEST(Durability, LetsManyProcessesStartOnANewFileAtOnce) {
  for (int round = 0; round < 5; ++round) {
    test_folder folder;
    auto start = [&](int report) {
      auto store = sqlite_store::open(folder.file("oauth.db"));
      if (store && (*store)->commit(putting("code", std::to_string(::getpid())), now).value_or(false))
        return 0;
      auto w = to_word(store ? "commit" : store.error().detail);
      (void)!::write(report, w.data(), w.size());
      return 1;
    };
    child one(start);
    child two(start);
    child three(start);
    child four(start);
    for (child* c : {&one, &two, &three, &four}) {
      EXPECT_EQ(c->read(), "");
      EXPECT_EQ(c->wait(), 0);
    }
  }
}

TEST(Durability, LetsAWriterInBesideABusyOne) {
  test_folder folder;
  auto path = folder.file("oauth.db");
  child busy([&](int report) {
    auto store = sqlite_store::open(path);
    if (!store) return 1;
    for (int i = 0;; ++i) {
      if (!(*store)->commit(putting("code", std::to_string(i)), now).value_or(false)) return 2;
      auto w = to_word("up");
      if (i == 10 && ::write(report, w.data(), w.size()) < 0) return 3;
    }
  });
  ASSERT_EQ(busy.read(), "up");
  auto store = sqlite_store::open(path);
  ASSERT_TRUE(store.has_value()) << store.error().detail;
  for (int i = 0; i < 30; ++i) {
    auto done = (*store)->commit(putting("refresh", std::to_string(i)), now);
    ASSERT_TRUE(done.has_value()) << done.error().detail;
  }
}

TEST(Durability, SaysThatTheDiskIsFullAndGoesOnAfterwards) {
  test_folder folder;
  auto path = folder.file("oauth.db");
  // A limit on file sizes stands for the full disk, in a process of its own since it is the process's.
  child writer([&](int report) {
    auto say = [&](const std::string& text) {
      auto w = to_word(text);
      (void)!::write(report, w.data(), w.size());
      return 1;
    };
    std::signal(SIGXFSZ, SIG_IGN);
    auto store = sqlite_store::open(path);
    if (!store) return say("open");
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    rlimit small = before;
    small.rlim_cur = 400'000;
    ::setrlimit(RLIMIT_FSIZE, &small);
    int written = 0;
    result<bool> done = true;
    for (; written < 10'000 && done; ++written)
      done = (*store)->commit(putting("code", std::to_string(written)), now);
    if (done) return say("never full");
    if (done.error().code != errc::store_full) return say("wrong code");
    if (done.error().detail.find(path) == std::string::npos) return say("no path");
    if (done.error().detail.find("File too large") == std::string::npos) return say("no reason");
    int failed = written - 1;
    if ((*store)->get("code", std::to_string(failed), now).value()) return say("half written");
    if (!(*store)->get("code", std::to_string(failed - 1), now).value()) return say("lost");
    ::setrlimit(RLIMIT_FSIZE, &before);
    if (!(*store)->commit(putting("code", "after"), now).value_or(false)) return say("stuck");
    return 0;
  });
  EXPECT_EQ(writer.read(), "");
  EXPECT_EQ(writer.wait(), 0);
  EXPECT_EQ(integrity(path), "ok");
}

}  // namespace
}  // namespace mcp_oauth
