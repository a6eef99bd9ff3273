#include "oauth/authorization_checks.h"
#include "oauth/redirect_uri.h"

#include <algorithm>

namespace mcp_oauth {

result<void> check_redirect_uri(const authorization_request& request, const client_metadata& client,
                                const server_rules& rules, authorization_terms& terms) {
  const auto& registered = client.redirect_uris;
  if (registered.empty()) return fail(errc::redirect_uri_mismatch, "the client registered no redirect URI");
  if (!request.redirect_uri && registered.size() > 1) {
    return fail(errc::redirect_uri_missing, std::to_string(registered.size()) + " are registered");
  }
  const auto& wanted = request.redirect_uri ? *request.redirect_uri : registered.front();
  bool matches = std::any_of(registered.begin(), registered.end(),
                             [&](const std::string& one) { return redirect_uri_matches(one, wanted); });
  if (!matches) return fail(errc::redirect_uri_mismatch, wanted + " is none of those registered");
  // A registration may come from a file or a document: what it holds is judged again where it is used.
  auto acceptable = check_redirect_uri_registrable(wanted, rules);
  if (!acceptable) return acceptable;
  terms.redirect_uri = wanted;
  terms.redirect_uri_sent = request.redirect_uri.has_value();
  return {};
}

}  // namespace mcp_oauth
