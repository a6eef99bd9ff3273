#include "config/rule_reader.h"

#include "base/text.h"
#include "config/check.h"
#include "config/config_error.h"
#include "policy/condition.h"
#include "policy/hierarchy.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

using kind = yaml_node::kind;

constexpr std::size_t most_tests = 16;
constexpr std::string_view forms = "must be a list of scopes, {any_of: [...]} or {all_of: [...]}";
constexpr std::string_view forms_hint =
    "or {public: true}, {denied: true}; when: {...} may stand beside scopes";

config_flaw wrong_kind(const yaml_node& node, const std::string& wanted) {
  return {"must be " + wanted + ", and is " + std::string(kind_name(node))};
}

std::optional<value_test::operation> operation_of(std::string_view name) {
  using operation = value_test::operation;
  if (name == "one_of" || name == "equals") return operation::equals;
  if (name == "starts_with") return operation::starts_with;
  if (name == "matches") return operation::matches;
  if (name == "inside") return operation::inside;
  return std::nullopt;
}

}  // namespace

std::string_view kind_name(const yaml_node& node) {
  switch (node.is) {
    case kind::null: return "empty";
    case kind::scalar: return "a single value";
    case kind::list: return "a list";
    case kind::map: return "a map";
  }
  return "";
}

void rule_reader::rules(const yaml_node& map, const std::string& where, bool takes_arguments,
                        std::vector<access_rule>& into) const {
  for (std::size_t i = 0; i < map.items.size(); ++i) {
    rule(map.names[i], map.name_lines[i], map.items[i], where, takes_arguments, into);
  }
}

void rule_reader::rule(const std::string& pattern, int line, const yaml_node& node, const std::string& where,
                       bool takes_arguments, std::vector<access_rule>& into) const {
  std::string here = where + "." + displayed(pattern);
  access_rule made;
  made.pattern = pattern;
  if (pattern.empty()) {
    no(where, line, {"has a line without a name"});
    return;
  }
  if (auto bad = checks::clean_text(pattern)) {
    no(here, line, *bad);
    return;
  }
  bool good = node.is == kind::map ? rule_map(node, line, here, takes_arguments, made)
                                   : scopes(node, line, here, made.scopes);
  if (good) into.push_back(std::move(made));
}

bool rule_reader::rule_map(const yaml_node& node, int line, std::string here, bool takes_arguments,
                           access_rule& into) const {
  bool good = true, any = false, all = false, open = false;
  if (node.items.empty()) return no(here, line, {std::string(forms), std::string(forms_hint)});
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const auto& name = node.names[i];
    const auto& value = node.items[i];
    auto there = here + "." + displayed(name);
    if (name == "any_of" || name == "all_of") {
      (name == "any_of" ? any : all) = true;
      good = scopes(value, node.name_lines[i], there, into.scopes) && good;
      if (name == "any_of" && good && into.scopes.empty()) {
        return no(there, line,
                  {"names no scope, so nobody could call it", "remove the tool's line to deny it"});
      }
    } else if (name == "when") {
      good = conditions(value, node.name_lines[i], there, takes_arguments, into.when) && good;
    } else if (name == "public") {
      good = truth(value, node.name_lines[i], there, open) && good;
    } else if (name == "denied") {
      good = truth(value, node.name_lines[i], there, into.denied) && good;
    } else {
      return no(here, line, {std::string(forms), std::string(forms_hint)});
    }
  }
  if (!good) return false;
  into.needed = any ? scopes_needed::any : scopes_needed::all;
  if (any && all) return no(here, line, {"has any_of and all_of", "keep one of them"});
  if (open && (any || all)) return no(here, line, {"is public and asks for scopes", "keep one of them"});
  if (into.denied && node.items.size() > 1) {
    return no(here, line,
              {"is denied to everybody, so nothing can stand beside that",
               "to deny it to some, write a condition with not"});
  }
  bool said = any || all || open || into.denied || !into.when.empty();
  return said || no(here, line, {std::string(forms), std::string(forms_hint)});
}

bool rule_reader::scopes(const yaml_node& node, int line, const std::string& here,
                         std::vector<std::string>& into) const {
  if (node.is == kind::scalar) {
    auto words = text(node, line, here);
    if (!words) return false;
    // A variable that is empty must open nothing in silence.
    if (is_without_words(*words))
      return no(here, line, {"names no scope", "[] or {public: true} asks for nothing"});
    into = parse_words(*words);
  } else if (node.is == kind::list) {
    auto words = values(node, line, here);
    if (!words) return false;
    into = std::move(*words);
  } else {
    return no(here, line, wrong_kind(node, "a list of scopes"));
  }
  for (const auto& scope : into) {
    if (auto bad = checks::scope(scope)) return no(here, line, *bad, displayed(scope));
  }
  return true;
}

