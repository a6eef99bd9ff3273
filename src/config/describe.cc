#include "config/describe.h"

#include "base/json.h"
#include "base/text.h"
#include "config/config_error.h"
#include "config/keys.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace mcp_oauth {
namespace {

bool is_plain(std::string_view text) {
  auto letter_or_digit = [](char c) {
    return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
  };
  if (text.empty() || !(letter_or_digit(text.front()) || text.front() == '/') || text.back() == ':')
    return false;
  if (equal_ignoring_case(text, "null")) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return letter_or_digit(c) || std::string_view("_./:@*+-").find(c) != std::string_view::npos;
  });
}

// A YAML scalar that reads back as this text, in block and flow alike.
std::string yaml_scalar(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// The same for a value, in which a dollar would begin a variable.
std::string yaml_value(std::string_view text) {
  std::string doubled;
  for (char c : text) doubled += c == '$' ? "$$" : std::string(1, c);
  return yaml_scalar(doubled);
}

std::string yaml_list(const std::vector<std::string>& list) {
  std::vector<std::string> scalars;
  scalars.reserve(list.size());
  for (const auto& element : list) scalars.push_back(yaml_value(element));
  return "[" + join(scalars, ", ") + "]";
}

std::string yaml_map(const text_map& map) {
  std::vector<std::string> entries;
  for (const auto& [name, value] : map) entries.push_back(yaml_scalar(name) + ": " + yaml_value(value));
  return "{" + join(entries, ", ") + "}";
}

// The value of a key as the file would have it; nothing for what is not kept or
// not set.
std::optional<std::string> yaml_of(const config_key& key, config_draft& draft, std::size_t item) {
  // An empty list says something but where none need be.
  bool of_item = key.path.find_first_of("*[") != std::string_view::npos || key.path == "scopes" ||
                 key.path == "redirect_uris";
  return std::visit(
      [&](auto slot) -> std::optional<std::string> {
        using slot_type = decltype(slot);
        if constexpr (std::is_same_v<slot_type, checked_only> || std::is_same_v<slot_type, rule_table> ||
                      std::is_same_v<slot_type, scope_table>) {
          return std::nullopt;
        } else {
          auto& value = slot(draft, item);
          using value_type = std::remove_cvref_t<decltype(value)>;
          if constexpr (std::is_same_v<value_type, text_map>) {
            if (value.empty() && of_item) return std::nullopt;
            return yaml_map(value);
          } else if constexpr (std::is_same_v<value_type, secret_map>) {
            text_map names;
            for (const auto& [name, hidden] : value) names.emplace_back(name, "***");
            return yaml_map(names);
          } else if constexpr (std::is_same_v<value_type, std::string>) {
            if (value.empty()) return std::nullopt;
            // The one URL that may carry a password; any other was refused with one.
            bool may_hold_password = key.path == "database_url" && !value.starts_with("sqlite://");
            return yaml_value(may_hold_password ? without_credentials(value) : value);
          } else if constexpr (std::is_same_v<value_type, secret>) {
            if (value.empty()) return std::nullopt;
            return "\"***\"";
          } else if constexpr (std::is_same_v<value_type, bool>) {
            return value ? "true" : "false";
          } else if constexpr (std::is_same_v<value_type, std::vector<std::string>>) {
            if (value.empty() && of_item) return std::nullopt;
            return yaml_list(value);
          } else if constexpr (std::is_same_v<value_type, seconds> ||
                               std::is_same_v<value_type, milliseconds>) {
            return std::to_string(value.count());
          } else {
            return std::to_string(value);
          }
        }
      },
      key.slot);
}

std::string yaml_tests(const rule_condition& of) {
  std::vector<std::string> plain, negated;
  for (const auto& test : of.tests) {
    using operation = value_test::operation;
    auto& into = test.negated && test.what != operation::exists ? negated : plain;
    auto values = yaml_list(test.values);
    switch (test.what) {
      case operation::equals: into.push_back("one_of: " + values); break;
      case operation::starts_with: into.push_back("starts_with: " + values); break;
      case operation::matches: into.push_back("matches: " + values); break;
      case operation::inside: into.push_back("inside: " + values); break;
      case operation::exists:
        into.push_back(std::string("exists: ") + (test.negated ? "false" : "true"));
        break;
    }
  }
  if (!negated.empty()) plain.push_back("not: {" + join(negated, ", ") + "}");
  if (of.optional) plain.emplace_back("optional: true");
  return "{" + join(plain, ", ") + "}";
}

std::string yaml_rule(const access_rule& rule) {
  if (rule.denied) return "{denied: true}";
  auto scopes = yaml_list(rule.scopes);
  bool any = rule.needed == scopes_needed::any;
  if (rule.when.empty()) return any ? "{any_of: " + scopes + "}" : scopes;
  std::vector<std::string> conditions;
  for (const auto& c : rule.when) {
    auto name = (c.of == rule_condition::source::claim ? "claim." : "argument.") + c.path;
    conditions.push_back(yaml_scalar(name) + ": " + yaml_tests(c));
  }
  return (any ? "{any_of: " : "{all_of: ") + scopes + ", when: {" + join(conditions, ", ") + "}}";
}

// A section under its name, or the hierarchy of scopes; "" where it is not given.
std::string yaml_table(const config_key& key, std::string_view name, config_draft& draft, std::size_t item,
                       const std::string& indent) {
  std::string lines;
  if (const auto* section = std::get_if<rule_table>(&key.slot)) {
    auto place = section->at(draft, item);
    if (!place.given) return "";
    for (const auto& rule : place.rules)
      lines += indent + "  " + yaml_scalar(rule.pattern) + ": " + yaml_rule(rule) + "\n";
  } else {
    if (draft.access.hierarchy.empty()) return "";
    for (const auto& [above, below] : draft.access.hierarchy)
      lines += indent + "  " + yaml_scalar(above) + ": " + yaml_list(below) + "\n";
  }
  return indent + std::string(name) + (lines.empty() ? ": {}\n" : ":\n" + lines);
}

// The lines of one item, in `indent`; a list's first line begins with "- ".
std::string yaml_item(std::string_view prefix, config_draft& draft, std::size_t item,
                      std::string_view indent) {
  std::string text;
  std::string_view section;
  for (const auto& key : config_keys()) {
    if (!key.path.starts_with(prefix)) continue;
    auto name = key.path.substr(prefix.size());
    auto dot = name.find('.');
    auto owner = dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
    std::string table;
    if (has_own_grammar(key)) {
      auto deep = std::string(indent) + (owner.empty() ? "" : "  ");
      table = yaml_table(key, owner.empty() ? name : name.substr(dot + 1), draft, item, deep);
    }
    auto value = yaml_of(key, draft, item);
    if (!value && table.empty()) continue;
    if (!owner.empty() && owner != section) text += std::string(indent) + std::string(owner) + ":\n";
    section = owner;
    text += table;
    if (!value) continue;
    text += std::string(indent) + (owner.empty() ? "" : "  ");
    text += std::string(owner.empty() ? name : name.substr(dot + 1)) + ": " + *value + "\n";
  }
  if (prefix.ends_with("[].") && text.size() > indent.size()) text.replace(indent.size() - 2, 2, "- ");
  return text;
}

// "providers.*" and the like: the part of a path that stands for its items; ""
// for a key outside them.
std::string_view item_prefix(std::string_view path) {
  for (std::string_view prefix : {"providers.*.", "upstreams[].", "clients[].", "issuers[]."}) {
    if (path.starts_with(prefix)) return prefix;
  }
  return {};
}

std::string yaml_items(std::string_view prefix, config_draft& draft) {
  std::string text;
  if (prefix == "providers.*.") {
    for (std::size_t i = 0; i < draft.providers.size(); ++i) {
      text += "  " + yaml_scalar(draft.providers[i].name) + ":\n" + yaml_item(prefix, draft, i, "    ");
    }
    return text.empty() ? "" : "providers:\n" + text;
  }
  std::size_t count = prefix == "upstreams[]." ? draft.upstreams.size()
                      : prefix == "issuers[]." ? draft.issuers.size()
                                               : draft.clients.size();
  for (std::size_t i = 0; i < count; ++i) text += yaml_item(prefix, draft, i, "    ");
  return text.empty() ? "" : std::string(prefix.substr(0, prefix.find('['))) + ":\n" + text;
}

std::string_view type_name(const config_key& key) {
  static constexpr std::array<std::string_view, std::variant_size_v<config_slot>> names = {
      "text",
      "map",
      "map",
      "text",
      "secret text",
      "true or false",
      "number",
      "number",
      "number",
      "seconds",
      "milliseconds",
      "list",
      "names and values",
      "names and secret values"};
  if (key.unit == config_unit::bytes) return "bytes";
  if (!key.choices.empty()) return "one of";
  return names[key.slot.index()];
}

std::string type_text(const config_key& key) {
  std::string text(type_name(key));
  if (!key.choices.empty()) return text + " " + join(split_words(key.choices), ", ");
  bool number = text == "number" || text == "bytes" || text == "seconds" || text == "milliseconds";
  if (number) text += ", " + std::to_string(key.least) + " to " + std::to_string(key.most);
  return text;
}

// A draft of nothing but defaults, with one item in each list.
config_draft defaults() {
  config_draft draft;
  draft.providers.emplace_back();
  draft.upstreams.emplace_back();
  draft.clients.emplace_back();
  draft.issuers.emplace_back();
  return draft;
}

json::object schema_of_type(const config_key& key) {
  json::object o;
  auto type = type_name(key);
  if (type == "list") {
    o["type"] = json::array{"array", "string"};
    o["items"] = json::object{{"type", "string"}};
  } else if (type == "names and values" || type == "names and secret values") {
    o["type"] = json::array{"object", "string"};
    o["additionalProperties"] = json::object{{"type", json::array{"string", "number", "boolean"}}};
  } else if (type == "true or false") {
    o["type"] = json::array{"boolean", "string"};
  } else if (type == "number" || type == "bytes" || type == "seconds" || type == "milliseconds") {
    o["type"] = json::array{"integer", "string"};
    o["minimum"] = key.least;
    o["maximum"] = key.most;
  } else if (key.path == "providers.*.pkce_enabled") {
    o["type"] = json::array{"boolean", "string"};
  } else {
    // A port or a client id that is all digits is text as well.
    o["type"] = json::array{"string", "number"};
  }
  o["description"] = json::string_view(key.doc.data(), key.doc.size());
  return o;
}

json::object table_schema(const config_key& key) {
  json::object list{{"type", json::array{"array", "string"}}, {"items", json::object{{"type", "string"}}}};
  json::object yes{{"type", json::array{"boolean", "string"}}};
  json::object either{
      {"type", "object"},
      {"properties", json::object{{"any_of", list},
                                  {"all_of", list},
                                  {"public", yes},
                                  {"denied", yes},
                                  {"when", json::object{{"type", "object"}, {"minProperties", 1}}}}},
      {"additionalProperties", false},
      {"minProperties", 1}};
  json::object o{{"type", "object"}};
  bool rules = std::holds_alternative<rule_table>(key.slot);
  o["additionalProperties"] = rules ? json::object{{"anyOf", json::array{list, either}}} : list;
  o["description"] = json::string_view(key.doc.data(), key.doc.size());
  return o;
}

json::object empty_map() {
  return {{"type", "object"}, {"properties", json::object{}}, {"additionalProperties", false}};
}

// The object that holds the key of this path, made on the way; `path` is cut
// down to the key's own name.
json::object& holder(json::object& root, std::string_view& path) {
  auto& properties = root["properties"].as_object();
  auto member = [&](std::string_view name) -> json::object& {
    auto& value = properties[json::string_view(name.data(), name.size())];
    if (!value.is_object()) value = empty_map();
    return value.as_object();
  };
  auto dot = path.find('.');
  if (dot == std::string_view::npos) return root;
  auto name = path.substr(0, dot);
  path.remove_prefix(dot + 1);
  if (name.ends_with("[]")) {
    auto& list = member(name.substr(0, name.size() - 2));
    if (!list.contains("items")) list = {{"type", json::array{"array", "null"}}, {"items", empty_map()}};
    return list["items"].as_object();
  }
  if (!path.starts_with("*.")) return member(name);
  path.remove_prefix(2);
  auto& map = member(name);
  if (!map.contains("anyOf")) {
    auto named = empty_map();
    named["properties"].as_object()["name"] = json::object{{"type", "string"}};
    map = {{"anyOf",
            json::array{json::object{{"type", "object"}, {"additionalProperties", empty_map()}},
                        json::object{{"type", "array"}, {"items", named}}, json::object{{"type", "null"}}}}};
  }
  return map["anyOf"].as_array()[0].as_object()["additionalProperties"].as_object();
}

void add_to_schema(json::object& root, std::string_view path, const config_key& key) {
  bool in_provider = path.starts_with("providers.*.");
  auto& map = holder(root, path);
  auto schema = has_own_grammar(key) ? table_schema(key) : schema_of_type(key);
  json::string_view name(path.data(), path.size());
  map["properties"].as_object()[name] = schema;
  if (in_provider) {  // the list form has the same keys
    auto& forms = root["properties"].as_object()["providers"].as_object()["anyOf"].as_array();
    forms[1].as_object()["items"].as_object()["properties"].as_object()[name] = schema;
  }
}

}  // namespace

