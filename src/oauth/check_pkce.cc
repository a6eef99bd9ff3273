#include "oauth/authorization_checks.h"
#include "oauth/pkce.h"

namespace mcp_oauth {

result<void> check_pkce(const authorization_request& request, const client_metadata&, const server_rules&,
                        authorization_terms& terms) {
  const auto& method = request.code_challenge_method;
  if (request.code_challenge.empty()) return fail(errc::pkce_missing, "no code_challenge");
  // RFC 7636 §4.3: plain is what a method left out means.
  if (method.empty()) return fail(errc::pkce_method_plain, "code_challenge_method was left out");
  if (method == "plain") return fail(errc::pkce_method_plain, "code_challenge_method is plain");
  if (method != "S256")
    return fail(errc::pkce_method_unsupported, "code_challenge_method is neither S256 nor plain");
  if (!is_code_challenge(request.code_challenge)) {
    return fail(errc::pkce_malformed, diagnose_code_challenge(request.code_challenge));
  }
  terms.code_challenge = request.code_challenge;
  return {};
}

}  // namespace mcp_oauth
