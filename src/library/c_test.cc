#include "mcp_oauth/c.h"

#include "library/fixture.h"
#include "oauth/certificate_binding.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

template <auto Free>
struct free_by {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
template <class T, auto Free>
using handle = std::unique_ptr<T, free_by<Free>>;
using c_error = handle<mcp_oauth_error, mcp_oauth_error_free>;
using c_guard = handle<mcp_oauth_guard, mcp_oauth_guard_free>;
using c_user = handle<mcp_oauth_user, mcp_oauth_user_free>;
using c_request = handle<mcp_oauth_request, mcp_oauth_request_free>;
using c_answer = handle<mcp_oauth_answer, mcp_oauth_answer_free>;
using c_admission = handle<mcp_oauth_admission, mcp_oauth_admission_free>;
using c_check = handle<mcp_oauth_check, mcp_oauth_check_free>;

std::string text(mcp_oauth_text t) {
  EXPECT_NE(t.data, nullptr);
  EXPECT_EQ(t.data[t.size], '\0');
  return {t.data, t.size};
}

const std::string config_json =
    R"({"issuer": "https://idp.example.com", "resource": "https://mcp.example.com/mcp",
        "tools": {"echo": ["tools:read"], "delete_note": ["tools:write"]}})";

void fetch_from_world(void* data, mcp_oauth_fetch* fetch) {
  auto& world = *static_cast<library_world*>(data);
  v1::fetch_request asked;
  asked.method = text(mcp_oauth_fetch_method(fetch));
  asked.url = text(mcp_oauth_fetch_url(fetch));
  auto answer = world.answer(asked);
  if (answer.status == 0) return mcp_oauth_fetch_fail(fetch, answer.failure.data(), answer.failure.size());
  for (const auto& [name, value] : answer.headers) {
    mcp_oauth_fetch_answer_header(fetch, name.data(), name.size(), value.data(), value.size());
  }
  mcp_oauth_fetch_answer(fetch, answer.status, answer.body.data(), answer.body.size());
}
int64_t clock_of_world(void* data) { return static_cast<library_world*>(data)->seconds_now * 1000; }

struct LibraryC : testing::Test {
  library_world world;
  std::vector<std::string> log;
  mcp_oauth_callbacks callbacks{
      sizeof(mcp_oauth_callbacks), fetch_from_world, &world, write, this, clock_of_world, &world};

  static void write(void* data, int32_t level, const char* message, size_t size, const char* fields,
                    size_t fields_size) {
    static_cast<LibraryC*>(data)->log.push_back(std::to_string(level) + " " + std::string(message, size) +
                                                " " + std::string(fields, fields_size));
  }

  c_guard guard() {
    mcp_oauth_error* error = nullptr;
    c_guard g(mcp_oauth_guard_new(config_json.data(), config_json.size(), &callbacks, &error));
    EXPECT_NE(g, nullptr) << text(mcp_oauth_error_text(error));
    return g;
  }
  static c_request request(const std::string& token, const std::string& body) {
    c_request r(mcp_oauth_request_new("POST", 4, "/mcp", 4));
    auto value = "Bearer " + token;
    mcp_oauth_request_add_header(r.get(), "Authorization", 13, value.data(), value.size());
    mcp_oauth_request_set_body(r.get(), body.data(), body.size());
    return r;
  }
};

TEST_F(LibraryC, KnowsItsVersion) {
  EXPECT_STREQ(mcp_oauth_version(), v1::library_version());
  EXPECT_EQ(mcp_oauth_abi(), MCP_OAUTH_ABI);
}

