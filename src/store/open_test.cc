#include "store/open.h"

#include "store/memory_store.h"
#include "store/sql_time.h"
#include "store/sqlite_store.h"
#include "store/test_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST(DatabaseUrl, NamesAFile) {
  EXPECT_EQ(sqlite_path("sqlite://oauth.db").value(), "oauth.db");
  EXPECT_EQ(sqlite_path("sqlite://./data/oauth.db").value(), "./data/oauth.db");
  EXPECT_EQ(sqlite_path("sqlite:///var/lib/oauth.db").value(), "/var/lib/oauth.db");
  EXPECT_EQ(sqlite_path("SQLite://My File%20.db").value(), "My File%20.db");
  EXPECT_EQ(sqlite_path("sqlite::memory:").value(), "");
  EXPECT_EQ(sqlite_path("sqlite://:memory:").value(), "");
}

TEST(DatabaseUrl, IsRefusedWithoutBeingRepeated) {
  const std::string refused[] = {
      "",
      "oauth.db",
      "sqlite:",
      "sqlite:oauth.db",
      "sqlite://",
      "sqlite://oauth.db?mode=hunter2",
      "sqlite://oauth.db#hunter2",
      std::string("sqlite://oauth\0.db", 18),
      "sqlite://oauth\n.db",
      "mysql://user:hunter2@host/name",
      "postgresql://user:x/hunter2@host:5432/name",
      "postgresql://user:hunter2@h/n?sslmode=hunter2",
      "postgres://user:hunter2@host:5432/name?no_such_parameter=hunter2",
      "PostgreSQL://user:hunter2@[::1:5432/name",
  };
  for (const auto& url : refused) {
    std::vector<std::string> warnings;
    auto store = open_store(url, warnings);
    ASSERT_FALSE(store.has_value()) << url;
    EXPECT_EQ(store.error().code, errc::config_invalid) << url;
    EXPECT_THAT(store.error().detail, HasSubstr("database_url"));
    EXPECT_THAT(store.error().detail, Not(HasSubstr("hunter2")));
  }
}

