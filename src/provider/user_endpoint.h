#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/secret.h"
#include "provider/identity.h"
#include "provider/standard_claims.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// Who signed in at a plain OAuth 2.0 provider: what its endpoints say to the access token that came for our
// code. There is no id token, so nothing is signed: TLS and PKCE are what vouches.

// GET with the access token. The call holds a secret: it must not be logged.
http_call user_request(std::string url, const secret& access_token);

// The person, from an object of JSON. `subject_field` names a string or a whole number that never changes.
// An e-mail address counts as verified only where `names.email_verified` names a claim that says so. Errors:
// provider_refused and provider_unreachable (status), provider_token_invalid for what is no such object.
result<identity> process_user_answer(std::string provider, std::string_view subject_field,
                                     const claim_names& names, const http_answer& answer);

// The person with the primary address of a list as GitHub's /user/emails, if that is verified; otherwise
// with the address as it was, not verified. Errors: as before.
result<identity> process_emails_answer(identity who, const http_answer& answer);

// "org" or "org/team" as `allowed_organizations` has them.
struct organization_entry {
  std::string_view organization;
  std::string_view team;  // "" for everyone in it
};
// GitHub's names: letters, digits, '-' and '_', which may stand in a path as they are.
bool is_organization_entry(std::string_view text);
organization_entry split_organization(std::string_view entry);

// Whether the answer to a question for a membership says that it is active: somebody who is only invited
// does not belong yet. 404 and 403 say no. Errors: provider_unreachable for 5xx and 429.
result<bool> process_membership_answer(const http_answer& answer);

// `pattern` with the names of that entry in place of "{organization}", "{team}" and "{login}".
std::string membership_path(std::string_view pattern, organization_entry entry, std::string_view login);

}  // namespace mcp_oauth
