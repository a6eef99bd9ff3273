#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// The detail of a callback that came without a state, for which error_description has words of its own.
inline constexpr std::string_view callback_without_state = "the callback has no state parameter";

// The error_description of a failure (RFC 6749 §5.2): the words of the catalogue, and after a colon what of
// the detail is known to be ours: the name of a parameter of the standards, a reason for which a redirect URI
// is refused and its place in redirect_uris, a media type. The detail only selects among constants; no value
// and no unknown name of a request can come through.
std::string error_description(const error& why);

}  // namespace mcp_oauth
