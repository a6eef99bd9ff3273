#include "config/tools_json.h"

#include "base/json.h"
#include "config/check.h"
#include "config/config_error.h"

#include <string>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::string_view example = R"({"echo": ["tools:read"]})";

tl::unexpected<config_flaw> flaw(std::string rule) {
  return tl::unexpected(config_flaw{std::move(rule), std::string(example)});
}

tl::expected<access_rule, config_flaw> rule_of(const std::string& tool, const json::value& value,
                                               scopes_needed of_a_list) {
  access_rule rule{tool, {}, of_a_list};
  const json::value* list = &value;
  if (const auto* named = value.if_object()) {
    bool any = named->size() == 1 && named->contains("any_of");
    bool all = named->size() == 1 && named->contains("all_of");
    if (!any && !all)
      return flaw(displayed(tool) + " must be a list of scopes, {any_of: [...]} or {all_of: [...]}");
    rule.needed = any ? scopes_needed::any : scopes_needed::all;
    list = &named->begin()->value();
  }
  const auto* scopes = list->if_array();
  if (scopes == nullptr) return flaw(displayed(tool) + " must be a list of scopes");
  for (const auto& one : *scopes) {
    const auto* text = one.if_string();
    if (text == nullptr) return flaw(displayed(tool) + " must be a list of texts");
    std::string scope(text->data(), text->size());
    if (auto bad = checks::scope(scope))
      return flaw(displayed(tool) + ": \"" + displayed(scope) + "\" " + bad->rule);
    rule.scopes.push_back(std::move(scope));
  }
  // Nothing is one of nothing.
  if (rule.scopes.empty() && &value == list) rule.needed = scopes_needed::all;
  if (rule.scopes.empty() && rule.needed == scopes_needed::any)
    return flaw(displayed(tool) + " names no scope, so nobody could call it");
  return rule;
}

}  // namespace

tl::expected<std::vector<access_rule>, config_flaw> tools_of_json(std::string_view text,
                                                                  scopes_needed of_a_list) {
  auto document = parse_json_object(text);
  if (!document) return flaw("must be a JSON object from tools to scopes: " + document.error().detail);
  std::vector<access_rule> rules;
  for (const auto& member : *document) {
    std::string tool(member.key().data(), member.key().size());
    if (tool.empty()) return flaw("has a tool without a name");
    if (auto bad = checks::clean_text(tool)) return flaw(displayed(tool) + " " + bad->rule);
    auto rule = rule_of(tool, member.value(), of_a_list);
    if (!rule) return tl::unexpected(rule.error());
    rules.push_back(std::move(*rule));
  }
  return rules;
}

}  // namespace mcp_oauth
