// A policy that comes from a URL, as a host of the library sees it: fetched when it is needed, held to its
// age, and told by `status`.

#include "library/fixture.h"
#include "mcp_oauth/c.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using v1::step;

constexpr std::string_view policy_at = "https://policy.example.com/mcp.json";

struct LibraryPolicy : testing::Test {
  library_world world;
  std::mutex mutex;
  std::string document = R"({"tools":{"echo":["tools:read"]}})";
  int status = 200;
  int asked = 0;
  std::string authorization;

  v1::fetch_answer answer(const v1::fetch_request& wanted) {
    if (wanted.url != policy_at) return world.answer(wanted);
    const std::lock_guard hold(mutex);
    ++asked;
    for (const auto& [name, value] : wanted.headers) {
      if (name == "Authorization") authorization = value;
    }
    v1::fetch_answer got;
    got.status = status;
    if (status == 0) got.failure = "nobody is there";
    got.body = document;
    return got;
  }
  v1::options options() {
    auto o = world.options();
    o.policy_url = policy_at;
    o.fetch = [this](const v1::fetch_request& wanted) { return answer(wanted); };
    return o;
  }
  v1::guard guard() {
    auto g = v1::guard::make(options());
    EXPECT_TRUE(g) << (g ? "" : g.error().text());
    return *g;
  }
  // "allowed", or the reason why not.
  std::string call(const v1::guard& g, const std::string& tool) {
    auto request = call_of(world.token_with({{"exp", world.seconds_now + 7200}}), tool);
    auto let_in = g.admit(request.view());
    return let_in.allowed() ? "allowed" : std::string(let_in.refused()->reason());
  }
};

TEST_F(LibraryPolicy, IsFetchedWithTheFirstRequestAndDenies) {
  auto g = guard();
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(call(g, "echo"), "allowed");
  EXPECT_EQ(call(g, "other"), "policy_denied");
  EXPECT_EQ(asked, 1);
  auto who = g.validate(world.token());
  EXPECT_FALSE(g.authorize_tool(*who, "echo"));
  EXPECT_EQ(g.authorize_tool(*who, "other")->reason(), "policy_denied");
  EXPECT_EQ(*g.filter_list(*who, R"({"result":{"tools":[{"name":"other"},{"name":"echo"}]}})"),
            R"({"result":{"tools":[{"name":"echo"}]}})");
  auto list = call_of(world.token(), "x");
  list.body = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
  auto let_in = g.admit(list.view());
  ASSERT_TRUE(let_in.allowed());
  EXPECT_TRUE(let_in.call().filters());
}

TEST_F(LibraryPolicy, IsAskedAgainInItsPaceAndTakenUp) {
  auto g = guard();
  EXPECT_EQ(call(g, "echo"), "allowed");
  world.seconds_now += 29;
  document = R"({"tools":{"other":[]}})";
  EXPECT_EQ(call(g, "other"), "policy_denied");
  EXPECT_EQ(asked, 1);
  world.seconds_now += 1;
  EXPECT_EQ(call(g, "other"), "allowed");
  EXPECT_EQ(call(g, "echo"), "policy_denied");
  EXPECT_EQ(asked, 2);
}

TEST_F(LibraryPolicy, OfAClockThatWasSetBackIsAskedForAnewAndCountsNoLonger) {
  world.seconds_now += 4000;
  auto g = guard();
  EXPECT_EQ(call(g, "echo"), "allowed");
  world.seconds_now -= 4000;
  document = R"({"tools":{"other":[]}})";
  EXPECT_EQ(call(g, "echo"), "policy_denied");
  EXPECT_EQ(asked, 2);
  world.seconds_now += 4000;
  EXPECT_EQ(call(g, "other"), "allowed");
  world.seconds_now -= 4000;
  status = 0;
  EXPECT_EQ(call(g, "other"), "policy_unavailable");
}

