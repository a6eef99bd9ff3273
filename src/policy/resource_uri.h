#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// Whether every reader takes the URI for the same place. No dot segments anywhere behind the scheme, also
// encoded; in query and fragment `\`, `?`, `#`, `&` and `=` end a segment too. In the rest no backslashes,
// controls or encoded slashes, and nothing that is encoded twice. No blank at either end. The schemes file,
// ftp, http, https, ws and wss, whose URIs readers write anew, have `//` behind them, and no userinfo; a host
// in its usual form (none of a file), no port that goes without saying, and a file no doubled slashes.
bool is_plain_uri(std::string_view uri);

// The same URI in the form that others may give it (RFC 3986 §6.2.2): scheme and host in lower case, no
// needless percent-encoding. Nothing when it has that form already.
std::optional<std::string> normal_uri(std::string_view uri);

// Under what else a plain URI may be known to those who wrote rules: its normal form, decoded, without
// userinfo or an empty port, without query and fragment. None of them is the URI as it stands.
std::vector<std::string> other_forms(std::string_view uri);

// The URI template with values in place of the variables that stand alone in an expression; the others stay.
// Values are put in as they are.
using template_values = std::vector<std::pair<std::string, std::string>>;
std::string fill_template(std::string_view uri_template, const template_values& values);

// Whether some text fits both patterns. In a URI template (RFC 6570) each expression counts as `*`.
// Templates beyond 512 bytes fit nothing.
bool may_expand_to(std::string_view uri_template, std::string_view pattern);

}  // namespace mcp_oauth
