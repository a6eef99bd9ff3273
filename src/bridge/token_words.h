#pragma once

#include "base/secret.h"
#include "base/time.h"

#include <string>

namespace mcp_oauth {

// What an access token says of itself, for the message that a server refuses it: issuer, audience, scope and
// end of a JWT, which nobody has verified; or that it is opaque. No signature, no subject, no other claim.
std::string what_token_says(const secret& token, time_point now);

}  // namespace mcp_oauth
