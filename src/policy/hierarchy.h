#pragma once

#include "policy/rule.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Every scope that gives this one, over any number of steps; not itself.
std::vector<std::string> scopes_above(const scope_hierarchy& hierarchy, std::string_view scope);

// Scopes that would give each other in a circle, in its order, the first one again at the end; empty when
// there are none.
std::vector<std::string> circle_in(const scope_hierarchy& hierarchy);

}  // namespace mcp_oauth
