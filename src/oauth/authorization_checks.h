#pragma once

#include "oauth/authorization_request.h"

#include <span>
#include <string_view>

namespace mcp_oauth {

// One check of an authorization request: judges, and settles its part of the terms.
using authorization_check = result<void> (*)(const authorization_request&, const client_metadata&,
                                             const server_rules&, authorization_terms&);

// RFC 6749 §3.1.2.3: matches a registered one; may be left out by a client that registered exactly one.
// Errors: redirect_uri_missing, redirect_uri_mismatch, redirect_uri_refused.
result<void> check_redirect_uri(const authorization_request&, const client_metadata&, const server_rules&,
                                authorization_terms&);
// RFC 6749 §3.1 and appendix A.5: nothing stands twice, state is printable ASCII of at most 4096 characters.
// Errors: parameter_repeated, parameter_malformed.
result<void> check_parameters(const authorization_request&, const client_metadata&, const server_rules&,
                              authorization_terms&);
// RFC 6749 §3.1.1: code, and the client registered for it.
// Errors: parameter_missing, response_type_unsupported, client_not_allowed.
result<void> check_response_type(const authorization_request&, const client_metadata&, const server_rules&,
                                 authorization_terms&);
// Absent or query. Errors: response_mode_unsupported.
result<void> check_response_mode(const authorization_request&, const client_metadata&, const server_rules&,
                                 authorization_terms&);
// RFC 7636 §4.3, §4.4.1: always, and S256. A method left out means plain, and is refused as such.
// Errors: pkce_missing, pkce_method_plain, pkce_method_unsupported, pkce_malformed.
result<void> check_pkce(const authorization_request&, const client_metadata&, const server_rules&,
                        authorization_terms&);
// RFC 6749 §3.3. Errors: parameter_malformed, parameter_too_long, scope_unknown.
result<void> check_scope(const authorization_request&, const client_metadata&, const server_rules&,
                         authorization_terms&);
// RFC 8707 §2. Errors: resource_unknown.
result<void> check_resource(const authorization_request&, const client_metadata&, const server_rules&,
                            authorization_terms&);
// OpenID Connect Core §3.1.2.1: `none` stands alone; unknown words are ignored. Errors: parameter_malformed.
result<void> check_prompt(const authorization_request&, const client_metadata&, const server_rules&,
                          authorization_terms&);

// Whom a failed check is told to.
enum class told_to { user, client };
struct ordered_check {
  std::string_view name;
  authorization_check run;
  told_to whom;
};

// All of them, in the order in which they run.
std::span<const ordered_check> authorization_checks();

}  // namespace mcp_oauth
