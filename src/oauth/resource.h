#pragma once

#include "base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

inline constexpr std::size_t longest_resource = 2048;

// A resource identifier (RFC 8707 §2) as we compare it: scheme and host in lower case, default port and
// trailing slash left out, path and query as written. Errors: resource_unknown for what is no absolute
// http(s) URL, has a fragment or user information, or is longer than 2048 characters.
result<std::string> canonical_resource(std::string_view identifier);

// Which of `served` the client means, spelled as in `served`. None asked: the first, our default. Several
// that mean the same count as one; a token has exactly one audience, so several that differ are refused. A
// server on the loopback interface is meant by each of its names there (localhost, 127.0.0.0/8, ::1). Errors:
// resource_unknown.
result<std::string> resolve_resource(const std::vector<std::string>& asked,
                                     const std::vector<std::string>& served);

}  // namespace mcp_oauth
