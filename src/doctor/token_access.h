#pragma once

#include "doctor/token_explanation.h"
#include "policy/policy.h"

#include <vector>

namespace mcp_oauth {

// What the rules of a server let such a caller do: each pattern of each section, by the policy's own
// judgement of a call with that very name.
std::vector<explained_section> explain_access(const policy_rules& rules, const caller& who);

}  // namespace mcp_oauth