std::string to_yaml(const settings& s) {
  config_draft draft;
  static_cast<settings&>(draft) = s;
  std::string text;
  std::string_view section, items;
  for (const auto& key : config_keys()) {
    if (auto prefix = item_prefix(key.path); !prefix.empty()) {
      if (prefix != items) text += yaml_items(prefix, draft);
      items = prefix;
      continue;
    }
    // Without its file the rest says nothing, and would be an error.
    if (key.path.starts_with("audit.") && !draft.audit.enabled()) continue;
    auto value = yaml_of(key, draft, 0);
    auto dot = key.path.find('.');
    auto owner = dot == std::string_view::npos ? std::string_view() : key.path.substr(0, dot);
    auto name = owner.empty() ? key.path : key.path.substr(dot + 1);
    std::string table;
    if (has_own_grammar(key)) table = yaml_table(key, name, draft, 0, owner.empty() ? "" : "  ");
    if (!value && table.empty()) continue;
    if (!owner.empty() && owner != section) text += std::string(owner) + ":\n";
    section = owner;
    text += table;
    if (!value) continue;
    text += (owner.empty() ? "" : "  ") + std::string(name) + ": " + *value + "\n";
  }
  return text;
}

std::string reference_markdown() {
  auto draft = defaults();
  std::string text =
      "# Configuration reference\n\n"
      "Flags win over the environment, the environment over the file, the file "
      "over the defaults. In the file\n"
      "`${NAME}` is the environment variable NAME, `${NAME:-text}` has a "
      "default, and `$$` is a dollar. Every name of\n"
      "the environment also exists with `_FILE` at its end, for a file that "
      "holds the value. Durations are numbers in\n"
      "the unit shown, or have a unit of their own: `500ms`, `30s`, `15m`, "
      "`8h`, `30d`. Bytes may be written `64KiB`,\n"
      "`16MiB`, `1GiB`. A list may also be one text of words apart by commas "
      "or blanks.\n\n"
      "| Key | Type | Default | Environment | Meaning "
      "|\n|---|---|---|---|---|\n";
  for (const auto& key : config_keys()) {
    auto value = yaml_of(key, draft, 0);
    bool tools = has_own_grammar(key);
    auto variable = key.path;
    std::string environment = tools && key.path != "tools" ? "" : "`" + environment_name(variable) + "`";
    if (auto prefix = item_prefix(key.path); !prefix.empty() && !tools) {
      auto list = prefix.substr(0, prefix.find_first_of(".["));
      environment = "`" + environment_name(list) + "_<NAME>_" +
                    environment_name(key.path.substr(prefix.size())).substr(environment_name("").size()) +
                    "`";
      if (is_of_issuer(key) && !key.also.empty()) environment += ", `" + environment_name(key.also) + "`";
    }
    for (const auto& other : split_words(key.environment)) {
      bool of_item = other.starts_with('*');
      environment += ", `" + (of_item ? "<NAME>" + other.substr(1) : other) + "`";
    }
    std::string names = "`" + std::string(key.path) + "`";
    for (const auto& other : split_words(key.also)) names += ", `" + other + "`";
    text += "| " + names + " | " + type_text(key) + " | " + (value ? "`" + *value + "`" : "") + " | " +
            environment + " | " + std::string(key.doc) + " |\n";
  }
  return text;
}

std::string json_schema() {
  json::object root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                    {"title", "mcp-oauth-proxy configuration"},
                    {"type", "object"},
                    {"properties", json::object{}},
                    {"additionalProperties", false}};
  for (const auto& key : config_keys()) {
    add_to_schema(root, key.path, key);
    for (const auto& other : split_words(key.also)) add_to_schema(root, other, key);
  }
  // It may also be the word none.
  auto& properties = root["properties"].as_object();
  properties["response_transform"].as_object()["type"] = json::array{"object", "string"};
  return json::serialize(root) + "\n";
}

}  // namespace mcp_oauth
