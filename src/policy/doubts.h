#pragma once

#include "policy/policy.h"

#include <string>
#include <vector>

namespace mcp_oauth {

// Lines that can have no effect, or not the one that was meant: rules below a denied one, names that no MCP
// message has, sections that no method leads to. A sentence each, in which `tools_at` names the tools
// ("tools") and `sections_at` stands before the names of the others ("policy.").
std::vector<std::string> doubts_about(const policy_rules& rules, const std::string& tools_at,
                                      const std::string& sections_at);

}  // namespace mcp_oauth