TEST_F(LibraryPolicy, CountsUntilItIsTooOldAndThenNothingIsAllowed) {
  auto g = guard();
  EXPECT_EQ(call(g, "echo"), "allowed");
  for (int away : {0, 500, 404}) {
    status = away;
    world.seconds_now += 30;
    EXPECT_EQ(call(g, "echo"), "allowed") << away;
  }
  world.seconds_now += 29;  // 119 after it was asked for
  EXPECT_EQ(call(g, "echo"), "allowed");
  world.seconds_now += 1;
  EXPECT_EQ(call(g, "echo"), "policy_unavailable");
  auto request = call_of(world.token(), "echo");
  auto refused = g.admit(request.view());
  EXPECT_EQ(refused.answer().status, 503);
  EXPECT_EQ(refused.answer().header_value("Retry-After"), "5");
  auto who = g.validate(world.token());
  ASSERT_TRUE(who) << "the token is good whatever becomes of the policy";
  auto denied = g.authorize_tool(*who, "echo");
  ASSERT_TRUE(denied);
  EXPECT_EQ(denied->reason(), "policy_unavailable");
  EXPECT_EQ(*g.filter_list(*who, R"({"result":{"tools":[{"name":"echo"}]}})"), R"({"result":{"tools":[]}})");
  // An answer that cannot be read, or leaves every tool open, is none.
  status = 200;
  for (const char* wrong : {"{}", "<html>", R"({"tools":{"echo":5,"echo":6}})"}) {
    document = wrong;
    world.seconds_now += 5;
    EXPECT_EQ(call(g, "echo"), "policy_unavailable") << wrong;
  }
  document = R"({"tools":{"echo":[]}})";
  EXPECT_EQ(call(g, "echo"), "policy_unavailable") << "it is not asked all the time";
  world.seconds_now += 5;
  EXPECT_EQ(call(g, "echo"), "allowed");
  EXPECT_THAT(world.lines(),
              Contains(AllOf(HasSubstr("3 the policy cannot be fetched"), HasSubstr("nobody"))));
  EXPECT_THAT(world.lines(), Contains(HasSubstr("1 the policy can be fetched again")));
}

TEST_F(LibraryPolicy, ThatIsNotFinishedAllowsNothingAndIsNoFailure) {
  document = R"({"policy_complete":false,"state":"needs_setup","tool_policy":[]})";
  auto g = guard();
  EXPECT_FALSE(g.prepare());
  EXPECT_EQ(call(g, "echo"), "policy_incomplete");
  EXPECT_TRUE(g.status().policy.ready);
  EXPECT_EQ(g.status().policy.failure, "");
}

TEST_F(LibraryPolicy, StandsBeforeTheTablesOfTheOptions) {
  document = R"({"tools":{"*":[]},"prompts":{"theirs":[]}})";
  auto o = options();
  o.prompts = {{"ours", {}}};
  o.methods = {{"tools/*", {}}, {"prompts/*", {}}};
  o.scopes = {"mcp"};
  o.policy_token = "Basic abc";
  auto g = *v1::guard::make(o);
  struct row {
    const char* scope;
    const char* body;
    bool allowed;
  };
  const std::vector<row> rows = {
      {"mcp", R"({"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"theirs"}})", true},
      {"mcp", R"({"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"ours"}})", false},
      {"mcp", R"({"jsonrpc":"2.0","id":1,"method":"logging/setLevel"})", false},
      {"mcp", R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", true},
      {"x", R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", false},
  };
  for (const auto& r : rows) {
    auto request = call_of(world.token_with({{"scope", r.scope}}), "x");
    request.body = r.body;
    EXPECT_EQ(g.admit(request.view()).allowed(), r.allowed) << r.scope << r.body;
  }
  EXPECT_EQ(authorization, "Basic abc");
  o.policy_token = "abc";
  EXPECT_FALSE(v1::guard::make(o)->prepare());
  EXPECT_EQ(authorization, "Bearer abc");
  for (const auto& line : world.lines()) EXPECT_EQ(line.find("abc"), std::string::npos) << line;
}

TEST_F(LibraryPolicy, MayHaveASecretInItsUrlThatNoLogSees) {
  auto o = options();
  o.policy_url = "https://policy.example.com/other?key=hush";
  auto g = *v1::guard::make(o);
  auto why = g.prepare();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->reason(), "policy_unavailable");
  EXPECT_THAT(world.lines(), Contains(HasSubstr("url=https://policy.example.com/other")));
  for (const auto& line : world.lines()) EXPECT_EQ(line.find("hush"), std::string::npos) << line;
  EXPECT_EQ(g.status().json().find("hush"), std::string::npos);
}

TEST_F(LibraryPolicy, IsFetchedStepByStepWithoutBlocking) {
  auto g = guard();
  auto request = call_of(world.token(), "echo");
  auto check = g.begin_admit(request.view());
  std::vector<std::string> urls;
  while (check.next() == step::fetch) {
    urls.push_back(check.wanted().url);
    check.give(answer(check.wanted()));
  }
  ASSERT_EQ(urls.size(), 3U);
  EXPECT_EQ(urls.back(), policy_at);
  EXPECT_TRUE(check.result().allowed());
  EXPECT_EQ(g.begin_admit(request.view()).next(), step::done);
  // A token that is refused needs no policy.
  auto other = guard();
  auto bad = other.begin_validate("opaque");
  EXPECT_EQ(bad.next(), step::done);
}