TEST_F(LibraryC, ReportsEveryProblemOfAConfiguration) {
  mcp_oauth_error* raw = nullptr;
  EXPECT_EQ(mcp_oauth_guard_new("{}", 2, nullptr, &raw), nullptr);
  c_error error(raw);
  ASSERT_EQ(mcp_oauth_error_problem_count(error.get()), 2U);
  EXPECT_EQ(text(mcp_oauth_error_problem_message(error.get(), 0)), "provider is required");
  EXPECT_EQ(text(mcp_oauth_error_problem_field(error.get(), 1)), "resource");
  EXPECT_THAT(text(mcp_oauth_error_problem_fix(error.get(), 1)), HasSubstr("MCP_URL"));
  EXPECT_EQ(text(mcp_oauth_error_problem_message(error.get(), 2)), "");
  EXPECT_THAT(text(mcp_oauth_error_text(error.get())),
              HasSubstr("invalid config: provider is required; resource"));
  EXPECT_EQ(mcp_oauth_error_status(error.get()), 0);
  EXPECT_EQ(mcp_oauth_guard_new("{}", 2, nullptr, nullptr), nullptr);
}

TEST_F(LibraryC, SaysWhoseTokenItIs) {
  auto g = guard();
  mcp_oauth_error* raw = nullptr;
  auto token = world.token();
  c_user user(mcp_oauth_validate(g.get(), token.data(), token.size(), &raw));
  ASSERT_NE(user, nullptr) << text(mcp_oauth_error_text(raw));
  EXPECT_EQ(raw, nullptr);
  EXPECT_EQ(text(mcp_oauth_user_subject(user.get())), "ada");
  EXPECT_EQ(text(mcp_oauth_user_issuer(user.get())), "https://idp.example.com");
  EXPECT_EQ(text(mcp_oauth_user_email(user.get())), "ada@example.com");
  EXPECT_EQ(text(mcp_oauth_user_name(user.get())), "");
  EXPECT_EQ(text(mcp_oauth_user_username(user.get())), "ada@example.com");
  EXPECT_EQ(text(mcp_oauth_user_client_id(user.get())), "inspector");
  EXPECT_THAT(text(mcp_oauth_user_claims(user.get())), HasSubstr(R"("sub":"ada")"));
  ASSERT_EQ(mcp_oauth_user_scope_count(user.get()), 1U);
  EXPECT_EQ(text(mcp_oauth_user_scope(user.get(), 0)), "tools:read");
  EXPECT_EQ(text(mcp_oauth_user_scope(user.get(), 1)), "");
  EXPECT_EQ(mcp_oauth_user_expires(user.get()), world.seconds_now + 300);

  EXPECT_EQ(mcp_oauth_authorize_tool(g.get(), user.get(), "echo", 4, nullptr), 1);
  EXPECT_EQ(mcp_oauth_authorize_tool(g.get(), user.get(), "delete_note", 11, &raw), 0);
  c_error denied(raw);
  EXPECT_EQ(mcp_oauth_error_status(denied.get()), 403);
  EXPECT_EQ(text(mcp_oauth_error_code(denied.get())), "insufficient_scope");
  EXPECT_EQ(text(mcp_oauth_error_reason(denied.get())), "scope_insufficient");
  EXPECT_EQ(text(mcp_oauth_error_symptom(denied.get())), "MOP-SCP-001");
  ASSERT_EQ(mcp_oauth_error_scope_count(denied.get()), 1U);
  EXPECT_EQ(text(mcp_oauth_error_scope(denied.get(), 0)), "tools:write");
  c_answer answer(mcp_oauth_refuse(g.get(), denied.get()));
  EXPECT_EQ(mcp_oauth_answer_status(answer.get()), 403);

  std::string list = R"({"result":{"tools":[{"name":"delete_note"},{"name":"echo"}]}})";
  c_answer kept(
      mcp_oauth_filter_list(g.get(), user.get(), list.data(), list.size(), "application/json", 16, nullptr));
  EXPECT_EQ(text(mcp_oauth_answer_body(kept.get())), R"({"result":{"tools":[{"name":"echo"}]}})");
  EXPECT_EQ(mcp_oauth_filter_list(g.get(), user.get(), "{", 1, "application/json", 16, &raw), nullptr);
  c_error unreadable(raw);
  EXPECT_EQ(text(mcp_oauth_error_reason(unreadable.get())), "list_unreadable");
}

