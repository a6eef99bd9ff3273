#include "app/story_keeper.h"

#include "app/login_openings.h"
#include "app/story_front.h"
#include "store/memory_store.h"

#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::int64_t now_ms() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

failure_story a_story(std::string id, std::string client = "192.0.2.7") {
  failure_story s;
  s.id = std::move(id);
  s.code = "MOP-AUD-001";
  s.at = now_ms();
  s.client = std::move(client);
  return s;
}

failure_story a_named_story(std::string id, std::string client = "192.0.2.7") {
  auto s = a_story(std::move(id), std::move(client));
  s.user = "local:ada";
  return s;
}

class store_that_may_be_away final : public record_store {
 public:
  std::atomic<bool> away = false;
  std::atomic<int> attempts = 0;
  std::mutex hanging;  // while somebody holds it

  result<bool> commit(const change& wanted, time_point now) override {
    ++attempts;
    std::lock_guard lock(hanging);
    if (away) return fail(errc::store_unavailable, "disk full");
    return behind_.commit(wanted, now);
  }
  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override {
    return behind_.get(kind, id, now);
  }
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override {
    return behind_.take(kind, id, now);
  }
  result<std::uint64_t> erase_grant(std::string_view grant) override { return behind_.erase_grant(grant); }
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user = {}) override {
    return behind_.list(kind, now, most, user);
  }
  result<std::uint64_t> count(std::string_view kind, time_point now) override {
    return behind_.count(kind, now);
  }
  result<std::uint64_t> sweep(time_point now, std::size_t most) override { return behind_.sweep(now, most); }
  result<void> check() override { return behind_.check(); }

 private:
  memory_store behind_;
};