TEST_F(LibraryPolicy, IsFetchedOnceForAllThatWaitForIt) {
  auto g = guard();
  auto token = world.token();
  auto request = call_of(token, "echo"), again = call_of(token, "echo");
  auto first = g.begin_admit(request.view());
  while (first.next() == step::fetch && first.wanted().url != policy_at) first.give(answer(first.wanted()));
  ASSERT_EQ(first.next(), step::fetch);
  std::optional<v1::pending_admission> second(g.begin_admit(again.view()));
  ASSERT_EQ(second->next(), step::wait);
  first.give(answer(first.wanted()));
  second->proceed();
  ASSERT_EQ(second->next(), step::done);
  EXPECT_TRUE(second->result().allowed());
  EXPECT_EQ(asked, 1);

  // One that is given up leaves the question to whoever waits.
  world.seconds_now += 120;
  std::optional<v1::pending_admission> gone(g.begin_admit(request.view()));
  ASSERT_EQ(gone->next(), step::fetch);
  second.emplace(g.begin_admit(again.view()));
  ASSERT_EQ(second->next(), step::wait);
  gone.reset();
  second->proceed();
  ASSERT_EQ(second->next(), step::fetch);
  second->give(answer(second->wanted()));
  EXPECT_TRUE(second->result().allowed());
  // And one that takes too long fails closed.
  world.seconds_now += 120;
  gone.emplace(g.begin_admit(request.view()));
  second.emplace(g.begin_admit(again.view()));
  world.seconds_now += 16;
  second->proceed();
  ASSERT_EQ(second->next(), step::done);
  EXPECT_EQ(second->result().refused()->reason(), "policy_unavailable");
}

