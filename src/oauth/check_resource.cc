#include "oauth/authorization_checks.h"
#include "oauth/resource.h"

namespace mcp_oauth {

result<void> check_resource(const authorization_request& request, const client_metadata&,
                            const server_rules& rules, authorization_terms& terms) {
  auto resource = resolve_resource(request.resources, rules.resources);
  if (!resource) return tl::unexpected(resource.error());
  terms.resource = std::move(*resource);
  return {};
}

}  // namespace mcp_oauth
