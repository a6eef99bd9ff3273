// The functions of mcp_oauth/c.h: handles in and out of the classes of mcp_oauth/guard.h.

#include "library/c_handles.h"
#include "library/denials.h"
#include "library/safely.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

using namespace mcp_oauth::v1;
using mcp_oauth::safely;

namespace {

// Throws for want of memory; within `safely`.
template <class T, class... Arguments>
T* handle_of(Arguments&&... arguments) {
  return std::make_unique<T>(std::forward<Arguments>(arguments)...).release();
}

template <class T, class... Arguments>
T* made(Arguments&&... arguments) noexcept {
  return safely([&] { return handle_of<T>(std::forward<Arguments>(arguments)...); },
                [] { return static_cast<T*>(nullptr); });
}

template <class Why>
void put(mcp_oauth_error** error, const Why& why) noexcept {
  if (error == nullptr) return;
  *error = safely([&] { return handle_of<mcp_oauth_error>(error_of(why)); },
                  [] { return static_cast<mcp_oauth_error*>(nullptr); });
}
void put_none(mcp_oauth_error** error) noexcept {
  if (error != nullptr) *error = nullptr;
}
void put_misuse(mcp_oauth_error** error) noexcept {
  put(error, deny(mcp_oauth::errc::internal, "a handle that has to be there is NULL"));
}

mcp_oauth_text view_text(std::string_view whole) {
  return {whole.data() == nullptr ? "" : whole.data(), whole.size()};
}

template <class List>
mcp_oauth_text item(const List& list, size_t index) {
  return index < list.size() ? to_text(list[index]) : no_text();
}

const denial* denial_in(const mcp_oauth_error* error) {
  return error != nullptr ? std::get_if<denial>(&error->what) : nullptr;
}
const config_problem* problem_in(const mcp_oauth_error* error, size_t index) {
  const auto* problems = error != nullptr ? std::get_if<config_problems>(&error->what) : nullptr;
  return problems != nullptr && index < problems->list.size() ? &problems->list[index] : nullptr;
}

mcp_oauth_guard* guard_of(outcome<guard, config_problems> from, mcp_oauth_error** error) noexcept {
  if (from) return made<mcp_oauth_guard>(mcp_oauth_guard{*from});
  put(error, from.error());
  return nullptr;
}

mcp_oauth_user* user_of(const outcome<user>& from, mcp_oauth_error** error) noexcept {
  if (from) return made<mcp_oauth_user>(*from);
  put(error, from.error());
  return nullptr;
}

int32_t allowed(const std::optional<denial>& why, mcp_oauth_error** error) noexcept {
  if (!why) return 1;
  put(error, *why);
  return 0;
}

}  // namespace

const char* mcp_oauth_version(void) { return library_version(); }
int32_t mcp_oauth_abi(void) { return library_abi(); }

mcp_oauth_text mcp_oauth_error_text(const mcp_oauth_error* error) {
  return error != nullptr ? to_text(error->text) : no_text();
}
int32_t mcp_oauth_error_status(const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  return why != nullptr ? why->status() : 0;
}
mcp_oauth_text mcp_oauth_error_code(const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  return why != nullptr ? view_text(why->error()) : no_text();
}
mcp_oauth_text mcp_oauth_error_description(const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  return why != nullptr ? view_text(why->description()) : no_text();
}
mcp_oauth_text mcp_oauth_error_symptom(const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  return why != nullptr ? view_text(why->symptom()) : no_text();
}
mcp_oauth_text mcp_oauth_error_reason(const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  return why != nullptr ? view_text(why->reason()) : no_text();
}
mcp_oauth_text mcp_oauth_error_detail(const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  return why != nullptr ? view_text(why->detail()) : no_text();
}
size_t mcp_oauth_error_scope_count(const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  return why != nullptr ? why->required_scopes().size() : 0;
}
mcp_oauth_text mcp_oauth_error_scope(const mcp_oauth_error* error, size_t index) {
  const auto* why = denial_in(error);
  return why != nullptr ? item(why->required_scopes(), index) : no_text();
}
size_t mcp_oauth_error_problem_count(const mcp_oauth_error* error) {
  const auto* problems = error != nullptr ? std::get_if<config_problems>(&error->what) : nullptr;
  return problems != nullptr ? problems->list.size() : 0;
}
mcp_oauth_text mcp_oauth_error_problem_field(const mcp_oauth_error* error, size_t index) {
  const auto* problem = problem_in(error, index);
  return problem != nullptr ? to_text(problem->field) : no_text();
}
mcp_oauth_text mcp_oauth_error_problem_message(const mcp_oauth_error* error, size_t index) {
  const auto* problem = problem_in(error, index);
  return problem != nullptr ? to_text(problem->message) : no_text();
}
mcp_oauth_text mcp_oauth_error_problem_fix(const mcp_oauth_error* error, size_t index) {
  const auto* problem = problem_in(error, index);
  return problem != nullptr ? to_text(problem->fix) : no_text();
}
void mcp_oauth_error_free(mcp_oauth_error* error) { delete error; }

