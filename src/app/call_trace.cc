#include "app/call_trace.h"

#include "base/text.h"
#include "base/url.h"
#include "mcp/revision.h"
#include "oauth/redact.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

// Names of spans are grouped by; what a client makes up must not become one.
constexpr std::size_t longest_word = 64;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= longest_word && std::all_of(text.begin(), text.end(), [](char c) {
    auto lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:").find(c) != std::string_view::npos;
  });
}

// The context that the fields hold: one traceparent that can be read (W3C Trace Context §3.2, §4.3).
std::optional<trace_context> context_of(std::span<const field> fields, bool& any) {
  std::optional<trace_context> found;
  for (const auto& f : fields) {
    if (!equal_ignoring_case(f.name, "traceparent")) continue;
    found = any ? std::nullopt : parse_traceparent(trim(f.value));
    any = true;
  }
  return found;
}

std::string state_of(std::span<const field> fields) {
  std::vector<std::string_view> lines;
  for (const auto& f : fields) {
    if (equal_ignoring_case(f.name, "tracestate")) lines.push_back(trim(f.value));
  }
  return passed_tracestate(lines);
}

std::string_view without_quotes(std::string_view id) {
  if (id.size() >= 2 && id.front() == '"' && id.back() == '"') return id.substr(1, id.size() - 2);
  return id;
}

}  // namespace

call_trace begin_trace(std::span<const field> fields, const envelope& message, caller_trust who,
                       const telemetry_settings& conf, const random_fn& random) {
  call_trace trace;
  bool in_header = false;
  auto parent = context_of(fields, in_header);
  if (parent) trace.state = state_of(fields);
  if (!in_header) parent = parse_traceparent(message.traceparent);
  trace_sampling how;
  how.per_million = conf.sample_per_million;
  // What stands in the message comes from the client, whoever brought it here.
  how.believes_parent = in_header && who == caller_trust::trusted_proxy && conf.believes_proxies;
  trace.request = child_of(parent, how, random);
  if (parent) trace.parent = parent->span;
  trace.rpc_id = without_quotes(message.id);
  auto named =
      message.protocol_version.empty() ? std::string_view() : std::string_view(message.protocol_version);
  for (const auto& f : fields) {
    if (named.empty() && equal_ignoring_case(f.name, "mcp-protocol-version")) named = f.value;
  }
  if (auto revision = parse_revision(named)) trace.revision = name(*revision);
  return trace;
}

void begin_call(call_trace& trace, const random_fn& random) {
  trace.call = span_below(trace.request, random);
  trace.call_began = std::chrono::system_clock::now();
  trace.call_started = std::chrono::steady_clock::now();
}

std::string trace_fields(const call_trace& trace, bool with_state) {
  auto lines = "traceparent: " + to_traceparent(trace.call) + "\r\n";
  if (with_state && !trace.state.empty()) lines += "tracestate: " + trace.state + "\r\n";
  return lines;
}

std::string path_of_span(std::string_view path) {
  auto clean = path_without_secrets(path);
  return clean.substr(0, clean.find('?'));
}

span_record call_span(const call_trace& trace, const call_result& call) {
  span_record span;
  span.side = span_record::kind::client;
  span.context = trace.call;
  span.parent = trace.request.span;
  span.name = known_method(call.method);
  span.began = trace.call_began;
  span.took = std::chrono::steady_clock::now() - trace.call_started;
  span.texts.emplace_back("http.request.method", known_method(call.method));
  if (auto to = url::parse(call.address)) {
    span.texts.emplace_back("url.full", to->origin() + path_of_span(to->path));
    span.texts.emplace_back("server.address", to->host);
    span.numbers.emplace_back("server.port", to->effective_port());
  }
  if (call.status != 0) span.numbers.emplace_back("http.response.status_code", call.status);
  // What the other side refuses is an error for whoever asked (HTTP spans, status).
  span.failed = call.why.has_value() || call.status >= 400;
  if (call.why) {
    span.texts.emplace_back("error.type", explain(*call.why).name);
  } else if (span.failed) {
    span.texts.emplace_back("error.type", std::to_string(call.status));
  }
  return span;
}

std::string describe_message(std::string_view method, std::string_view name, const call_trace& trace,
                             span_record& span) {
  span.texts.emplace_back("network.protocol.name", "http");
  span.texts.emplace_back("network.transport", "tcp");
  span.texts.emplace_back("mcp.protocol.version", trace.revision);
  if (method.empty()) return "";
  span.texts.emplace_back("mcp.method.name", method);
  span.texts.emplace_back("jsonrpc.request.id", trace.rpc_id);
  bool tool = method == "tools/call", prompt = method == "prompts/get";
  if (tool) span.texts.emplace_back("gen_ai.operation.name", "execute_tool");
  if (tool) span.texts.emplace_back("gen_ai.tool.name", name);
  if (prompt) span.texts.emplace_back("gen_ai.prompt.name", name);
  if (!is_word(method)) return "";
  std::string title(method);
  if ((tool || prompt) && is_word(name)) title.append(" ").append(name);
  return title;
}

std::string_view known_method(std::string_view method) {
  for (std::string_view known :
       {"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH", "CONNECT", "TRACE"}) {
    if (method == known) return known;
  }
  return "_OTHER";
}

}  // namespace mcp_oauth
