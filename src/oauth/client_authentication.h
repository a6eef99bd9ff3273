#pragma once

#include "base/error.h"
#include "base/form.h"
#include "base/http.h"
#include "base/random.h"
#include "base/secret.h"
#include "oauth/client_metadata.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

inline constexpr std::size_t longest_client_id = 2048;
inline constexpr std::size_t longest_client_secret = 1024;

// 1 to 2048 printable ASCII characters (RFC 6749 appendix A.1). Errors: parameter_malformed,
// parameter_too_long.
result<void> check_client_id(std::string_view client_id);

enum class client_authentication { none, client_secret_basic, client_secret_post };

// Who a request to the token, revocation or introspection endpoint says it is. Nothing of it is verified.
struct client_credentials {
  std::string client_id;
  client_authentication method = client_authentication::none;
  secret client_secret;  // empty with none
};

// RFC 6749 §2.3.1; both parts within Basic are form-encoded.
// Errors: client_authentication_repeated for more than one method, more than one Authorization field, or two
// client ids that differ; client_authentication_failed for another scheme, an assertion, or credentials that
// cannot be read; parameter_missing without any client id; parameter_repeated, parameter_malformed,
// parameter_too_long. A 401 for a request that had an Authorization field needs `WWW-Authenticate: Basic`
// (§5.2): the caller's part.
result<client_credentials> parse_client_credentials(const http_fields& fields, const form& body);

// What is stored of a secret that we issued or that the file holds: BASE64URL(SHA256(secret)).
std::string client_secret_digest(const secret& client_secret);

// A public client ("none") comes without a secret; any other proves itself with the secret whose digest is
// given, in the header or in the body, whichever it registered: clients confuse the two, and either proves
// the same. Does NOT look the client up: an unknown one is the caller's client_unknown. Errors:
// client_authentication_failed.
result<void> check_client_authentication(const client_credentials& given, const client_metadata& client,
                                         std::string_view secret_digest);

}  // namespace mcp_oauth
