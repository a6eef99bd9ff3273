#include "app/observed_store.h"

#include "store/memory_store.h"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;

class ObservedStore : public testing::Test {
 protected:
  static record a_record(std::string kind, std::string id) {
    record r;
    r.kind = std::move(kind);
    r.id = std::move(id);
    r.grant = "g";
    r.data = "s3cret";
    r.created = now;
    r.expires = now + seconds(60);
    return r;
  }
  void put(std::vector<record> records) {
    change wanted;
    wanted.put = std::move(records);
    EXPECT_EQ(store.commit(wanted, now).value_or(false), true);
  }

  static constexpr time_point now = time_point(seconds(1'700'000'000));
  std::vector<std::string> seen;
  observed_store store{std::make_unique<memory_store>(), [this](const store_call& c) {
                         EXPECT_GE(c.took.count(), 0);
                         seen.push_back(std::string(to_name(c.what)) + " " + std::string(c.of) + " " +
                                        std::to_string(c.rows) + (c.applied ? "" : " not applied") +
                                        (c.why != nullptr ? " failed" : ""));
                       }};
};

TEST_F(ObservedStore, ShowsEachCallAndDoesIt) {
  put({a_record("login", "a"), a_record("login", "b")});
  EXPECT_EQ(store.get("login", "a", now)->value().data, "s3cret");
  EXPECT_FALSE(store.get("login", "none", now)->has_value());
  EXPECT_EQ(store.get_each(std::array{record_name{"login", "b"}, record_name{"code", "none"}}, now)->size(),
            2U);
  EXPECT_EQ(store.list("login", now, 10, "")->size(), 2U);
  EXPECT_EQ(store.count("login", now), 2U);
  EXPECT_TRUE(store.take("login", "a", now)->has_value());
  EXPECT_FALSE(store.take("login", "a", now)->has_value());
  EXPECT_EQ(store.erase_grant("g"), 1U);
  EXPECT_EQ(store.sweep(now, 5), 0U);
  EXPECT_TRUE(store.check());
  EXPECT_THAT(seen, ElementsAre("commit  2", "get login 1", "get login 0", "get_each  1", "list login 2",
                                "count login 2", "take login 1", "take login 0", "erase_grant  1", "sweep  0",
                                "check  0"));
}

TEST_F(ObservedStore, SaysThatAConditionDidNotHold) {
  change wanted;
  wanted.when = {{"login", "a", 7}};
  wanted.put = {a_record("login", "a")};
  EXPECT_EQ(store.commit(wanted, now).value_or(true), false);
  EXPECT_THAT(seen, ElementsAre("commit  0 not applied"));
}

// Fails whatever it is asked, and keeps who watches it.
class failing_store final : public record_store {
 public:
  result<std::optional<record>> get(std::string_view, std::string_view, time_point) override { return no(); }
  result<std::optional<record>> take(std::string_view, std::string_view, time_point) override { return no(); }
  result<bool> commit(const change&, time_point) override { return no(); }
  result<std::uint64_t> erase_grant(std::string_view) override { return no(); }
  result<std::vector<record>> list(std::string_view, time_point, std::size_t, std::string_view) override {
    return no();
  }
  result<std::uint64_t> count(std::string_view, time_point) override { return no(); }
  result<std::uint64_t> sweep(time_point, std::size_t) override { return no(); }
  void watch(std::function<void(std::string_view, std::string_view)> changed) override {
    changed_ = std::move(changed);
    if (changed_) changed_("revoked", "g");
  }
  result<void> check() override { return no(); }

 private:
  static tl::unexpected<error> no() { return fail(errc::store_busy, "why"); }
  std::function<void(std::string_view, std::string_view)> changed_;
};

TEST(ObservedStoreBehind, FailuresAndAnnouncementsPass) {
  std::size_t failed = 0;
  observed_store store(std::make_unique<failing_store>(), [&](const store_call& c) {
    ASSERT_NE(c.why, nullptr);
    EXPECT_EQ(c.why->code, errc::store_busy);
    ++failed;
  });
  auto now = time_point();
  EXPECT_EQ(store.get("a", "b", now).error().detail, "why");
  EXPECT_FALSE(store.get_each(std::array{record_name{"a", "b"}}, now));
  EXPECT_FALSE(store.take("a", "b", now));
  EXPECT_FALSE(store.commit({}, now));
  EXPECT_FALSE(store.erase_grant("g"));
  EXPECT_FALSE(store.list("a", now, 1, ""));
  EXPECT_FALSE(store.count("a", now));
  EXPECT_FALSE(store.sweep(now, 1));
  EXPECT_FALSE(store.check());
  EXPECT_EQ(failed, static_cast<std::size_t>(store_call::operation::count_));
  std::string told;
  store.watch(
      [&](std::string_view kind, std::string_view id) { told = std::string(kind) + " " + std::string(id); });
  EXPECT_EQ(told, "revoked g");
}

}  // namespace
}  // namespace mcp_oauth
