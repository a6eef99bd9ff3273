#include "config/derive_policy.h"

#include "base/text.h"
#include "base/url.h"
#include "policy/doubts.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

policy_rules own_rules(const upstream_settings& of) {
  policy_rules rules;
  rules.tools = {of.tools_given, of.tools};
  rules.methods = of.sections.methods;
  rules.resources = of.sections.resources;
  rules.prompts = of.sections.prompts;
  return rules;
}

policy_rules rules_of_all(const settings& conf) {
  policy_rules rules;
  rules.tools = {conf.tools_given, conf.tools};
  rules.methods = conf.access.methods;
  rules.resources = conf.access.resources;
  rules.prompts = conf.access.prompts;
  return rules;
}

template <class Take>
void each_rule(const policy_rules& rules, Take take) {
  for (const auto& rule : rules.tools.rules) take("tools", rule);
  for (const auto& rule : rules.methods.rules) take("policy.methods", rule);
  for (const auto& rule : rules.resources.rules) take("policy.resources", rule);
  for (const auto& rule : rules.prompts.rules) take("policy.prompts", rule);
}

void add_names(std::vector<std::string>& named, const std::vector<std::string>& scopes) {
  for (const auto& scope : scopes) {
    if (!holds(named, scope)) named.push_back(scope);
  }
}

void check_url(config_reading& reading, const std::function<void(const std::string&, config_flaw)>& refuse) {
  const auto& s = reading.draft;
  const auto& access = s.access;
  if (access.url.empty()) {
    if (reading.has("policy.token"))
      reading.warnings.emplace_back("policy.token is not used: there is no policy.url");
    return;
  }
  auto at = url::parse(access.url);
  if (reading.is_usable("policy.url") && at && at->scheme == "http" && !at->is_loopback() &&
      !s.danger_allow_http) {
    refuse("policy.url",
           {"must use https unless it is on this machine: whoever is on the way decides otherwise"});
  }
  if (access.max_age < access.refresh && reading.is_usable("policy.max_age") &&
      reading.is_usable("policy.refresh")) {
    refuse(reading.has("policy.max_age") ? "policy.max_age" : "policy.refresh",
           {"must leave policy.max_age (" + std::to_string(access.max_age.count()) +
            ") at least policy.refresh (" + std::to_string(access.refresh.count()) + ")"});
  }
  if (access.fallback == "local" && !s.tools_given) {
    refuse("policy.fallback", {"is local, and there are no tools to fall back to",
                               "add tools, or write fallback: none to allow nothing then"});
  }
  if (access.fallback == "none" && s.tools_given) {
    reading.warnings.emplace_back(
        "tools is not used: the tools of policy.url count, and policy.fallback is none");
  }
}

// A public server has the rules of the top level like every other, and nobody there has scopes or claims.
void warn_of_inherited(config_reading& reading, const policy_rules& own, const std::string& name) {
  auto all = rules_of_all(reading.draft);
  auto none_if_own = [](const rule_set& mine, rule_set& top) {
    if (mine.given) top = {};
  };
  none_if_own(own.tools, all.tools);
  none_if_own(own.methods, all.methods);
  none_if_own(own.resources, all.resources);
  none_if_own(own.prompts, all.prompts);
  std::string closed;
  each_rule(all, [&](const char* section, const access_rule& rule) {
    bool claims = std::any_of(rule.when.begin(), rule.when.end(),
                              [](const rule_condition& c) { return c.of == rule_condition::source::claim; });
    if (rule.scopes.empty() && !claims) return;
    closed += (closed.empty() ? "" : ", ") + std::string(section) + "." + displayed(rule.pattern);
  });
  if (closed.empty()) return;
  reading.warnings.push_back(
      "upstreams: " + displayed(name) +
      " has require_auth: false and the rules of the top level, so that nobody there may "
      "do what they ask scopes or claims for: " +
      closed + "; give the server rules of its own");
}

}  // namespace

policy_rules rules_of(const settings& conf, const upstream_settings& of, const policy_document* remote) {
  auto rules = own_rules(of);
  rules.base_scopes = of.scopes;
  rules.hierarchy = conf.access.hierarchy;
  rules.filter_lists = conf.access.filter_lists;
  auto all = rules_of_all(conf);
  if (remote != nullptr) return rules_for(*remote, rules, all);
  auto inherit = [](rule_set& own, rule_set& top) {
    if (!own.given) own = std::move(top);
  };
  inherit(rules.tools, all.tools);
  inherit(rules.methods, all.methods);
  inherit(rules.resources, all.resources);
  inherit(rules.prompts, all.prompts);
  return rules;
}

void add_scopes(std::vector<std::string>& named, const policy_rules& rules) {
  each_rule(rules, [&](const char*, const access_rule& rule) { add_names(named, rule.scopes); });
  for (const auto& [above, below] : rules.hierarchy) {
    add_names(named, {above});
    add_names(named, below);
  }
}

std::vector<std::string> scopes_of_rules(const settings& conf) {
  std::vector<std::string> named;
  for (const auto& u : conf.upstreams) {
    add_names(named, u.scopes);
    add_scopes(named, own_rules(u));
  }
  auto all = rules_of_all(conf);
  all.hierarchy = conf.access.hierarchy;
  add_scopes(named, all);
  return named;
}

std::vector<std::string> scopes_of_server(const settings& conf, const upstream_settings& of) {
  std::vector<std::string> here = of.scopes, of_others;
  add_scopes(here, rules_of(conf, of));
  if (!of.scopes.empty()) return here;
  for (const auto& u : conf.upstreams) {
    add_names(of_others, u.scopes);
    add_scopes(of_others, own_rules(u));
  }
  auto all = conf.scopes_supported;
  std::erase_if(all, [&](const std::string& s) { return holds(of_others, s) && !holds(here, s); });
  return all;
}

void derive_policy(config_reading& reading,
                   const std::function<void(const std::string&, config_flaw)>& refuse) {
  const auto& s = reading.draft;
  derive_policy_mode(reading, refuse);
  check_url(reading, refuse);
  auto doubt = [&](std::vector<std::string> doubts) {
    for (auto& text : doubts) reading.warnings.push_back(std::move(text));
  };
  doubt(doubts_about(rules_of_all(s), "tools", "policy."));
  for (std::size_t i = 0; i < s.upstreams.size(); ++i) {
    const auto& u = s.upstreams[i];
    const std::string here = "upstreams[" + std::to_string(i) + "].";
    auto own = own_rules(u);
    doubt(doubts_about(own, here + "tools", here + "policy."));
    if (u.require_auth) continue;
    // Nobody signs in: what hangs on that would mislead.
    each_rule(own, [&](const char* section, const access_rule& rule) {
      auto at = here + section + "." + rule.pattern;
      if (!rule.scopes.empty()) refuse(at, {"asks for scopes, which nobody has with require_auth: false"});
      bool claims = std::any_of(rule.when.begin(), rule.when.end(), [](const rule_condition& c) {
        return c.of == rule_condition::source::claim;
      });
      if (claims) refuse(at, {"asks for claims, which nobody has with require_auth: false"});
    });
    warn_of_inherited(reading, own, u.name);
  }
}

}  // namespace mcp_oauth
