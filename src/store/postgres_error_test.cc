#include "store/postgres_error.h"

#include "store/postgres.h"
#include "store/postgres_migrate.h"
#include "store/test_postgres.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ConnectionFailure, IsToldInTheNamesThatPeopleSearchFor) {
  struct told {
    const char* message;
    errc code;
    const char* detail;
  };
  const told all[] = {
      {"connection to server at \"127.0.0.1\", port 5432 failed: Connection refused\n"
       "\tIs the server running on that host and accepting TCP/IP connections?\n",
       errc::store_unreachable, "ECONNREFUSED 127.0.0.1:5432"},
      {"connection to server at \"localhost\" (::1), port 5432 failed: Connection refused\n"
       "\tIs the server running on that host and accepting TCP/IP connections?\n"
       "connection to server at \"localhost\" (127.0.0.1), port 5432 failed: Connection refused\n"
       "\tIs the server running on that host and accepting TCP/IP connections?\n",
       errc::store_unreachable, "ECONNREFUSED 127.0.0.1:5432"},
      {"connection to server at \"db\" (fd00::1), port 5433 failed: timeout expired\n",
       errc::store_unreachable, "ETIMEDOUT [fd00::1]:5433"},
      {"connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory\n",
       errc::store_unreachable, "ENOENT /run/postgresql/.s.PGSQL.5432"},
      {"could not translate host name \"db.example\" to address: Name or service not known\n",
       errc::store_unreachable, "ENOTFOUND db.example"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password authentication "
       "failed for user \"u\"\nLOCATION:  auth_failed, auth.c:339\n",
       errc::store_login_refused, "28P01 password authentication failed for user \"u\""},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  3D000: database \"x\" does not "
       "exist\n",
       errc::store_database_unknown, "3D000 database \"x\" does not exist"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  53300: sorry, too many clients "
       "already\n",
       errc::store_connections_used_up, "53300 sorry, too many clients already"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  57P03: the database system is "
       "starting up\n",
       errc::store_starting, "57P03 the database system is starting up"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: server does not support SSL, but SSL was "
       "required\n",
       errc::store_unreachable, "10.0.0.1:5432: server does not support SSL, but SSL was required"},
      {"server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n",
       errc::store_unreachable, "ECONNRESET"},
      {"", errc::store_unreachable, ""},
  };
  for (const auto& t : all) {
    auto got = connection_failure(t.message);
    EXPECT_EQ(got.code, t.code) << t.message;
    EXPECT_EQ(got.detail, t.detail) << t.message;
  }
}

TEST(Sqlstate, HasOneMeaning) {
  struct meaning {
    const char* state;
    errc code;
    bool passes;
  };
  for (auto [state, code, passes] :
       {meaning{"28P01", errc::store_login_refused, false},
        meaning{"28000", errc::store_login_refused, false},
        meaning{"3D000", errc::store_database_unknown, false},
        meaning{"53300", errc::store_connections_used_up, true}, meaning{"57P01", errc::store_starting, true},
        meaning{"57P03", errc::store_starting, true}, meaning{"42P01", errc::store_tables_missing, false},
        meaning{"42501", errc::store_permission_denied, false}, meaning{"25006", errc::store_read_only, true},
        meaning{"53100", errc::store_full, false}, meaning{"53200", errc::store_unavailable, false},
        meaning{"40001", errc::store_busy, true}, meaning{"40P01", errc::store_busy, true},
        meaning{"08006", errc::store_unreachable, true}, meaning{"XX001", errc::store_corrupt, false},
        meaning{"42601", errc::internal, false}, meaning{"23505", errc::internal, false}}) {
    EXPECT_EQ(meaning_of_sqlstate(state), code) << state;
    EXPECT_EQ(is_passing(code), passes) << state;
  }
}

TEST(RedactedPostgresUrl, HasNoPassword) {
  const std::string urls[] = {
      "postgresql://user:hunter2@host:5432/name",
      "postgresql://user:hunter2@a,b:1/name?sslmode=require",
      "postgresql://user:x/hunter2@host/name",
      "postgresql://user:hunter2@x@host/name",
      "postgresql:///name?user=u&password=hunter2",
      "postgresql://host/name?sslpassword=hunter2&pasword=hunter2",
      "hunter2",
  };
  for (const auto& url : urls) EXPECT_THAT(redacted_postgres_url(url), Not(HasSubstr("hunter2"))) << url;
  EXPECT_EQ(redacted_postgres_url("postgresql://user:p@host:5432/name"),
            "postgresql://user:***@host:5432/name");
  EXPECT_EQ(redacted_postgres_url("postgresql://host/name"), "postgresql://host/name");
}

