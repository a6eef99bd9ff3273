#pragma once

// A small MCP server, as the examples need it: what it can do, without a word about who may.

#include <string>
#include <string_view>

#include <boost/json.hpp>

namespace example {

namespace json = boost::json;

// A text in an object, or "" when it is not there.
inline std::string text_in(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
}

// The answer to one JSON-RPC message; "" where none is due (a notification). The guard has seen that it is
// one, but a batch, which this server does not know, is one as well.
inline std::string answer_to(std::string_view body, std::string_view user) {
  json::error_code broken;
  auto read = json::parse(json::string_view(body.data(), body.size()), broken);
  if (broken || !read.is_object())
    return R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"one message at a time"}})";
  const auto& message = read.get_object();
  const auto* id = message.if_contains("id");
  if (id == nullptr) return "";
  json::object answer{{"jsonrpc", "2.0"}, {"id", *id}};
  auto method = text_in(message, "method");
  if (method == "initialize") {
    answer["result"] = {{"protocolVersion", "2025-11-25"},
                        {"capabilities", {{"tools", json::object()}}},
                        {"serverInfo", {{"name", "example"}, {"version", "1"}}}};
  } else if (method == "tools/list") {
    auto tool = [](const char* name, const char* description) {
      return json::object{
          {"name", name}, {"description", description}, {"inputSchema", {{"type", "object"}}}};
    };
    answer["result"] = {
        {"tools", json::array{tool("whoami", "says who calls"), tool("delete_note", "deletes a note")}}};
  } else if (method == "tools/call") {
    const auto* params = message.if_contains("params");
    auto name =
        params != nullptr && params->is_object() ? text_in(params->get_object(), "name") : std::string();
    auto text = name == "whoami" ? "you are " + std::string(user) : name + " is done";
    answer["result"] = {{"content", json::array{json::object{{"type", "text"}, {"text", text}}}}};
  } else {
    answer["error"] = {{"code", -32601}, {"message", "there is no " + method}};
  }
  return json::serialize(answer);
}

}  // namespace example
