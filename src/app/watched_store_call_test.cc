#include "app/watched_store_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using operation = store_call::operation;

TEST(StoreNote, TellsReadsFromWrites) {
  for (auto what : {operation::get, operation::get_each, operation::list, operation::count, operation::check})
    EXPECT_EQ(topic_of({what}), topic::db_query) << to_name(what);
  for (auto what : {operation::take, operation::commit, operation::erase_grant, operation::sweep})
    EXPECT_EQ(topic_of({what}), topic::db_transaction) << to_name(what);
}

TEST(StoreNote, SaysWhatHowManyAndHowLong) {
  store_call get{operation::get, "login"};
  get.rows = 1;
  get.took = std::chrono::microseconds(1500);
  EXPECT_EQ(store_note(get).message, "get login: 1 row in 1.500 ms");
  get.rows = 0;
  EXPECT_EQ(store_note(get).message, "get login: 0 rows in 1.500 ms");
  store_call sweep{operation::sweep};
  EXPECT_EQ(store_note(sweep).message, "sweep: 0 rows in 0.000 ms");
}

TEST(StoreNote, NamesTheKindsOfSeveralRecordsAndNoneOfThem) {
  std::vector<record_name> names{{"client", "s3cret"}, {"refresh", "s3cret"}};
  store_call call{operation::get_each, {}, nullptr, names};
  call.rows = 2;
  EXPECT_EQ(store_note(call).message, "get_each client, refresh: 2 rows in 0.000 ms");
}

TEST(StoreNote, NamesNoRecordOfAChange) {
  change wanted;
  record r;
  r.kind = "grant";
  r.id = r.grant = r.user = r.data = "s3cret";
  wanted.put = {r, r};
  r.kind = "refresh";
  wanted.put.push_back(r);
  wanted.erase = {{"code", "s3cret"}};
  wanted.when = {{"code", "s3cret", 1}};
  store_call call{operation::commit, {}, &wanted};
  call.rows = 4;
  EXPECT_EQ(store_note(call).message, "commit: put grant, refresh; erase code: 4 rows in 0.000 ms");
  call.applied = false;
  EXPECT_EQ(store_note(call).message,
            "commit: put grant, refresh; erase code: nothing changed: somebody else was first in 0.000 ms");
}

TEST(StoreNote, SaysWhyAndNotInWhoseWords) {
  error why{errc::store_busy, "INSERT of s3cret"};
  store_call call{operation::take, "code"};
  call.why = &why;
  auto note = store_note(call);
  EXPECT_EQ(note.message, "take code: failed in 0.000 ms");
  EXPECT_THAT(note.fields, testing::Contains(testing::Pair("reason", "store_busy")));
  for (const auto& [name, value] : note.fields)
    EXPECT_THAT(value, testing::Not(testing::HasSubstr("s3cret")));
}

}  // namespace
}  // namespace mcp_oauth
