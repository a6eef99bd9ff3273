#pragma once

#include "library/names.h"
#include "policy/policy.h"

#include <memory>

MCP_OAUTH_BEGIN

// The rules of the options as the core has them. The options were checked.
policy make_policy(const options& from);
policy_rules rules_of(const options& from);

MCP_OAUTH_END
