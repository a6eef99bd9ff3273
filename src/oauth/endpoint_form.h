#pragma once

#include "base/form.h"
#include "base/http.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The parameters of a POST to the token, revocation or introspection endpoint (RFC 6749 §3.2, appendix B).
// Errors: http_method_refused; http_media_type_unsupported unless application/x-www-form-urlencoded (a
// charset of UTF-8 may be named); body_too_large over 64 KiB; parameter_malformed for broken encoding, or for
// credentials in the query, where logs and histories keep them (§2.3.1).
result<form> parse_endpoint_form(const http_request& request);

// Whether the media type is the one named, parameters aside, case ignored (RFC 9110 §8.3.1).
bool is_media_type(std::string_view content_type, std::string_view type);

// The parameter, at most once, of at most `longest` bytes; nothing when absent.
// Errors: parameter_repeated, parameter_too_long; the parameter's name is the detail.
result<std::optional<std::string>> optional_parameter(const form& parameters, std::string_view name,
                                                      std::size_t longest);
// As before; absent is parameter_missing.
result<std::string> required_parameter(const form& parameters, std::string_view name, std::size_t longest);

}  // namespace mcp_oauth