TEST_F(LibraryC, RefusesATokenAndSaysWhy) {
  auto g = guard();
  mcp_oauth_error* raw = nullptr;
  auto token = world.token_with({{"aud", "https://other.example.com"}});
  EXPECT_EQ(mcp_oauth_validate(g.get(), token.data(), token.size(), &raw), nullptr);
  c_error error(raw);
  EXPECT_EQ(mcp_oauth_error_status(error.get()), 401);
  EXPECT_EQ(text(mcp_oauth_error_description(error.get())), "audience mismatch");
  EXPECT_THAT(text(mcp_oauth_error_detail(error.get())), HasSubstr("https://other.example.com"));
  EXPECT_THAT(log, testing::Contains(HasSubstr(R"("reason":"token_audience_mismatch")")));
}

TEST_F(LibraryC, AdmitsRequests) {
  auto g = guard();
  auto r =
      request(world.token(), R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}})");
  c_admission in(mcp_oauth_admit(g.get(), r.get()));
  ASSERT_EQ(mcp_oauth_admission_allowed(in.get()), 1);
  EXPECT_EQ(mcp_oauth_admission_answer(in.get()), nullptr);
  EXPECT_EQ(mcp_oauth_admission_refused(in.get()), nullptr);
  EXPECT_EQ(text(mcp_oauth_user_subject(mcp_oauth_admission_user(in.get()))), "ada");
  EXPECT_EQ(text(mcp_oauth_admission_token(in.get())),
            world.token().substr(0, 0) + text(mcp_oauth_admission_token(in.get())));
  EXPECT_EQ(text(mcp_oauth_admission_method(in.get())), "tools/call");
  EXPECT_EQ(text(mcp_oauth_admission_name(in.get())), "echo");
  EXPECT_EQ(mcp_oauth_admission_authorize_tool(in.get(), "delete_note", 11, nullptr), 0);

  auto l = request(world.token(), R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  c_admission list(mcp_oauth_admit(g.get(), l.get()));
  std::string body = R"({"result":{"tools":[{"name":"delete_note"},{"name":"echo"}]}})";
  c_answer kept(
      mcp_oauth_admission_filtered(list.get(), 200, "application/json", 16, body.data(), body.size()));
  EXPECT_EQ(text(mcp_oauth_answer_body(kept.get())), R"({"result":{"tools":[{"name":"echo"}]}})");

  c_request nobody(mcp_oauth_request_new("POST", 4, "/mcp", 4));
  c_admission out(mcp_oauth_admit(g.get(), nobody.get()));
  EXPECT_EQ(mcp_oauth_admission_allowed(out.get()), 0);
  EXPECT_EQ(mcp_oauth_admission_user(out.get()), nullptr);
  const auto* answer = mcp_oauth_admission_answer(out.get());
  EXPECT_EQ(mcp_oauth_answer_status(answer), 401);
  std::string challenge;
  for (size_t i = 0; i < mcp_oauth_answer_header_count(answer); ++i) {
    if (text(mcp_oauth_answer_header_name(answer, i)) == "WWW-Authenticate") {
      challenge = text(mcp_oauth_answer_header_value(answer, i));
    }
  }
  EXPECT_THAT(challenge, HasSubstr(text(mcp_oauth_guard_metadata_url(g.get()))));
  EXPECT_EQ(text(mcp_oauth_error_reason(mcp_oauth_admission_refused(out.get()))), "token_missing");

  c_request about(mcp_oauth_request_new("GET", 3, "/.well-known/oauth-protected-resource", 37));
  c_answer document(mcp_oauth_metadata(g.get(), about.get()));
  EXPECT_THAT(text(mcp_oauth_answer_body(document.get())), HasSubstr("authorization_servers"));
  EXPECT_EQ(mcp_oauth_metadata(g.get(), nobody.get()), nullptr);
}

