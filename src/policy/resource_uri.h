#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Whether every reader takes the URI for the same place: in its path no dot segments, also encoded, no
// backslashes, controls or encoded slashes, and nothing that is encoded twice. Query and fragment may hold
// anything.
bool is_plain_uri(std::string_view uri);

// The same URI in the form that others may give it (RFC 3986 §6.2.2): scheme and host in lower case, no
// needless percent-encoding. Nothing when it has that form already.
std::optional<std::string> normal_uri(std::string_view uri);

// Whether some text fits both patterns. In a URI template (RFC 6570) each expression counts as `*`.
// Templates beyond 512 bytes fit nothing.
bool may_expand_to(std::string_view uri_template, std::string_view pattern);

}  // namespace mcp_oauth
