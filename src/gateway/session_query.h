#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// The parameter that binds a session of MCP 2024-11-05, whose id stands in the query, to its subject.
inline constexpr std::string_view place_binding = "mop_session";

// What a query says about sessions.
struct session_query {
  bool names_session = false;  // the MCP server may read a session's id in it
  std::string_view mac;        // the value of `mop_session`, borrowed; "" when it is not there
  std::string rest;            // the query without that parameter and without empty ones
};

// Reads every parameter name as the most lenient server would: percent-decoded, in any case, with or without
// `_`, `-` and `.`, with brackets behind it, separated by `&` or `;`. Errors: parameter_repeated, when a
// session is named twice, since two readers may choose differently; parameter_malformed, when a name cannot
// be decoded or `mop_session` is written in a way that we would not take off.
result<session_query> read_session_query(std::string_view query);

// Whether a path holds what looks like an id: a segment of digits, or one of 16 characters or more with a
// digit among them and nothing but letters, digits, `-`, `_` and `.`.
bool path_may_name_session(std::string_view path);

}  // namespace mcp_oauth