TEST(OpenStore, OpensWhatTheUrlNames) {
  test_folder folder;
  std::vector<std::string> warnings;
  auto in_memory = open_store("sqlite::memory:", warnings);
  ASSERT_TRUE(in_memory.has_value());
  EXPECT_NE(dynamic_cast<memory_store*>(in_memory->get()), nullptr);
  auto in_file = open_store("sqlite://" + folder.file("oauth.db"), warnings);
  ASSERT_TRUE(in_file.has_value());
  EXPECT_NE(dynamic_cast<sqlite_store*>(in_file->get()), nullptr);
  EXPECT_TRUE((*in_file)->check().has_value());
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(OpenStore, PassesOnWarningsAndErrors) {
  test_folder folder;
  std::vector<std::string> warnings;
  ASSERT_TRUE(open_store("sqlite://" + folder.file("oauth.db"), warnings).has_value());
  ASSERT_EQ(::chmod(folder.file("oauth.db").c_str(), 0640), 0);
  ASSERT_TRUE(open_store("sqlite://" + folder.file("oauth.db"), warnings).has_value());
  EXPECT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(open_store("sqlite://" + folder.file("no/oauth.db"), warnings).error().code,
            errc::store_unavailable);
}

TEST(Schema, GoesUpAndDownByTheUrl) {
  test_folder folder;
  auto url = "sqlite://" + folder.file("oauth.db");
  auto none = read_schema_state(url);
  ASSERT_TRUE(none) << "as the help says: 0 is none";
  EXPECT_EQ(none->version, 0U);
  EXPECT_GT(none->latest, 0U);
  EXPECT_FALSE(std::filesystem::exists(folder.file("oauth.db"))) << "it is not made by looking";
  auto up = apply_migrations(url);
  ASSERT_TRUE(up) << up.error().detail;
  EXPECT_GT(up->version, 0U);
  EXPECT_EQ(up->version, up->latest);
  EXPECT_EQ(apply_migrations(url)->version, up->version) << "again";
  EXPECT_EQ(read_schema_state(url)->version, up->version);
  auto down = undo_migrations(url);
  ASSERT_TRUE(down) << down.error().detail;
  EXPECT_EQ(down->version, 0U);
  EXPECT_EQ(read_schema_state(url)->version, 0U);
  EXPECT_EQ(apply_migrations(url)->version, up->latest);
}

TEST(Schema, TheNewestOfAKindIsLookedAtWithoutMakingADatabase) {
  test_folder folder;
  auto url = "sqlite://" + folder.file("oauth.db");
  auto now = from_unix(1'800'000'000);
  EXPECT_TRUE(look_at_kind(url, "signing_key", now, 1)->empty());
  EXPECT_FALSE(std::filesystem::exists(folder.file("oauth.db")));
  EXPECT_TRUE(look_at_kind("sqlite::memory:", "signing_key", now, 1)->empty());
  EXPECT_EQ(look_at_kind("mysql://db", "signing_key", now, 1).error().code, errc::config_invalid);
  std::vector<std::string> warnings;
  auto store = open_store(url, warnings);
  ASSERT_TRUE(store);
  EXPECT_TRUE(look_at_kind(url, "signing_key", now, 1)->empty());
  for (auto [id, made] :
       {std::pair{"old", now - seconds(9)}, {"new", now - seconds(5)}, {"older", now - seconds(20)}}) {
    record r;
    r.kind = "signing_key";
    r.id = id;
    r.created = made;
    r.expires = now + seconds(100);
    change c;
    c.put.push_back(std::move(r));
    ASSERT_TRUE((*store)->commit(c, now).value());
  }
  EXPECT_EQ(look_at_kind(url, "signing_key", now, 1)->at(0).id, "new");
  EXPECT_TRUE(look_at_kind(url, "signing_key", now + seconds(100), 1)->empty()) << "expired";
  EXPECT_EQ(look_at_kind(url, "signing_key", now, 2)->size(), 2U);
  EXPECT_EQ(look_at(url, "signing_key", "older", now)->value().id, "older");
  EXPECT_FALSE(look_at(url, "signing_key", "none", now)->has_value());
  EXPECT_FALSE(look_at(url, "revoked", "older", now)->has_value());
  ASSERT_TRUE((*store)->clock());
  EXPECT_FALSE((*store)->clock()->has_value()) << "it is this machine's";
}

TEST(Schema, OfADatabaseThatNobodyServesIsAnError) {
  for (const char* url : {"mysql://db/name", "oauth.db", ""}) {
    EXPECT_EQ(apply_migrations(url).error().code, errc::config_invalid) << url;
    EXPECT_EQ(undo_migrations(url).error().code, errc::config_invalid) << url;
    EXPECT_EQ(read_schema_state(url).error().code, errc::config_invalid) << url;
  }
}

TEST(DatabasePlace, IsAbsoluteAndHasNoPassword) {
  EXPECT_EQ(database_place("sqlite://oauth.db"), (std::filesystem::current_path() / "oauth.db").string());
  EXPECT_EQ(database_place("sqlite:///var/lib/x/../oauth.db"), "/var/lib/oauth.db");
  EXPECT_THAT(database_place("postgresql://app:s3cret@db.example:5432/oauth"),
              testing::AllOf(testing::HasSubstr("db.example"), testing::Not(testing::HasSubstr("s3cret"))));
  EXPECT_EQ(database_place("mysql://app:s3cret@db/oauth"), "an unknown database");
}

TEST(SqlTime, GoesThereAndBack) {
  struct pair {
    std::int64_t unix_time;
    const char* text;
  };
  const pair pairs[] = {
      {0, "1970-01-01 00:00:00"},
      {-1, "1969-12-31 23:59:59"},
      {951'782'400, "2000-02-29 00:00:00"},
      {1'795'241'104, "2026-11-21 06:05:04"},
      {4'102'444'799, "2099-12-31 23:59:59"},
  };
  for (const auto& p : pairs) {
    EXPECT_EQ(to_sql_time(from_unix(p.unix_time)), p.text);
    ASSERT_TRUE(from_sql_time(p.text)) << p.text;
    EXPECT_EQ(*from_sql_time(p.text), from_unix(p.unix_time)) << p.text;
  }
  EXPECT_EQ(to_sql_time(from_unix(10) + milliseconds(999)), "1970-01-01 00:00:10");
}

TEST(SqlTime, StaysWithinWhatATimeCanHold) {
  auto latest = std::chrono::floor<seconds>(time_point::max());
  auto earliest = std::chrono::ceil<seconds>(time_point::min());
  EXPECT_EQ(from_sql_time("9999-12-31 23:59:59"), time_point(latest));
  EXPECT_EQ(from_sql_time("0001-01-01 00:00:00"), time_point(earliest));
  EXPECT_EQ(from_sql_time(to_sql_time(time_point::max())), time_point(latest));
}

TEST(SqlTime, RefusesEveryOtherForm) {
  for (const char* text :
       {"", "now", "2026-11-21", "2026-11-21T06:05:04", "2026-11-21 06:05:04Z", "2026-11-21 06:05:04.1",
        "2026-13-01 00:00:00", "2026-00-01 00:00:00", "2026-02-29 00:00:00", "2026-11-21 24:00:00",
        "2026-11-21 23:60:00", "2026-11-21 23:59:60", "2026-11-2 106:05:04", "-026-11-21 06:05:04",
        "2026-11-21 06:05: 4", "2026/11/21 06:05:04"}) {
    EXPECT_FALSE(from_sql_time(text)) << text;
  }
}

}  // namespace
}  // namespace mcp_oauth