mcp_oauth_text mcp_oauth_fetch_method(const mcp_oauth_fetch* fetch) {
  return fetch != nullptr ? to_text(fetch->asked.method) : no_text();
}
mcp_oauth_text mcp_oauth_fetch_url(const mcp_oauth_fetch* fetch) {
  return fetch != nullptr ? to_text(fetch->asked.url) : no_text();
}
size_t mcp_oauth_fetch_header_count(const mcp_oauth_fetch* fetch) {
  return fetch != nullptr ? fetch->asked.headers.size() : 0;
}
mcp_oauth_text mcp_oauth_fetch_header_name(const mcp_oauth_fetch* fetch, size_t index) {
  return index < mcp_oauth_fetch_header_count(fetch) ? to_text(fetch->asked.headers[index].first) : no_text();
}
mcp_oauth_text mcp_oauth_fetch_header_value(const mcp_oauth_fetch* fetch, size_t index) {
  return index < mcp_oauth_fetch_header_count(fetch) ? to_text(fetch->asked.headers[index].second)
                                                     : no_text();
}
mcp_oauth_text mcp_oauth_fetch_body(const mcp_oauth_fetch* fetch) {
  return fetch != nullptr ? to_text(fetch->asked.body) : no_text();
}
size_t mcp_oauth_fetch_most_bytes(const mcp_oauth_fetch* fetch) {
  return fetch != nullptr ? fetch->asked.most_bytes : 0;
}
uint32_t mcp_oauth_fetch_timeout_seconds(const mcp_oauth_fetch* fetch) {
  return fetch != nullptr ? fetch->asked.timeout_seconds : 0;
}
void mcp_oauth_fetch_answer(mcp_oauth_fetch* fetch, int32_t status, const char* body, size_t body_size) {
  if (fetch == nullptr) return;
  safely(
      [&] {
        fetch->answer.status = status;
        // One byte over the bound says as much as all of them.
        fetch->answer.body = text_of(body, std::min(body_size, fetch->asked.most_bytes + 1));
        return true;
      },
      [&] {
        fetch->answer.status = 0;
        return false;
      });
}
void mcp_oauth_fetch_answer_header(mcp_oauth_fetch* fetch, const char* name, size_t name_size,
                                   const char* value, size_t value_size) {
  if (fetch == nullptr) return;
  safely(
      [&] {
        return fetch->answer.headers.emplace_back(text_of(name, name_size), text_of(value, value_size)), true;
      },
      [] { return false; });
}
void mcp_oauth_fetch_fail(mcp_oauth_fetch* fetch, const char* why, size_t why_size) {
  if (fetch == nullptr) return;
  fetch->answer.status = 0;
  safely([&] { return fetch->answer.failure = text_of(why, why_size), true; }, [] { return false; });
}

