#pragma once

#include "base/error.h"
#include "base/http.h"
#include "mcp/envelope.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Whether Mcp-Method, Mcp-Name and MCP-Protocol-Version say what the body says (MCP 2026-07-28, streamable
// HTTP). Each may stand once. One that is present has to agree in every revision; one that is missing is an
// error where the header or the body names a revision that mirrors (`has_mirrored_headers`). Names of headers
// are compared without case, values with it. Errors: header_mismatch; body_malformed for a response in such a
// revision, in which clients send none. A message that is not `complete` is judged by what is known of it:
// call again when it is. Not checked: whether the revision is known or supported, `Mcp-Param-*`, and Mcp-Name
// on a method without a name.
result<void> check_mirrored_headers(const envelope& body, std::span<const field> fields);

// What Mcp-Method and Mcp-Name say the body is, for whoever cannot see the body. It is the sender's word:
// only where somebody compares it with the body is a decision about it one about the call. Errors:
// call_headers_missing, unless MCP-Protocol-Version names a revision that mirrors and all that it asks for is
// there; header_mismatch for what stands there twice or is malformed.
result<envelope> envelope_of_mirrored_headers(std::span<const field> fields);

// The value of Mcp-Name and the like: as it stands, or out of its `=?base64?…?=` form. Nothing when it holds
// a byte that a header value may not hold, or when the form is broken.
std::optional<std::string> decode_mirrored_value(std::string_view value);
// The other way round: as it stands where it can be a header value and does not look encoded, else encoded.
std::string encode_mirrored_value(std::string_view value);

}  // namespace mcp_oauth