bool rule_reader::conditions(const yaml_node& node, int line, const std::string& here, bool takes_arguments,
                             std::vector<rule_condition>& into) const {
  if (node.is != kind::map || node.items.empty())
    return no(here, line, wrong_kind(node, "a map of conditions"));
  bool good = true;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const auto& name = node.names[i];
    int at = node.name_lines[i];
    auto there = here + "." + displayed(name);
    rule_condition made;
    bool argument = name.starts_with("argument.");
    auto prefix = std::string_view(argument ? "argument." : "claim.");
    made.of = argument ? rule_condition::source::argument : rule_condition::source::claim;
    made.path = name.substr(std::min(prefix.size(), name.size()));
    if (!name.starts_with(prefix) || made.path.empty()) {
      good = no(there, at, {"must be claim.NAME or argument.NAME"});
    } else if (argument && !takes_arguments) {
      good = no(there, at, {"has no meaning here: only tools and prompts have arguments"});
    } else if (auto bad = checks::clean_text(name)) {
      good = no(there, at, *bad);
    } else if (tests(node.items[i], at, there, false, made)) {
      if (made.tests.empty() || made.tests.size() > most_tests) {
        good = no(there, at, {"must have 1 to " + std::to_string(most_tests) + " tests"});
      }
      into.push_back(std::move(made));
    } else {
      good = false;
    }
  }
  return good;
}

// A value, a list of which one is enough, or a map of tests.
bool rule_reader::tests(const yaml_node& node, int line, const std::string& here, bool negated,
                        rule_condition& into) const {
  if (node.is != kind::map) return one_test("one_of", node, line, here, negated, into);
  bool good = true;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    good = one_test(node.names[i], node.items[i], node.name_lines[i], here + "." + displayed(node.names[i]),
                    negated, into) &&
           good;
  }
  return good;
}

bool rule_reader::one_test(const std::string& name, const yaml_node& node, int line, const std::string& here,
                           bool negated, rule_condition& into) const {
  if (!negated && name == "not") return tests(node, line, here, true, into);
  if (!negated && name == "optional") return truth(node, line, here, into.optional);
  if (!negated && name == "exists") {
    bool wanted = true;
    if (!truth(node, line, here, wanted)) return false;
    into.tests.push_back({value_test::operation::exists, {}, !wanted});
    return true;
  }
  auto what = operation_of(name);
  if (!what) {
    return no(here, line,
              {std::string("must be one of one_of, starts_with, matches, inside") +
               (negated ? "" : ", exists, not, optional")});
  }
  auto same = [&](const value_test& t) { return t.what == *what && t.negated == negated; };
  if (std::any_of(into.tests.begin(), into.tests.end(), same))
    return no(here, line, {"says the same as another test here", "write one list"});
  auto list = values(node, line, here);
  if (!list) return false;
  if (list->empty()) return no(here, line, {"has no values, so nothing could pass"});
  bool every = *what == value_test::operation::starts_with && std::count(list->begin(), list->end(), "") > 0;
  if (every) return no(here, line, {"has an empty text, and every text begins so"});
  if (*what == value_test::operation::inside) {
    auto odd = std::find_if(list->begin(), list->end(),
                            [](const auto& folder) { return folder.empty() || !is_plain_file_path(folder); });
    if (odd != list->end()) {
      return no(here, line,
                {"must name folders without dot segments, backslashes, doubled or encoded separators, "
                 "blanks at an end, and ~ or : at the beginning",
                 "such as /public"},
                displayed(*odd));
    }
  }
  into.tests.push_back({*what, std::move(*list), negated});
  return true;
}

std::optional<std::vector<std::string>> rule_reader::values(const yaml_node& node, int line,
                                                            const std::string& here) const {
  std::vector<std::string> list;
  if (node.is == kind::scalar) {
    auto one = text(node, line, here);
    if (!one) return std::nullopt;
    list.push_back(std::move(*one));
    return list;
  }
  if (node.is != kind::list) {
    no(here, line, wrong_kind(node, "a value or a list of values"));
    return std::nullopt;
  }
  bool good = true;
  for (const auto& item : node.items) {
    auto one = text(item, item.line, here);
    good = good && one.has_value();
    if (one) list.push_back(std::move(*one));
  }
  if (!good) return std::nullopt;
  return list;
}

std::optional<std::string> rule_reader::text(const yaml_node& node, int line, const std::string& here) const {
  if (node.is != kind::scalar) {
    no(here, line, wrong_kind(node, "a list of single values"));
    return std::nullopt;
  }
  std::string value = node.text;
  if (environment_ != nullptr) {
    auto expanded = expand_variables(node.text, *environment_);
    if (!expanded) {
      no(here, line, expanded.error());
      return std::nullopt;
    }
    value = std::move(*expanded);
  }
  if (auto bad = checks::clean_text(value)) {
    no(here, line, *bad);
    return std::nullopt;
  }
  return value;
}

bool rule_reader::truth(const yaml_node& node, int line, const std::string& here, bool& into) const {
  auto value = node.is == kind::scalar ? parse_bool(node.text) : std::nullopt;
  if (!value) return no(here, line, {"must be true or false"});
  into = *value;
  return true;
}

void rule_reader::hierarchy(const yaml_node& map, const std::string& where, scope_hierarchy& into) const {
  for (std::size_t i = 0; i < map.items.size(); ++i) {
    int line = map.name_lines[i];
    auto here = where + "." + displayed(map.names[i]);
    std::vector<std::string> below;
    if (auto bad = checks::scope(map.names[i])) {
      no(here, line, *bad);
    } else if (scopes(map.items[i], line, here, below)) {
      into.emplace_back(map.names[i], std::move(below));
    }
  }
  if (auto circle = circle_in(into); !circle.empty()) {
    no(where, map.line, {"leads in a circle: " + join(circle, " gives ")});
  }
}

}  // namespace mcp_oauth
