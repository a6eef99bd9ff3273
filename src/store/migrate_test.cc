#include "store/migrate.h"

#include "embedded/migrations.h"
#include "store/test_folder.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

sqlite open_empty(const test_folder& folder) {
  std::ofstream(folder.file("db"), std::ios::app).close();
  auto db = sqlite::open(folder.file("db"), milliseconds(30));
  if (!db) throw std::runtime_error(db.error().detail);
  return std::move(*db);
}

std::vector<std::string> tables(sqlite& db) {
  std::vector<std::string> names;
  auto rows = db.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
  while (rows && rows->next().value_or(false)) names.push_back(rows->text(0));
  return names;
}

const migration two_steps[] = {
    {1, "first", "CREATE TABLE a (x); INSERT INTO a VALUES (1);", "DROP TABLE a;"},
    {2, "second", "CREATE TABLE b AS SELECT x FROM a;", "DROP TABLE b;"},
};

TEST(Migrate, GoesUpAndDownAndUpAgain) {
  test_folder folder;
  auto db = open_empty(folder);
  auto steps = sqlite_migrations();
  ASSERT_FALSE(steps.empty());
  EXPECT_EQ(schema_version(db).value(), 0U);
  ASSERT_TRUE(migrate_up(db, steps).has_value());
  EXPECT_EQ(schema_version(db).value(), steps.back().version);
  EXPECT_THAT(tables(db), ElementsAre("records", "schema_migrations", "sessions", "tokens", "users"));
  ASSERT_TRUE(migrate_down(db, steps).has_value());
  EXPECT_EQ(schema_version(db).value(), 0U);
  EXPECT_THAT(tables(db), ElementsAre("schema_migrations"));
  ASSERT_TRUE(migrate_up(db, steps).has_value());
  EXPECT_EQ(schema_version(db).value(), steps.back().version);
}

TEST(Migrate, AppliesOnlyWhatIsMissing) {
  test_folder folder;
  auto db = open_empty(folder);
  ASSERT_TRUE(migrate_up(db, std::span(two_steps, 1)).has_value());
  EXPECT_EQ(schema_version(db).value(), 1U);
  ASSERT_TRUE(db.script("INSERT INTO a VALUES (2)").has_value());
  ASSERT_TRUE(migrate_up(db, two_steps).has_value());
  EXPECT_EQ(schema_version(db).value(), 2U);
  auto rows = db.query("SELECT count(*) FROM b");
  ASSERT_TRUE(rows && rows->next().value());
  EXPECT_EQ(rows->number(0), 2);
}

TEST(Migrate, TakesNoLockWhenNothingIsMissing) {
  test_folder folder;
  auto db = open_empty(folder);
  ASSERT_TRUE(db.script("PRAGMA journal_mode = WAL").has_value());
  ASSERT_TRUE(migrate_up(db, two_steps).has_value());
  auto other = open_empty(folder);
  ASSERT_TRUE(other.script("BEGIN IMMEDIATE").has_value());
  EXPECT_TRUE(migrate_up(db, two_steps).has_value());
  EXPECT_EQ(migrate_down(db, two_steps).error().code, errc::store_busy);
}

TEST(Migrate, LeavesNothingOfAStepThatFails) {
  test_folder folder;
  auto db = open_empty(folder);
  const migration steps[] = {two_steps[0],
                             {2, "broken", "CREATE TABLE c (x); SELECT nonsense;", "DROP TABLE c;"}};
  auto done = migrate_up(db, steps);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(schema_version(db).value(), 0U);
  EXPECT_THAT(tables(db), IsEmpty());
  EXPECT_FALSE(db.in_transaction());
}

TEST(Migrate, TouchesNothingOfANewerProgram) {
  test_folder folder;
  auto db = open_empty(folder);
  ASSERT_TRUE(migrate_up(db, two_steps).has_value());
  auto older = std::span(two_steps, 1);
  EXPECT_EQ(migrate_up(db, older).error().code, errc::store_schema_newer);
  EXPECT_EQ(migrate_down(db, older).error().code, errc::store_schema_newer);
  EXPECT_THAT(tables(db), ElementsAre("a", "b", "schema_migrations"));
}

TEST(Migrate, StopsAtAStepThatAnotherToolLeftHalfDone) {
  test_folder folder;
  auto db = open_empty(folder);
  ASSERT_TRUE(migrate_up(db, two_steps).has_value());
  ASSERT_TRUE(db.script("UPDATE schema_migrations SET dirty = 1").has_value());
  EXPECT_EQ(migrate_up(db, two_steps).error().code, errc::store_corrupt);
  EXPECT_EQ(schema_version(db).error().code, errc::store_corrupt);
}

TEST(Migrate, ReadsTheStepsOfAFolderInOrder) {
  const embedded_file files[] = {
      {"sqlite/000010_later.up.sql", "up 10"},  {"sqlite/000010_later.down.sql", "down 10"},
      {"sqlite/000002_early.up.sql", "up 2"},   {"sqlite/000002_early.down.sql", "down 2"},
      {"sqlite/000003_half.up.sql", "up 3"},    {"sqlite/README.md", "text"},
      {"sqlite/000000_zero.up.sql", "up 0"},    {"sqlite/000000_zero.down.sql", "down 0"},
      {"sqlite/x_word.up.sql", "up x"},         {"sqlite/x_word.down.sql", "down x"},
      {"sqlite2/000001_other.up.sql", "other"}, {"sqlite2/000001_other.down.sql", "other"},
  };
  auto steps = migrations_in(files, "sqlite");
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].version, 2U);
  EXPECT_EQ(steps[0].name, "early");
  EXPECT_EQ(steps[0].up, "up 2");
  EXPECT_EQ(steps[0].down, "down 2");
  EXPECT_EQ(steps[1].version, 10U);

  const embedded_file beside[] = {{"sqlite/000001_a.up.sql", "a"},
                                  {"sqlite/000001_a.down.sql", "a"},
                                  {"000001_b.up.sql", "b"},
                                  {"000001_b.down.sql", "b"}};
  auto outer = migrations_in(beside, "");
  ASSERT_EQ(outer.size(), 1U) << "what stands in no folder, and nothing of one";
  EXPECT_EQ(outer[0].name, "b");
}

TEST(Migrate, HasTheSameStepsForEveryDatabase) {
  auto sqlite_steps = sqlite_migrations();
  auto postgresql_steps = migrations_in(embedded_migrations(), "");
  ASSERT_EQ(sqlite_steps.size(), postgresql_steps.size());
  for (std::size_t i = 0; i < sqlite_steps.size(); ++i) {
    EXPECT_EQ(sqlite_steps[i].version, postgresql_steps[i].version);
    EXPECT_EQ(sqlite_steps[i].name, postgresql_steps[i].name);
  }
}

TEST(Embedded, HoldsTheBytesOfTheFile) {
  for (const auto& file : embedded_migrations()) {
    std::ifstream in(std::string(MOP_SOURCE_DIR) + "/migrations/" + std::string(file.name), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    EXPECT_FALSE(bytes.empty());
    EXPECT_EQ(file.contents, bytes) << file.name;
  }
}

}  // namespace
}  // namespace mcp_oauth
