#include "library/make_policy.h"

MCP_OAUTH_BEGIN
namespace {

rule_set set_of(const rule_table& rules) {
  rule_set set;
  set.given = rules.given();
  for (const auto& rule : rules) {
    access_rule access;
    access.pattern = rule.pattern;
    access.scopes = rule.needed.scopes;
    access.needed = rule.needed.any ? scopes_needed::any : scopes_needed::all;
    set.rules.push_back(std::move(access));
  }
  return set;
}

}  // namespace

policy_rules rules_of(const options& from) {
  policy_rules rules;
  rules.tools = set_of(from.tools);
  rules.methods = set_of(from.methods);
  rules.resources = set_of(from.resources);
  rules.prompts = set_of(from.prompts);
  rules.base_scopes = from.scopes;
  return rules;
}

policy make_policy(const options& from) { return policy(rules_of(from)); }

MCP_OAUTH_END