TEST_F(LibraryPolicy, TellsInItsStatusWhatIsThereAndHowOldItIs) {
  auto g = guard();
  auto before = g.status();
  EXPECT_FALSE(before.ready);
  EXPECT_FALSE(before.policy.ready);
  ASSERT_EQ(before.issuers.size(), 1U);
  EXPECT_FALSE(before.issuers[0].ready);
  EXPECT_FALSE(before.issuers[0].keys_fetched);
  EXPECT_EQ(before.json(),
            R"({"ready":false,"issuers":[{"issuer":"https://idp.example.com","ready":false,"keys":0,)"
            R"("keys_age":null,"last_success_age":null,"last_failure_age":null,"failure":""}],)"
            R"("policy":{"from_url":true,"ready":false,"age":null,"good_for":null,"last_failure_age":null,)"
            R"("failure":""}})");
  EXPECT_FALSE(g.prepare());
  world.seconds_now += 31;
  status = 0;
  EXPECT_EQ(call(g, "echo"), "allowed");
  world.seconds_now += 2;
  auto now = g.status();
  EXPECT_TRUE(now.ready);
  EXPECT_EQ(now.issuers[0].keys, 1U);
  EXPECT_EQ(now.json(),
            R"({"ready":true,"issuers":[{"issuer":"https://idp.example.com","ready":true,"keys":1,)"
            R"("keys_age":33,"last_success_age":33,"last_failure_age":null,"failure":""}],)"
            R"("policy":{"from_url":true,"ready":true,"age":33,"good_for":87,"last_failure_age":2,)"
            R"("failure":"https://policy.example.com/mcp.json: nobody is there"}})");
  world.seconds_now += 87;
  EXPECT_FALSE(g.status().ready);
  EXPECT_EQ(g.prepare()->reason(), "policy_unavailable");

  auto o = world.options();
  o.server.keys = world.keys();
  auto given = *v1::guard::make(o);
  EXPECT_TRUE(given.status().ready);
  EXPECT_FALSE(given.status().policy.from_url);
  EXPECT_FALSE(given.status().issuers[0].keys_fetched);
  world.away = true;
  auto away = *v1::guard::make(world.options());
  EXPECT_TRUE(away.prepare());
  EXPECT_THAT(away.status().issuers[0].failure, HasSubstr("nobody is there"));
  EXPECT_TRUE(away.status().issuers[0].last_failure);
}

TEST_F(LibraryPolicy, IsSeenToByTheBackgroundWhereThereIsOne) {
  std::condition_variable news;
  int fetched_there = 0;
  auto here = std::this_thread::get_id();
  auto o = options();
  o.policy_refresh = std::chrono::seconds(1);
  o.fetch = [&](const v1::fetch_request& wanted) {
    auto got = answer(wanted);
    const std::lock_guard hold(mutex);
    if (wanted.url == policy_at && std::this_thread::get_id() != here) ++fetched_there;
    news.notify_all();
    return got;
  };
  auto g = *v1::guard::make(o);
  EXPECT_FALSE(g.prepare());
  ASSERT_TRUE(g.start_background_refresh());
  world.seconds_now += 2;
  // It is due, and no request has to wait for it.
  EXPECT_EQ(call(g, "echo"), "allowed");
  {
    std::unique_lock hold(mutex);
    EXPECT_TRUE(news.wait_for(hold, std::chrono::seconds(30), [&] { return fetched_there > 0; }));
    EXPECT_EQ(asked, 1 + fetched_there);
  }
  g.stop_background_refresh();
  int before = asked;
  world.seconds_now += 2;
  EXPECT_EQ(call(g, "echo"), "allowed");
  EXPECT_EQ(asked, before + 1);
}

TEST_F(LibraryPolicy, IsToldFromC) {
  struct handles {
    static void fetch(void* data, mcp_oauth_fetch* fetch) {
      auto& test = *static_cast<LibraryPolicy*>(data);
      v1::fetch_request wanted;
      wanted.url = mcp_oauth_fetch_url(fetch).data;
      auto got = test.answer(wanted);
      if (got.status == 0) return mcp_oauth_fetch_fail(fetch, got.failure.data(), got.failure.size());
      mcp_oauth_fetch_answer(fetch, got.status, got.body.data(), got.body.size());
    }
  };
  mcp_oauth_callbacks callbacks{};
  callbacks.size = sizeof callbacks;
  callbacks.fetch = handles::fetch;
  callbacks.fetch_data = this;
  callbacks.clock = [](void* data) { return static_cast<LibraryPolicy*>(data)->world.seconds_now * 1000; };
  callbacks.clock_data = this;
  const std::string config =
      R"({"issuer": "https://idp.example.com", "resource": "https://mcp.example.com/mcp",
          "policy_url": "https://policy.example.com/mcp.json", "policy_refresh": 10, "policy_max_age": 60})";
  mcp_oauth_error* error = nullptr;
  const std::unique_ptr<mcp_oauth_guard, void (*)(mcp_oauth_guard*)> guard(
      mcp_oauth_guard_new(config.data(), config.size(), &callbacks, &error), mcp_oauth_guard_free);
  ASSERT_NE(guard, nullptr) << mcp_oauth_error_text(error).data;
  using status_handle = std::unique_ptr<mcp_oauth_status, void (*)(mcp_oauth_status*)>;
  {
    const status_handle s(mcp_oauth_guard_status(guard.get()), mcp_oauth_status_free);
    EXPECT_EQ(mcp_oauth_status_ready(s.get()), 0);
    EXPECT_EQ(mcp_oauth_status_policy_ready(s.get()), 0);
    EXPECT_EQ(mcp_oauth_status_policy_age(s.get()), -1);
    EXPECT_EQ(mcp_oauth_status_policy_good_for(s.get()), -1);
    EXPECT_EQ(mcp_oauth_status_issuer_keys_age(s.get(), 0), -1);
  }
  ASSERT_EQ(mcp_oauth_guard_prepare(guard.get(), nullptr), 1);
  world.seconds_now += 12;
  status = 0;
  auto token = world.token();
  mcp_oauth_user_free(mcp_oauth_validate(guard.get(), token.data(), token.size(), nullptr));
  world.seconds_now += 1;
  const status_handle s(mcp_oauth_guard_status(guard.get()), mcp_oauth_status_free);
  EXPECT_EQ(mcp_oauth_status_ready(s.get()), 1);
  ASSERT_EQ(mcp_oauth_status_issuer_count(s.get()), 1U);
  EXPECT_STREQ(mcp_oauth_status_issuer(s.get(), 0).data, "https://idp.example.com");
  EXPECT_EQ(mcp_oauth_status_issuer_ready(s.get(), 0), 1);
  EXPECT_EQ(mcp_oauth_status_issuer_keys(s.get(), 0), 1U);
  EXPECT_EQ(mcp_oauth_status_issuer_keys_age(s.get(), 0), 13);
  EXPECT_STREQ(mcp_oauth_status_issuer_failure(s.get(), 0).data, "");
  EXPECT_EQ(mcp_oauth_status_policy_from_url(s.get()), 1);
  EXPECT_EQ(mcp_oauth_status_policy_ready(s.get()), 1);
  EXPECT_EQ(mcp_oauth_status_policy_age(s.get()), 13);
  EXPECT_EQ(mcp_oauth_status_policy_good_for(s.get()), 47);
  EXPECT_THAT(std::string(mcp_oauth_status_policy_failure(s.get()).data), HasSubstr("nobody is there"));
  EXPECT_THAT(std::string(mcp_oauth_status_json(s.get()).data), HasSubstr(R"("good_for":47)"));
  // What is not there is answered as an empty one.
  EXPECT_STREQ(mcp_oauth_status_issuer(s.get(), 1).data, "");
  EXPECT_EQ(mcp_oauth_status_issuer_ready(s.get(), 1), 0);
  EXPECT_EQ(mcp_oauth_guard_status(nullptr), nullptr);
  EXPECT_EQ(mcp_oauth_status_ready(nullptr), 0);
  EXPECT_EQ(mcp_oauth_status_policy_age(nullptr), -1);
  EXPECT_STREQ(mcp_oauth_status_json(nullptr).data, "");
}

}  // namespace
}  // namespace mcp_oauth
