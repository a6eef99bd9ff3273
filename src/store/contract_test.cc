// The contract of record_store.h, held against every store.
#include "store/memory_store.h"
#include "store/postgres_store.h"
#include "store/record_store.h"
#include "store/sqlite_store.h"
#include "store/test_folder.h"
#include "store/test_postgres.h"

#include <atomic>
#include <barrier>
#include <functional>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::IsEmpty;

const time_point now = from_unix(1'800'000'000);

struct store_kind {
  const char* name;
  std::function<std::unique_ptr<record_store>(const test_folder&)> make;
};
void PrintTo(const store_kind& kind, std::ostream* out) { *out << kind.name; }

std::unique_ptr<record_store> make_sqlite(const test_folder& folder) {
  auto store = sqlite_store::open(folder.file("oauth.db"));
  if (!store) throw std::runtime_error(store.error().detail);
  return std::move(*store);
}

std::unique_ptr<record_store> make_postgres(const test_folder&) {
  auto* server = test_postgres::shared();
  if (server == nullptr) return nullptr;
  auto store = postgres_store::open(server->fresh_url());
  if (!store) throw std::runtime_error(store.error().detail);
  return std::move(*store);
}

const store_kind every_store[] = {
    {"memory", [](const test_folder&) { return std::make_unique<memory_store>(); }},
    {"sqlite", make_sqlite},
    {"postgres", make_postgres},
};

// One kind per table, and two that share one.
const std::vector<std::string> kinds = {"login", "refresh", "user", "code", "grant"};

record make(std::string kind, std::string id, time_point expires = now + hours(1)) {
  return record{.kind = std::move(kind),
                .id = std::move(id),
                .grant = "",
                .user = "",
                .provider = "",
                .data = "data",
                .created = now,
                .expires = expires};
}

class Store : public testing::TestWithParam<store_kind> {
 protected:
  void SetUp() override {
    if (!store) GTEST_SKIP() << "PostgreSQL is not installed";
  }
  void put(record r) {
    auto done = store->commit({.when = {}, .put = {std::move(r)}, .erase = {}}, now);
    ASSERT_TRUE(done.has_value()) << done.error().detail;
    ASSERT_TRUE(*done);
  }
  bool commit(const change& wanted, time_point at = now) {
    auto done = store->commit(wanted, at);
    EXPECT_TRUE(done.has_value()) << done.error().detail;
    return done.value_or(false);
  }
  std::optional<record> get(std::string_view kind, std::string_view id, time_point at = now) {
    auto found = store->get(kind, id, at);
    EXPECT_TRUE(found.has_value()) << found.error().detail;
    return found.value_or(std::nullopt);
  }
  std::optional<record> take(std::string_view kind, std::string_view id, time_point at = now) {
    auto found = store->take(kind, id, at);
    EXPECT_TRUE(found.has_value()) << found.error().detail;
    return found.value_or(std::nullopt);
  }
  std::uint64_t count(std::string_view kind, time_point at = now) {
    auto counted = store->count(kind, at);
    EXPECT_TRUE(counted.has_value()) << counted.error().detail;
    return counted.value_or(9999);
  }
  std::vector<std::string> list(std::string_view kind, std::size_t most, std::string_view user = {},
                                time_point at = now) {
    auto found = store->list(kind, at, most, user);
    EXPECT_TRUE(found.has_value()) << found.error().detail;
    std::vector<std::string> ids;
    for (const auto& r : found.value_or(std::vector<record>{})) {
      EXPECT_EQ(r.kind, kind);
      ids.push_back(r.id);
    }
    return ids;
  }

  test_folder folder;
  std::unique_ptr<record_store> store = GetParam().make(folder);
};

INSTANTIATE_TEST_SUITE_P(Every, Store, testing::ValuesIn(every_store),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(Store, GivesSeveralInTheOrderOfTheirNames) {
  for (const auto& kind : kinds) put(make(kind, kind + "-id"));
  put(make("code", "expired", now + seconds(5)));
  std::vector<record_name> names{{"code", "expired"}, {"nothing", "here"}};
  for (const auto& kind : kinds) names.push_back({kind, kind + "-id"});
  names.push_back({"login", "code-id"});
  auto found = store->get_each(names, now + seconds(5));
  ASSERT_TRUE(found.has_value()) << found.error().detail;
  ASSERT_EQ(found->size(), names.size());
  EXPECT_FALSE((*found)[0]) << "expired";
  EXPECT_FALSE((*found)[1]);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    ASSERT_TRUE((*found)[i + 2]) << kinds[i];
    EXPECT_EQ((*found)[i + 2]->kind, kinds[i]);
    EXPECT_EQ((*found)[i + 2]->id, kinds[i] + "-id");
    EXPECT_EQ((*found)[i + 2]->version, get(kinds[i], kinds[i] + "-id")->version);
  }
  EXPECT_FALSE(found->back()) << "another kind's id";
  EXPECT_THAT(store->get_each({}, now).value(), IsEmpty());
}

TEST_P(Store, GivesBackWhatWasPutInEveryKind) {
  for (const auto& kind : kinds) {
    record wanted = make(kind, "id-of-" + kind);
    wanted.grant = "g1";
    wanted.user = "alice";
    wanted.provider = "corp";
    wanted.data = "data of " + kind;
    wanted.created = now - hours(3);
    put(wanted);
  }
  for (const auto& kind : kinds) {
    auto found = get(kind, "id-of-" + kind);
    ASSERT_TRUE(found) << kind;
    EXPECT_EQ(found->kind, kind);
    EXPECT_EQ(found->id, "id-of-" + kind);
    EXPECT_EQ(found->grant, "g1");
    EXPECT_EQ(found->user, "alice");
    EXPECT_EQ(found->provider, "corp");
    EXPECT_EQ(found->data, "data of " + kind);
    EXPECT_EQ(found->created, now - hours(3));
    EXPECT_EQ(found->expires, now + hours(1));
    EXPECT_NE(found->version, 0U);
  }
}

TEST_P(Store, KeepsAnyBytes) {
  const std::string hostile[] = {
      "",
      std::string("\0", 1),
      std::string("a\0b", 3),
      "\xff\xfe\x80",
      "'; DROP TABLE tokens; --",
      "\"%_?1:x",
      std::string(70'000, 'x'),
  };
  for (const auto& kind : kinds) {
    for (const auto& bytes : hostile) {
      record wanted = make(kind, "id" + bytes);
      wanted.grant = wanted.user = wanted.provider = wanted.data = bytes;
      put(wanted);
      auto found = get(kind, "id" + bytes);
      ASSERT_TRUE(found) << kind;
      EXPECT_EQ(found->id, wanted.id);
      EXPECT_EQ(found->grant, bytes);
      EXPECT_EQ(found->user, bytes);
      EXPECT_EQ(found->provider, bytes);
      EXPECT_EQ(found->data, bytes);
    }
    EXPECT_EQ(count(kind), std::size(hostile)) << kind;
  }
}

TEST_P(Store, TellsRecordsApartByKindAndId) {
  put(make("code", "a"));
  EXPECT_TRUE(get("code", "a"));
  EXPECT_FALSE(get("code", "A"));
  EXPECT_FALSE(get("code", "a "));
  EXPECT_FALSE(get("code", ""));
  EXPECT_FALSE(get("grant", "a"));
  EXPECT_FALSE(get("login", "a"));
  EXPECT_FALSE(get("refresh", "a"));
  EXPECT_FALSE(get("", "a"));
}

TEST_P(Store, KeepsTimesToTheSecondRoundedDown) {
  record wanted = make("code", "a", now + milliseconds(10'999));
  wanted.created = from_unix(0) - milliseconds(1);
  put(wanted);
  auto found = get("code", "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->expires, now + seconds(10));
  EXPECT_EQ(found->created, from_unix(-1));
}

TEST_P(Store, KeepsTheLatestTimeThereIs) {
  put(make("user", "a", time_point::max()));
  auto found = get("user", "a", now + hours(24 * 365 * 100));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->expires, time_point(std::chrono::floor<seconds>(time_point::max())));
}

TEST_P(Store, TreatsTheExpiredAsAbsentInEveryCall) {
  for (const auto& kind : kinds) {
    put(make(kind, "a", now + seconds(10)));
    for (auto after :
         {milliseconds(10'000), milliseconds(10'001), milliseconds(10'999), milliseconds(99'000)}) {
      EXPECT_FALSE(get(kind, "a", now + after)) << kind;
      EXPECT_FALSE(take(kind, "a", now + after)) << kind;
      EXPECT_EQ(count(kind, now + after), 0U) << kind;
      EXPECT_THAT(list(kind, 10, {}, now + after), IsEmpty()) << kind;
    }
    EXPECT_TRUE(get(kind, "a", now + milliseconds(9'999))) << kind;
    EXPECT_TRUE(take(kind, "a", now + milliseconds(9'999))) << kind;
  }
}

TEST_P(Store, TakesOnce) {
  for (const auto& kind : kinds) {
    put(make(kind, "a"));
    auto first = take(kind, "a");
    ASSERT_TRUE(first) << kind;
    EXPECT_EQ(first->kind, kind);
    EXPECT_EQ(first->data, "data");
    EXPECT_NE(first->version, 0U);
    EXPECT_FALSE(take(kind, "a")) << kind;
    EXPECT_FALSE(get(kind, "a")) << kind;
  }
}

TEST_P(Store, TakesNothingElse) {
  put(make("code", "a"));
  put(make("code", "b"));
  put(make("grant", "a"));
  EXPECT_TRUE(take("code", "a"));
  EXPECT_FALSE(take("code", "missing"));
  EXPECT_TRUE(get("code", "b"));
  EXPECT_TRUE(get("grant", "a"));
}

TEST_P(Store, ReplacesTheWholeRecord) {
  for (const auto& kind : kinds) {
    record old = make(kind, "a");
    old.grant = old.user = old.provider = "old";
    put(old);
    record fresh = make(kind, "a", now + hours(2));
    fresh.data = "new";
    fresh.created = now + seconds(5);
    put(fresh);
    auto found = get(kind, "a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->grant, "");
    EXPECT_EQ(found->user, "");
    EXPECT_EQ(found->provider, "");
    EXPECT_EQ(found->data, "new");
    EXPECT_EQ(found->created, now + seconds(5));
    EXPECT_EQ(found->expires, now + hours(2));
    EXPECT_EQ(count(kind), 1U);
  }
}

TEST_P(Store, ChangesTheVersionWithEveryWrite) {
  for (const auto& kind : kinds) {
    constexpr std::uint64_t unwanted = 1'000'000'007;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 50; ++i) {
      record same = make(kind, "a");
      same.version = unwanted;  // not the caller's to choose
      put(same);
      EXPECT_TRUE(seen.insert(get(kind, "a")->version).second) << kind;
      // An erased record of that name must not come back under its old version.
      if (i % 5 == 0) {
        EXPECT_TRUE(take(kind, "a"));
      }
    }
    EXPECT_EQ(seen.count(0), 0U);
    EXPECT_EQ(seen.count(unwanted), 0U);
  }
}

TEST_P(Store, KeepsTheVersionWhileNobodyWrites) {
  put(make("grant", "a"));
  auto before = get("grant", "a")->version;
  put(make("grant", "b"));
  EXPECT_EQ(get("grant", "a")->version, before);
}

TEST_P(Store, AppliesAChangeOnlyIfEveryConditionHolds) {
  for (const auto& kind : kinds) {
    put(make(kind, "there"));
    put(make(kind, "old", now + seconds(1)));
    auto version = get(kind, "there")->version;
    auto old_version = get(kind, "old")->version;
    auto later = now + seconds(2);
    struct attempt {
      const char* what;
      std::vector<condition> when;
      bool applied;
    };
    const attempt attempts[] = {
        {"right version", {{kind, "there", version}}, true},
        {"wrong version", {{kind, "there", version + 1}}, false},
        {"absent, but it is there", {{kind, "there", 0}}, false},
        {"absent", {{kind, "missing", 0}}, true},
        {"a version of what is absent", {{kind, "missing", version}}, false},
        {"expired counts as absent", {{kind, "old", 0}}, true},
        {"an expired version", {{kind, "old", old_version}}, false},
        {"both hold", {{kind, "there", version}, {kind, "missing", 0}}, true},
        {"the second does not", {{kind, "there", version}, {kind, "missing", 1}}, false},
        {"the first does not", {{kind, "missing", 1}, {kind, "there", version}}, false},
        {"another kind's record", {{"else", "there", version}}, false},
    };
    for (const auto& a : attempts) {
      put(make("victim", "v"));
      change wanted{.when = a.when, .put = {make("mark", "m")}, .erase = {{"victim", "v"}}};
      EXPECT_EQ(commit(wanted, later), a.applied) << kind << ": " << a.what;
      EXPECT_EQ(take("mark", "m").has_value(), a.applied) << kind << ": " << a.what;
      EXPECT_EQ(get("victim", "v").has_value(), !a.applied) << kind << ": " << a.what;
    }
  }
}

TEST_P(Store, AppliesAChangeAcrossKinds) {
  put(make("code", "c"));
  put(make("login", "l"));
  change wanted{.when = {},
                .put = {make("refresh", "r"), make("grant", "g"), make("user", "u")},
                .erase = {{"code", "c"}, {"login", "l"}, {"code", "never there"}}};
  EXPECT_TRUE(commit(wanted));
  EXPECT_FALSE(get("code", "c"));
  EXPECT_FALSE(get("login", "l"));
  EXPECT_TRUE(get("refresh", "r"));
  EXPECT_TRUE(get("grant", "g"));
  EXPECT_TRUE(get("user", "u"));
}

TEST_P(Store, ErasesBeforeItPuts) {
  put(make("code", "a"));
  EXPECT_TRUE(commit({.when = {}, .put = {make("code", "a")}, .erase = {{"code", "a"}}}));
  EXPECT_TRUE(get("code", "a"));
}

TEST_P(Store, AppliesTheEmptyChange) { EXPECT_TRUE(commit({})); }

TEST_P(Store, ErasesAGrantInEveryKindAndNothingElse) {
  for (const auto& kind : kinds) {
    for (const char* grant : {"", "g1", "g2", "g11"}) {
      record r = make(kind, std::string("of-") + grant);
      r.grant = grant;
      put(r);
    }
  }
  auto erased = store->erase_grant("g1");
  ASSERT_TRUE(erased.has_value());
  EXPECT_EQ(*erased, kinds.size());
  for (const auto& kind : kinds) EXPECT_THAT(list(kind, 10), ElementsAre("of-", "of-g11", "of-g2")) << kind;
  EXPECT_EQ(store->erase_grant("g1").value(), 0U);
}

TEST_P(Store, ErasesNothingForTheGrantOfNobody) {
  put(make("code", "a"));
  EXPECT_EQ(store->erase_grant("").value(), 0U);
  EXPECT_TRUE(get("code", "a"));
}

TEST_P(Store, ListsTheNewestFirstAndNoMoreThanAsked) {
  for (const auto& kind : kinds) {
    for (int i = 0; i < 5; ++i) {
      record r = make(kind, "r" + std::to_string(i));
      r.created = now + seconds(i == 4 ? 3 : i);
      put(r);
    }
    EXPECT_THAT(list(kind, 10), ElementsAre("r3", "r4", "r2", "r1", "r0")) << kind;
    EXPECT_THAT(list(kind, 2), ElementsAre("r3", "r4")) << kind;
    EXPECT_THAT(list(kind, 0), IsEmpty()) << kind;
    EXPECT_EQ(list(kind, static_cast<std::size_t>(-1)).size(), 5U) << kind;
  }
  EXPECT_THAT(list("never", 10), IsEmpty());
}

TEST_P(Store, ListsOneUsersRecords) {
  for (const auto& kind : kinds) {
    for (const char* user : {"", "alice", "bob", "alice2"}) {
      record r = make(kind, std::string("of-") + user);
      r.user = user;
      put(r);
    }
    EXPECT_THAT(list(kind, 10, "alice"), ElementsAre("of-alice")) << kind;
    EXPECT_THAT(list(kind, 10, "carol"), IsEmpty()) << kind;
    EXPECT_EQ(list(kind, 10, "").size(), 4U) << kind;
  }
}

TEST_P(Store, CountsWhatIsThere) {
  for (const auto& kind : kinds) {
    EXPECT_EQ(count(kind), 0U) << kind;
    for (int i = 0; i < 5; ++i) put(make(kind, "r" + std::to_string(i), now + seconds(i)));
    EXPECT_EQ(count(kind), 4U) << kind;
    EXPECT_EQ(count(kind, now + seconds(2)), 2U) << kind;
  }
}

TEST_P(Store, SweepsTheExpiredInBoundedBatches) {
  for (const auto& kind : kinds) {
    for (int i = 0; i < 3; ++i) put(make(kind, "dead" + std::to_string(i), now + seconds(1)));
    put(make(kind, "alive", now + seconds(3)));
  }
  auto later = now + seconds(2);
  EXPECT_EQ(store->sweep(later, 0).value(), 0U);
  EXPECT_EQ(store->sweep(later, 7).value(), 7U);
  EXPECT_EQ(store->sweep(later, 7).value(), 7U);
  EXPECT_EQ(store->sweep(later, 7).value(), kinds.size() * 3 - 14);
  EXPECT_EQ(store->sweep(later, 7).value(), 0U);
  // Seen from before they expired: the swept are gone, the others are not.
  for (const auto& kind : kinds) EXPECT_THAT(list(kind, 10, {}, now), ElementsAre("alive")) << kind;
}

TEST_P(Store, AnswersTheCheck) { EXPECT_TRUE(store->check().has_value()); }

constexpr int racers = 8;

// Runs `work(thread)` on every thread at once.
void race(const std::function<void(int)>& work) {
  std::barrier start(racers);
  std::vector<std::thread> threads;
  for (int t = 0; t < racers; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      work(t);
    });
  }
  for (auto& t : threads) t.join();
}

TEST_P(Store, GivesARacedRecordToExactlyOneTaker) {
  constexpr int rounds = 60;
  for (const auto& kind : {std::string("code"), std::string("refresh")}) {
    for (int i = 0; i < rounds; ++i) put(make(kind, std::to_string(i)));
    std::vector<std::atomic<int>> winners(rounds);
    std::atomic<int> failures = 0;
    race([&](int) {
      for (int i = 0; i < rounds; ++i) {
        auto taken = store->take(kind, std::to_string(i), now);
        if (!taken) ++failures;
        if (taken && *taken) ++winners[static_cast<std::size_t>(i)];
      }
    });
    EXPECT_EQ(failures, 0);
    for (int i = 0; i < rounds; ++i) EXPECT_EQ(winners[static_cast<std::size_t>(i)], 1) << kind << " " << i;
  }
}

TEST_P(Store, AppliesExactlyOneOfRacingChanges) {
  constexpr int rounds = 60;
  put(make("grant", "g"));
  for (int i = 0; i < rounds; ++i) {
    auto version = get("grant", "g")->version;
    std::atomic<int> applied = 0;
    race([&](int t) {
      record mine = make("grant", "g");
      mine.data = std::to_string(t);
      change wanted{.when = {{"grant", "g", version}},
                    .put = {mine, make("refresh", std::to_string(i) + "-" + std::to_string(t))},
                    .erase = {}};
      auto done = store->commit(wanted, now);
      if (done && *done) ++applied;
    });
    ASSERT_EQ(applied, 1) << i;
    ASSERT_EQ(count("refresh"), static_cast<std::uint64_t>(i) + 1);
    ASSERT_TRUE(get("refresh", std::to_string(i) + "-" + get("grant", "g")->data));
  }
}

TEST_P(Store, ReadsItsOwnWritesFromEveryThread) {
  std::atomic<int> lost = 0;
  race([&](int t) {
    for (int i = 0; i < 20; ++i) {
      auto id = std::to_string(t) + "-" + std::to_string(i);
      auto done = store->commit({.when = {}, .put = {make("code", id)}, .erase = {}}, now);
      auto found = store->get("code", id, now);
      if (!done || !*done || !found || !*found) ++lost;
    }
  });
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(count("code"), racers * 20U);
}

}  // namespace
}  // namespace mcp_oauth
