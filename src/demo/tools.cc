#include "demo/tools.h"

#include "base/text.h"
#include "mcp/error_body.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mcp_oauth {
namespace {

struct tool {
  std::string_view name, title, description;
  std::string_view properties;  // JSON of `inputSchema.properties`
  std::string_view required;    // "" or one name
  bool read_only;
  demo_reply (*call)(const demo_request&, const json::object& arguments);
};

demo_reply wrong_arguments(const demo_request& r, std::string_view why) {
  return one_message(jsonrpc_error(r.id, jsonrpc::invalid_params, why));
}

std::string text_result(const demo_request& r, std::string_view text, bool is_error = false) {
  json::object block;
  block["type"] = "text";
  block["text"] = text_of(text);
  json::object result;
  result["content"] = json::array{std::move(block)};
  if (is_error) result["isError"] = true;
  return jsonrpc_result(r.id, complete_result(r.spoken, std::move(result)));
}

// A number, kept within bounds; nothing when it is something else.
std::optional<double> number(const json::object& o, std::string_view name, double otherwise, double most) {
  const auto* v = o.if_contains(json::string_view(name.data(), name.size()));
  if (v == nullptr) return otherwise;
  double n = 0;
  if (v->is_int64()) {
    n = static_cast<double>(v->as_int64());
  } else if (v->is_uint64()) {
    n = static_cast<double>(v->as_uint64());
  } else if (v->is_double()) {
    n = v->as_double();
  } else {
    return std::nullopt;
  }
  return std::clamp(n, 0.0, most);
}

const json::value* meta_member(const demo_request& r, std::string_view name) {
  const auto* meta = r.params.if_contains("_meta");
  if (meta == nullptr || !meta->is_object()) return nullptr;
  return meta->as_object().if_contains(json::string_view(name.data(), name.size()));
}

std::string notification(std::string_view method, json::object params) {
  json::object message;
  message["jsonrpc"] = "2.0";
  message["method"] = text_of(method);
  message["params"] = std::move(params);
  return json::serialize(message);
}

demo_reply echo(const demo_request& r, const json::object& arguments) {
  std::string text;
  if (read(arguments, "text", text) != member::present) return wrong_arguments(r, "echo needs a text");
  return one_message(text_result(r, text));
}

demo_reply whoami(const demo_request& r, const json::object&) {
  json::object identity;
  for (const auto& [name, value] : *r.fields) {
    if (starts_with_ignoring_case(name, "X-User-")) identity[to_lower(name)] = text_of(value);
  }
  json::object seen;
  seen["identity"] = std::move(identity);
  // Whether, never which: an MCP server behind a gateway has no business with the client's token.
  seen["authorization_received"] = r.fields->count("Authorization") > 0;
  return one_message(text_result(r, json::serialize(seen)));
}

demo_reply progress(const demo_request& r, const json::object& arguments) {
  auto steps = number(arguments, "steps", 5, 10'000);
  auto interval = number(arguments, "interval_ms", 200, 60'000);
  if (!steps || !interval) return wrong_arguments(r, "steps and interval_ms are numbers");
  auto count = static_cast<int>(*steps);
  milliseconds wait(static_cast<std::int64_t>(*interval));
  const auto* token = meta_member(r, "progressToken");
  demo_reply reply;
  for (int i = 1; i <= count && token != nullptr; ++i) {
    json::object params;
    params["progressToken"] = *token;
    params["progress"] = i;
    params["total"] = count;
    if (r.spoken >= revision::v2025_03_26) params["message"] = text_of("step " + std::to_string(i));
    reply.messages.push_back({wait, notification("notifications/progress", std::move(params))});
  }
  reply.messages.push_back({token != nullptr ? milliseconds(0) : wait * count,
                            text_result(r, "done after " + std::to_string(count) + " steps")});
  return reply;
}

demo_reply slow(const demo_request& r, const json::object& arguments) {
  auto wait = number(arguments, "seconds", 5, 3600);
  if (!wait) return wrong_arguments(r, "seconds is a number");
  demo_reply reply;
  reply.messages.push_back({milliseconds(std::llround(*wait * 1000)), text_result(r, "done at last")});
  return reply;
}

demo_reply break_down(const demo_request& r, const json::object& arguments) {
  auto kind = text_member(arguments, "kind");
  if (kind == "tool_error") return one_message(text_result(r, "the tool failed, as you asked", true));
  if (kind == "jsonrpc_error")
    return one_message(jsonrpc_error(r.id, jsonrpc::internal_error, "failed, as you asked"));
  demo_reply reply;
  if (kind == "http_500") {
    reply.instead = http_response{500, {{"Content-Type", "text/plain"}}, "failed, as you asked\n"};
  } else if (kind == "html") {
    reply.instead =
        http_response{200, {{"Content-Type", "text/html"}}, "<!doctype html><title>Not MCP</title>\n"};
  } else if (kind == "close") {
    reply.end = timed_stream::ending::abort;
  } else {
    return wrong_arguments(r, "kind is tool_error, jsonrpc_error, http_500, html or close");
  }
  return reply;
}

demo_reply big(const demo_request& r, const json::object& arguments) {
  auto bytes = number(arguments, "bytes", 1'000'000, 64.0 * 1024 * 1024);
  if (!bytes) return wrong_arguments(r, "bytes is a number");
  return one_message(text_result(r, std::string(static_cast<std::size_t>(*bytes), 'x')));
}

demo_reply announce(const demo_request& r, const json::object& arguments) {
  std::string text;
  if (read(arguments, "text", text) != member::present) return wrong_arguments(r, "announce needs a text");
  json::object params;
  params["level"] = "info";
  params["logger"] = "demo";
  params["data"] = text_of(text);
  auto message = notification("notifications/message", std::move(params));
  auto reply = one_message(text_result(r, "announced"));
  if (!has_mirrored_headers(r.spoken)) {
    reply.pushed.push_back(std::move(message));
  } else if (meta_member(r, "io.modelcontextprotocol/logLevel") != nullptr) {
    // 2026-07-28: log messages go with the request that asked for them, and nowhere else.
    reply.messages.insert(reply.messages.begin(), {milliseconds(0), std::move(message)});
  }
  return reply;
}

constexpr std::array tools = {
    tool{"echo", "Echo", "Returns the text that it is given.", R"({"text":{"type":"string"}})", "text", true,
         echo},
    tool{"whoami", "Who am I?", "Returns the identity headers that arrived with the call.", "{}", "", true,
         whoami},
    tool{"progress", "Progress", "Works in steps and reports each of them.",
         R"({"steps":{"type":"integer","default":5},"interval_ms":{"type":"integer","default":200}})", "",
         true, progress},
    tool{"slow", "Slow", "Answers after that many seconds, unless it is cancelled before.",
         R"({"seconds":{"type":"number","default":5}})", "", true, slow},
    tool{"fail", "Fail", "Fails in the way that it is told.",
         R"({"kind":{"type":"string","enum":["tool_error","jsonrpc_error","http_500","html","close"]}})",
         "kind", false, break_down},
    tool{"big", "Big", "Returns a text of that many bytes.",
         R"({"bytes":{"type":"integer","default":1000000}})", "", true, big},
    tool{"announce", "Announce", "Sends a log message to the stream of the session.",
         R"({"text":{"type":"string"}})", "text", false, announce},
};

}  // namespace

json::array list_tools(revision spoken) {
  json::array list;
  for (const auto& t : tools) {
    json::object schema;
    schema["type"] = "object";
    auto properties = parse_json(t.properties);
    if (properties) schema["properties"] = std::move(*properties);
    if (!t.required.empty()) schema["required"] = json::array{text_of(t.required)};
    json::object entry;
    entry["name"] = text_of(t.name);
    if (spoken >= revision::v2025_06_18) entry["title"] = text_of(t.title);
    entry["description"] = text_of(t.description);
    entry["inputSchema"] = std::move(schema);
    if (spoken >= revision::v2025_03_26) entry["annotations"] = json::object{{"readOnlyHint", t.read_only}};
    list.push_back(std::move(entry));
  }
  return list;
}

demo_reply call_tool(const demo_request& r) {
  auto name = text_member(r.params, "name");
  json::object arguments;
  if (const auto* given = r.params.if_contains("arguments"); given != nullptr && !given->is_null()) {
    if (!given->is_object()) return wrong_arguments(r, "arguments is an object");
    arguments = given->as_object();
  }
  for (const auto& t : tools) {
    if (t.name == name) return t.call(r, arguments);
  }
  return wrong_arguments(r, "Unknown tool: " + name);
}

demo_reply one_message(std::string message) {
  demo_reply reply;
  reply.messages.push_back({milliseconds(0), std::move(message)});
  return reply;
}

}  // namespace mcp_oauth
