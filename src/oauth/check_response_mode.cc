#include "oauth/authorization_checks.h"

namespace mcp_oauth {

result<void> check_response_mode(const authorization_request& request, const client_metadata&,
                                 const server_rules&, authorization_terms&) {
  if (!request.response_mode.empty() && request.response_mode != "query") {
    return fail(errc::response_mode_unsupported, "response_mode is not query");
  }
  return {};
}

}  // namespace mcp_oauth
