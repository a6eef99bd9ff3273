// What the contract does not say: servers that restart, hang and cut, other processes, and what is announced.
#include "store/postgres_store.h"

#include "store/open.h"
#include "store/test_postgres.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace mcp_oauth {
namespace {

using std::chrono::hours;
using testing::HasSubstr;
using testing::Not;

const time_point now = from_unix(1'800'000'000);

record make(std::string kind, std::string id) {
  return record{.kind = std::move(kind),
                .id = std::move(id),
                .grant = "g",
                .user = "",
                .provider = "",
                .data = "data",
                .created = now,
                .expires = now + hours(1)};
}
change putting(std::string kind, std::string id) {
  return {.when = {}, .put = {make(std::move(kind), std::move(id))}, .erase = {}};
}

std::unique_ptr<postgres_store> open(const std::string& url, postgres_options options = {}) {
  auto store = postgres_store::open(url, std::move(options));
  if (!store) throw std::runtime_error(store.error().detail);
  return std::move(*store);
}

class PostgresStore : public testing::Test {
 protected:
  void SetUp() override {
    if (server == nullptr) GTEST_SKIP() << "PostgreSQL is not installed";
    url = server->fresh_url();
  }
  void TearDown() override {
    if (server == nullptr) return;
    server->resume();
    if (!server->running()) server->start();
  }

  test_postgres* server = test_postgres::shared();
  std::string url;
};

// Stands between a store and the server, and cuts every connection at a word of the client's.
class scissors final {
 public:
  explicit scissors(std::uint16_t to) : to_(to) {
    door_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(door_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(door_, 64) != 0 ||
        ::getsockname(door_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~scissors() {
    stopping_ = true;
    ::shutdown(door_, SHUT_RDWR);
    thread_.join();
    for (auto& t : pairs_) t.join();
    ::close(door_);
  }
  scissors(const scissors&) = delete;
  scissors& operator=(const scissors&) = delete;

  std::uint16_t port() const { return port_; }
  // At the next such word, once: the word goes on to the server or not, and the answer never comes back.
  // `then` happens between the server's answer and the cut.
  void cut_at(std::string word, bool passed_on, std::function<void()> then = nullptr) {
    std::lock_guard lock(mutex_);
    then_ = std::move(then);
    word_ = std::move(word);
    passed_on_ = passed_on;
  }
  int cuts() const { return cuts_; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void serve() {
    for (;;) {
      int client = ::accept(door_, nullptr, nullptr);
      if (client < 0) return;
      pairs_.emplace_back([this, client] { carry(client); });
    }
  }
  // 0: none here; 1: cut; 2: cut behind it.
  int cut_here(std::string_view bytes) {
    std::lock_guard lock(mutex_);
    if (word_.empty() || bytes.find(word_) == std::string_view::npos) return 0;
    word_.clear();
    ++cuts_;
    return passed_on_ ? 2 : 1;
  }
  void carry(int client) {
    int to = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(to_);
    bool good = ::connect(to, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    char bytes[65536];
    while (good && !stopping_) {
      pollfd both[] = {{client, POLLIN, 0}, {to, POLLIN, 0}};
      if (::poll(both, 2, 50) <= 0) continue;
      for (int i = 0; i < 2 && good; ++i) {
        if (both[i].revents == 0) continue;
        auto n = ::recv(both[i].fd, bytes, sizeof bytes, 0);
        int cut = n > 0 && i == 0 ? cut_here({bytes, static_cast<std::size_t>(n)}) : 0;
        if (n <= 0 || cut == 1) good = false;
        if (good) (void)::send(both[1 - i].fd, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL);
        if (cut == 2) {
          // Until the server has answered: then it is done.
          (void)::recv(to, bytes, sizeof bytes, 0);
          if (then_) then_();
          good = false;
        }
      }
    }
    ::close(client);
    ::close(to);
  }

  std::uint16_t to_, port_ = 0;
  int door_ = -1;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> cuts_ = 0;
  std::mutex mutex_;
  std::string word_;
  bool passed_on_ = false;
  std::function<void()> then_;
  std::vector<std::thread> pairs_;
  std::thread thread_;
};

// Of a change whose commit goes out alone; and a word of one that goes out as a whole. Both pass by when the
// statement is compiled: with the first commit of a connection.
const std::string the_commit("COMMIT\0", 7);
const std::string a_condition("set_config('mcp_oauth.lost'");

std::string through(const scissors& cut, const test_postgres& server, std::string url) {
  auto port = std::to_string(server.port());
  return url.replace(url.find(port), port.size(), std::to_string(cut.port()));
}

// A change of "grant" 1 under its present version.
change changing(record_store& store) {
  EXPECT_TRUE(store.commit(putting("grant", "1"), now).value());
  change wanted = putting("grant", "1");
  wanted.put.front().data = "changed";
  wanted.when.push_back({"grant", "1", store.get("grant", "1", now).value()->version});
  return wanted;
}

TEST_F(PostgresStore, FindsOutWhatBecameOfACommitThatWasCut) {
  auto direct = open(url);
  for (bool passed_on : {true, false}) {
    for (bool at_once : {true, false}) {
      auto wanted = changing(*direct);
      auto version = wanted.when.front().version;
      // Without its condition on itself it could be applied twice.
      if (!at_once) wanted.when.front() = {"grant", "absent", 0};
      scissors cut(server->port());
      auto store = open(through(cut, *server, url));
      cut.cut_at(at_once ? a_condition : the_commit, passed_on);
      auto done = store->commit(wanted, now);
      ASSERT_TRUE(done.has_value()) << done.error().detail;
      EXPECT_TRUE(*done) << "done once, whether it had to be done again or not: " << passed_on << at_once;
      EXPECT_EQ(cut.cuts(), 1);
      EXPECT_NE(direct->get("grant", "1", now).value()->version, version);
    }
  }
}

TEST_F(PostgresStore, KnowsItsOwnChangeAgainByAnyRecordOfIt) {
  auto direct = open(url);
  auto wanted = changing(*direct);
  wanted.put.push_back(make("grant", "2"));
  wanted.put.push_back(make("refresh", "3"));
  scissors cut(server->port());
  auto store = open(through(cut, *server, url));
  // Meanwhile somebody has gone on from what we did.
  cut.cut_at(a_condition, true, [&] {
    ASSERT_TRUE(direct->commit(putting("grant", "1"), now).value());
    ASSERT_TRUE(direct->take("refresh", "3", now).value());
  });
  auto done = store->commit(wanted, now);
  ASSERT_TRUE(done.has_value()) << done.error().detail;
  EXPECT_TRUE(*done);
  EXPECT_EQ(direct->get("grant", "1", now).value()->data, "data") << "theirs stays";
  EXPECT_FALSE(direct->get("refresh", "3", now).value()) << "not written a second time";
}

TEST_F(PostgresStore, KnowsItsOwnChangeAgainThoughAllOfItWasOverwrittenAtOnce) {
  auto direct = open(url);
  for (bool at_once : {true, false}) {
    auto wanted = changing(*direct);
    // Without its condition on itself it could be applied twice.
    if (!at_once) wanted.when.front() = {"grant", "absent", 0};
    scissors cut(server->port());
    auto store = open(through(cut, *server, url));
    cut.cut_at(at_once ? a_condition : the_commit, true,
               [&] { ASSERT_TRUE(direct->commit(putting("grant", "1"), now).value()); });
    auto done = store->commit(wanted, now);
    ASSERT_TRUE(done.has_value()) << done.error().detail;
    EXPECT_TRUE(*done) << "it was done, and then undone by somebody else: " << at_once;
    EXPECT_EQ(direct->get("grant", "1", now).value()->data, "data") << "theirs stays";
    EXPECT_EQ(cut.cuts(), 1);
  }
}

TEST_F(PostgresStore, WhatAChangeIsKnownByIsSweptLater) {
  auto store = open(url);
  ASSERT_TRUE(store->commit(putting("grant", "1"), now).value());
  EXPECT_GE(store->count("commit", now).value(), 1U);
  ASSERT_TRUE(store->sweep(now + std::chrono::hours(1), 100'000));
  EXPECT_EQ(store->count("commit", time_point()).value(), 0U);
}

TEST_F(PostgresStore, TellsASecondAttemptThatSomebodyElseWasFirst) {
  auto direct = open(url);
  auto wanted = changing(*direct);
  scissors cut(server->port());
  auto store = open(through(cut, *server, url));
  cut.cut_at(a_condition, false);
  // The word is cut before the server has it, and they are faster than the second attempt.
  auto theirs = wanted;
  theirs.put.front().data = "theirs";
  ASSERT_TRUE(direct->commit(theirs, now).value());
  auto done = store->commit(wanted, now);
  ASSERT_TRUE(done.has_value()) << done.error().detail;
  EXPECT_FALSE(*done);
  EXPECT_EQ(cut.cuts(), 1);
  EXPECT_EQ(direct->get("grant", "1", now).value()->data, "theirs");
}

TEST_F(PostgresStore, ALostRaceWritesNothingAndIsNoErrorToTheServer) {
  std::atomic<bool> heard_lost = false, heard_next = false;  // before the store, whose thread writes to them
  auto direct = open(url);
  auto wanted = changing(*direct);
  ASSERT_TRUE(direct->commit(wanted, now).value());
  wanted.put.push_back(make("revoked", "2"));
  wanted.erase.emplace_back("grant", "3");
  ASSERT_TRUE(direct->commit(putting("grant", "3"), now).value());
  direct->watch([&](std::string_view, std::string_view id) {
    heard_lost = heard_lost || id == "2";
    heard_next = heard_next || id == "3";
  });
  EXPECT_FALSE(direct->commit(wanted, now).value());
  EXPECT_FALSE(direct->get("revoked", "2", now).value());
  EXPECT_TRUE(direct->get("grant", "3", now).value());
  // The same connection, and what was lost before is not lost for good.
  EXPECT_TRUE(direct->commit(changing(*direct), now).value());
  for (auto until = std::chrono::steady_clock::now() + seconds(60);
       !heard_next && std::chrono::steady_clock::now() < until;) {
    ASSERT_TRUE(direct->commit(putting("revoked", "3"), now).value());
  }
  EXPECT_TRUE(heard_next);
  EXPECT_FALSE(heard_lost) << "announcements keep their order";
}

TEST_F(PostgresStore, TellsOthersWhatAChangeWantsToldOnceItIsDone) {
  std::mutex mutex;
  std::vector<std::string> told;
  std::condition_variable heard;
  auto writer = open(url);
  auto reader = open(url);
  reader->watch([&](std::string_view kind, std::string_view id) {
    std::lock_guard lock(mutex);
    told.push_back(std::string(kind) + " " + std::string(id));
    heard.notify_all();
  });
  auto wait_for = [&](const std::string& what) {
    std::unique_lock lock(mutex);
    return heard.wait_for(lock, seconds(60), [&] { return std::count(told.begin(), told.end(), what) > 0; });
  };
  ASSERT_TRUE(wait_for("provider_token ")) << "after the connection: any of them";
  auto wanted = changing(*writer);
  auto lost = wanted;
  wanted.announce.push_back({"provider_token", "g1"});
  lost.announce.push_back({"provider_token", "g2"});
  ASSERT_TRUE(writer->commit(wanted, now).value());
  ASSERT_FALSE(writer->commit(lost, now).value());
  auto last = changing(*writer);
  last.announce.push_back({"provider_token", "g3"});
  ASSERT_TRUE(writer->commit(last, now).value());
  EXPECT_TRUE(wait_for("provider_token g1"));
  EXPECT_TRUE(wait_for("provider_token g3"));
  std::lock_guard lock(mutex);
  EXPECT_THAT(told, Not(testing::Contains("provider_token g2")));
}

TEST_F(PostgresStore, TellsOfItsSchemaAndTheNewestOfAKindWithoutChangingIt) {
  auto before = read_schema_state(url);
  ASSERT_TRUE(before) << before.error().detail;
  EXPECT_EQ(before->version, 0U);
  EXPECT_TRUE(before->may_create);
  EXPECT_EQ(before->role, test_postgres::user);
  EXPECT_TRUE(before->clock);
  EXPECT_TRUE(look_at_kind(url, "signing_key", now, 1)->empty());
  auto store = open(url);
  EXPECT_TRUE(look_at_kind(url, "signing_key", now, 1)->empty());
  record r;
  r.kind = "signing_key";
  r.id = "k";
  r.created = now;
  r.expires = now + seconds(100);
  change c;
  c.put.push_back(r);
  ASSERT_TRUE(store->commit(c, now).value());
  EXPECT_EQ(look_at_kind(url, "signing_key", now, 1)->at(0).id, "k");
  EXPECT_EQ(look_at(url, "signing_key", "k", now)->value().id, "k");
  EXPECT_FALSE(look_at(url, "signing_key", "none", now)->has_value());
  EXPECT_GT(read_schema_state(url)->version, 0U);
}

TEST_F(PostgresStore, ARoleThatMayReadAndNotWriteIsToldTheGrantBeforeAnythingHurts) {
  {
    auto made = open(url);
  }
  EXPECT_FALSE(read_schema_state(url)->lacking);
  auto db = postgres::connect(url, milliseconds(5000));
  ASSERT_TRUE(db);
  auto schema = db->run_one({"SELECT current_schema()::text", {}})->text(0, 0);
  // Every table that a migration made: one that nobody asks about would show here.
  auto rows =
      db->run_one({"SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND "
                   "tablename <> 'schema_migrations' ORDER BY 1",
                   {}});
  ASSERT_TRUE(rows && rows->size() == 4);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto table = schema + "." + rows->text(i, 0);
    for (std::string what : {"SELECT", "INSERT", "UPDATE", "DELETE"}) {
      server->as_superuser("REVOKE " + what + " ON " + table + " FROM tester");
      auto opened = postgres_store::open(url, {});
      ASSERT_FALSE(opened) << table << " " << what;
      EXPECT_EQ(opened.error().code, errc::store_permission_denied);
      auto grant = "GRANT " + what + " ON " + table + " TO tester";
      EXPECT_THAT(opened.error().detail, HasSubstr(grant));
      auto state = read_schema_state(url);
      ASSERT_TRUE(state && state->lacking);
      EXPECT_EQ(state->lacking->detail, opened.error().detail);
      server->as_superuser(grant);
      EXPECT_TRUE(postgres_store::open(url, {})) << "what it says is enough";
    }
  }
  server->as_superuser("REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema + " FROM tester");
  EXPECT_THAT(read_schema_state(url)->lacking->detail,
              HasSubstr("GRANT DELETE, INSERT, UPDATE ON " + schema + ".records, " + schema + ".sessions, " +
                        schema + ".tokens, " + schema + ".users TO tester"));
}

TEST_F(PostgresStore, ASchemaThatTheRoleMayNotUseIsNamedWithItsGrant) {
  server->as_superuser("CREATE SCHEMA \"Closed one\"");
  auto closed = server->url("options=-csearch_path%3D%22Closed%5C%20one%22");
  auto state = read_schema_state(closed);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, errc::store_permission_denied);
  EXPECT_THAT(state.error().detail, HasSubstr("GRANT USAGE ON SCHEMA \"Closed one\" TO tester"));
  EXPECT_EQ(postgres_store::open(closed, {}).error().code, errc::store_permission_denied);
  auto none = read_schema_state(server->url("options=-csearch_path%3Dno_such"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::store_tables_missing);
}

TEST_F(PostgresStore, SaysWhatTimeItIsThere) {
  auto store = open(url);
  auto theirs = store->clock();
  ASSERT_TRUE(theirs && *theirs);
  EXPECT_LT(std::chrono::abs(**theirs - std::chrono::system_clock::now()), seconds(30));
}

TEST_F(PostgresStore, LocksAreMadeForReadCommittedWhateverTheDatabasePrefers) {
  auto parameter = url.find("options=") + std::string_view("options=").size();
  auto strict = url;
  strict.insert(parameter, "-cdefault_transaction_isolation%3Dserializable%20");
  auto db = postgres::connect(strict, milliseconds(5000));
  ASSERT_TRUE(db) << db.error().detail;
  EXPECT_EQ(db->run_one({"SHOW transaction_isolation", {}})->text(0, 0), "read committed");
}

TEST_F(PostgresStore, GivesATakenRecordToItsTakerThoughTheAnswerWasCut) {
  auto direct = open(url);
  for (bool passed_on : {true, false}) {
    ASSERT_TRUE(direct->commit(putting("login", "l"), now).value());
    scissors cut(server->port());
    auto store = open(through(cut, *server, url));
    cut.cut_at(the_commit, passed_on);
    auto taken = store->take("login", "l", now);
    ASSERT_TRUE(taken.has_value()) << taken.error().detail;
    EXPECT_TRUE(taken->has_value()) << passed_on;
    EXPECT_EQ(cut.cuts(), 1);
    EXPECT_FALSE(direct->take("login", "l", now).value());
  }
}

TEST_F(PostgresStore, SaysItIsUnclearWhenTheServerCannotBeAskedSince) {
  scissors cut(server->port());
  postgres_options hurried;
  hurried.patience = milliseconds(200);
  auto store = open(through(cut, *server, url), hurried);
  cut.cut_at(the_commit, true, [&] { server->crash(); });
  auto done = store->commit(putting("grant", "g"), now);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, errc::store_unclear) << done.error().detail;
  server->start();
  EXPECT_TRUE(open(url)->get("grant", "g", now).value()) << "here it was done";
}

TEST_F(PostgresStore, LosesNothingAcknowledgedWhenTheServerCrashesUnderLoad) {
  auto store = open(url);
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<bool> goes_on = true;
  std::atomic<int> unclear = 0, failed = 0, count = 0;
  std::vector<std::thread> writers;
  for (int t = 0; t < 6; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; goes_on; ++i) {
        auto id = std::to_string(t) + "-" + std::to_string(i);
        change wanted = putting("grant", id);
        wanted.when.push_back({"grant", id, 0});
        auto done = store->commit(wanted, now);
        if (done && *done) {
          std::lock_guard lock(mutex);
          acknowledged.insert(id);
          ++count;
        } else if (!done && done.error().code == errc::store_unclear) {
          ++unclear;
        } else {
          ++failed;
        }
      }
    });
  }
  auto until_written = [&](int more) {
    int from = count;
    while (count < from + more && failed == 0) std::this_thread::yield();
  };
  for (int round = 0; round < 3; ++round) {
    until_written(50);
    if (round == 1) {
      server->stop();
    } else {
      server->crash();
    }
    server->start();
  }
  until_written(50);
  goes_on = false;
  for (auto& w : writers) w.join();
  EXPECT_EQ(failed, 0) << "an absent record was refused as present, or a restart was not waited for";
  for (const auto& id : acknowledged) EXPECT_TRUE(store->get("grant", id, now).value().has_value()) << id;
  EXPECT_LE(unclear, 18);
}

TEST_F(PostgresStore, GivesUpOnAServerThatHangsAndGoesOnWhenItIsBack) {
  postgres_options hurried;
  hurried.silence = milliseconds(150);
  hurried.patience = milliseconds(300);
  auto store = open(url, hurried);
  ASSERT_TRUE(store->commit(putting("grant", "before"), now).value());
  server->pause();
  auto got = store->get("grant", "before", now);
  auto checked = store->check();
  auto put = store->commit(putting("grant", "during"), now);
  server->resume();
  EXPECT_EQ(got.error().code, errc::store_unreachable);
  EXPECT_EQ(checked.error().code, errc::store_unreachable);
  EXPECT_FALSE(put.has_value());
  EXPECT_THAT(got.error().detail, HasSubstr("ETIMEDOUT"));
  auto patient = open(url);
  EXPECT_TRUE(patient->get("grant", "before", now).value());
  EXPECT_FALSE(patient->get("grant", "during", now).value()) << "what failed was not done";
  EXPECT_TRUE(store->check().has_value());
}

TEST_F(PostgresStore, TellsOtherProcessesWhatEveryoneMustKnow) {
  std::mutex mutex;
  std::condition_variable heard;
  std::multiset<std::string> said;
  auto here = open(url);
  auto there = open(url);
  there->watch([&](std::string_view kind, std::string_view id) {
    std::lock_guard lock(mutex);
    said.insert(std::string(kind) + "/" + std::string(id));
    heard.notify_all();
  });
  auto wait_for = [&](const std::string& what) {
    std::unique_lock lock(mutex);
    return heard.wait_for(lock, seconds(60), [&] { return said.erase(what) != 0; });
  };
  EXPECT_TRUE(wait_for("revoked/")) << "what came before is caught up with";
  EXPECT_TRUE(wait_for("signing_key/"));
  EXPECT_TRUE(wait_for("provider_token/"));
  ASSERT_TRUE(here->commit(putting("revoked", "g1"), now).value());
  EXPECT_TRUE(wait_for("revoked/g1"));
  ASSERT_TRUE(here->commit(putting("grant", "unannounced"), now).value());
  change refused = putting("revoked", "g2");
  refused.when.push_back({"revoked", "g2", 7});
  EXPECT_FALSE(here->commit(refused, now).value());
  server->as_superuser("NOTIFY mcp_oauth_changes, 'user admin'");
  server->stop();
  server->start();
  EXPECT_TRUE(wait_for("revoked/")) << "after a restart too";
  EXPECT_TRUE(wait_for("signing_key/"));
  EXPECT_TRUE(wait_for("provider_token/"));
  ASSERT_TRUE(here->commit(putting("signing_key", "00000002"), now).value());
  EXPECT_TRUE(wait_for("signing_key/00000002"));
  there->watch({});
  EXPECT_TRUE(said.empty()) << *said.begin();
}

TEST_F(PostgresStore, HasOneWinnerAcrossProcesses) {
  constexpr int rounds = 200;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    auto store = open(url);
    for (int i = 0; i < rounds; ++i)
      ASSERT_TRUE(store->commit(putting("code", std::to_string(i)), now).value());
  }
  std::vector<pid_t> children;
  for (int c = 0; c < 2; ++c) {
    auto child = ::fork();
    if (child == 0) {
      auto store = open(url);
      for (int i = 0; i < rounds; ++i) {
        auto taken = store->take("code", std::to_string(i), now);
        char mark = !taken ? 'e' : *taken ? 't' : '-';
        if (::write(ends[1], &mark, 1) != 1) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  ::close(ends[1]);
  std::string marks;
  char mark = 0;
  while (::read(ends[0], &mark, 1) == 1) marks += mark;
  for (auto child : children) ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  EXPECT_EQ(std::count(marks.begin(), marks.end(), 't'), rounds);
  EXPECT_EQ(std::count(marks.begin(), marks.end(), 'e'), 0);
}

TEST_F(PostgresStore, UsesNoMoreConnectionsThanItMay) {
  postgres_options few;
  few.connections = 2;
  auto store = open(url, few);
  std::vector<std::thread> callers;
  std::atomic<int> failed = 0;
  for (int t = 0; t < 12; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        if (!store->commit(putting("code", std::to_string(t)), now)) ++failed;
      }
    });
  }
  for (auto& c : callers) c.join();
  EXPECT_EQ(failed, 0);
  EXPECT_LE(store->connections(), 2U);
}

TEST_F(PostgresStore, WaitsAtTheStartAndSaysWhy) {
  server->stop();
  postgres_options hurried;
  hurried.start_timeout = milliseconds(0);
  auto refused = postgres_store::open(url, hurried);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, errc::store_unreachable);
  EXPECT_EQ(refused.error().detail, "ECONNREFUSED 127.0.0.1:" + std::to_string(server->port()));

  int told = 0;
  postgres_options patient;
  patient.waiting = [&](const error& why, milliseconds) {
    EXPECT_TRUE(why.code == errc::store_unreachable || why.code == errc::store_starting) << why.detail;
    if (++told == 2) server->start();
  };
  EXPECT_TRUE(postgres_store::open(url, patient).has_value());
  EXPECT_GE(told, 2);
}

TEST_F(PostgresStore, ExplainsWhyItCannotBeOpenedAndKeepsThePassword) {
  struct refusal {
    const char* what;
    std::string url;
    errc code;
  };
  auto port = std::to_string(server->port());
  auto at = "@127.0.0.1:" + port + "/";
  server->as_superuser("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN PASSWORD 'hunter2'");
  const refusal refusals[] = {
      {"wrong password", "postgresql://tester:hunter2" + at + "tests", errc::store_login_refused},
      {"no such role", "postgresql://nobody:hunter2" + at + "tests", errc::store_login_refused},
      {"no such database", "postgresql://stranger:hunter2" + at + "missing", errc::store_database_unknown},
      {"may create nothing", "postgresql://stranger:hunter2" + at + "tests", errc::store_permission_denied},
      {"no such schema", "postgresql://stranger:hunter2" + at + "tests?options=-csearch_path%3Dmissing",
       errc::store_tables_missing},
      {"TLS that the server has not", "postgresql://tester:hunter2" + at + "tests?sslmode=require",
       errc::store_unreachable},
      {"no such socket", "postgresql:///tests?user=tester&password=hunter2&host=/nonexistent",
       errc::store_unreachable},
  };
  for (const auto& r : refusals) {
    postgres_options hurried;
    hurried.start_timeout = milliseconds(0);
    auto store = postgres_store::open(r.url, hurried);
    ASSERT_FALSE(store.has_value()) << r.what;
    EXPECT_EQ(store.error().code, r.code) << r.what << ": " << store.error().detail;
    EXPECT_THAT(store.error().detail, Not(HasSubstr("hunter2"))) << r.what;
  }
}

TEST_F(PostgresStore, ExplainsWhatWentWrongLater) {
  auto store = open(url);
  auto schema = url.substr(url.rfind("%3D") + 3);
  server->as_superuser("DROP TABLE " + schema + ".tokens");
  auto lost = store->get("refresh", "r", now);
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, errc::store_tables_missing);
  EXPECT_EQ(lost.error().detail, "relation \"tokens\" does not exist");
  server->as_superuser("ALTER ROLE tester SET default_transaction_read_only = on");
  postgres_options hurried;
  hurried.patience = milliseconds(50);
  auto read_only = open(url, hurried);
  auto put = read_only->commit(putting("grant", "g"), now);
  server->as_superuser("ALTER ROLE tester RESET default_transaction_read_only");
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code, errc::store_read_only) << put.error().detail;
  EXPECT_TRUE(read_only->commit(putting("grant", "g"), now).value()) << "on another connection";
}

}  // namespace
}  // namespace mcp_oauth
