#pragma once

#include "base/json.h"
#include "provider/identity.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// Under which names a provider tells what we want to know. "" is told nowhere.
struct claim_names {
  std::string email = "email";
  std::string email_verified = "email_verified";
  std::string name = "name";
  std::string login = "preferred_username";
  std::string groups = "groups";  // "realm_access.roles" is `roles` in the object `realm_access`
};

// Sets what the claims say about the person (OIDC Core §5.1, and groups), leaving `provider` and `subject`
// alone. A claim of the wrong type counts as absent. `email_verified` is true only as a boolean, or as the
// string some send, or as the 1 that `xms_edov` may be; one name in `groups` may stand without its list.
void read_standard_claims(const json::object& claims, identity& who, const claim_names& names = {});

// Whether the text may be a `sub`: 1 to 255 printable ASCII characters (OIDC Core §2). It becomes part of
// headers and log lines.
bool is_subject(std::string_view text);

}  // namespace mcp_oauth
