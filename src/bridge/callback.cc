#include "bridge/callback.h"

#include "base/form.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/url.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

std::variant<callback_answer, not_the_answer> judge_query(std::string_view query, std::string_view state) {
  auto parameters = form::parse(query);
  if (!parameters) return not_the_answer{400, "the query cannot be read"};
  auto given = parameters->find("state");
  if (state.empty() || !given || parameters->repeated("state") || !equal_constant_time(*given, state))
    return not_the_answer{400, "callback state mismatch"};
  callback_answer answer;
  for (std::string_view name : {"code", "error", "iss"}) {
    if (parameters->repeated(name)) return not_the_answer{400, "a parameter stands there twice"};
  }
  answer.code = std::string(parameters->find("code").value_or(""));
  answer.error = std::string(parameters->find("error").value_or(""));
  answer.error_description = std::string(parameters->find("error_description").value_or(""));
  if (auto iss = parameters->find("iss")) answer.iss = std::string(*iss);
  if (answer.code.empty() == answer.error.empty())
    return not_the_answer{400, "callback missing code or state"};
  return answer;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace

std::variant<callback_answer, not_the_answer> judge_callback(std::string_view method, std::string_view host,
                                                             std::string_view path, std::string_view query,
                                                             std::string_view state,
                                                             std::string_view redirect_uri) {
  auto redirect = url::parse(redirect_uri);
  if (!redirect) return not_the_answer{400, "no sign-in is under way"};
  auto asked = url::parse("http://" + std::string(host) + "/");
  bool same_port = asked && asked->effective_port() == redirect->effective_port();
  bool named =
      asked && ((asked->is_loopback() && same_port) || equal_ignoring_case(host, redirect->authority()));
  if (!named) return not_the_answer{400, "Untrusted Host header."};
  if (path != (redirect->path.empty() ? "/" : redirect->path)) return not_the_answer{404, "not found"};
  if (method != "GET") return not_the_answer{405, "only GET"};
  return judge_query(query, state);
}

std::variant<callback_answer, not_the_answer> judge_pasted(std::string_view text, std::string_view state) {
  auto query = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  query.remove_prefix(std::min(query.find_first_not_of(" \t\r\n"), query.size()));
  if (auto mark = query.find('?'); mark != std::string_view::npos) query.remove_prefix(mark + 1);
  query = query.substr(0, query.find('#'));
  if (query.find('=') == std::string_view::npos)
    return not_the_answer{400, "paste the whole address, with ?code=...&state=..."};
  return judge_query(query, state);
}

http_response callback_page(int status, std::string_view title, std::string_view text) {
  http_response page;
  page.status = status;
  page.fields = {
      {"Content-Type", "text/html; charset=utf-8"},
      {"Cache-Control", "no-store"},
      {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
      {"Referrer-Policy", "no-referrer"},
      {"X-Content-Type-Options", "nosniff"}};
  auto name = escaped(title);
  page.body = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>" + name +
              "</title><style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh "
              "auto;padding:0 1rem;"
              "color-scheme:light dark}</style><h1>" +
              name + "</h1><p>" + escaped(text) + "</p></html>\n";
  return page;
}

http_response callback_redirect(const std::string& success_url) {
  http_response answer;
  answer.status = 303;
  answer.fields = {
      {"Location", success_url}, {"Cache-Control", "no-store"}, {"Referrer-Policy", "no-referrer"}};
  return answer;
}

}  // namespace mcp_oauth