TEST(PostgresText, GoesThereAndBack) {
  for (const std::string& text : {std::string("plain"), std::string("Grüße"), std::string("a\0b", 3),
                                  std::string("\xff\xfe"), std::string("\\x41"), std::string("\\y")}) {
    auto kept = to_postgres_text(text);
    EXPECT_EQ(kept.find('\0'), std::string::npos);
    EXPECT_EQ(from_postgres_text(kept), text);
  }
  EXPECT_EQ(to_postgres_text("plain"), "plain") << "operators read it";
}

// The numbers are those that golang-migrate gives for these names.
TEST(MigrationLock, IsTheOneThatGolangMigrateTakes) {
  EXPECT_EQ(migration_lock("database_name", "", ""), 1764327054);
  EXPECT_EQ(migration_lock("database_name", "schema_name_1", ""), 2453313553);
  EXPECT_NE(migration_lock("d", "public", "schema_migrations"),
            migration_lock("d", "apart", "schema_migrations"));
}

class PostgresMigrate : public testing::Test {
 protected:
  void SetUp() override {
    if (server == nullptr) GTEST_SKIP() << "PostgreSQL is not installed";
    url = server->fresh_url();
  }
  postgres connect() const {
    auto db = postgres::connect(url, milliseconds(30'000));
    if (!db) throw std::runtime_error(db.error().detail);
    return std::move(*db);
  }
  std::string tables() const {
    auto db = connect();
    auto rows =
        db.run_one({"SELECT coalesce(string_agg(tablename, ' ' ORDER BY tablename), '') FROM pg_tables"
                    " WHERE schemaname = current_schema()",
                    {}});
    return rows ? rows->text(0, 0) : rows.error().detail;
  }
  test_postgres* server = test_postgres::shared();
  std::string url;
};

const migration two_steps[] = {
    {1, "first", "CREATE TABLE a (x INT); INSERT INTO a VALUES (1);", "DROP TABLE a;"},
    {2, "second", "CREATE TABLE b AS SELECT x FROM a;", "DROP TABLE b;"},
};

TEST_F(PostgresMigrate, GoesUpAndDownAndUpAgain) {
  auto db = connect();
  auto steps = postgresql_migrations();
  EXPECT_EQ(schema_version(db).value(), 0U);
  ASSERT_TRUE(migrate_up(db, steps).has_value());
  EXPECT_EQ(schema_version(db).value(), steps.back().version);
  EXPECT_EQ(tables(), "records schema_migrations sessions tokens users");
  ASSERT_TRUE(migrate_down(db, steps).has_value());
  EXPECT_EQ(tables(), "schema_migrations");
  ASSERT_TRUE(migrate_up(db, std::span(two_steps, 1)).has_value());
  ASSERT_TRUE(migrate_up(db, two_steps).has_value());
  EXPECT_EQ(tables(), "a b schema_migrations");
}

TEST_F(PostgresMigrate, IsDoneOnceByManyThatStartAtOnce) {
  std::atomic<int> failed = 0;
  std::vector<std::thread> starts;
  for (int t = 0; t < 6; ++t) {
    starts.emplace_back([&] {
      auto db = connect();
      if (!migrate_up(db, postgresql_migrations())) ++failed;
    });
  }
  for (auto& s : starts) s.join();
  EXPECT_EQ(failed, 0);
}

TEST_F(PostgresMigrate, LeavesNothingOfAStepThatFails) {
  auto db = connect();
  const migration steps[] = {two_steps[0], {2, "broken", "CREATE TABLE c (x INT); SELECT nonsense;", ""}};
  EXPECT_FALSE(migrate_up(db, steps).has_value());
  EXPECT_EQ(tables(), "");
  EXPECT_FALSE(db.in_transaction());
  ASSERT_TRUE(migrate_up(db, two_steps).has_value()) << "the lock was given back";
}

TEST_F(PostgresMigrate, TouchesNothingThatIsNewerOrHalfDone) {
  auto db = connect();
  ASSERT_TRUE(migrate_up(db, two_steps).has_value());
  auto older = std::span(two_steps, 1);
  EXPECT_EQ(migrate_up(db, older).error().code, errc::store_schema_newer);
  EXPECT_EQ(migrate_down(db, older).error().code, errc::store_schema_newer);
  ASSERT_TRUE(db.script("UPDATE schema_migrations SET dirty = true").has_value());
  EXPECT_EQ(migrate_up(db, two_steps).error().code, errc::store_corrupt);
  EXPECT_EQ(migrate_down(db, two_steps).error().code, errc::store_corrupt);
  EXPECT_EQ(tables(), "a b schema_migrations");
}

}  // namespace
}  // namespace mcp_oauth