mcp_oauth_guard* mcp_oauth_guard_new(const char* config_json, size_t config_json_size,
                                     const mcp_oauth_callbacks* callbacks, mcp_oauth_error** error) {
  put_none(error);
  return safely(
      [&]() -> mcp_oauth_guard* {
        auto checked = config::from_json(text_of(config_json, config_json_size), options_of(callbacks));
        if (checked) return guard_of(guard::make(*checked), error);
        put(error, checked.error());
        return nullptr;
      },
      [] { return static_cast<mcp_oauth_guard*>(nullptr); });
}
mcp_oauth_guard* mcp_oauth_guard_new_from_environment(const mcp_oauth_callbacks* callbacks,
                                                      mcp_oauth_error** error) {
  put_none(error);
  return safely([&] { return guard_of(guard::from_environment(options_of(callbacks)), error); },
                [] { return static_cast<mcp_oauth_guard*>(nullptr); });
}
void mcp_oauth_guard_free(mcp_oauth_guard* guard) { delete guard; }

int32_t mcp_oauth_guard_prepare(const mcp_oauth_guard* guard, mcp_oauth_error** error) {
  put_none(error);
  if (guard == nullptr) return put_misuse(error), 0;
  return allowed(guard->guard.prepare(), error);
}
int32_t mcp_oauth_guard_start_background_refresh(const mcp_oauth_guard* guard) {
  return guard != nullptr && guard->guard.start_background_refresh() ? 1 : 0;
}
void mcp_oauth_guard_stop_background_refresh(const mcp_oauth_guard* guard) {
  if (guard != nullptr) guard->guard.stop_background_refresh();
}
void mcp_oauth_guard_forget(const mcp_oauth_guard* guard, const char* token, size_t token_size) {
  if (guard != nullptr) guard->guard.forget(text_of(token, token_size));
}
mcp_oauth_text mcp_oauth_guard_metadata_url(const mcp_oauth_guard* guard) {
  return guard != nullptr ? view_text(guard->guard.metadata_url()) : no_text();
}
size_t mcp_oauth_guard_metadata_path_count(const mcp_oauth_guard* guard) {
  return guard != nullptr ? guard->guard.metadata_paths().size() : 0;
}
mcp_oauth_text mcp_oauth_guard_metadata_path(const mcp_oauth_guard* guard, size_t index) {
  return guard != nullptr ? item(guard->guard.metadata_paths(), index) : no_text();
}

mcp_oauth_user* mcp_oauth_validate(const mcp_oauth_guard* guard, const char* token, size_t token_size,
                                   mcp_oauth_error** error) {
  put_none(error);
  if (guard == nullptr) return put_misuse(error), nullptr;
  return user_of(guard->guard.validate(text_of(token, token_size)), error);
}
int32_t mcp_oauth_authorize_tool(const mcp_oauth_guard* guard, const mcp_oauth_user* user, const char* tool,
                                 size_t tool_size, mcp_oauth_error** error) {
  put_none(error);
  if (guard == nullptr || user == nullptr) return put_misuse(error), 0;
  return allowed(guard->guard.authorize_tool(user->user, text_of(tool, tool_size)), error);
}
mcp_oauth_answer* mcp_oauth_filter_list(const mcp_oauth_guard* guard, const mcp_oauth_user* user,
                                        const char* body, size_t body_size, const char* content_type,
                                        size_t content_type_size, mcp_oauth_error** error) {
  put_none(error);
  if (guard == nullptr || user == nullptr) return put_misuse(error), nullptr;
  auto kept = guard->guard.filter_list(user->user, text_of(body, body_size),
                                       text_of(content_type, content_type_size));
  if (!kept) return put(error, kept.error()), nullptr;
  return safely(
      [&] {
        response answer;
        answer.headers.emplace_back("Content-Type", text_of(content_type, content_type_size));
        answer.body = std::move(kept).value();
        return handle_of<mcp_oauth_answer>(mcp_oauth_answer{std::move(answer)});
      },
      [] { return static_cast<mcp_oauth_answer*>(nullptr); });
}
mcp_oauth_answer* mcp_oauth_refuse(const mcp_oauth_guard* guard, const mcp_oauth_error* error) {
  const auto* why = denial_in(error);
  if (guard == nullptr) return nullptr;
  return made<mcp_oauth_answer>(
      mcp_oauth_answer{guard->guard.refuse(why != nullptr ? *why : deny(mcp_oauth::errc::internal))});
}

