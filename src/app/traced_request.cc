// Where the life of a request meets its trace. Nothing here runs unless traces are made.

#include "app/gateway_service.h"
#include "app/span_exporter.h"
#include "app/story.h"
#include "base/url.h"
#include "config/check.h"
#include "gateway/original_request.h"
#include "jose/random.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

// Of few values, unlike the path.
std::string_view route_of(const snapshot& rules, const net::request_head& head) {
  if (is_verify_path(head.path)) return verify_path;
  if (const auto* to = rules.find(head.host, head.path); to != nullptr) {
    auto rest = to->where.rest_of(head.path);
    auto route = head.path.substr(0, head.path.size() - std::min(rest.size(), head.path.size()));
    return route.empty() ? "/" : route;
  }
  // The other endpoints have fixed paths.
  return head.path.starts_with(provider_callback_path) ? paths::callback : head.path;
}

// Why the authorization server said no: the word that its steps left for the log.
std::string_view refusal_in(const std::vector<std::pair<std::string, std::string>>& notes) {
  for (auto note = notes.rbegin(); note != notes.rend(); ++note) {
    if (note->first != "symptom") continue;
    for (const auto& row : catalogue()) {
      if (row.id == note->second) return row.name;
    }
  }
  return {};
}

time_point some_time_ago(std::chrono::nanoseconds took) {
  auto whole = std::chrono::duration_cast<time_point::duration>(took);
  return std::chrono::system_clock::now() - whole;
}

std::string as_random_fn(std::size_t n) { return random_bytes(n); }

}  // namespace

void gateway_service::begin_trace(const net::exchange& x, story& told, const envelope& message) const {
  const auto& conf = told.rules->conf;
  auto trust =
      told.rules->clients.is_trusted(x.peer()) ? caller_trust::trusted_proxy : caller_trust::stranger;
  told.trace = std::make_unique<call_trace>(
      mcp_oauth::begin_trace(x.head().fields, message, trust, conf.telemetry, as_random_fn));
}

void gateway_service::begin_call(story& told) { mcp_oauth::begin_call(*told.trace, as_random_fn); }

void gateway_service::end_call(story& told, const call_result& end) {
  auto& trace = *told.trace;
  if (!trace.call.sampled) return;
  auto span = call_span(trace, end);
  if (end.carries_message) {
    auto title = describe_message(told.method, told.tool, trace, span);
    if (!title.empty()) span.name = std::move(title);
  }
  trace.calls.push_back(std::move(span));
}

void gateway_service::end_trace(const net::exchange& x, story& told, std::chrono::nanoseconds took) {
  const auto& rules = *told.rules;
  bool mcp = told.area == metrics::area::mcp;
  auto& trace = *told.trace;
  if (!trace.request.sampled) return;

  const auto& head = x.head();
  span_record span;
  span.context = trace.request;
  span.parent = trace.parent;
  span.began = some_time_ago(took);
  span.took = took;
  auto route = route_of(rules, head);
  span.name = std::string(known_method(head.method));
  if (!route.empty()) span.name.append(" ").append(route);
  span.texts.emplace_back("http.request.method", known_method(head.method));
  span.texts.emplace_back("http.route", route);
  span.texts.emplace_back("url.path", path_of_span(head.path));
  if (auto here = url::parse(rules.conf.public_url)) {
    span.texts.emplace_back("url.scheme", here->scheme);
    span.texts.emplace_back("server.address", here->host);
    span.numbers.emplace_back("server.port", here->effective_port());
  }
  span.texts.emplace_back("client.address", told.client);
  span.texts.emplace_back("network.protocol.version", head.minor_version == 0 ? "1.0" : "1.1");
  if (x.status != 0) span.numbers.emplace_back("http.response.status_code", x.status);
  if (mcp) {
    // What was not permitted is not known to exist: then it is in the attributes alone.
    auto title = describe_message(told.method, told.tool, trace, span);
    if (told.permitted && !title.empty()) span.name = std::move(title);
  }
  auto why = told.why ? explain(told.why->code).name : refusal_in(told.notes);
  if (!why.empty()) {
    span.texts.emplace_back("error.type", why);
  } else if (x.status >= 400) {
    span.texts.emplace_back("error.type", std::to_string(x.status));
  }
  // A refusal is a failure of the MCP call; to HTTP, what is the client's fault is none of the server's.
  span.failed = x.status >= 500 || (mcp && !why.empty());

  for (auto& call : trace.calls) rules.spans->add(std::move(call));
  rules.spans->add(std::move(span));
}

}  // namespace mcp_oauth
