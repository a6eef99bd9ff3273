#pragma once

#include "base/json.h"
#include "provider/identity.h"

#include <string_view>

namespace mcp_oauth {

// Sets what the claims say about the person (OIDC Core §5.1, and `groups`), leaving `provider` and `subject`
// alone. A claim of the wrong type counts as absent. `email_verified` is true only as a boolean, or as the
// string some send; one name in `groups` may stand without its list.
void read_standard_claims(const json::object& claims, identity& who);

// Whether the text may be a `sub`: 1 to 255 printable ASCII characters (OIDC Core §2). It becomes part of
// headers and log lines.
bool is_subject(std::string_view text);

}  // namespace mcp_oauth
