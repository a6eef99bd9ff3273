#include "store/write_queue.h"

#include "store/test_folder.h"

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

sqlite open_empty(const test_folder& folder) {
  std::ofstream(folder.file("db"), std::ios::app).close();
  auto db = sqlite::open(folder.file("db"), milliseconds(5000));
  if (!db) throw std::runtime_error(db.error().detail);
  auto made = db->script(
      "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;"
      "CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY);"
      "CREATE TABLE IF NOT EXISTS child (id INTEGER PRIMARY KEY CHECK (id < 1000),"
      "  parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
  if (!made) throw std::runtime_error(made.error().detail);
  return std::move(*db);
}

result<void> insert(sqlite& db, std::int64_t id, sqlite_value parent = {}) {
  auto done = db.execute("INSERT INTO child VALUES (?1, ?2)", {id, parent});
  if (!done) return tl::unexpected(done.error());
  return {};
}

std::int64_t rows_in(const test_folder& folder) {
  auto db = open_empty(folder);
  auto rows = db.query("SELECT count(*) FROM child");
  return rows && rows->next().value_or(false) ? rows->number(0) : -1;
}

// Runs every write in one transaction: they gather while a write before them is held up.
std::vector<result<void>> run_together(write_queue& queue, const std::vector<write_queue::write>& writes) {
  std::atomic<bool> begun = false;
  std::atomic<bool> gathered = false;
  std::thread first([&] {
    auto held = queue.run([&](sqlite&) -> result<void> {
      begun = true;
      while (!gathered) std::this_thread::yield();
      return {};
    });
    EXPECT_TRUE(held.has_value());
  });
  while (!begun) std::this_thread::yield();
  std::vector<result<void>> outcomes(writes.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    threads.emplace_back([&, i] { outcomes[i] = queue.run(writes[i]); });
    while (queue.waiting() < i + 2) std::this_thread::yield();
  }
  gathered = true;
  first.join();
  for (auto& t : threads) t.join();
  return outcomes;
}

TEST(WriteQueue, UndoesAFailedWriteAndKeepsItsNeighbours) {
  test_folder folder;
  {
    write_queue queue(open_empty(folder));
    auto before = queue.commits();
    auto outcomes = run_together(queue, {
                                            [](sqlite& db) { return insert(db, 1); },
                                            [](sqlite& db) -> result<void> {
                                              if (auto half = insert(db, 2); !half) return half;
                                              return insert(db, 5000);  // refused by the table
                                            },
                                            [](sqlite& db) { return insert(db, 3); },
                                        });
    EXPECT_TRUE(outcomes[0].has_value());
    ASSERT_FALSE(outcomes[1].has_value());
    EXPECT_EQ(outcomes[1].error().code, errc::internal);
    EXPECT_TRUE(outcomes[2].has_value());
    EXPECT_EQ(queue.commits() - before, 2U);
  }
  EXPECT_EQ(rows_in(folder), 2);
}

TEST(WriteQueue, TellsEveryCallerOfACommitThatFailed) {
  test_folder folder;
  {
    write_queue queue(open_empty(folder));
    auto outcomes = run_together(queue, {
                                            [](sqlite& db) { return insert(db, 1); },
                                            // No such parent: found out at COMMIT.
                                            [](sqlite& db) { return insert(db, 2, std::int64_t{77}); },
                                            [](sqlite& db) { return insert(db, 3); },
                                        });
    for (const auto& outcome : outcomes) EXPECT_FALSE(outcome.has_value());
    EXPECT_EQ(queue.commits(), 1U);
    EXPECT_TRUE(queue.run([](sqlite& db) { return insert(db, 4); }).has_value());
  }
  EXPECT_EQ(rows_in(folder), 1);
}

TEST(WriteQueue, TellsEveryCallerWhenAWriteEndsTheTransaction) {
  test_folder folder;
  {
    write_queue queue(open_empty(folder));
    auto outcomes = run_together(queue, {
                                            [](sqlite& db) { return insert(db, 1); },
                                            [](sqlite& db) { return db.script("ROLLBACK"); },
                                            [](sqlite& db) { return insert(db, 3); },
                                        });
    for (const auto& outcome : outcomes) EXPECT_FALSE(outcome.has_value());
    EXPECT_TRUE(queue.run([](sqlite& db) { return insert(db, 4); }).has_value());
  }
  EXPECT_EQ(rows_in(folder), 1);
}

TEST(WriteQueue, EmptiesTheLogIntoTheFileWhenIdle) {
  test_folder folder;
  write_queue queue(open_empty(folder));
  ASSERT_TRUE(queue.run([](sqlite& db) { return db.script("PRAGMA wal_autocheckpoint = 0"); }).has_value());
  ASSERT_TRUE(queue.run([](sqlite& db) { return insert(db, 1); }).has_value());
  // All of the log is in the file once a copy of the file alone holds the row.
  auto in_file_alone = [&] {
    std::ifstream from(folder.file("db"), std::ios::binary);
    std::ofstream to(folder.file("copy"), std::ios::binary | std::ios::trunc);
    to << from.rdbuf();
    to.close();
    auto copy = sqlite::open(folder.file("copy"), milliseconds(0));
    if (!copy) return false;
    auto rows = copy->query("SELECT id FROM child");
    return rows.has_value() && rows->next().value_or(false);
  };
  while (!in_file_alone()) std::this_thread::yield();
}

}  // namespace
}  // namespace mcp_oauth
