#pragma once

#include "config/reading.h"
#include "policy/remote_policy.h"

#include <functional>
#include <string>

namespace mcp_oauth {

// The checks between `tools`, `policy` and what upstreams have of them. `refuse` is told what is wrong.
void derive_policy(config_reading& reading,
                   const std::function<void(const std::string&, config_flaw)>& refuse);

// Every scope that rules and the hierarchy name, in their order.
std::vector<std::string> scopes_of_rules(const settings& conf);

// The rules that hold for a server: its own sections, each in place of that at the top level; without sign-in
// its own alone. With `remote`, that stands between the two (`rules_for`).
policy_rules rules_of(const settings& conf, const upstream_settings& of,
                      const policy_document* remote = nullptr);

}  // namespace mcp_oauth