class StoryKeeper : public testing::Test {
 protected:
  StoryKeeper() {
    auto pattern = (std::filesystem::temp_directory_path() / "mop-stories-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    log_ = std::move(*log_sink::open(folder_ / "log", log_level::info));
  }
  ~StoryKeeper() override {
    keeper_.reset();
    log_.reset();
    std::filesystem::remove_all(folder_);
  }
  void start(explain_settings conf = {},
             story_pace pace = {milliseconds(1), milliseconds(0), seconds(600), seconds(0), 60}) {
    keeper_ = std::make_unique<story_keeper>(store_, conf, *log_, pace);
  }
  // What is kept once everything was written.
  std::vector<failure_story> kept() {
    keeper_.reset();
    std::vector<failure_story> stories;
    auto records = store_.list(story_kind, std::chrono::system_clock::now(), 10'000);
    for (const auto& r : *records) stories.push_back(*story_from(r.data));
    return stories;
  }

  std::filesystem::path folder_;
  std::unique_ptr<log_sink> log_;
  store_that_may_be_away store_;
  std::unique_ptr<story_keeper> keeper_;
};

TEST_F(StoryKeeper, WritesAtItsEndWhatIsLeft) {
  start({}, {milliseconds(600'000)});
  keeper_->add(1, "a", a_story("one"));
  keeper_->add(2, "a", a_story("two"));
  EXPECT_EQ(kept().size(), 2U);
}

TEST_F(StoryKeeper, SleepsWhileThereIsNothingToDo) {
  // A look at what is kept is due in an hour.
  story_pace pace{milliseconds(1), milliseconds(0), seconds(600), seconds(3600), 60};
  start({}, pace);
  // Another of the same pace, whose store is away: it looks fifty times meanwhile.
  store_that_may_be_away gone;
  gone.away = true;
  story_keeper busy(gone, {}, *log_, pace);
  busy.add(1, "a", a_story("one"));
  auto sleeps = [&] {
    auto before = keeper_->rounds();
    for (auto until = busy.rounds() + 50; busy.rounds() < until;) std::this_thread::yield();
    return keeper_->rounds() == before;
  };
  EXPECT_EQ(keeper_->rounds(), 0U);
  ASSERT_TRUE(sleeps());
  store_.away = true;
  keeper_->add(1, "a", a_story("one"));
  while (store_.attempts < 2) std::this_thread::yield();  // it tries again, and nobody calls it
  store_.away = false;
  while (*store_.count(story_kind, std::chrono::system_clock::now()) != 1) std::this_thread::yield();
  // What may have been under way is over by then.
  (void)sleeps();
  ASSERT_TRUE(sleeps());
  auto before = keeper_->rounds();
  keeper_->again({1, 1, {"two"}, now_ms()});
  while (keeper_->rounds() == before) std::this_thread::yield();
  EXPECT_EQ(kept().at(0).count, 2U);
}

TEST_F(StoryKeeper, TheSameAgainIsACountAndTheLastIds) {
  start();
  keeper_->add(1, "a", a_story("one"));
  keeper_->again({1, 40, {"before", "lastid"}, now_ms()});
  keeper_->add(1, "a", a_story("three"));
  auto stories = kept();
  ASSERT_EQ(stories.size(), 1U);
  EXPECT_EQ(stories[0].id, "one");
  EXPECT_EQ(stories[0].count, 42U);
  EXPECT_THAT(stories[0].ids, testing::ElementsAre("before", "lastid", "three"));
}

TEST_F(StoryKeeper, AfterALongTimeTheSameIsAnotherStory) {
  start();
  auto old = a_story("old");
  old.at -= 3'600'000;
  keeper_->add(1, "a", old);
  keeper_->add(1, "a", a_story("new"));
  EXPECT_EQ(kept().size(), 2U);
}

TEST_F(StoryKeeper, AFloodOfOneDoesNotWashOutTheOthers) {
  explain_settings conf;
  conf.most = 40;
  start(conf);
  auto quiet = a_named_story("quiet", "198.51.100.1");
  keeper_->add(1, "quiet", quiet);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    auto one = a_named_story("loud" + std::to_string(i));
    one.at = quiet.at;  // in the same minute
    keeper_->add(100 + i, "loud", one);
  }
  while (keeper_->now().kept + keeper_->now().dropped < 1001) std::this_thread::yield();
  EXPECT_EQ(keeper_->now().kept, 61U) << "sixty in a minute of one source";
  auto now = std::chrono::system_clock::now();
  while (*store_.count(story_kind, now) != 40) std::this_thread::yield();
  EXPECT_TRUE(*store_.get(story_kind, "quiet", now));
}

TEST_F(StoryKeeper, ANetworkOfIPv6IsOneSourceHoweverManyAddressesItHas) {
  explain_settings conf;
  conf.most = 40;
  start(conf, {milliseconds(1), milliseconds(0), seconds(600), seconds(0), 1000});
  auto quiet = a_named_story("quiet", "198.51.100.1");
  quiet.at -= 5000;  // the oldest
  keeper_->add(1, "quiet", quiet);
  for (std::uint64_t i = 0; i < 200; ++i)
    keeper_->add(100 + i, "loud",
                 a_named_story("loud" + std::to_string(i), "2001:db8::" + std::to_string(i)));
  auto now = std::chrono::system_clock::now();
  while (keeper_->now().kept < 201) std::this_thread::yield();
  while (*store_.count(story_kind, now) != 40) std::this_thread::yield();
  EXPECT_TRUE(*store_.get(story_kind, "quiet", now));
}

TEST_F(StoryKeeper, ManyStrangersDoNotWashOutThoseWithAName) {
  explain_settings conf;
  conf.most = 40;
  start(conf);
  auto named = a_story("named", "198.51.100.1");
  named.user = "local:ada";
  named.at -= 5000;  // the oldest
  keeper_->add(1, "named", named);
  for (std::uint64_t i = 0; i < 200; ++i) {
    auto address = "192.0.2." + std::to_string(i);
    keeper_->add(100 + i, address, a_story("s" + std::to_string(i), address));
  }
  auto now = std::chrono::system_clock::now();
  while (keeper_->now().kept < 201) std::this_thread::yield();
  while (*store_.count(story_kind, now) != 11) std::this_thread::yield();
  EXPECT_TRUE(*store_.get(story_kind, "named", now));
}

TEST_F(StoryKeeper, TheEndDoesNotWaitForAStoreThatIsAway) {
  store_.away = true;
  start({}, {milliseconds(300)});
  keeper_->add(1, "a", a_story("one"));
  while (store_.attempts < 1) std::this_thread::yield();
  keeper_.reset();  // long before it would try again
  EXPECT_EQ(store_.attempts, 1);
}

TEST_F(StoryKeeper, WhoTellsOfAFailureDoesNotWaitForAStoreThatHangs) {
  store_.hanging.lock();
  start();
  keeper_->add(0, "a", a_story("one"));
  while (store_.attempts < 1) std::this_thread::yield();  // its thread is inside the store, and stays there
  story_front front(keeper_.get());
  // Who waited here would wait for ever.
  int made = 0;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    // Of another second each, so that nothing but the queue bounds them.
    if (!front.is_new(i * 977, i, "id", static_cast<std::int64_t>(i) * 1000)) continue;
    keeper_->add(i * 977, "s", a_story(std::to_string(i)));
    keeper_->again({i * 977, 1, {"id"}, now_ms()});
    keeper_->ended("key", "id", now_ms());
    ++made;
  }
  front.flush();
  store_.hanging.unlock();
  EXPECT_LT(made, 1025) << "the queue is bounded";
  EXPECT_GT(keeper_->now().dropped, 15'000U);
}

TEST_F(StoryKeeper, NoneIsTakenWhereNoneIsWanted) {
  explain_settings none;
  none.most = 0;
  start(none);
  EXPECT_FALSE(keeper_->wants());
  keeper_->change({});
  EXPECT_TRUE(keeper_->wants());
}

TEST_F(StoryKeeper, AFullQueueDropsAndCounts) {
  start({}, {milliseconds(600'000)});
  for (std::uint64_t i = 0; i < 5000; ++i)
    keeper_->add(i, "s" + std::to_string(i), a_story(std::to_string(i)));
  EXPECT_FALSE(keeper_->wants());
  EXPECT_EQ(keeper_->now().dropped, 5000U - 1024);
}

TEST_F(StoryKeeper, HoldsNoSecretThatADetailBrought) {
  start();
  auto s = a_story("one");
  s.detail = "Bearer canary-canary-canary-canary";
  keeper_->add(1, "a", s);
  keeper_.reset();
  auto records = store_.list(story_kind, std::chrono::system_clock::now(), 10);
  EXPECT_THAT(records->at(0).data, testing::Not(testing::HasSubstr("canary")));
}

TEST_F(StoryKeeper, TheFrontMakesOneStoryOfManyAndCountsTheRest) {
  start({}, {milliseconds(600'000)});
  story_front front(keeper_.get());
  auto at = now_ms();
  ASSERT_TRUE(front.is_new(7, 1, "first", at));
  keeper_->add(7, "a", a_story("first"));
  for (int i = 0; i < 99; ++i) EXPECT_FALSE(front.is_new(7, 1, "id" + std::to_string(i), at + i));
  front.flush();
  EXPECT_TRUE(front.is_new(7, 1, "later", at + 5000)) << "a second is over";
  keeper_->add(7, "a", a_story("later"));
  auto stories = kept();
  ASSERT_EQ(stories.size(), 1U);
  EXPECT_EQ(stories[0].count, 101U);
  ASSERT_EQ(stories[0].ids.size(), 17U) << "the last of them, each by its id";
  EXPECT_EQ(stories[0].ids.front(), "id83");
  EXPECT_EQ(stories[0].ids[15], "id98");
  EXPECT_EQ(stories[0].ids.back(), "later");
}

TEST_F(StoryKeeper, TheFrontMakesAHundredASecondAtMost) {
  start({}, {milliseconds(600'000)});
  story_front front(keeper_.get());
  int made = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) made += front.is_new(i * 977 + 3, i, "id", 5'000) ? 1 : 0;
  EXPECT_EQ(made, 100);
  EXPECT_EQ(keeper_->now().dropped, 900U);
}

TEST_F(StoryKeeper, TheFrontLeavesRoomForOthersInASecond) {
  start({}, {milliseconds(600'000)});
  story_front front(keeper_.get());
  for (std::uint64_t i = 0; i < 1000; ++i) (void)front.is_new(i * 977 + 3, 1, "id", 5'000);
  EXPECT_TRUE(front.is_new(999'983, 2, "id", 5'500));
  EXPECT_TRUE(front.is_new(5, 1, "id", 6'000)) << "the next second";
}

TEST_F(StoryKeeper, TheFrontKeepsHalfOfASecondForThoseWhoFailOnce) {
  start({}, {milliseconds(600'000)});
  story_front front(keeper_.get());
  std::uint64_t next = 0;
  int of_busy = 0, of_others = 0;
  for (int i = 0; i < 20; ++i) {
    for (std::uint64_t source = 1; source <= 10; ++source)
      of_busy += front.is_new(++next * 977, source, "id", 5'000) ? 1 : 0;
  }
  EXPECT_EQ(of_busy, 70) << "two of each, and fifty more";
  for (std::uint64_t source = 100; source < 125; ++source)
    of_others += front.is_new(++next * 977, source, "id", 5'900) ? 1 : 0;
  EXPECT_GE(of_others, 24) << "whoever shares no place with one of them";
  EXPECT_FALSE(front.is_new(++next * 977, 1, "id", 5'950));
}

TEST_F(StoryKeeper, AMinuteFullOfStrangersLeavesThoseAloneWhoWereThere) {
  start({}, {milliseconds(1), milliseconds(0), seconds(600), seconds(3600), 60});
  auto at = now_ms();
  auto add = [&](std::uint64_t same, const std::string& source, std::int64_t when) {
    auto before = keeper_->now();
    auto one = a_story("id" + std::to_string(same));
    one.at = when;
    keeper_->add(same, source, one);
    for (;;) {
      auto after = keeper_->now();
      if (after.kept + after.dropped > before.kept + before.dropped) return after.kept > before.kept;
      std::this_thread::yield();
    }
  };
  EXPECT_TRUE(add(1, "known", at));
  // As many as are told apart in a minute.
  for (std::uint64_t i = 0; i < 8191; ++i) {
    while (!keeper_->wants()) std::this_thread::yield();
    auto one = a_story("s" + std::to_string(i));
    one.at = at;
    keeper_->add(100 + i, "s" + std::to_string(i), one);
  }
  while (keeper_->now().kept + keeper_->now().dropped < 8192) std::this_thread::yield();
  ASSERT_EQ(keeper_->now().dropped, 0U);
  EXPECT_FALSE(add(2, "a new one", at));
  EXPECT_TRUE(add(3, "known", at));
  EXPECT_TRUE(add(4, "a new one", at + 60'000)) << "the next minute";
}

TEST_F(StoryKeeper, AStoryOfASignInSaysThatItEndedWell) {
  start();
  auto wrong = a_story("wrong");
  wrong.login = "key";
  auto other = a_story("other");
  other.login = "another";
  keeper_->add(1, "a", wrong);
  keeper_->add(2, "a", other);
  keeper_->ended("key", "right", wrong.at + 5);
  auto stories = kept();
  ASSERT_EQ(stories.size(), 2U);
  for (const auto& s : stories) {
    EXPECT_EQ(s.ended_id, s.id == "wrong" ? "right" : "");
    EXPECT_EQ(s.ended_at, s.id == "wrong" ? wrong.at + 5 : 0);
  }
}

TEST_F(StoryKeeper, HoldsItsBoundsWhileNothingCanBeWritten) {
  store_.away = true;
  start();
  std::uint64_t made = 0;
  while (made < 20'000) {
    if (!keeper_->wants()) {
      std::this_thread::yield();
      continue;
    }
    keeper_->add(made, "s" + std::to_string(made % 7000), a_story(std::to_string(made)));
    ++made;
  }
  while (keeper_->now().kept + keeper_->now().dropped < 20'000) std::this_thread::yield();
  EXPECT_LE(keeper_->now().kept, 2048U);
}

TEST(StoriesPlace, IsWhereSomebodyCanLook) {
  settings conf;
  conf.mode = "gateway";
  conf.database_url = "sqlite://oauth.db";
  EXPECT_EQ(stories_place(conf), "sqlite://oauth.db");
  conf.database_url = "sqlite::memory:";
  EXPECT_EQ(stories_place(conf), "");
  conf.explain.file = "/var/lib/mcp/explain.db";
  EXPECT_EQ(stories_place(conf), "sqlite:///var/lib/mcp/explain.db");
  settings guard;
  guard.mode = "native";
  EXPECT_EQ(stories_place(guard), "sqlite://logs/explain.db");
  guard.log.output = "stdout";
  guard.log.file = "-";
  EXPECT_EQ(stories_place(guard), "");
}

TEST(LoginOpenings, AreOfTheAddressAndOfTheClient) {
  login_openings openings;
  openings.note("192.0.2.7", "gateway", "call000000000", 1000);
  openings.note("192.0.2.7", "metadata", "meta000000000", 2000);
  openings.registered("203.0.113.9", "a-client", "register00000", 3000);
  auto hops = [&](std::string_view address, std::string_view client, std::int64_t now) {
    std::vector<std::string> found;
    for (const auto& s : openings.before(address, client, now))
      found.push_back(s.hop + (s.probable ? "?" : ""));
    return found;
  };
  EXPECT_THAT(hops("192.0.2.7", "a-client", 4000), testing::ElementsAre("gateway?", "metadata?", "register"));
  EXPECT_THAT(hops("192.0.2.7", "another", 4000), testing::ElementsAre("gateway?", "metadata?"));
  EXPECT_THAT(hops("203.0.113.9", "another", 4000), testing::IsEmpty());
  EXPECT_THAT(hops("192.0.2.7", "a-client", 2'000'000), testing::IsEmpty()) << "long ago";
}

}  // namespace
}  // namespace mcp_oauth
