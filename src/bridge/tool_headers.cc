#include "bridge/tool_headers.h"

#include "base/text.h"
#include "bridge/rewrite.h"
#include "mcp/headers.h"

#include <cmath>
#include <cstdint>
#include <optional>

namespace mcp_oauth {
namespace {

constexpr std::string_view annotation = "x-mcp-header";

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  if (text.empty()) return false;
  for (char c : text) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && marks.find(c) == std::string_view::npos) return false;
  }
  return true;
}

bool is_primitive(const json::value* type) {
  auto named = [](const json::value& v) {
    return v.is_string() &&
           (v.as_string() == "string" || v.as_string() == "integer" || v.as_string() == "boolean");
  };
  if (type == nullptr) return false;
  if (!type->is_array()) return named(*type);
  bool any = false;
  for (const auto& one : type->as_array()) {
    bool null = one.is_string() && one.as_string() == "null";
    if (!null && !named(one)) return false;
    any = any || !null;
  }
  return any;
}

// Finds the annotations of one schema. Those that are not at the end of a chain of `properties` are wrong.
class annotations {
 public:
  struct found {
    std::string header;
    std::vector<std::string> path;
  };
  // Why the tool must not be used; "" when it may.
  std::string read(const json::value& schema) {
    walk(schema, true);
    return why_;
  }
  std::vector<found> take() { return std::move(found_); }

 private:
  void walk(const json::value& schema, bool reachable) {
    if (schema.is_array()) {
      for (const auto& one : schema.as_array()) walk(one, false);
      return;
    }
    if (!schema.is_object() || !why_.empty()) return;
    for (const auto& [key, value] : schema.as_object()) {
      if (key == annotation) take_annotation(schema.as_object(), value, reachable);
      // What may be any JSON is no schema.
      if (key == annotation || key == "default" || key == "const" || key == "enum" || key == "examples")
        continue;
      if (key != "properties" || !value.is_object()) {
        walk(value, false);
        continue;
      }
      for (const auto& [name, property] : value.as_object()) {
        path_.emplace_back(name);
        walk(property, reachable);
        path_.pop_back();
      }
    }
  }

  void take_annotation(const json::object& of, const json::value& value, bool reachable) {
    auto refuse = [this](std::string why) {
      if (why_.empty()) why_ = std::move(why);
    };
    if (!reachable || path_.empty()) return refuse("x-mcp-header where no argument is always found");
    if (!value.is_string()) return refuse("x-mcp-header is no string");
    std::string header(value.as_string());
    if (!is_token(header)) return refuse("x-mcp-header is no header name");
    if (!is_primitive(of.if_contains("type")))
      return refuse("x-mcp-header on an argument that is no string, integer or boolean");
    for (const auto& other : found_) {
      if (equal_ignoring_case(other.header, header))
        return refuse("x-mcp-header " + header + " stands twice");
    }
    found_.push_back({std::move(header), path_});
  }

  std::string why_;
  std::vector<std::string> path_;
  std::vector<found> found_;
};

// Nothing for null, and for what no header can carry.
std::optional<std::string> as_text(const json::value& value) {
  constexpr double safe = 9007199254740991.0;
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_int64() || value.is_uint64()) return json::serialize(value);
  if (value.is_double()) {
    double number = value.as_double();
    if (number == std::floor(number) && std::abs(number) <= safe)
      return std::to_string(static_cast<std::int64_t>(number));
  }
  return std::nullopt;
}

}  // namespace

result<tool_headers::lesson> tool_headers::learn(std::string_view response,
                                                 const std::vector<std::string>& ignored) {
  auto root = read_tree(response);
  auto* result = root && root->is_object() ? root->as_object().if_contains("result") : nullptr;
  auto* tools = result != nullptr && result->is_object() ? result->as_object().if_contains("tools") : nullptr;
  if (tools == nullptr || !tools->is_array()) return fail(errc::upstream_malformed, "no list of tools");
  lesson learned;
  learned.next_cursor = text_member(result->as_object(), "nextCursor");
  json::array kept;
  for (auto& tool : tools->as_array()) {
    std::string name = tool.is_object() ? text_member(tool.as_object(), "name") : "";
    bool hidden = false;
    for (const auto& pattern : ignored) hidden = hidden || matches_wildcard(pattern, name);
    annotations of;
    const auto* schema = tool.is_object() ? tool.as_object().if_contains("inputSchema") : nullptr;
    auto why = hidden ? std::string("ignored") : schema != nullptr ? of.read(*schema) : std::string();
    if (!why.empty()) {
      learned.dropped.push_back(name + ": " + why);
      tools_.erase(name);
      continue;
    }
    auto found = of.take();
    if (found.empty()) {
      tools_.erase(name);
    } else if (tools_.size() < most_tools) {
      auto& known = tools_[name];
      known.clear();
      for (auto& one : found) known.push_back({std::move(one.header), std::move(one.path)});
    }
    kept.push_back(tool);
  }
  if (learned.dropped.empty()) {
    learned.text = response;
  } else {
    *tools = std::move(kept);
    learned.text = json::serialize(*root);
  }
  return learned;
}

std::string tool_headers::fields_for(std::string_view tool, std::string_view request) const {
  auto known = tools_.find(tool);
  if (known == tools_.end()) return {};
  auto root = read_tree(request);
  const json::value* at = root && root->is_object() ? root->as_object().if_contains("params") : nullptr;
  at = at != nullptr && at->is_object() ? at->as_object().if_contains("arguments") : nullptr;
  std::string lines;
  for (const auto& one : known->second) {
    const auto* value = at;
    for (const auto& name : one.path) {
      value = value != nullptr && value->is_object() ? value->as_object().if_contains(name) : nullptr;
    }
    auto text = value != nullptr ? as_text(*value) : std::nullopt;
    if (text) lines += "Mcp-Param-" + one.header + ": " + encode_mirrored_value(*text) + "\r\n";
  }
  return lines;
}

}  // namespace mcp_oauth
