#include "oauth/authorization_checks.h"

#include <algorithm>

namespace mcp_oauth {

result<void> check_response_type(const authorization_request& request, const client_metadata& client,
                                 const server_rules&, authorization_terms&) {
  if (request.response_type.empty()) return fail(errc::parameter_missing, "response_type");
  if (request.response_type != "code")
    return fail(errc::response_type_unsupported, "response_type is not code");
  auto lacks = [](const std::vector<std::string>& registered, std::string_view value) {
    return !registered.empty() && std::find(registered.begin(), registered.end(), value) == registered.end();
  };
  if (lacks(client.response_types, "code") || lacks(client.grant_types, "authorization_code")) {
    return fail(errc::client_not_allowed, "the client did not register for authorization codes");
  }
  return {};
}

}  // namespace mcp_oauth
