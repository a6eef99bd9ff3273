#pragma once

#include <string>
#include <vector>

namespace mcp_oauth {

enum class scopes_needed { all, any };

// One line of `tools:` — who may call the tools whose name matches.
struct tool_rule {
  std::string pattern;  // `*` matches any run of characters
  std::vector<std::string> scopes;
  scopes_needed needed = scopes_needed::all;
};

}  // namespace mcp_oauth
