#include "oauth/authorization_checks.h"

namespace mcp_oauth {

result<void> check_parameters(const authorization_request& request, const client_metadata&,
                              const server_rules&, authorization_terms&) {
  // RFC 6749 §3.1
  if (!request.repeated.empty()) return fail(errc::parameter_repeated, request.repeated.front());
  if (request.state_malformed) return fail(errc::parameter_malformed, "state");
  return {};
}

}  // namespace mcp_oauth
