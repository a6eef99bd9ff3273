#include "broker/answers.h"

#include "base/text.h"
#include "oauth/displayable.h"
#include "oauth/error_description.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

json::value text(std::string_view s) { return json::value(json::string_view(s.data(), s.size())); }

}  // namespace

http_response json_answer(int status, const json::object& body) {
  http_response answer;
  answer.status = status;
  answer.fields = {{"Content-Type", "application/json"},
                   {"Cache-Control", "no-store"},
                   {"X-Content-Type-Options", "nosniff"}};
  answer.body = json::serialize(body);
  return answer;
}

http_response redirect_answer(std::string location) {
  http_response answer;
  answer.status = 303;
  answer.fields = {
      {"Location", std::move(location)}, {"Cache-Control", "no-store"}, {"Referrer-Policy", "no-referrer"}};
  return answer;
}

void note_failure(const exchange& x, const error& why) {
  const auto& s = explain(why.code);
  x.log->note("result", s.name);
  x.log->note("symptom", s.id);
  if (!why.detail.empty()) x.log->note("detail", why.detail);
}

http_response error_answer(const exchange& x, const error& why) {
  note_failure(x, why);
  const auto& s = explain(why.code);
  json::object body;
  body["error"] = text(s.oauth_error.empty() ? "invalid_request" : s.oauth_error);
  body["error_description"] = text(error_description(why));
  auto answer = json_answer(s.status != 0 ? s.status : 500, body);
  if (answer.status == 401 && x.request->fields.count("authorization") != 0) {
    answer.fields.set("WWW-Authenticate", "Basic realm=\"oauth\", charset=\"UTF-8\"");
  }
  if (answer.status == 503) answer.fields.set("Retry-After", "2");
  return answer;
}

http_response error_answer_for_people(const exchange& x, const error& why, error_page page) {
  if (!accepts_html(*x.request)) return error_answer(x, why);
  note_failure(x, why);
  page.why = why;
  page.request_id = x.request->request_id;
  return to_response(page);
}

http_response limit_answer(const exchange& x, const settings& conf, rate_limit which,
                           std::string_view counted, seconds wait) {
  const auto& row = row_of(which);
  x.log->limited = which;
  auto after = std::to_string(wait.count());
  std::string of = "this " + std::string(row.counted_by);
  auto allowed = allowed_rate(which, conf);
  std::string rule = allowed.events == 0 ? std::string(row.key)
                                         : std::string(row.key) + " is " + std::to_string(allowed.events) +
                                               " in " + std::to_string(allowed.window.count()) + " s";
  error why{errc::too_many_requests,
            rule + ", and " + std::string(row.counted_by) + " " + displayable(counted) + " used it up"};
  if (accepts_html(*x.request)) {
    error_page page;
    page.cause = rule + " for " + of + ".";
    page.fix = "Wait " + after + " seconds and try again.";
    auto answer = error_answer_for_people(x, why, std::move(page));
    answer.fields.set("Retry-After", after);
    return answer;
  }
  note_failure(x, why);
  auto words = std::string(explain(why.code).description) + ": " + rule + " for " + of + ". Wait " + after +
               " seconds";
  auto answer = json_answer(429, {{"error", text(explain(why.code).oauth_error)},
                                  {"error_description", text(words)},
                                  {"limit", text(row.key)},
                                  {"limited_by", text(row.counted_by)}});
  answer.fields.set("Retry-After", after);
  return answer;
}

bool accepts_html(const http_request& request) {
  for (const auto& [name, value] : request.fields) {
    if (!equal_ignoring_case(name, "accept")) continue;
    for (const auto& range : split_words(value, ',')) {
      auto type = trim(std::string_view(range).substr(0, range.find(';')));
      if (equal_ignoring_case(type, "text/html") || equal_ignoring_case(type, "application/xhtml+xml"))
        return true;
    }
  }
  return false;
}

}  // namespace mcp_oauth
