#include "oauth/client_authentication.h"

#include "base/base64url.h"
#include "base/text.h"
#include "jose/digest.h"
#include "oauth/endpoint_form.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

std::optional<std::string> form_decode(std::string_view part) {
  std::string spaced(part);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

result<client_credentials> parse_basic(std::string_view header) {
  auto end = std::min(header.find(' '), header.size());
  if (!equal_ignoring_case(header.substr(0, end), "Basic")) {
    return fail(errc::client_authentication_failed, "the Authorization scheme is not Basic");
  }
  auto pair = base64_decode(trim(header.substr(end)));
  if (!pair) return fail(errc::client_authentication_failed, "Basic credentials are not base64");
  secret decoded(std::move(*pair));
  auto colon = decoded.reveal().find(':');
  if (colon == std::string_view::npos)
    return fail(errc::client_authentication_failed, "Basic without a colon");
  auto id = form_decode(decoded.reveal().substr(0, colon));
  auto client_secret = form_decode(decoded.reveal().substr(colon + 1));
  if (!id || !client_secret)
    return fail(errc::client_authentication_failed, "Basic parts are not form-encoded");
  if (client_secret->size() > longest_client_secret) return fail(errc::parameter_too_long, "client_secret");
  return client_credentials{std::move(*id), client_authentication::client_secret_basic,
                            secret(std::move(*client_secret))};
}

}  // namespace

result<void> check_client_id(std::string_view client_id) {
  if (client_id.size() > longest_client_id) return fail(errc::parameter_too_long, "client_id");
  bool printable =
      std::all_of(client_id.begin(), client_id.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (client_id.empty() || !printable) return fail(errc::parameter_malformed, "client_id");
  return {};
}

result<client_credentials> parse_client_credentials(const http_fields& fields, const form& body) {
  auto headers = fields.count("authorization");
  if (headers > 1) return fail(errc::client_authentication_repeated, "several Authorization fields");
  auto id = optional_parameter(body, "client_id", longest_client_id);
  if (!id) return tl::unexpected(id.error());
  auto posted = optional_parameter(body, "client_secret", longest_client_secret);
  if (!posted) return tl::unexpected(posted.error());
  bool asserted = body.find("client_assertion").has_value();

  // RFC 6749 §2.3: not more than one method.
  if ((headers == 1) + posted->has_value() + asserted > 1) {
    return fail(errc::client_authentication_repeated,
                "two of Authorization, client_secret and client_assertion");
  }
  if (asserted) return fail(errc::client_authentication_failed, "client_assertion is not offered");

  client_credentials credentials;
  if (headers == 1) {
    auto basic = parse_basic(fields.first("authorization"));
    if (!basic) return basic;
    if (*id && **id != basic->client_id) {
      return fail(errc::client_authentication_repeated, "client_id differs from the one in Authorization");
    }
    credentials = std::move(*basic);
  } else {
    if (!*id) return fail(errc::parameter_missing, "client_id");
    credentials.client_id = std::move(**id);
    if (*posted) {
      credentials.method = client_authentication::client_secret_post;
      credentials.client_secret = secret(std::move(**posted));
    }
  }
  auto valid = check_client_id(credentials.client_id);
  if (!valid) return tl::unexpected(valid.error());
  return credentials;
}

std::string client_secret_digest(const secret& client_secret) {
  return base64url_encode(sha256_bytes(client_secret.reveal()));
}

result<void> check_client_authentication(const client_credentials& given, const client_metadata& client,
                                         std::string_view secret_digest) {
  if (client.token_endpoint_auth_method == "none") {
    if (given.client_secret.empty()) return {};
    return fail(errc::client_authentication_failed, "a public client came with a secret");
  }
  if (given.client_secret.empty())
    return fail(errc::client_authentication_failed, "the client secret is missing");
  if (!equal_constant_time(client_secret_digest(given.client_secret), secret_digest)) {
    return fail(errc::client_authentication_failed, "the client secret is wrong");
  }
  return {};
}

}  // namespace mcp_oauth