TEST_F(LibraryC, LetsTheHostFetchStepByStep) {
  auto g = guard();
  c_check check;
  {
    auto r =
        request(world.token(), R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}})");
    check.reset(mcp_oauth_begin_admit(g.get(), r.get()));
  }
  int fetched = 0;
  while (mcp_oauth_check_next(check.get()) == MCP_OAUTH_FETCH) {
    auto* wanted = mcp_oauth_check_wanted(check.get());
    ASSERT_NE(wanted, nullptr);
    fetch_from_world(&world, wanted);
    mcp_oauth_check_give(check.get());
    ++fetched;
  }
  EXPECT_EQ(fetched, 2);
  ASSERT_EQ(mcp_oauth_check_next(check.get()), MCP_OAUTH_DONE);
  EXPECT_EQ(mcp_oauth_check_wanted(check.get()), nullptr);
  c_admission in(mcp_oauth_check_admission(check.get()));
  EXPECT_EQ(mcp_oauth_admission_allowed(in.get()), 1);
  EXPECT_EQ(mcp_oauth_check_user(check.get(), nullptr), nullptr);

  auto token = world.token();
  c_check known(mcp_oauth_begin_validate(g.get(), token.data(), token.size()));
  EXPECT_EQ(mcp_oauth_check_next(known.get()), MCP_OAUTH_DONE);
  c_user user(mcp_oauth_check_user(known.get(), nullptr));
  EXPECT_EQ(text(mcp_oauth_user_subject(user.get())), "ada");
  EXPECT_EQ(mcp_oauth_check_admission(known.get()), nullptr);
}

TEST_F(LibraryC, TellsTheHostAllOfWhatToFetch) {
  auto g = guard();
  auto token = world.token(), other = world.token_with({{"sub", "grace"}});
  c_check first(mcp_oauth_begin_validate(g.get(), token.data(), token.size()));
  c_check second(mcp_oauth_begin_validate(g.get(), other.data(), other.size()));
  ASSERT_EQ(mcp_oauth_check_next(first.get()), MCP_OAUTH_FETCH);
  auto* wanted = mcp_oauth_check_wanted(first.get());
  EXPECT_GT(mcp_oauth_fetch_timeout_seconds(wanted), 0U);
  bool accepts = false;
  for (std::size_t i = 0; i < mcp_oauth_fetch_header_count(wanted); ++i) {
    accepts = accepts || text(mcp_oauth_fetch_header_name(wanted, i)) == "Accept";
    EXPECT_NE(text(mcp_oauth_fetch_header_value(wanted, i)), "");
  }
  EXPECT_TRUE(accepts);
  auto past_the_end = mcp_oauth_fetch_header_count(wanted);
  EXPECT_EQ(text(mcp_oauth_fetch_header_name(wanted, past_the_end)), "");
  EXPECT_EQ(text(mcp_oauth_fetch_header_value(wanted, past_the_end)), "");
  EXPECT_EQ(mcp_oauth_fetch_timeout_seconds(nullptr), 0U);

  // The second waits for what the first fetches, and hears that it failed.
  ASSERT_EQ(mcp_oauth_check_next(second.get()), MCP_OAUTH_WAIT);
  mcp_oauth_fetch_fail(wanted, "no route", 8);
  mcp_oauth_check_give(first.get());
  while (mcp_oauth_check_next(first.get()) == MCP_OAUTH_FETCH) {
    mcp_oauth_fetch_fail(mcp_oauth_check_wanted(first.get()), "no route", 8);
    mcp_oauth_check_give(first.get());
  }
  mcp_oauth_error* raw = nullptr;
  EXPECT_EQ(mcp_oauth_check_user(first.get(), &raw), nullptr);
  c_error away(raw);
  EXPECT_EQ(mcp_oauth_error_status(away.get()), 503);
  mcp_oauth_check_proceed(second.get());
  while (mcp_oauth_check_next(second.get()) == MCP_OAUTH_FETCH) {
    mcp_oauth_fetch_fail(mcp_oauth_check_wanted(second.get()), "no route", 8);
    mcp_oauth_check_give(second.get());
  }
  EXPECT_EQ(mcp_oauth_check_next(second.get()), MCP_OAUTH_DONE);
  EXPECT_EQ(mcp_oauth_check_user(second.get(), nullptr), nullptr);
}

