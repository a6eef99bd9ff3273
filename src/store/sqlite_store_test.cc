#include "store/sqlite_store.h"

#include "store/sql_time.h"
#include "store/test_folder.h"

#include <csignal>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const time_point now = from_unix(1'800'000'000);
constexpr sqlite_options hasty{.patience = milliseconds(30)};

std::unique_ptr<sqlite_store> open_at(const std::string& path, sqlite_options options = {}) {
  auto store = sqlite_store::open(path, options);
  if (!store) throw std::runtime_error(store.error().detail);
  return std::move(*store);
}

record make(std::string kind, std::string id) {
  return record{.kind = std::move(kind),
                .id = std::move(id),
                .grant = "g",
                .user = "alice",
                .provider = "corp",
                .data = "data",
                .created = now,
                .expires = now + hours(1)};
}

change putting(record r) { return {.when = {}, .put = {std::move(r)}, .erase = {}}; }

// What an operator has: the sqlite3 command line, on connections of its own.
class shell final {
 public:
  explicit shell(const std::string& path) {
    if (sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
      throw std::runtime_error("shell cannot open " + path);
    }
  }
  ~shell() { sqlite3_close(db_); }
  shell(const shell&) = delete;
  shell& operator=(const shell&) = delete;

  // Rows as the command line prints them: columns joined by "|". A failure is one row with its message.
  std::vector<std::string> run(const std::string& sql) {
    std::vector<std::string> lines;
    char* message = nullptr;
    auto add = [](void* to, int columns, char** values, char**) {
      std::string line;
      for (int i = 0; i < columns; ++i) line += (i ? "|" : "") + std::string(values[i] ? values[i] : "");
      static_cast<std::vector<std::string>*>(to)->push_back(line);
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), add, &lines, &message) != SQLITE_OK) {
      lines = {std::string("error: ") + message};
      sqlite3_free(message);
    }
    return lines;
  }

 private:
  sqlite3* db_ = nullptr;
};

TEST(SqliteStore, KeepsRecordsAcrossARestart) {
  test_folder folder;
  for (const auto& kind : {"login", "refresh", "user", "code"}) {
    ASSERT_TRUE(open_at(folder.file("oauth.db"))->commit(putting(make(kind, "a")), now).value());
  }
  auto again = open_at(folder.file("oauth.db"));
  for (const auto& kind : {"login", "refresh", "user", "code"}) {
    EXPECT_TRUE(again->get(kind, "a", now).value()) << kind;
  }
}

TEST(SqliteStore, AnswersTheGuidesSqlAsItStands) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  auto real_now = std::chrono::system_clock::now();
  record fresh = make("login", "fresh-state");
  fresh.created = real_now;
  record stale = make("login", "stale-state");
  stale.created = real_now - hours(2);
  record token = make("refresh", "hash-of-token");
  for (const auto& r : {fresh, stale, token}) ASSERT_TRUE(store->commit(putting(r), now).value());

  shell sqlite(folder.file("oauth.db"));
  EXPECT_THAT(sqlite.run("SELECT id, state, created_at FROM sessions"),
              testing::UnorderedElementsAre("fresh-state|fresh-state|" + to_sql_time(fresh.created),
                                            "stale-state|stale-state|" + to_sql_time(stale.created)));
  EXPECT_THAT(
      sqlite.run(
          "SELECT id, state, created_at FROM sessions WHERE created_at > datetime('now', '-5 minutes')"),
      SizeIs(1));
  EXPECT_THAT(sqlite.run("DELETE FROM sessions WHERE created_at < datetime('now','-1 hour')"), IsEmpty());
  EXPECT_THAT(sqlite.run("SELECT id FROM sessions"), ElementsAre("fresh-state"));
  EXPECT_THAT(sqlite.run("SELECT user_id, expires_at, created_at FROM tokens"),
              ElementsAre("alice|" + to_sql_time(token.expires) + "|" + to_sql_time(token.created)));
  EXPECT_THAT(sqlite.run("SELECT user_id, refresh_token FROM tokens WHERE refresh_token IS NOT NULL"),
              ElementsAre("alice|hash-of-token"));
  EXPECT_THAT(sqlite.run("SELECT version, dirty FROM schema_migrations"), ElementsAre("1|0"));
  EXPECT_THAT(sqlite.run("SELECT count(*) FROM users"), ElementsAre("0"));

  // What the operator deleted is gone for the running store, too.
  EXPECT_FALSE(store->take("login", "stale-state", now).value());
  EXPECT_TRUE(store->take("login", "fresh-state", now).value());
}

