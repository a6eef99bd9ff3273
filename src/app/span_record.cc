#include "app/span_record.h"

#include "base/json.h"
#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr int server_kind = 2, client_kind = 3;
constexpr int error_status = 2;
json::object text_attribute(std::string_view name, std::string_view value) {
  json::object o;
  o["key"] = name;
  o["value"] = json::object{{"stringValue", value}};
  return o;
}

// 64-bit numbers are strings in the JSON of Protocol Buffers.
std::string decimal(std::int64_t value) { return std::to_string(value); }

json::object number_attribute(std::string_view name, std::int64_t value) {
  json::object o;
  o["key"] = name;
  o["value"] = json::object{{"intValue", decimal(value)}};
  return o;
}

std::string nanoseconds_since_epoch(time_point t, std::chrono::nanoseconds later = {}) {
  auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()) + later;
  return decimal(since.count());
}

json::object to_json(const span_record& span) {
  json::object o;
  o["traceId"] = to_hex(span.context.trace);
  o["spanId"] = to_hex(span.context.span);
  bool has_parent = std::any_of(span.parent.begin(), span.parent.end(), [](auto b) { return b != 0; });
  if (has_parent) o["parentSpanId"] = to_hex(span.parent);
  o["name"] = is_valid_utf8(span.name) ? span.name : "request";
  o["kind"] = span.side == span_record::kind::server ? server_kind : client_kind;
  o["startTimeUnixNano"] = nanoseconds_since_epoch(span.began);
  o["endTimeUnixNano"] = nanoseconds_since_epoch(span.began, span.took);
  json::array attributes;
  for (const auto& [name, value] : span.texts) {
    if (!value.empty() && is_valid_utf8(value)) attributes.push_back(text_attribute(name, value));
  }
  for (const auto& [name, value] : span.numbers) attributes.push_back(number_attribute(name, value));
  o["attributes"] = std::move(attributes);
  json::object status;
  if (span.failed) status["code"] = error_status;
  o["status"] = std::move(status);
  return o;
}

}  // namespace

void shorten(std::string& text) {
  constexpr std::size_t longest = 256;
  if (!is_valid_utf8(text)) text.clear();
  if (text.size() <= longest) return;
  auto end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  text.shrink_to_fit();
}

http_call export_request(const span_receiver& to, std::span<const span_record> spans) {
  json::array all;
  for (const auto& span : spans) all.push_back(to_json(span));
  json::object scope_spans;
  scope_spans["scope"] = json::object{{"name", "mcp-oauth-proxy"}, {"version", to.service_version}};
  scope_spans["spans"] = std::move(all);
  json::object resource;
  resource["attributes"] = json::array{text_attribute("service.name", to.service_name),
                                       text_attribute("service.version", to.service_version)};
  json::object resource_spans;
  resource_spans["resource"] = std::move(resource);
  resource_spans["scopeSpans"] = json::array{std::move(scope_spans)};
  json::object body;
  body["resourceSpans"] = json::array{std::move(resource_spans)};

  http_call call{"POST", to.endpoint, {{"Content-Type", "application/json"}}, json::serialize(body)};
  for (const auto& [name, value] : to.fields) call.fields.add(name, std::string(value.reveal()));
  return call;
}

}  // namespace mcp_oauth
