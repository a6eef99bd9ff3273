#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// RFC 4648 §5 without padding, the form of JOSE and PKCE.
std::string base64url_encode(std::string_view bytes);
// Strict: no padding, no other alphabet, no stray bits in the last character, no impossible length.
std::optional<std::string> base64url_decode(std::string_view text);

// RFC 4648 §4 with padding, the form of HTTP Basic. Decoding is strict in the same way.
std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

std::string hex_encode(std::string_view bytes);

}  // namespace mcp_oauth
