#include "app/same_failure.h"

#include "app/gateway_fixture.h"
#include "app/story_keeper.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::uint64_t with_detail(std::string_view detail) {
  failure_marks marks;
  marks.detail = detail;
  return number_of(marks);
}

TEST(SameFailure, WhateverIsToldOfItMakesItAnother) {
  static const std::vector<std::string> scopes{"mcp"};
  const std::vector<std::function<void(failure_marks&)>> changes{
      [](auto&) {},
      [](auto& m) { m.code = 7; },
      [](auto& m) { m.area = 7; },
      [](auto& m) { m.status = 404; },
      [](auto& m) { m.finished = true; },
      [](auto& m) { m.client = "x"; },
      [](auto& m) { m.client_id = "x"; },
      [](auto& m) { m.subject = "x"; },
      [](auto& m) { m.issuer = "x"; },
      [](auto& m) { m.login = "x"; },
      [](auto& m) { m.action = "x"; },
      [](auto& m) { m.upstream = "x"; },
      [](auto& m) { m.provider = "x"; },
      [](auto& m) { m.grant = "x"; },
      [](auto& m) { m.method = "x"; },
      [](auto& m) { m.path = "x"; },
      [](auto& m) { m.mcp_method = "x"; },
      [](auto& m) { m.mcp_name = "x"; },
      [](auto& m) { m.scopes = scopes; },
      [](auto& m) { m.detail = "x"; },
      [](auto& m) { m.cause_and_fix = "x"; },
  };
  std::set<std::uint64_t> numbers;
  for (const auto& change : changes) {
    failure_marks marks;
    change(marks);
    EXPECT_EQ(number_of(marks), number_of(marks));
    numbers.insert(number_of(marks));
  }
  EXPECT_EQ(numbers.size(), changes.size());
}

TEST(SameFailure, HowLongAgoItWasIsNoOtherFailure) {
  for (auto [one, other] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"exp is 2026-11-30T02:40:13Z (13 s ago), now is 2026-11-30T02:40:26Z, leeway 30 s",
            "exp is 2026-11-30T02:41:00Z (9 s ago), now is 2026-11-30T02:41:09Z, leeway 30 s"},
           {"iat lies 400 s ago; the window is 300 s", "iat lies 1400 s ago; the window is 300 s"},
           {"rotated 61 s ago (refresh_grace_seconds=60)", "rotated 100 s ago (refresh_grace_seconds=60)"},
           {"issued 13 min ago, which is too long", "issued 101 min ago, which is too long"},
           {"Content-Length 5000000", "Content-Length 5000001"},
           {"not JSON, at byte 200", "not JSON, at byte 417"}}) {
    EXPECT_EQ(with_detail(one), with_detail(other)) << one;
  }
}

TEST(SameFailure, WhatItTellsOfIsAnother) {
  for (auto [one, other] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"the MCP server answered 401", "the MCP server answered 404"},
           {"status 401 from the token endpoint", "status 503 from the token endpoint"},
           {"proxy:3128 answered CONNECT up:443 with 403", "proxy:3128 answered CONNECT up:443 with 502"},
           {"Origin https://a1.test is not allowed", "Origin https://a2.test is not allowed"},
           {"Origin http://localhost:3000", "Origin http://localhost:4000"},
           {"no connection to 192.0.2.1:80", "no connection to 192.0.2.2:80"},
           {"no connection to [2001::1]:80", "no connection to [2001::2]:80"},
           {"aud https://a.test/mcp/", "aud https://a.test/mcp"},
           {"a b", "ab"}}) {
    EXPECT_NE(with_detail(one), with_detail(other)) << one;
  }
}

class RecordStory : public Gateway {
 protected:
  // What is kept of what was asked for.
  std::vector<failure_story> kept_of(const std::function<void()>& everybody_asks) {
    auto made = log_sink::open("/dev/null", log_level::info);
    auto quiet = std::move(*made);
    std::optional<story_keeper> keeper;
    keeper.emplace(stories_, explain_settings(), *quiet,
                   story_pace{milliseconds(1), milliseconds(0), seconds(600), seconds(0), 60});
    parts.stories = &*keeper;
    start();
    everybody_asks();
    // Hands on what its worker counted, and the end of the keeper writes it.
    server->stop();
    server.reset();
    parts.stories = nullptr;
    keeper.reset();
    std::vector<failure_story> stories;
    auto records = stories_.list(story_kind, now(), 1000, {});
    for (const auto& r : *records) stories.push_back(*story_from(r.data));
    return stories;
  }
  void ask(const std::string& request) { answers_.push_back(answer_to(request)); }

  memory_store stories_;
  std::vector<std::string> answers_;
};

TEST_F(RecordStory, EachFailureIsToldWithItsOwnFacts) {
  auto as_client = [&](const std::string& id) {
    auto t = token([&](access_claims& c) {
      c.client_id = id;
      c.scopes = {"other"};
    });
    return post(call, "Authorization: Bearer " + t + "\r\n");
  };
  auto stories = kept_of([&] {
    for (auto path : {"/nowhere", "/elsewhere"}) ask(get(path, ""));
    for (auto from : {"https://one.test", "https://two.test"})
      ask(post(call, with_token(std::string("Origin: ") + from + "\r\n")));
    for (auto id : {"client-a", "client-b"}) ask(as_client(id));
    ask(get("/nowhere", ""));  // again
  });
  std::vector<std::string> paths, clients, details;
  for (const auto& s : stories) {
    paths.push_back(s.path);
    clients.push_back(s.client_id);
    details.push_back(s.detail);
    EXPECT_EQ(s.count, s.path == "/nowhere" ? 2U : 1U);
  }
  EXPECT_EQ(stories.size(), 6U) << testing::PrintToString(answers_);
  EXPECT_THAT(paths, testing::IsSupersetOf({"/nowhere", "/elsewhere"}));
  EXPECT_THAT(clients, testing::IsSupersetOf({"client-a", "client-b"}));
  for (auto from : {"https://one.test", "https://two.test"})
    EXPECT_THAT(details, testing::Contains(testing::HasSubstr(from)));
}

}  // namespace
}  // namespace mcp_oauth
