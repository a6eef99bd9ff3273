#include "policy/hierarchy.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

const std::vector<std::string>* below(const scope_hierarchy& hierarchy, std::string_view scope) {
  for (const auto& [above, given] : hierarchy) {
    if (above == scope) return &given;
  }
  return nullptr;
}

// Depth first; `path` leads to `scope`. True when it ends in a circle, which `path` then is.
bool follow(const scope_hierarchy& hierarchy, const std::string& scope, std::vector<std::string>& path,
            std::vector<std::string>& done) {
  auto seen = std::find(path.begin(), path.end(), scope);
  bool circle = seen != path.end();
  if (circle) {
    path.erase(path.begin(), seen);
    path.push_back(scope);
    return true;
  }
  if (holds(done, scope)) return false;
  path.push_back(scope);
  if (const auto* given = below(hierarchy, scope)) {
    for (const auto& next : *given) {
      if (follow(hierarchy, next, path, done)) return true;
    }
  }
  path.pop_back();
  done.push_back(scope);
  return false;
}

}  // namespace

std::vector<std::string> scopes_above(const scope_hierarchy& hierarchy, std::string_view scope) {
  std::vector<std::string> above;
  std::vector<std::string> look{std::string(scope)};
  while (!look.empty()) {
    auto at = std::move(look.back());
    look.pop_back();
    for (const auto& [higher, given] : hierarchy) {
      if (!holds(given, at) || higher == scope || holds(above, higher)) continue;
      above.push_back(higher);
      look.push_back(higher);
    }
  }
  return above;
}

std::vector<std::string> circle_in(const scope_hierarchy& hierarchy) {
  std::vector<std::string> path, done;
  for (const auto& [scope, given] : hierarchy) {
    if (follow(hierarchy, scope, path, done)) return path;
  }
  return {};
}

}  // namespace mcp_oauth