TEST(SqliteStore, UsesTheWriteAheadLogAndLeavesNoneBehind) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  ASSERT_TRUE(store->commit(putting(make("code", "a")), now).value());
  EXPECT_THAT(shell(folder.file("oauth.db")).run("PRAGMA journal_mode"), ElementsAre("wal"));
  EXPECT_EQ(::access(folder.file("oauth.db-wal").c_str(), F_OK), 0);
  store.reset();
  EXPECT_NE(::access(folder.file("oauth.db-wal").c_str(), F_OK), 0);
}

unsigned mode_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 0777U : 0U;
}

TEST(SqliteStore, CallsAFileThatMayNotGrowFullAndGoesOnWhenItMay) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 200'000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  result<bool> done = true;
  for (int written = 0; written < 10'000 && done; ++written)
    done = store->commit(putting(make("code", std::to_string(written))), now);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::store_full) << done.error().detail;
  EXPECT_TRUE(store->commit(putting(make("code", "after")), now).value_or(false));
}

TEST(SqliteStore, CreatesItsFilesForTheOwnerOnlyWhateverTheUmask) {
  test_folder folder;
  auto before = ::umask(0);
  auto store = open_at(folder.file("oauth.db"));
  ASSERT_TRUE(store->commit(putting(make("code", "a")), now).value());
  ::umask(before);
  for (auto suffix : {"", "-wal", "-shm"}) {
    EXPECT_EQ(mode_of(folder.file(std::string("oauth.db") + suffix)), 0600U) << suffix;
  }
  EXPECT_THAT(store->warnings(), IsEmpty());
}

TEST(SqliteStore, WarnsOfAFileThatOthersCanReadAndLeavesItsMode) {
  test_folder folder;
  open_at(folder.file("oauth.db")).reset();
  ASSERT_EQ(::chmod(folder.file("oauth.db").c_str(), 0644), 0);
  auto store = open_at(folder.file("oauth.db"));
  EXPECT_THAT(store->warnings(),
              ElementsAre(testing::AllOf(HasSubstr(folder.file("oauth.db")), HasSubstr("0644"))));
  EXPECT_EQ(mode_of(folder.file("oauth.db")), 0644U);
}

TEST(SqliteStore, SaysBusyWhenAnotherConnectionKeepsTheLock) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"), hasty);
  ASSERT_TRUE(store->commit(putting(make("code", "a")), now).value());
  shell other(folder.file("oauth.db"));
  ASSERT_THAT(other.run("BEGIN EXCLUSIVE"), IsEmpty());

  auto put = store->commit(putting(make("code", "b")), now);
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code, errc::store_busy);
  EXPECT_THAT(put.error().detail, HasSubstr("SQLITE_BUSY: database is locked"));
  EXPECT_EQ(store->take("code", "a", now).error().code, errc::store_busy);
  EXPECT_EQ(store->erase_grant("g").error().code, errc::store_busy);
  EXPECT_EQ(store->sweep(now, 10).error().code, errc::store_busy);

  // Reading goes on, and so does what would find nothing to take.
  EXPECT_TRUE(store->get("code", "a", now).value());
  EXPECT_FALSE(store->take("code", "guess", now).value());
  EXPECT_TRUE(store->check().has_value());

  ASSERT_THAT(other.run("ROLLBACK"), IsEmpty());
  EXPECT_FALSE(store->get("code", "b", now).value());
  EXPECT_TRUE(store->take("code", "a", now).value());
}