TEST_F(LibraryC, MayBeMadeFromTheEnvironmentAndToldOfACertificate) {
  ::unsetenv("OAUTH_ISSUER_URL");
  mcp_oauth_error* raw = nullptr;
  EXPECT_EQ(mcp_oauth_guard_new_from_environment(&callbacks, &raw), nullptr);
  c_error problems(raw);
  EXPECT_GE(mcp_oauth_error_problem_count(problems.get()), 1U);
  ::setenv("OAUTH_ISSUER_URL", "https://idp.example.com", 1);
  ::setenv("MCP_URL", "https://mcp.example.com/mcp", 1);
  c_guard g(mcp_oauth_guard_new_from_environment(&callbacks, nullptr));
  ::unsetenv("OAUTH_ISSUER_URL");
  ::unsetenv("MCP_URL");
  ASSERT_NE(g, nullptr);
  json::object cnf;
  cnf["x5t#S256"] = json::string(certificate_thumbprint("der"));
  auto token = world.token_with({{"cnf", cnf}});
  auto r = request(token, R"({"jsonrpc":"2.0","id":1,"method":"ping"})");
  mcp_oauth_request_set_client_certificate(r.get(), "der", 3);
  c_admission in(mcp_oauth_admit(g.get(), r.get()));
  EXPECT_EQ(mcp_oauth_admission_allowed(in.get()), 1);
  mcp_oauth_request_set_client_certificate(r.get(), "xyz", 3);
  c_admission out(mcp_oauth_admit(g.get(), r.get()));
  EXPECT_EQ(mcp_oauth_admission_allowed(out.get()), 0);
}

