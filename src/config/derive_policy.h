#pragma once

#include "config/reading.h"
#include "policy/remote_policy.h"

#include <functional>
#include <string>

namespace mcp_oauth {

// The checks between `tools`, `policy` and what upstreams have of them. `refuse` is told what is wrong.
void derive_policy(config_reading& reading,
                   const std::function<void(const std::string&, config_flaw)>& refuse);

// What `policy.mode` says is meant, and the policy of an AuthSec resource server: makes policy.url,
// policy.token and policy.fallback of them, and refuses what they contradict.
void derive_policy_mode(config_reading& reading,
                        const std::function<void(const std::string&, config_flaw)>& refuse);

// Every scope that rules and the hierarchy name, in their order.
std::vector<std::string> scopes_of_rules(const settings& conf);
// Adds those that the rules name and `named` does not have.
void add_scopes(std::vector<std::string>& named, const policy_rules& rules);

// The scopes that are good for something at a server: its own and those of its rules; without own ones all
// that there are, but for those that other servers alone name.
std::vector<std::string> scopes_of_server(const settings& conf, const upstream_settings& of);

// The rules that hold for a server: its own sections, each in place of that at the top level. With `remote`,
// that stands between the two (`rules_for`).
policy_rules rules_of(const settings& conf, const upstream_settings& of,
                      const policy_document* remote = nullptr);

}  // namespace mcp_oauth
