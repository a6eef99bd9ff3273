#include "library/fixture.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using v1::step;

struct LibraryPending : testing::Test {
  library_world world;
  v1::guard g = *v1::guard::make(world.options());

  template <class Check>
  void drive(Check& check) {
    while (check.next() == step::fetch) check.give(world.answer(check.wanted()));
  }
};

TEST_F(LibraryPending, SaysWhatToFetchAndGoesOn) {
  auto check = g.begin_validate(world.token());
  ASSERT_EQ(check.next(), step::fetch);
  EXPECT_EQ(check.wanted().url, "https://idp.example.com/.well-known/openid-configuration");
  EXPECT_EQ(check.result().error().status(), 503);
  check.give(world.answer(check.wanted()));
  ASSERT_EQ(check.next(), step::fetch);
  EXPECT_EQ(check.wanted().url, "https://idp.example.com/keys");
  check.give(world.answer(check.wanted()));
  ASSERT_EQ(check.next(), step::done);
  EXPECT_EQ(check.result()->subject(), "ada");
}

TEST_F(LibraryPending, IsDoneAtOnceWithWhatIsKnown) {
  ASSERT_FALSE(g.prepare());
  EXPECT_EQ(g.begin_validate(world.token()).next(), step::done);
  EXPECT_EQ(g.begin_validate("").next(), step::done);
  test_request nobody{{}, "POST", "/mcp", "{}"};
  auto check = g.begin_admit(nobody.view());
  ASSERT_EQ(check.next(), step::done);
  EXPECT_EQ(check.result().answer().status, 401);
}

TEST_F(LibraryPending, AdmitsAWholeRequest) {
  auto asked = call_of(world.token(), "echo");
  auto check = g.begin_admit(asked.view());
  drive(check);
  auto let_in = check.result();
  ASSERT_TRUE(let_in.allowed());
  EXPECT_EQ(let_in.call().name(), "echo");
}

TEST_F(LibraryPending, WaitsForAnotherThatFetchesTheSame) {
  auto first = g.begin_validate(world.token());
  auto second = g.begin_validate(world.token_with({{"sub", "grace"}}));
  ASSERT_EQ(first.next(), step::fetch);
  ASSERT_EQ(second.next(), step::wait);
  int news = 0;
  second.when_ready([&] { ++news; });
  second.proceed();
  EXPECT_EQ(second.next(), step::wait);
  EXPECT_EQ(news, 0);
  drive(first);
  EXPECT_EQ(news, 1);
  while (second.next() != step::done) {
    if (second.next() == step::wait) second.proceed();
    drive(second);
  }
  EXPECT_EQ(first.result()->subject(), "ada");
  EXPECT_EQ(second.result()->subject(), "grace");
  EXPECT_EQ(world.fetches, 2);
}

TEST_F(LibraryPending, DoesNotWaitForOneThatWasGivenUp) {
  std::optional<v1::pending_user> first(g.begin_validate(world.token()));
  auto second = g.begin_validate(world.token_with({{"sub", "grace"}}));
  ASSERT_EQ(second.next(), step::wait);
  first.reset();
  for (int i = 0; i < 10 && second.next() != step::done; ++i) {
    second.proceed();
    drive(second);
  }
  ASSERT_EQ(second.next(), step::done);
  EXPECT_EQ(second.result()->subject(), "grace");
}

TEST_F(LibraryPending, GivesUpWaitingAfterAWhile) {
  auto first = g.begin_validate(world.token());
  auto second = g.begin_validate(world.token_with({{"sub", "grace"}}));
  world.seconds_now += 16;
  second.proceed();
  ASSERT_EQ(second.next(), step::done);
  EXPECT_EQ(second.result().error().status(), 503);
}

TEST_F(LibraryPending, EndsWithA503WhenNothingCouldBeFetched) {
  auto check = g.begin_validate(world.token());
  while (check.next() == step::fetch) check.give({});
  ASSERT_EQ(check.next(), step::done);
  EXPECT_EQ(check.result().error().status(), 503);
}

TEST_F(LibraryPending, TakesMisuseCalmly) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto check = g.begin_validate(world.token());
  auto moved = std::move(check);
  EXPECT_EQ(check.next(),
            step::done);  // NOLINT(bugprone-use-after-move): what is asked is what becomes of it
  EXPECT_FALSE(check.result());
  check.give({});
  check.proceed();
  bool called = false;
  check.when_ready([&] { called = true; });
  EXPECT_TRUE(called);
  check.when_ready(nullptr);
  moved.proceed();
  EXPECT_EQ(moved.next(), step::fetch);
  drive(moved);
  moved.give({});
  EXPECT_TRUE(moved.result());
  EXPECT_DEATH((void)moved.wanted(), "");
}

TEST_F(LibraryPending, OneMayTakeThePlaceOfAnother) {
  auto check = g.begin_validate(world.token());
  check = g.begin_validate("");
  EXPECT_EQ(check.next(), step::done);
  EXPECT_EQ(check.result().error().reason(), "token_missing");
}

TEST_F(LibraryPending, KeepsItsGuardAlive) {
  std::optional<v1::guard> only(*v1::guard::make(world.options()));
  auto check = only->begin_validate(world.token());
  only.reset();
  drive(check);
  EXPECT_TRUE(check.result());
}

}  // namespace
}  // namespace mcp_oauth