TEST(SqliteStore, WaitsForALockThatIsGivenBack) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  shell other(folder.file("oauth.db"));
  ASSERT_THAT(other.run("BEGIN IMMEDIATE"), IsEmpty());
  std::thread caller([&] { EXPECT_TRUE(store->commit(putting(make("code", "a")), now).value_or(false)); });
  while (store->waiting() == 0) std::this_thread::yield();
  EXPECT_THAT(other.run("COMMIT"), IsEmpty());
  caller.join();
  EXPECT_TRUE(store->get("code", "a", now).value());
}

TEST(SqliteStore, PutsConcurrentWritesIntoFewTransactions) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  constexpr std::size_t callers = 16;
  auto before = store->commits();
  shell other(folder.file("oauth.db"));
  ASSERT_THAT(other.run("BEGIN IMMEDIATE"), IsEmpty());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < callers; ++i) {
    threads.emplace_back([&, i] {
      EXPECT_TRUE(store->commit(putting(make("code", std::to_string(i))), now).value_or(false));
    });
  }
  while (store->waiting() < callers) std::this_thread::yield();
  EXPECT_THAT(other.run("COMMIT"), IsEmpty());
  for (auto& t : threads) t.join();
  // One for whoever the writer had already begun with, one for all that came while it waited.
  EXPECT_LE(store->commits() - before, 2U);
  EXPECT_EQ(store->count("code", now).value(), callers);
  EXPECT_EQ(store->waiting(), 0U);
}

TEST(SqliteStore, DoesNotLetAFailedConditionTouchItsNeighboursInTheTransaction) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  constexpr int callers = 16;
  shell other(folder.file("oauth.db"));
  ASSERT_THAT(other.run("BEGIN IMMEDIATE"), IsEmpty());
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&, i] {
      bool good = i % 2 == 0;
      change wanted = putting(make("code", std::to_string(i)));
      if (!good) wanted.when = {{"grant", "missing", 1}};
      auto done = store->commit(wanted, now);
      EXPECT_TRUE(done.has_value());
      EXPECT_EQ(done.value_or(!good), good);
    });
  }
  while (store->waiting() < callers) std::this_thread::yield();
  EXPECT_THAT(other.run("COMMIT"), IsEmpty());
  for (auto& t : threads) t.join();
  for (int i = 0; i < callers; ++i) {
    EXPECT_EQ(store->get("code", std::to_string(i), now).value().has_value(), i % 2 == 0) << i;
  }
}

TEST(SqliteStore, SharesItsFileWithAnotherStore) {
  test_folder folder;
  auto one = open_at(folder.file("oauth.db"));
  auto two = open_at(folder.file("oauth.db"));
  constexpr int codes = 100;
  for (int i = 0; i < codes; ++i) {
    ASSERT_TRUE((i % 2 ? one : two)->commit(putting(make("code", std::to_string(i))), now).value());
  }
  std::vector<std::string> first;
  std::vector<std::string> second;
  auto take_all = [&](sqlite_store& store, std::vector<std::string>& won) {
    for (int i = 0; i < codes; ++i) {
      auto taken = store.take("code", std::to_string(i), now);
      ASSERT_TRUE(taken.has_value()) << taken.error().detail;
      if (*taken) won.push_back((*taken)->id);
    }
  };
  std::thread other([&] { take_all(*two, second); });
  take_all(*one, first);
  other.join();
  EXPECT_EQ(first.size() + second.size(), static_cast<std::size_t>(codes));
  std::set<std::string> all(first.begin(), first.end());
  all.insert(second.begin(), second.end());
  EXPECT_THAT(all, SizeIs(codes));
}

TEST(SqliteStore, RefusesAFileThatIsNotADatabase) {
  test_folder folder;
  std::ofstream(folder.file("oauth.db")) << std::string(8192, 'x');
  auto store = sqlite_store::open(folder.file("oauth.db"));
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, errc::store_not_a_database);
  EXPECT_THAT(store.error().detail, HasSubstr("SQLITE_NOTADB"));
  EXPECT_THAT(store.error().detail, HasSubstr(folder.file("oauth.db")));
}

