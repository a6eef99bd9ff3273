#pragma once

#include "base/json.h"
#include "oauth/access_token.h"
#include "policy/rule.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// The claims of whoever calls: of a token of ours, or all claims of another issuer's. Borrowed; of nobody
// both are null.
struct claims_view {
  const access_claims* ours = nullptr;
  const json::object* theirs = nullptr;
};

// Whether the condition holds. `arguments` are those of the call, or null where it has none. Total: whatever
// the values are, the answer is yes or no. Where members of the arguments on the way differ in case only, or
// a single value stands on the way, it is no: servers disagree about which one counts, or decode a text. For
// the same reason no text that may be JSON passes a negated test of an argument.
bool holds(const rule_condition& what, const claims_view& claims, const json::object* arguments);

// Whether every server takes the path for one and the same place, below the root that it begins at: no dot
// segments, no doubled or encoded separators, no backslashes, no control characters, no blank at either end,
// no
// `~` at the beginning, no `:` in the first segment ("file:", "C:").
bool is_plain_file_path(std::string_view path);

// "argument.path starts_with /public/": what is asked for, never what was there.
std::string describe(const rule_condition& what);

}  // namespace mcp_oauth
