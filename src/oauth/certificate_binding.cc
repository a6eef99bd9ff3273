#include "oauth/certificate_binding.h"

#include "base/base64url.h"
#include "base/secret.h"
#include "jose/digest.h"

namespace mcp_oauth {

std::string certificate_thumbprint(std::string_view der) { return base64url_encode(sha256_bytes(der)); }

result<void> check_certificate_binding(const verified_token& token, std::string_view presented) {
  if (!token.details() || token.details()->certificate_thumbprint.empty()) return {};
  if (presented.empty()) {
    return fail(errc::token_certificate_missing,
                "bound to a client certificate, and the connection has none");
  }
  if (!equal_constant_time(token.details()->certificate_thumbprint, presented)) {
    return fail(errc::certificate_mismatch, "bound to another client certificate than the connection's");
  }
  return {};
}

}  // namespace mcp_oauth
