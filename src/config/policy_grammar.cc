#include "config/policy_grammar.h"

#include "config/config_error.h"
#include "config/nearest_name.h"
#include "config/rule_reader.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace mcp_oauth {
namespace {

using kind = yaml_node::kind;

// What a tool of a scope matrix may have; the last two are for people.
constexpr std::array<std::string_view, 5> tool_members = {"name", "is_public", "required_scopes",
                                                          "description", "title"};

class document_reader {
 public:
  result<policy_document> read(const yaml_node& root) {
    if (root.is != kind::map) {
      note("", root.line, {"must be a map"});
    } else if (root.find("tool_policy") != nullptr || root.find("policy_complete") != nullptr) {
      scope_matrix(root);
      if (made_.complete && !made_.rules.tools.given)
        note("tool_policy", root.line, {"is missing: a finished policy says what its tools need"});
    } else {
      sections(root, "");
      if (made_.complete && !made_.rules.tools.given)
        note("tools", root.line, {"is missing: every tool would be open"});
    }
    if (!why_.empty()) return fail(errc::policy_document_invalid, why_);
    return std::move(made_);
  }

 private:
  void sections(const yaml_node& map, const std::string& above) {
    for (std::size_t i = 0; i < map.items.size(); ++i) {
      const auto& name = map.names[i];
      const auto& node = map.items[i];
      auto here = above + displayed(name);
      if (name == "tools") {
        section(node, here, true, made_.rules.tools);
      } else if (name == "methods") {
        section(node, here, false, made_.rules.methods);
      } else if (name == "resources") {
        section(node, here, false, made_.rules.resources);
      } else if (name == "prompts") {
        section(node, here, true, made_.rules.prompts);
      } else if (name == "scope_hierarchy") {
        made_.has_hierarchy = true;
        if (is_map(node, here)) rules_.hierarchy(node, here, made_.rules.hierarchy);
      } else if (name == "policy" && above.empty()) {
        if (is_map(node, here)) sections(node, "policy.");
      } else if (name == "complete") {
        made_.complete = truth(node, here);
      } else if (name == "state") {
        made_.state = displayed(node.text);
      } else {
        note(here, map.name_lines[i], {"is no part of a policy"});
      }
    }
  }

  void section(const yaml_node& node, const std::string& here, bool takes_arguments, rule_set& into) {
    if (into.given) return note(here, node.line, {"is given twice"});
    if (!is_map(node, here)) return;
    into.given = true;
    rules_.rules(node, here, takes_arguments, into.rules);
  }

  // Members at its top that say nothing about what is allowed are passed over: it is another's document. Of a
  // tool every member might, so that one which is not known could be a restriction that is misspelt.
  void scope_matrix(const yaml_node& root) {
    const auto* complete = root.find("policy_complete");
    made_.complete = complete != nullptr && truth(*complete, "policy_complete");
    for (const auto* name : {"state", "reason"}) {
      const auto* text = root.find(name);
      if (text == nullptr || text->is != kind::scalar || text->text.empty()) continue;
      made_.state += (made_.state.empty() ? "" : ", ") + displayed(text->text);
    }
    if (complete == nullptr) made_.state = "policy_complete is missing";
    const auto* tools = root.find("tool_policy");
    if (tools == nullptr || tools->is == kind::null) return;
    made_.rules.tools.given = true;
    if (tools->is != kind::list) return note("tool_policy", tools->line, {"must be a list"});
    for (const auto& one : tools->items) matrix_tool(one);
  }

  void matrix_tool(const yaml_node& one) {
    const std::string here = "tool_policy";
    if (!is_map(one, here)) return;
    for (std::size_t i = 0; i < one.names.size(); ++i) {
      const auto& member = one.names[i];
      if (std::find(tool_members.begin(), tool_members.end(), member) != tool_members.end()) continue;
      auto known = nearest_name(member, {tool_members.begin(), tool_members.end()});
      return note(here + "." + displayed(member), one.name_lines[i],
                  {"is no part of a tool" + (known.empty() ? "" : " (did you mean " + known + "?)")});
    }
    const auto* name = one.find("name");
    if (name == nullptr || name->is != kind::scalar || name->text.empty())
      return note(here, one.line, {"has a tool without a name"});
    access_rule rule;
    rule.pattern = name->text;
    rule.needed = scopes_needed::any;
    const auto* open = one.find("is_public");
    bool is_public = open != nullptr && open->is != kind::null && truth(*open, here + ".is_public");
    const auto* scopes = one.find("required_scopes");
    if (scopes != nullptr && scopes->is != kind::null && scopes->is != kind::list)
      return note(here + ".required_scopes", one.line, {"must be a list"});
    if (is_public && scopes != nullptr && !scopes->items.empty())
      return note(here, one.line, {"has a tool that is public and asks for scopes"});
    if (is_public) {
      rule.needed = scopes_needed::all;
    } else if (scopes != nullptr) {
      for (const auto& scope : scopes->items) {
        if (scope.is != kind::scalar) return note(here + ".required_scopes", scope.line, {"must hold texts"});
        rule.scopes.push_back(scope.text);
      }
    }
    // Names are literal there: one that would be a pattern here has to stay denied. So has one without
    // scopes.
    bool literal = rule.pattern.find('*') == std::string::npos;
    if (literal && (is_public || !rule.scopes.empty())) made_.rules.tools.rules.push_back(std::move(rule));
  }

  bool is_map(const yaml_node& node, const std::string& here) {
    if (node.is == kind::map) return true;
    note(here, node.line, {"must be a map, and is " + std::string(kind_name(node))});
    return false;
  }

  bool truth(const yaml_node& node, const std::string& here) {
    auto value = node.is == kind::scalar ? parse_bool(node.text) : std::nullopt;
    if (!value) note(here, node.line, {"must be true or false"});
    return value.value_or(false);
  }

  // The first mistake is enough: it is for a log line.
  void note(const std::string& here, int line, config_flaw flaw) {
    if (!why_.empty()) return;
    why_ = (line > 0 ? "line " + std::to_string(line) + ": " : "") + (here.empty() ? "" : here + " ") +
           flaw.rule;
  }

  policy_document made_;
  std::string why_;
  rule_reader rules_{nullptr, [this](const std::string& here, int line, const std::string&,
                                     config_flaw flaw) { note(here, line, std::move(flaw)); }};
};

}  // namespace

result<policy_document> policy_in(const yaml_node& root) { return document_reader().read(root); }

}  // namespace mcp_oauth
