#include "library/c_handles.h"

#include "base/json.h"

#include <algorithm>
#include <chrono>
#include <cstring>

mcp_oauth_user::mcp_oauth_user(const mcp_oauth::v1::user& from)
    : user(from),
      subject(from.subject()),
      issuer(from.issuer()),
      email(from.email()),
      name(from.name()),
      username(from.username()),
      client_id(from.client_id()),
      claims(from.claims()) {}

mcp_oauth::v1::request mcp_oauth_request::view(std::vector<mcp_oauth::v1::header>& views) const {
  views.clear();
  for (const auto& [name, value] : headers) views.push_back({name, value});
  mcp_oauth::v1::request asked;
  asked.method = method;
  asked.target = target;
  asked.headers = views;
  asked.body = body;
  asked.client_certificate = certificate;
  return asked;
}

mcp_oauth_admission::mcp_oauth_admission(mcp_oauth::v1::admission from) : admission(std::move(from)) {
  if (admission.allowed()) {
    const auto& call = admission.call();
    user.emplace(call.user());
    token = call.token();
    method = call.method();
    name = call.name();
    answer_headers = call.answer_headers();
  } else {
    answer.emplace(mcp_oauth_answer{admission.answer()});
  }
  if (admission.refused()) refused.emplace(mcp_oauth::v1::error_of(*admission.refused()));
}

mcp_oauth::v1::pending_check* mcp_oauth_check::pending() {
  if (auto* user = std::get_if<mcp_oauth::v1::pending_user>(&check)) return user;
  return std::get_if<mcp_oauth::v1::pending_admission>(&check);
}
const mcp_oauth::v1::pending_check* mcp_oauth_check::pending() const {
  if (const auto* user = std::get_if<mcp_oauth::v1::pending_user>(&check)) return user;
  return std::get_if<mcp_oauth::v1::pending_admission>(&check);
}

void mcp_oauth_check::look() {
  auto* at = pending();
  fetch = {};
  if (at != nullptr && at->next() == mcp_oauth::v1::step::fetch) fetch.asked = at->wanted();
}

MCP_OAUTH_BEGIN
namespace {

json::string text(std::string_view s) { return json::string(s.data(), s.size()); }

fetch_function fetch_of(mcp_oauth_fetch_fn call, void* data) {
  return [call, data](const fetch_request& asked) {
    mcp_oauth_fetch fetch{asked, {}};
    call(data, &fetch);
    return std::move(fetch.answer);
  };
}

log_function log_of(mcp_oauth_log_fn call, void* data) {
  return [call, data](const log_entry& entry) {
    json::object fields;
    for (const auto& f : entry.fields) fields[{f.name.data(), f.name.size()}] = text(f.value);
    auto written = json::serialize(fields);
    call(data, static_cast<int32_t>(entry.level), entry.message.data(), entry.message.size(), written.data(),
         written.size());
  };
}

}  // namespace

mcp_oauth_error error_of(denial why) {
  std::string text(why.reason());
  if (!why.detail().empty()) text += ": " + std::string(why.detail());
  return {std::move(why), std::move(text)};
}

mcp_oauth_error error_of(config_problems why) {
  auto text = why.text();
  return {std::move(why), std::move(text)};
}

options options_of(const mcp_oauth_callbacks* callbacks) {
  options made;
  if (callbacks == nullptr) return made;
  mcp_oauth_callbacks known{};
  std::memcpy(&known, callbacks, std::min(callbacks->size, sizeof known));
  if (known.fetch != nullptr) made.fetch = fetch_of(known.fetch, known.fetch_data);
  if (known.log != nullptr) made.log = log_of(known.log, known.log_data);
  if (known.clock != nullptr) {
    made.clock = [call = known.clock, data = known.clock_data] {
      return std::chrono::system_clock::time_point(std::chrono::milliseconds(call(data)));
    };
  }
  return made;
}

MCP_OAUTH_END
