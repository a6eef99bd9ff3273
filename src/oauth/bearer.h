#pragma once

#include "base/error.h"
#include "base/http.h"

#include <span>
#include <string_view>

namespace mcp_oauth {

// The access token of a request: "Authorization: Bearer TOKEN", the scheme in any case (RFC 6750 §2.1). The
// token is borrowed from `fields`; that it is a token of ours is not checked. A token in the query never
// authenticates (OAuth 2.1 §5.1); next to one in the header it makes the request invalid. Errors:
// token_missing, credentials_repeated, authorization_scheme_unsupported (another scheme, or none at all),
// token_malformed.
result<std::string_view> bearer_token(std::span<const field> fields, std::string_view query);

enum class token_scheme { bearer, dpop };

struct credentials {
  std::string_view token;  // borrowed
  token_scheme scheme = token_scheme::bearer;
};

// The same where a token may also be bound to a key: "Authorization: DPoP TOKEN" (RFC 9449 §7.1).
result<credentials> bearer_or_dpop_token(std::span<const field> fields, std::string_view query);

}  // namespace mcp_oauth