TEST(SqliteStore, SaysCorruptWhenAPageIsDamaged) {
  test_folder folder;
  auto path = folder.file("oauth.db");
  {
    auto store = open_at(path);
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(store->commit(putting(make("refresh", std::to_string(i))), now).value());
    ASSERT_TRUE(store->commit(putting(make("login", "a")), now).value());
  }
  auto page = std::stol(shell(path).run("SELECT rootpage FROM sqlite_schema WHERE name = 'tokens'").at(0));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp((page - 1) * 4096);
    file << std::string(4096, '\xff');
  }
  auto store = open_at(path);
  auto listed = store->list("refresh", now, 10, {});
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code, errc::store_corrupt);
  EXPECT_THAT(listed.error().detail, HasSubstr("SQLITE_CORRUPT"));
  EXPECT_EQ(store->commit(putting(make("refresh", "new")), now).error().code, errc::store_corrupt);
  EXPECT_TRUE(store->get("login", "a", now).value());
}

TEST(SqliteStore, SaysCorruptWhenATimeOrATableIsNotOurs) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  ASSERT_TRUE(store->commit(putting(make("user", "a")), now).value());
  shell sqlite(folder.file("oauth.db"));
  ASSERT_THAT(sqlite.run("UPDATE users SET expires_at = 'soon'"), IsEmpty());
  EXPECT_EQ(store->get("user", "a", now).error().code, errc::store_corrupt);
  ASSERT_THAT(sqlite.run("DROP TABLE sessions"), IsEmpty());
  auto found = store->get("login", "a", now);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, errc::store_corrupt);
  EXPECT_THAT(found.error().detail, HasSubstr("no such table: sessions"));
}

TEST(SqliteStore, NamesThePathThatCannotBeOpened) {
  test_folder folder;
  struct attempt {
    std::string path;
    std::string reason;
  };
  const attempt attempts[] = {
      {folder.file("missing/oauth.db"), "No such file or directory"}, {folder.file(""), ""},  // a folder
  };
  for (const auto& a : attempts) {
    auto store = sqlite_store::open(a.path, hasty);
    ASSERT_FALSE(store.has_value()) << a.path;
    EXPECT_EQ(store.error().code, errc::store_unavailable) << store.error().detail;
    EXPECT_THAT(store.error().detail, HasSubstr(a.path));
    EXPECT_THAT(store.error().detail, HasSubstr(a.reason));
  }
}

TEST(SqliteStore, RefusesTheSchemaOfANewerProgram) {
  test_folder folder;
  open_at(folder.file("oauth.db")).reset();
  ASSERT_THAT(shell(folder.file("oauth.db")).run("UPDATE schema_migrations SET version = 99"), IsEmpty());
  auto store = sqlite_store::open(folder.file("oauth.db"));
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, errc::store_schema_newer);
}

TEST(SqliteStore, NoticesThatItsFileIsGoneOrReplaced) {
  test_folder folder;
  auto path = folder.file("oauth.db");
  auto store = open_at(path);
  ASSERT_TRUE(store->check().has_value());
  ASSERT_EQ(::rename(path.c_str(), folder.file("moved").c_str()), 0);
  EXPECT_EQ(store->check().error().code, errc::store_unavailable);
  std::ofstream(path) << "another";
  EXPECT_EQ(store->check().error().code, errc::store_unavailable);
}

TEST(SqliteStore, SweepsAndCountsThroughAnIndex) {
  test_folder folder;
  auto store = open_at(folder.file("oauth.db"));
  shell sqlite(folder.file("oauth.db"));
  for (const std::string sql : {
           "SELECT rowid FROM records WHERE kind = 'code' AND expires_at <= 'x' LIMIT 5",
           "SELECT rowid FROM sessions WHERE expires_at <= 'x' LIMIT 5",
           "SELECT count(*) FROM records WHERE kind = 'code' AND expires_at > 'x'",
           "DELETE FROM records WHERE grant_id = 'g'",
           "DELETE FROM tokens WHERE grant_id = 'g'",
           "SELECT min(kind) FROM records WHERE kind > 'a'",
       }) {
    auto plan = sqlite.run("EXPLAIN QUERY PLAN " + sql);
    ASSERT_FALSE(plan.empty());
    EXPECT_THAT(plan[0], testing::ContainsRegex("SEARCH .*INDEX")) << sql;
  }
}

}  // namespace
}  // namespace mcp_oauth
