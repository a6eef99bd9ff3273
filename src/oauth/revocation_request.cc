#include "oauth/revocation_request.h"

#include "oauth/endpoint_form.h"

namespace mcp_oauth {

result<revocation_request> parse_revocation_request(const http_fields& fields, const form& body) {
  auto client = parse_client_credentials(fields, body);
  if (!client) return tl::unexpected(client.error());
  auto token = required_parameter(body, "token", 16 * 1024);
  if (!token) return tl::unexpected(token.error());
  auto hint = optional_parameter(body, "token_type_hint", 256);
  if (!hint) return tl::unexpected(hint.error());
  revocation_request request{std::move(*client), secret(std::move(*token)), token_type_hint::none};
  // RFC 7009 §2.1: a hint may be wrong or unknown; the token decides.
  if (*hint == "access_token") request.hint = token_type_hint::access_token;
  if (*hint == "refresh_token") request.hint = token_type_hint::refresh_token;
  return request;
}

}  // namespace mcp_oauth
