#include "app/policy_source.h"

#include "app/gateway_fixture.h"

#include <filesystem>
#include <fstream>
#include <type_traits>

#include <gmock/gmock.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A place that gives what the test wants, when it is asked.
class PolicySource : public Gateway {
 protected:
  PolicySource() {
    conf.access.url = "https://policy.example/v1";
    conf.access.token = secret("abc");
    opened = std::move(*log_sink::open("/dev/null", log_level::debug));
  }
  ~PolicySource() override { source.reset(); }

  policy_source& follow(std::function<bool()> changed = [] { return true; }) {
    source = std::make_unique<policy_source>(
        conf.access,
        [this](const http_call& call, const std::atomic<bool>&) -> result<http_answer> {
          std::lock_guard lock(asked_mutex);
          asked.push_back(call);
          was_asked.notify_all();
          if (answer_status == 0) return fail(errc::fetch_timeout, "silent");
          http_answer a;
          a.status = answer_status;
          a.body = answer_body;
          return a;
        },
        *opened);
    source->follow(std::move(changed));
    return *source;
  }
  void says(int status, std::string body) {
    std::lock_guard lock(asked_mutex);
    answer_status = status;
    answer_body = std::move(body);
  }
  std::vector<http_call> calls() {
    std::lock_guard lock(asked_mutex);
    return asked;
  }
  bool asked_times(std::size_t times) {
    std::unique_lock lock(asked_mutex);
    return was_asked.wait_for(lock, seconds(20), [&] { return asked.size() >= times; });
  }
  // As the gateway has it with what the source says.
  std::shared_ptr<const snapshot> made() {
    if (!server) start();
    auto s = make_snapshot(conf, authorization_server, secret("key"), nullptr, source.get());
    EXPECT_TRUE(s);
    return *s;
  }
  // By the clock that ages policies, which is not that of the wall.
  static policy_clock::time_point now() { return policy_clock::now(); }
  static errc judged(const snapshot& s, policy_clock::time_point at, const std::string& tool = "echo") {
    envelope_scanner scanner;
    auto text = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + tool + "\"}}";
    EXPECT_TRUE(scanner.feed(text));
    EXPECT_TRUE(scanner.finish());
    auto answer = authorize(s.upstreams[0].rules_at(at), {"ada", "c", {}}, scanner.seen());
    return answer ? errc::count_ : answer.error().code;
  }

  std::unique_ptr<log_sink> opened;
  std::mutex asked_mutex;
  std::condition_variable was_asked;
  std::vector<http_call> asked;
  int answer_status = 200;
  std::string answer_body = R"({"tools":{"echo":[]}})";
  std::unique_ptr<policy_source> source;
};

TEST_F(PolicySource, IsAskedBeforeAnythingElseWithItsToken) {
  auto& s = follow();
  auto all = calls();
  ASSERT_GE(all.size(), 1U);
  EXPECT_EQ(all[0].url, "https://policy.example/v1");
  EXPECT_EQ(all[0].fields.first("Authorization"), "Bearer abc");
  auto known = s.latest();
  ASSERT_NE(known.document, nullptr);
  EXPECT_TRUE(known.fresh->holds_at(now()));
  EXPECT_TRUE(s.is_for(conf.access));
  auto other = conf.access;
  other.token = secret("x");
  EXPECT_FALSE(s.is_for(other));
}

TEST_F(PolicySource, ATokenMayNameItsScheme) {
  conf.access.token = secret("Basic YTpi");
  follow();
  EXPECT_EQ(calls()[0].fields.first("Authorization"), "Basic YTpi");
}

TEST_F(PolicySource, ItsRulesCountForAsLongAsTheyAreFreshAndThenNone) {
  follow();
  auto s = made();
  EXPECT_EQ(judged(*s, now()), errc::count_);
  EXPECT_EQ(judged(*s, now(), "other"), errc::policy_denied);
  EXPECT_EQ(judged(*s, now() + seconds(110)), errc::count_);
  EXPECT_EQ(judged(*s, now() + seconds(121)), errc::policy_unavailable);
}

// A clock that is set back by an hour must not give a withdrawn right an hour more.
TEST_F(PolicySource, AgesByAClockThatNobodySets) {
  static_assert(policy_clock::is_steady);
  static_assert(!std::is_invocable_v<decltype(&policy_freshness::holds_at), policy_freshness, time_point>);
  static_assert(!std::is_invocable_v<decltype(&upstream::rules_at), upstream, time_point>);
  auto before = policy_clock::now();
  follow();
  auto after = policy_clock::now();
  auto fresh = source->latest().fresh;
  EXPECT_TRUE(fresh->holds_at(before + conf.access.max_age - milliseconds(1)));
  EXPECT_FALSE(fresh->holds_at(after + conf.access.max_age));
}

TEST_F(PolicySource, WithoutAnAnswerNothingIsAllowed) {
  for (const auto& [status, body] : {std::pair{0, ""},
                                     {200, "<html>"},
                                     {200, "{}"},
                                     {500, R"({"tools":{"echo":[]}})"},
                                     {404, ""},
                                     {302, ""}}) {
    says(status, body);
    follow();
    EXPECT_EQ(judged(*made(), now()), errc::policy_unavailable) << status << body;
  }
}

TEST_F(PolicySource, AnOutageFallsBackToTheFileWhereThatIsSaid) {
  conf.access.fallback = "local";
  conf.tools_given = true;
  conf.tools = {{"local", {}}};
  says(0, "");
  follow();
  EXPECT_EQ(judged(*made(), now(), "local"), errc::count_);
  EXPECT_EQ(judged(*made(), now(), "echo"), errc::policy_denied);
  says(200, R"({"tools":{"echo":[]}})");
  follow();
  auto s = made();
  EXPECT_EQ(judged(*s, now(), "local"), errc::policy_denied) << "what the source says stands";
  EXPECT_EQ(judged(*s, now() + seconds(121), "local"), errc::count_);
}

