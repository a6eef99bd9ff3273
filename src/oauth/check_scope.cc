#include "oauth/authorization_checks.h"
#include "oauth/scope.h"

namespace mcp_oauth {

result<void> check_scope(const authorization_request& request, const client_metadata& client,
                         const server_rules& rules, authorization_terms& terms) {
  auto asked = parse_scope(request.scope);
  if (!asked) return tl::unexpected(asked.error());
  // What a client registered is what it means when it says nothing, not a limit: a later step up may need
  // more.
  auto registered = parse_scope(client.scope);
  bool has_own = registered && !registered->empty();
  auto scopes = narrow_scopes(*asked, rules.scopes_supported, has_own ? *registered : rules.default_scopes);
  if (!scopes) return tl::unexpected(scopes.error());
  terms.scopes = std::move(*scopes);
  return {};
}

}  // namespace mcp_oauth