mcp_oauth_text mcp_oauth_user_subject(const mcp_oauth_user* user) {
  return user != nullptr ? to_text(user->subject) : no_text();
}
mcp_oauth_text mcp_oauth_user_issuer(const mcp_oauth_user* user) {
  return user != nullptr ? to_text(user->issuer) : no_text();
}
mcp_oauth_text mcp_oauth_user_email(const mcp_oauth_user* user) {
  return user != nullptr ? to_text(user->email) : no_text();
}
mcp_oauth_text mcp_oauth_user_name(const mcp_oauth_user* user) {
  return user != nullptr ? to_text(user->name) : no_text();
}
mcp_oauth_text mcp_oauth_user_username(const mcp_oauth_user* user) {
  return user != nullptr ? to_text(user->username) : no_text();
}
mcp_oauth_text mcp_oauth_user_client_id(const mcp_oauth_user* user) {
  return user != nullptr ? to_text(user->client_id) : no_text();
}
mcp_oauth_text mcp_oauth_user_claims(const mcp_oauth_user* user) {
  return user != nullptr ? to_text(user->claims) : no_text();
}
size_t mcp_oauth_user_scope_count(const mcp_oauth_user* user) {
  return user != nullptr ? user->user.scopes().size() : 0;
}
mcp_oauth_text mcp_oauth_user_scope(const mcp_oauth_user* user, size_t index) {
  return user != nullptr ? item(user->user.scopes(), index) : no_text();
}
int64_t mcp_oauth_user_expires(const mcp_oauth_user* user) {
  if (user == nullptr) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(user->user.expires().time_since_epoch()).count();
}
void mcp_oauth_user_free(mcp_oauth_user* user) { delete user; }

mcp_oauth_request* mcp_oauth_request_new(const char* method, size_t method_size, const char* target,
                                         size_t target_size) {
  return safely(
      [&] {
        auto request = std::make_unique<mcp_oauth_request>();
        request->method = text_of(method, method_size);
        request->target = text_of(target, target_size);
        return request.release();
      },
      [] { return static_cast<mcp_oauth_request*>(nullptr); });
}
void mcp_oauth_request_add_header(mcp_oauth_request* request, const char* name, size_t name_size,
                                  const char* value, size_t value_size) {
  if (request == nullptr) return;
  safely(
      [&] {
        return request->headers.emplace_back(text_of(name, name_size), text_of(value, value_size)), true;
      },
      [] { return false; });
}
void mcp_oauth_request_set_body(mcp_oauth_request* request, const char* body, size_t body_size) {
  if (request == nullptr) return;
  safely([&] { return request->body = text_of(body, body_size), true; }, [] { return false; });
}
void mcp_oauth_request_set_client_certificate(mcp_oauth_request* request, const char* der, size_t der_size) {
  if (request == nullptr) return;
  safely([&] { return request->certificate = text_of(der, der_size), true; }, [] { return false; });
}
void mcp_oauth_request_free(mcp_oauth_request* request) { delete request; }

int32_t mcp_oauth_answer_status(const mcp_oauth_answer* answer) {
  return answer != nullptr ? answer->response.status : 0;
}
size_t mcp_oauth_answer_header_count(const mcp_oauth_answer* answer) {
  return answer != nullptr ? answer->response.headers.size() : 0;
}
mcp_oauth_text mcp_oauth_answer_header_name(const mcp_oauth_answer* answer, size_t index) {
  return index < mcp_oauth_answer_header_count(answer) ? to_text(answer->response.headers[index].first)
                                                       : no_text();
}
mcp_oauth_text mcp_oauth_answer_header_value(const mcp_oauth_answer* answer, size_t index) {
  return index < mcp_oauth_answer_header_count(answer) ? to_text(answer->response.headers[index].second)
                                                       : no_text();
}
mcp_oauth_text mcp_oauth_answer_body(const mcp_oauth_answer* answer) {
  return answer != nullptr ? to_text(answer->response.body) : no_text();
}
void mcp_oauth_answer_free(mcp_oauth_answer* answer) { delete answer; }

