#pragma once

#include "base/error.h"
#include "config/yaml.h"
#include "policy/remote_policy.h"

namespace mcp_oauth {

// What a policy may say, whichever text it was read from: see policy_document.h. Errors:
// policy_document_invalid, with the line where there is one.
result<policy_document> policy_in(const yaml_node& root);

}  // namespace mcp_oauth
