#include "oauth/resource.h"

#include "base/url.h"

#include <optional>

namespace mcp_oauth {

result<std::string> canonical_resource(std::string_view identifier) {
  if (identifier.size() > longest_resource)
    return fail(errc::resource_unknown, "longer than 2048 characters");
  auto parsed = url::parse(identifier);
  if (!parsed) return fail(errc::resource_unknown, parsed.error().detail);
  // RFC 8707 §2
  if (parsed->has_fragment) return fail(errc::resource_unknown, "a fragment");
  if (!parsed->is_http()) return fail(errc::resource_unknown, "not an http(s) URL");
  std::string canonical = parsed->origin() + parsed->path;
  if (canonical.back() == '/') canonical.pop_back();
  if (parsed->has_query) canonical += "?" + parsed->query;
  return canonical;
}

namespace {

// One machine has several names for itself; people type the one they think of. Only this machine answers to
// them, so nobody gains a token for a stranger's server by it.
bool is_same_on_loopback(std::string_view a, std::string_view b) {
  auto x = url::parse(a), y = url::parse(b);
  return x && y && x->is_loopback() && y->is_loopback() && x->scheme == y->scheme &&
         x->effective_port() == y->effective_port() && x->path == y->path && x->query == y->query;
}

}  // namespace

result<std::string> resolve_resource(const std::vector<std::string>& asked,
                                     const std::vector<std::string>& served) {
  if (served.empty()) return fail(errc::resource_unknown, "no resource is served");
  std::optional<std::string> chosen;
  for (const auto& identifier : asked) {
    auto wanted = canonical_resource(identifier);
    if (!wanted) return tl::unexpected(wanted.error());
    if (chosen && *wanted != *chosen) return fail(errc::resource_unknown, "two resources for one token");
    chosen = std::move(*wanted);
  }
  if (!chosen) return served.front();
  for (const auto& identifier : served) {
    if (canonical_resource(identifier) == *chosen) return identifier;
  }
  for (const auto& identifier : served) {
    if (auto canonical = canonical_resource(identifier);
        canonical && is_same_on_loopback(*canonical, *chosen))
      return identifier;
  }
  return fail(errc::resource_unknown, "asked for " + *chosen);
}

}  // namespace mcp_oauth