mcp_oauth_answer* mcp_oauth_metadata(const mcp_oauth_guard* guard, const mcp_oauth_request* request) {
  if (guard == nullptr || request == nullptr) return nullptr;
  return safely(
      [&]() -> mcp_oauth_answer* {
        std::vector<header> views;
        auto document = guard->guard.metadata(request->view(views));
        return document ? handle_of<mcp_oauth_answer>(mcp_oauth_answer{std::move(*document)}) : nullptr;
      },
      [] { return static_cast<mcp_oauth_answer*>(nullptr); });
}

mcp_oauth_admission* mcp_oauth_admit(const mcp_oauth_guard* guard, const mcp_oauth_request* request) {
  return safely(
      [&] {
        if (guard == nullptr || request == nullptr) {
          return handle_of<mcp_oauth_admission>(
              admission(response{500, {}, {}}, deny(mcp_oauth::errc::internal)));
        }
        std::vector<header> views;
        return handle_of<mcp_oauth_admission>(guard->guard.admit(request->view(views)));
      },
      [] { return static_cast<mcp_oauth_admission*>(nullptr); });
}
int32_t mcp_oauth_admission_allowed(const mcp_oauth_admission* admission) {
  return admission != nullptr && admission->admission.allowed() ? 1 : 0;
}
const mcp_oauth_answer* mcp_oauth_admission_answer(const mcp_oauth_admission* admission) {
  return admission != nullptr && admission->answer ? &*admission->answer : nullptr;
}
const mcp_oauth_error* mcp_oauth_admission_refused(const mcp_oauth_admission* admission) {
  return admission != nullptr && admission->refused ? &*admission->refused : nullptr;
}
const mcp_oauth_user* mcp_oauth_admission_user(const mcp_oauth_admission* admission) {
  return admission != nullptr && admission->user ? &*admission->user : nullptr;
}
mcp_oauth_text mcp_oauth_admission_token(const mcp_oauth_admission* admission) {
  return admission != nullptr ? to_text(admission->token) : no_text();
}
mcp_oauth_text mcp_oauth_admission_method(const mcp_oauth_admission* admission) {
  return admission != nullptr ? to_text(admission->method) : no_text();
}
mcp_oauth_text mcp_oauth_admission_name(const mcp_oauth_admission* admission) {
  return admission != nullptr ? to_text(admission->name) : no_text();
}
int32_t mcp_oauth_admission_authorize_tool(const mcp_oauth_admission* admission, const char* tool,
                                           size_t tool_size, mcp_oauth_error** error) {
  put_none(error);
  if (mcp_oauth_admission_allowed(admission) == 0) return put_misuse(error), 0;
  return allowed(admission->admission.call().authorize_tool(text_of(tool, tool_size)), error);
}
mcp_oauth_answer* mcp_oauth_admission_filtered(const mcp_oauth_admission* admission, int32_t status,
                                               const char* content_type, size_t content_type_size,
                                               const char* body, size_t body_size) {
  if (mcp_oauth_admission_allowed(admission) == 0) return nullptr;
  return safely(
      [&] {
        response answer;
        answer.status = status;
        if (content_type_size != 0)
          answer.headers.emplace_back("Content-Type", text_of(content_type, content_type_size));
        answer.body = text_of(body, body_size);
        return handle_of<mcp_oauth_answer>(
            mcp_oauth_answer{admission->admission.call().filtered(std::move(answer))});
      },
      [] { return static_cast<mcp_oauth_answer*>(nullptr); });
}
size_t mcp_oauth_admission_answer_header_count(const mcp_oauth_admission* admission) {
  return admission != nullptr ? admission->answer_headers.size() : 0;
}
mcp_oauth_text mcp_oauth_admission_answer_header_name(const mcp_oauth_admission* admission, size_t index) {
  return index < mcp_oauth_admission_answer_header_count(admission)
             ? to_text(admission->answer_headers[index].first)
             : no_text();
}
mcp_oauth_text mcp_oauth_admission_answer_header_value(const mcp_oauth_admission* admission, size_t index) {
  return index < mcp_oauth_admission_answer_header_count(admission)
             ? to_text(admission->answer_headers[index].second)
             : no_text();
}
int32_t mcp_oauth_admission_filters(const mcp_oauth_admission* admission) {
  return mcp_oauth_admission_allowed(admission) != 0 && admission->admission.call().filters() ? 1 : 0;
}
mcp_oauth_filter* mcp_oauth_admission_begin_filter(const mcp_oauth_admission* admission,
                                                   const char* content_type, size_t content_type_size) {
  if (mcp_oauth_admission_allowed(admission) == 0) return nullptr;
  return made<mcp_oauth_filter>(mcp_oauth_filter{
      admission->admission.call().begin_filter(text_of(content_type, content_type_size)), {}});
}
int32_t mcp_oauth_filter_feed(mcp_oauth_filter* filter, const char* piece, size_t piece_size,
                              mcp_oauth_error** error) {
  put_none(error);
  if (filter == nullptr) return put_misuse(error), 0;
  filter->output.clear();
  return allowed(filter->filter.feed(text_of(piece, piece_size), filter->output), error);
}
int32_t mcp_oauth_filter_finish(mcp_oauth_filter* filter, mcp_oauth_error** error) {
  put_none(error);
  if (filter == nullptr) return put_misuse(error), 0;
  filter->output.clear();
  return allowed(filter->filter.finish(filter->output), error);
}
mcp_oauth_text mcp_oauth_filter_output(const mcp_oauth_filter* filter) {
  return filter != nullptr ? to_text(filter->output) : no_text();
}
void mcp_oauth_filter_free(mcp_oauth_filter* filter) { delete filter; }
void mcp_oauth_admission_free(mcp_oauth_admission* admission) { delete admission; }

