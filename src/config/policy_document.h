#pragma once

#include "base/error.h"
#include "policy/remote_policy.h"

#include <string_view>

namespace mcp_oauth {

// A policy out of somebody else's answer, YAML or JSON, in one of two shapes:
// - ours: `tools`, and if wanted `methods`, `resources`, `prompts` and `scope_hierarchy`, each as in
// config.yaml
//   and without variables, at the top or below `policy`; `complete: false` and `state` for a policy that is
//   not finished;
// - that of a scope matrix: `policy_complete`, `state`, `tool_policy: [{name, is_public, required_scopes}]`,
// in
//   which one of the scopes is enough, and a tool without any is denied unless it is public.
// Whatever is wrong with it, all of it is refused, and so is one that names no tools: it would leave every
// tool open. Errors: policy_document_invalid, with the line and what is wrong.
result<policy_document> read_policy_document(std::string_view text);

// The same of JSON alone, for those who do without a reader of YAML. Errors: policy_document_invalid.
result<policy_document> read_policy_json(std::string_view text);

}  // namespace mcp_oauth
