#pragma once

#include "base/error.h"
#include "oauth/access_token.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// BASE64URL(SHA-256(DER)) of a certificate, as `cnf` has it (RFC 8705 §3.1).
std::string certificate_thumbprint(std::string_view der);

// A token that is bound to a client certificate is good on a connection with that one only (RFC 8705 §3);
// `presented` is its thumbprint, "" when there was none. A token that is bound to no certificate passes.
// Errors: token_certificate_missing, certificate_mismatch.
result<void> check_certificate_binding(const verified_token& token, std::string_view presented);

}  // namespace mcp_oauth
