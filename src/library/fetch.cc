#include "library/fetch.h"

#include "net/http_client.h"

#include <exception>
#include <utility>

MCP_OAUTH_BEGIN
namespace {

http_fields fields_of(std::vector<std::pair<std::string, std::string>> headers) {
  http_fields fields;
  for (auto& [name, value] : headers) fields.add(std::move(name), std::move(value));
  return fields;
}

std::string printable(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 300)) out += static_cast<unsigned char>(c) >= 0x20 && c != 0x7F ? c : '?';
  return out;
}

}  // namespace

fetch_answer fetch_by_curl(const fetch_request& request) {
  http_call call{request.method, request.url, fields_of(request.headers), request.body};
  fetch_rules rules;
  rules.most_bytes = request.most_bytes;
  rules.timeout = seconds(request.timeout_seconds);
  auto got = net::fetch(call, rules);
  fetch_answer answer;
  if (!got) {
    answer.failure = got.error().detail;
    return answer;
  }
  answer.status = got->status;
  for (const auto& [name, value] : got->fields) answer.headers.emplace_back(name, value);
  answer.body = std::move(got->body);
  return answer;
}

fetch_request to_host(const http_call& call, const fetch_rules& rules) {
  fetch_request request;
  request.method = call.method;
  request.url = call.url;
  for (const auto& [name, value] : call.fields) request.headers.emplace_back(name, value);
  request.body = call.body;
  request.most_bytes = rules.most_bytes;
  request.timeout_seconds = static_cast<unsigned>(rules.timeout.count());
  return request;
}

result<http_answer> from_host(fetch_answer answer, const fetch_request& asked) {
  auto place = asked.url.substr(0, asked.url.find_first_of("?#"));
  if (answer.status < 100 || answer.status > 599) {
    auto why = answer.failure.empty() ? "no answer" : printable(answer.failure);
    // Our own fetch names the URL already.
    return fail(errc::fetch_failed, why.find(place) == std::string::npos ? place + ": " + why : why);
  }
  if (answer.body.size() > asked.most_bytes) {
    return fail(errc::fetch_too_large, place + ": over " + std::to_string(asked.most_bytes) + " bytes");
  }
  http_answer taken;
  taken.status = answer.status;
  taken.fields = fields_of(std::move(answer.headers));
  taken.body = std::move(answer.body);
  return taken;
}

result<http_answer> fetch_by(const fetch_function& fetch, const fetch_request& asked) {
  fetch_answer answer;
  try {
    answer = fetch(asked);
  } catch (const std::exception& thrown) {
    answer = {};
    answer.failure = std::string("the fetch function threw: ") + thrown.what();
  } catch (...) {
    answer = {};
    answer.failure = "the fetch function threw";
  }
  return from_host(std::move(answer), asked);
}

MCP_OAUTH_END
