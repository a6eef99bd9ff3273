#include "demo/methods.h"

#include "demo/tools.h"
#include "mcp/error_body.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view resource_uri = "demo://readme";

json::object server_info() { return {{"name", "mcp-oauth-proxy-demo"}, {"version", "1.0.0"}}; }

json::object capabilities() {
  return {{"tools", json::object()},
          {"prompts", json::object()},
          {"resources", json::object()},
          {"logging", json::object()}};
}

constexpr std::string_view instructions =
    "A small server to try a gateway with: it echoes, takes its time, and fails.";

// 2026-07-28: a list and a document say for how long they may be kept, and whether others may share them.
json::object cacheable(revision spoken, json::object result) {
  if (has_mirrored_headers(spoken)) {
    result["ttlMs"] = 60'000;
    result["cacheScope"] = "public";
  }
  return result;
}

demo_reply give(const demo_request& r, json::object result) {
  return one_message(jsonrpc_result(r.id, complete_result(r.spoken, std::move(result))));
}

demo_reply discover(const demo_request& r) {
  json::object result;
  result["supportedVersions"] = json::array{text_of(name(newest_revision))};
  result["capabilities"] = capabilities();
  result["instructions"] = text_of(instructions);
  return give(r, cacheable(r.spoken, std::move(result)));
}

demo_reply list_prompts(const demo_request& r) {
  json::object argument{{"name", "name"}, {"description", "Whom to greet"}, {"required", true}};
  json::object prompt;
  prompt["name"] = "greeting";
  if (r.spoken >= revision::v2025_06_18) prompt["title"] = "Greeting";
  prompt["description"] = "Asks for a friendly greeting.";
  prompt["arguments"] = json::array{std::move(argument)};
  json::object result;
  result["prompts"] = json::array{std::move(prompt)};
  return give(r, cacheable(r.spoken, std::move(result)));
}

demo_reply get_prompt(const demo_request& r) {
  const auto* arguments = r.params.if_contains("arguments");
  std::string whom;
  if (arguments != nullptr && arguments->is_object()) whom = text_member(arguments->as_object(), "name");
  if (text_member(r.params, "name") != "greeting" || whom.empty()) {
    return one_message(jsonrpc_error(r.id, jsonrpc::invalid_params, "Unknown prompt, or no name to greet"));
  }
  json::object content{{"type", "text"}};
  content["text"] = text_of("Please greet " + whom + " warmly.");
  json::object message{{"role", "user"}};
  message["content"] = std::move(content);
  json::object result;
  result["messages"] = json::array{std::move(message)};
  return give(r, std::move(result));
}

demo_reply list_resources(const demo_request& r) {
  json::object resource;
  resource["uri"] = text_of(resource_uri);
  resource["name"] = "readme";
  if (r.spoken >= revision::v2025_06_18) resource["title"] = "Read me";
  resource["mimeType"] = "text/plain";
  json::object result;
  result["resources"] = json::array{std::move(resource)};
  return give(r, cacheable(r.spoken, std::move(result)));
}

demo_reply read_resource(const demo_request& r) {
  auto uri = text_member(r.params, "uri");
  if (uri != resource_uri) {
    constexpr int resource_not_found = -32002;  // until 2025-11-25
    json::object data;
    data["uri"] = text_of(uri);
    int code = has_mirrored_headers(r.spoken) ? jsonrpc::invalid_params : resource_not_found;
    return one_message(jsonrpc_error(r.id, code, "Resource not found", std::move(data)));
  }
  json::object contents;
  contents["uri"] = text_of(resource_uri);
  contents["mimeType"] = "text/plain";
  contents["text"] = text_of(instructions);
  json::object result;
  result["contents"] = json::array{std::move(contents)};
  return give(r, cacheable(r.spoken, std::move(result)));
}

// 2026-07-28: the stream on which a client hears of changes. Nothing ever changes here; it only stays open.
demo_reply listen(const demo_request& r) {
  json::object meta;
  auto id = parse_json(r.id);
  if (id) meta["io.modelcontextprotocol/subscriptionId"] = std::move(*id);
  json::object params;
  params["_meta"] = std::move(meta);
  params["notifications"] = json::object();
  json::object message{{"jsonrpc", "2.0"}, {"method", "notifications/subscriptions/acknowledged"}};
  message["params"] = std::move(params);
  auto reply = one_message(json::serialize(message));
  reply.end = timed_stream::ending::open;
  return reply;
}

}  // namespace

demo_reply answer_request(const demo_request& r) {
  bool stateless = has_mirrored_headers(r.spoken);
  if (r.method == "tools/call") return call_tool(r);
  if (r.method == "tools/list") {
    json::object result;
    result["tools"] = list_tools(r.spoken);
    return give(r, cacheable(r.spoken, std::move(result)));
  }
  if (r.method == "prompts/list") return list_prompts(r);
  if (r.method == "prompts/get") return get_prompt(r);
  if (r.method == "resources/list") return list_resources(r);
  if (r.method == "resources/templates/list") {
    json::object result;
    result["resourceTemplates"] = json::array();
    return give(r, cacheable(r.spoken, std::move(result)));
  }
  if (r.method == "resources/read") return read_resource(r);
  if (stateless && r.method == "server/discover") return discover(r);
  if (stateless && r.method == "subscriptions/listen") return listen(r);
  if (!stateless && (r.method == "ping" || r.method == "logging/setLevel")) return give(r, {});
  auto reply = one_message(jsonrpc_error(r.id, jsonrpc::method_not_found, "Method not found"));
  reply.method_unknown = true;
  return reply;
}

json::object initialize_result(revision spoken) {
  json::object result;
  result["protocolVersion"] = text_of(name(spoken));
  result["capabilities"] = capabilities();
  result["serverInfo"] = server_info();
  if (spoken >= revision::v2025_03_26) result["instructions"] = text_of(instructions);
  return result;
}

json::object complete_result(revision spoken, json::object result) {
  if (has_mirrored_headers(spoken)) {
    result["resultType"] = "complete";
    json::object meta;
    meta["io.modelcontextprotocol/serverInfo"] = server_info();
    result["_meta"] = std::move(meta);
  }
  return result;
}

std::string jsonrpc_result(std::string_view raw_id, json::object result) {
  std::string message = R"({"jsonrpc":"2.0","id":)";
  message += raw_id;
  message += R"(,"result":)";
  message += json::serialize(result);
  message += '}';
  return message;
}

}  // namespace mcp_oauth