TEST_F(LibraryC, FiltersAnAnswerInPieces) {
  auto g = guard();
  auto l = request(world.token(), R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  c_admission list(mcp_oauth_admit(g.get(), l.get()));
  ASSERT_EQ(mcp_oauth_admission_filters(list.get()), 1);
  auto filter = mcp_oauth_admission_begin_filter(list.get(), "text/event-stream", 17);
  std::string whole = "data: {\"result\":{\"tools\":[{\"name\":\"delete_note\"},{\"name\":\"echo\"}]}}\n\n",
              out;
  for (char c : whole) {
    ASSERT_EQ(mcp_oauth_filter_feed(filter, &c, 1, nullptr), 1);
    out += text(mcp_oauth_filter_output(filter));
  }
  EXPECT_EQ(mcp_oauth_filter_finish(filter, nullptr), 1);
  EXPECT_EQ(out, "data: {\"result\":{\"tools\":[{\"name\":\"echo\"}]}}\n\n");
  mcp_oauth_filter_free(filter);

  filter = mcp_oauth_admission_begin_filter(list.get(), "application/json", 16);
  mcp_oauth_error* raw = nullptr;
  EXPECT_EQ(mcp_oauth_filter_feed(filter, "<html>", 6, &raw), 0);
  c_error error(raw);
  EXPECT_EQ(text(mcp_oauth_error_reason(error.get())), "list_unreadable");
  EXPECT_EQ(mcp_oauth_filter_finish(filter, nullptr), 0);
  mcp_oauth_filter_free(filter);
}

TEST_F(LibraryC, TakesAnOlderStructOfCallbacks) {
  callbacks.size = offsetof(mcp_oauth_callbacks, clock);
  auto g = guard();
  auto token = world.token();  // of 2027, which is not now
  mcp_oauth_error* raw = nullptr;
  EXPECT_EQ(mcp_oauth_validate(g.get(), token.data(), token.size(), &raw), nullptr);
  c_error error(raw);
  EXPECT_EQ(log.empty(), false);
}

TEST_F(LibraryC, CatchesWhatACallbackThrows) {
  callbacks.fetch = [](void*, mcp_oauth_fetch*) { throw std::runtime_error("mine"); };
  callbacks.log = [](void*, int32_t, const char*, size_t, const char*, size_t) { throw 1; };
  callbacks.clock = [](void*) -> int64_t { throw 2; };
  auto g = guard();
  mcp_oauth_error* raw = nullptr;
  auto token = world.token();
  EXPECT_EQ(mcp_oauth_validate(g.get(), token.data(), token.size(), &raw), nullptr);
  c_error error(raw);
  EXPECT_EQ(mcp_oauth_error_status(error.get()), 503);
  EXPECT_EQ(mcp_oauth_guard_prepare(g.get(), nullptr), 0);
}

TEST_F(LibraryC, RefusesAHugeBody) {
  callbacks.fetch = [](void*, mcp_oauth_fetch* fetch) {
    std::string huge(mcp_oauth_fetch_most_bytes(fetch) * 4, ' ');
    mcp_oauth_fetch_answer(fetch, 200, huge.data(), huge.size());
  };
  auto g = guard();
  mcp_oauth_error* raw = nullptr;
  EXPECT_EQ(mcp_oauth_guard_prepare(g.get(), &raw), 0);
  c_error error(raw);
  EXPECT_THAT(text(mcp_oauth_error_detail(error.get())), HasSubstr("over "));
}

TEST_F(LibraryC, PreparesAndRefreshes) {
  auto g = guard();
  EXPECT_EQ(mcp_oauth_guard_prepare(g.get(), nullptr), 1);
  EXPECT_EQ(mcp_oauth_guard_start_background_refresh(g.get()), 1);
  mcp_oauth_guard_stop_background_refresh(g.get());
  EXPECT_EQ(mcp_oauth_guard_metadata_path_count(g.get()), 3U);
  EXPECT_EQ(text(mcp_oauth_guard_metadata_path(g.get(), 0)), "/.well-known/oauth-protected-resource/mcp");
  EXPECT_EQ(text(mcp_oauth_guard_metadata_path(g.get(), 3)), "");
}

// Convention 7: every handle may be NULL.
TEST_F(LibraryC, AnswersNullCalmly) {
  mcp_oauth_error* raw = nullptr;
  EXPECT_EQ(mcp_oauth_validate(nullptr, "t", 1, &raw), nullptr);
  c_error misuse(raw);
  EXPECT_EQ(text(mcp_oauth_error_reason(misuse.get())), "internal");
  EXPECT_EQ(mcp_oauth_guard_new(nullptr, 5, nullptr, nullptr), nullptr);
  EXPECT_EQ(mcp_oauth_guard_prepare(nullptr, nullptr), 0);
  EXPECT_EQ(mcp_oauth_guard_start_background_refresh(nullptr), 0);
  mcp_oauth_guard_stop_background_refresh(nullptr);
  mcp_oauth_guard_forget(nullptr, nullptr, 3);
  EXPECT_EQ(text(mcp_oauth_guard_metadata_url(nullptr)), "");
  EXPECT_EQ(mcp_oauth_guard_metadata_path_count(nullptr), 0U);
  EXPECT_EQ(mcp_oauth_authorize_tool(nullptr, nullptr, "x", 1, nullptr), 0);
  EXPECT_EQ(mcp_oauth_filter_list(nullptr, nullptr, "", 0, "", 0, nullptr), nullptr);
  EXPECT_EQ(mcp_oauth_refuse(nullptr, nullptr), nullptr);
  for (auto f : {mcp_oauth_error_text, mcp_oauth_error_code, mcp_oauth_error_description,
                 mcp_oauth_error_symptom, mcp_oauth_error_reason, mcp_oauth_error_detail}) {
    EXPECT_EQ(text(f(nullptr)), "");
  }
  for (auto f : {mcp_oauth_user_subject, mcp_oauth_user_issuer, mcp_oauth_user_email, mcp_oauth_user_name,
                 mcp_oauth_user_username, mcp_oauth_user_client_id, mcp_oauth_user_claims}) {
    EXPECT_EQ(text(f(nullptr)), "");
  }
  for (auto f : {mcp_oauth_fetch_method, mcp_oauth_fetch_url, mcp_oauth_fetch_body})
    EXPECT_EQ(text(f(nullptr)), "");
  EXPECT_EQ(mcp_oauth_error_scope_count(nullptr) + mcp_oauth_error_problem_count(nullptr) +
                mcp_oauth_user_scope_count(nullptr) + mcp_oauth_fetch_header_count(nullptr) +
                mcp_oauth_answer_header_count(nullptr) + mcp_oauth_fetch_most_bytes(nullptr),
            0U);
  EXPECT_EQ(mcp_oauth_user_expires(nullptr), 0);
  mcp_oauth_request_add_header(nullptr, "a", 1, "b", 1);
  mcp_oauth_request_set_body(nullptr, nullptr, 0);
  mcp_oauth_request_set_client_certificate(nullptr, nullptr, 0);
  mcp_oauth_fetch_answer(nullptr, 200, nullptr, 0);
  mcp_oauth_fetch_answer_header(nullptr, nullptr, 0, nullptr, 0);
  mcp_oauth_fetch_fail(nullptr, nullptr, 0);
  EXPECT_EQ(mcp_oauth_answer_status(nullptr), 0);
  EXPECT_EQ(mcp_oauth_metadata(nullptr, nullptr), nullptr);
  c_admission broken(mcp_oauth_admit(nullptr, nullptr));
  EXPECT_EQ(mcp_oauth_admission_allowed(broken.get()), 0);
  EXPECT_EQ(mcp_oauth_answer_status(mcp_oauth_admission_answer(broken.get())), 500);
  EXPECT_EQ(mcp_oauth_admission_allowed(nullptr), 0);
  EXPECT_EQ(mcp_oauth_admission_filtered(nullptr, 200, "", 0, "", 0), nullptr);
  EXPECT_EQ(mcp_oauth_admission_filters(nullptr), 0);
  EXPECT_EQ(mcp_oauth_admission_begin_filter(nullptr, "", 0), nullptr);
  EXPECT_EQ(mcp_oauth_filter_feed(nullptr, "", 0, nullptr) + mcp_oauth_filter_finish(nullptr, nullptr), 0);
  EXPECT_EQ(text(mcp_oauth_filter_output(nullptr)), "");
  mcp_oauth_filter_free(nullptr);
  EXPECT_EQ(mcp_oauth_begin_validate(nullptr, "", 0), nullptr);
  EXPECT_EQ(mcp_oauth_begin_admit(nullptr, nullptr), nullptr);
  EXPECT_EQ(mcp_oauth_check_next(nullptr), MCP_OAUTH_DONE);
  EXPECT_EQ(mcp_oauth_check_wanted(nullptr), nullptr);
  mcp_oauth_check_give(nullptr);
  mcp_oauth_check_proceed(nullptr);
  EXPECT_EQ(mcp_oauth_check_user(nullptr, nullptr), nullptr);
  EXPECT_EQ(mcp_oauth_check_admission(nullptr), nullptr);
  mcp_oauth_guard_free(nullptr);
  mcp_oauth_check_free(nullptr);
}

}  // namespace
}  // namespace mcp_oauth
