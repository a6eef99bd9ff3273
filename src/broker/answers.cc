#include "broker/answers.h"

#include "base/text.h"
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

http_response wait_answer(const exchange& x, const error& why, seconds wait) {
  auto answer = error_answer(x, why);
  answer.fields.set("Retry-After", std::to_string(wait.count()));
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