mcp_oauth_check* mcp_oauth_begin_validate(const mcp_oauth_guard* guard, const char* token,
                                          size_t token_size) {
  if (guard == nullptr) return nullptr;
  return safely(
      [&] {
        auto check = std::make_unique<mcp_oauth_check>();
        check->check = guard->guard.begin_validate(text_of(token, token_size));
        check->look();
        return check.release();
      },
      [] { return static_cast<mcp_oauth_check*>(nullptr); });
}
mcp_oauth_check* mcp_oauth_begin_admit(const mcp_oauth_guard* guard, const mcp_oauth_request* request) {
  if (guard == nullptr || request == nullptr) return nullptr;
  return safely(
      [&] {
        auto check = std::make_unique<mcp_oauth_check>();
        check->request = *request;
        check->check = guard->guard.begin_admit(check->request.view(check->views));
        check->look();
        return check.release();
      },
      [] { return static_cast<mcp_oauth_check*>(nullptr); });
}
int32_t mcp_oauth_check_next(const mcp_oauth_check* check) {
  const auto* at = check != nullptr ? check->pending() : nullptr;
  return at != nullptr ? static_cast<int32_t>(at->next()) : static_cast<int32_t>(MCP_OAUTH_DONE);
}
mcp_oauth_fetch* mcp_oauth_check_wanted(mcp_oauth_check* check) {
  return mcp_oauth_check_next(check) == MCP_OAUTH_FETCH ? &check->fetch : nullptr;
}
void mcp_oauth_check_give(mcp_oauth_check* check) {
  if (mcp_oauth_check_next(check) != MCP_OAUTH_FETCH) return;
  check->pending()->give(std::move(check->fetch.answer));
  safely([&] { return check->look(), true; }, [] { return false; });
}
void mcp_oauth_check_proceed(mcp_oauth_check* check) {
  if (mcp_oauth_check_next(check) != MCP_OAUTH_WAIT) return;
  check->pending()->proceed();
  safely([&] { return check->look(), true; }, [] { return false; });
}
mcp_oauth_user* mcp_oauth_check_user(const mcp_oauth_check* check, mcp_oauth_error** error) {
  put_none(error);
  const auto* at = check != nullptr ? std::get_if<pending_user>(&check->check) : nullptr;
  if (at == nullptr) return put_misuse(error), nullptr;
  return user_of(at->result(), error);
}
mcp_oauth_admission* mcp_oauth_check_admission(const mcp_oauth_check* check) {
  const auto* at = check != nullptr ? std::get_if<pending_admission>(&check->check) : nullptr;
  return at != nullptr ? made<mcp_oauth_admission>(at->result()) : nullptr;
}
void mcp_oauth_check_free(mcp_oauth_check* check) { delete check; }