TEST_F(PolicySource, ThatNothingIsAllowedIsNoOutage) {
  conf.access.fallback = "local";
  conf.tools_given = true;
  conf.tools = {{"local", {}}};
  says(200, R"({"policy_complete":false,"state":"needs_setup"})");
  follow();
  EXPECT_EQ(judged(*made(), now(), "local"), errc::policy_incomplete);
  says(200, R"({"tools":{}})");
  follow();
  EXPECT_EQ(judged(*made(), now(), "local"), errc::policy_denied);
}

TEST_F(PolicySource, AServersOwnSectionsStandAndPublicServersAreHeldToItToo) {
  conf.upstreams[0].tools_given = true;
  conf.upstreams[0].tools = {{"own", {}}};
  follow();
  EXPECT_EQ(judged(*made(), now(), "own"), errc::count_);
  EXPECT_EQ(judged(*made(), now(), "echo"), errc::policy_denied);
  conf.upstreams[0].require_auth = false;
  EXPECT_EQ(judged(*made(), now(), "own"), errc::count_);
  EXPECT_EQ(judged(*made(), now() + seconds(1000), "own"), errc::policy_unavailable);
  conf.upstreams[0].tools_given = false;
  EXPECT_EQ(judged(*made(), now(), "own"), errc::policy_denied);
}

TEST_F(PolicySource, IsAskedInItsPaceAndTellsOfChangesOnly) {
  conf.access.refresh = seconds(1);
  conf.access.max_age = seconds(60);
  std::atomic<int> changes{0};
  follow([&] {
    ++changes;
    return true;
  });
  ASSERT_TRUE(asked_times(2));
  EXPECT_EQ(changes, 0);
  says(200, R"({"tools":{"other":[]}})");
  ASSERT_TRUE(asked_times(4));
  EXPECT_EQ(changes, 1);
  says(0, "");
  ASSERT_TRUE(asked_times(6));
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(source->latest().document->rules.tools.rules[0].pattern, "other");
}

// What withdraws a right must not be lost because it could not be taken up at once.
TEST_F(PolicySource, AChangeIsToldUntilItIsTakenUpAndProlongsNothingOfBefore) {
  conf.access.refresh = seconds(1);
  conf.access.max_age = seconds(60);
  std::atomic<int> told{0};
  follow([&] { return ++told > 2; });
  auto before = source->latest().fresh;
  says(200, R"({"tools":{"other":[]}})");
  ASSERT_TRUE(asked_times(6));
  EXPECT_EQ(told, 3);
  EXPECT_NE(source->latest().fresh, before);
  EXPECT_FALSE(before->holds_at(now() + seconds(60)));
}

TEST_F(PolicySource, SaysWhatItsTroubleMeansForCalls) {
  follow();
  EXPECT_EQ(source->trouble(), std::nullopt);
  says(404, "");
  follow();
  EXPECT_THAT(source->trouble().value_or(""),
              AllOf(HasSubstr("(status 404)"), HasSubstr("refused with 503")));
  says(200, "tools: {a: {anyof: [b]}}");
  conf.access.fallback = "local";
  follow();
  EXPECT_THAT(source->trouble().value_or(""),
              AllOf(HasSubstr("What policy.url answers is no policy (line 1: "),
                    HasSubstr("the rules of the configuration count")));
  says(200, R"({"policy_complete":false})");
  follow();
  EXPECT_EQ(source->trouble(),
            "policy.url says that the policy is not finished: every call is refused with 403");
  says(200, R"({"policy_complete":false,"state":"needs_setup"})");
  follow();
  EXPECT_THAT(source->trouble().value_or(""), HasSubstr("not finished (needs_setup)"));
}

// Whoever mends a document reads the log after each attempt.
TEST_F(PolicySource, EachNewReasonIsLoggedAndNoneTwice) {
  auto file = std::filesystem::temp_directory_path() / ("mop-policy-" + std::to_string(::getpid()));
  opened = std::move(*log_sink::open(file.string(), log_level::debug));
  conf.access.refresh = seconds(1);
  conf.access.max_age = seconds(60);
  says(200, "tools: [a]");
  follow();
  ASSERT_TRUE(asked_times(3));
  says(200, "tools: {}\nrules: {}");
  ASSERT_TRUE(asked_times(5));
  says(200, "tools: {}");
  ASSERT_TRUE(asked_times(7));
  source.reset();
  opened.reset();
  std::ifstream in(file);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  auto times = [&](std::string_view what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(times("policy.url gives no policy"), 2U) << text;
  EXPECT_EQ(times("must be a map, and is a list"), 1U) << text;
  EXPECT_EQ(times("is no part of a policy"), 1U);
  EXPECT_EQ(times("gives the policy again"), 1U);
  EXPECT_EQ(times("MOP-POL-004"), 2U) << "not: that the URL does not answer";
  std::filesystem::remove(file);
}

TEST_F(PolicySource, ACallWithoutAPolicyIsToldToComeBack) {
  says(0, "");
  policies = &follow();
  auto answer = answer_to(post(call, with_token()));
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_THAT(answer, HasSubstr("Retry-After: "));
  EXPECT_THAT(answer, HasSubstr("temporarily_unavailable"));
  EXPECT_EQ(status_of(answer_to(get("/ready", ""))), 503);
}

}  // namespace
}  // namespace mcp_oauth
