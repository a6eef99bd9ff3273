#include "doctor/examination_schema.h"

#include "base/json.h"
#include "doctor/known_clients.h"

#include <initializer_list>
#include <string_view>

namespace mcp_oauth {
namespace {

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

json::object string_type(std::string_view description) {
  return {{"type", "string"}, {"description", text(description)}};
}

json::object one_of(std::initializer_list<std::string_view> values) {
  json::array all;
  for (auto value : values) all.push_back(text(value));
  return {{"enum", std::move(all)}};
}

json::object object_type(json::object members) {
  json::array required;
  for (const auto& member : members)
    required.push_back(json::string(member.key().data(), member.key().size()));
  return {{"type", "object"}, {"required", std::move(required)}, {"properties", std::move(members)}};
}

json::object finding_type() {
  json::object members;
  members["id"] = json::object{{"type", "string"}, {"pattern", "^(MOP-[A-Z]{3}-[0-9]{3})?$"}};
  members["check"] = json::object{{"type", "string"}, {"pattern", "^[a-z_]+(\\.[a-z_]+)*$"}};
  members["severity"] = one_of({"failure", "warning", "unknown", "ok"});
  members["certain"] =
      json::object{{"type", "boolean"}, {"description", "the evidence leaves no other cause"}};
  members["title"] = string_type("what is the matter, or what holds");
  members["seen"] = string_type("what came");
  members["expected"] = string_type("what should have come");
  members["cause"] = string_type("the cause, or the likely one");
  members["fix"] = string_type("what to do about it");
  members["verify"] = string_type("a command that shows it");
  members["where"] = string_type("a URL, a file or a setting");
  return object_type(std::move(members));
}

json::object client_type() {
  json::object members;
  json::array names;
  for (const auto& client : known_clients()) names.push_back(text(client.name));
  members["name"] = json::object{{"enum", std::move(names)}};
  members["title"] = string_type("its name for people");
  members["gets_through"] = json::object{{"type", {"boolean", "null"}}, {"description", "null: not known"}};
  members["stops_at"] = json::object{{"type", {"string", "null"}}, {"description", "the step of its way"}};
  members["id"] = json::object{{"type", {"string", "null"}}, {"description", "of the finding that stops it"}};
  members["why"] = string_type("more about it");
  return object_type(std::move(members));
}

// For people who read the file: the serializer writes one line.
std::string indented(std::string_view compact) {
  std::string out;
  int depth = 0;
  bool quoted = false;
  auto line = [&] { out += "\n" + std::string(static_cast<std::size_t>(depth) * 2, ' '); };
  for (std::size_t i = 0; i < compact.size(); ++i) {
    char c = compact[i];
    if (c == '"' && (i == 0 || compact[i - 1] != '\\')) quoted = !quoted;
    if (!quoted && (c == '}' || c == ']')) {
      --depth;
      line();
    }
    out += c;
    if (quoted) continue;
    if (c == ':') out += ' ';
    if (c == '{' || c == '[') ++depth;
    if (c == '{' || c == '[' || c == ',') line();
  }
  return out + "\n";
}

}  // namespace

std::string examination_schema() {
  json::object members;
  members["version"] = json::object{{"const", 1}};
  members["target"] = string_type("what was examined; a URL without its query");
  members["verdict"] = one_of({"ok", "warning", "failed", "unknown"});
  members["first"] =
      json::object{{"description", "what must be put right first"},
                   {"anyOf", {json::object{{"type", "null"}}, json::object{{"$ref", "#/$defs/finding"}}}}};
  members["findings"] = json::object{{"type", "array"}, {"items", json::object{{"$ref", "#/$defs/finding"}}}};
  members["clients"] = json::object{{"type", "array"}, {"items", json::object{{"$ref", "#/$defs/client"}}}};
  json::object schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                      {"title", "What mcp-oauth-proxy doctor --json prints"}};
  for (auto& member : object_type(std::move(members))) schema[member.key()] = member.value();
  json::object change;
  change["file"] = string_type("the file");
  change["line"] = json::object{{"type", "integer"}, {"description", "0: its mode"}};
  change["before"] = string_type("the line, or the mode");
  change["after"] = string_type("what it would be");
  change["made"] = json::object{{"type", "boolean"}};
  change["failure"] = string_type("why it could not be made");
  schema["properties"].as_object()["changes"] = json::object{
      {"type", "array"}, {"description", "with --fix"}, {"items", object_type(std::move(change))}};
  schema["$defs"] = json::object{{"finding", finding_type()}, {"client", client_type()}};
  return indented(json::serialize(schema));
}

}  // namespace mcp_oauth
