#pragma once

#include <string_view>

namespace mcp_oauth {

// Whether what an issuer publishes may name this URL as one of its endpoints: https, or http on the loopback;
// no fragment; an address inside only from an issuer that is inside itself. Our codes, tokens and secrets go
// there. What a name leads to is not looked up.
bool is_usable_endpoint(std::string_view issuer, std::string_view text);

}  // namespace mcp_oauth
