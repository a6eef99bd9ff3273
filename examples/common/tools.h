#pragma once

// A small MCP server, as the examples need it: what it can do, without a word about who may.

#include <string>
#include <string_view>

#include <boost/json.hpp>

namespace example {

namespace json = boost::json;

// The answer to one JSON-RPC message; "" where none is due (a notification).
inline std::string answer_to(std::string_view body, std::string_view user) {
  auto message = json::parse(json::string_view(body.data(), body.size())).as_object();
  if (!message.contains("id")) return "";
  json::object answer{{"jsonrpc", "2.0"}, {"id", message["id"]}};
  auto method = std::string(message["method"].as_string().c_str());
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
    auto name = std::string(message["params"].as_object()["name"].as_string().c_str());
    auto text = name == "whoami" ? "you are " + std::string(user) : name + " is done";
    answer["result"] = {{"content", json::array{json::object{{"type", "text"}, {"text", text}}}}};
  } else {
    answer["error"] = {{"code", -32601}, {"message", "there is no " + method}};
  }
  return json::serialize(answer);
}

}  // namespace example
