#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/time.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

enum class origin_scheme { http, https };

// The name on the wire: under https it has the prefix "__Host-", so that no sibling host can set it (RFC
// 6265bis §4.1.3.2).
std::string cookie_name(std::string_view name, origin_scheme scheme);

// The value of our cookie `name` (without prefix). Nothing when absent, and nothing when it stands there with
// different values: which one is ours cannot be known.
std::optional<std::string> find_cookie(const http_fields& fields, std::string_view name,
                                       origin_scheme scheme);

// A Set-Cookie value for the whole host: Path=/, HttpOnly, SameSite=Lax (a provider's redirect back must
// bring it), Secure under https. Without `lifetime` it ends with the browser session. Errors: internal, for a
// name or value outside RFC 6265 §4.1.1 or over 4096 bytes together.
result<std::string> set_cookie(std::string_view name, std::string_view value, origin_scheme scheme,
                               std::optional<seconds> lifetime = std::nullopt);
// A Set-Cookie value that removes it.
std::string expire_cookie(std::string_view name, origin_scheme scheme);

// The pairs of one Cookie header field, in order, borrowed. Pieces without '=' or with a name or value
// outside the grammar are left out. A field over 16 KiB yields none; at most 128 pairs are read.
std::vector<std::pair<std::string_view, std::string_view>> parse_cookies(std::string_view header);

}  // namespace mcp_oauth
