// rooms: oauth
// First line: the client id; second: Cache-Control; the rest is the document. What is accepted says of itself
// what was asked for, holds no secret, and leads only where a client may be.

#include "base/ip_address.h"
#include "base/json.h"
#include "base/text.h"
#include "oauth/client_document.h"
#include "oauth/displayable.h"
#include "oauth/redirect_uri.h"
#include "require.h"

#include <string>

using namespace mcp_oauth;

namespace {

bool is_expected(errc code) {
  return code == errc::client_document_unreachable || code == errc::client_document_invalid ||
         code == errc::client_document_refused || code == errc::fetch_too_large;
}

void url_is_harmless(std::string_view id) {
  auto where = client_document_url(id);
  if (!where) return require(where.error().code == errc::client_document_refused);
  require(is_client_document_id(id) && id.size() <= longest_client_document_url);
  require(where->scheme == "https" && where->path.size() > 1 && !where->has_fragment);
  require(!is_disguised_address(where->host) && id.find('@') > id.find('/', 8));
  require(where->path.find("/../") == std::string::npos && where->path.find("/./") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto [id, rest] = first_line(text_of(data, size));
  auto [caching, body] = first_line(rest);
  url_is_harmless(id);
  http_answer answer{200, {{"Content-Type", "application/json"}}, std::string(body)};
  answer.fields.add("Cache-Control", std::string(caching));
  auto lifetime = client_document_lifetime(answer);
  require(lifetime >= std::chrono::minutes(5) && lifetime <= std::chrono::hours(24));

  auto client = parse_client_document(id, answer);
  if (!client) {
    require(is_expected(client.error().code));
    return 0;
  }
  require(body.size() <= largest_client_document && client->client_id == id);
  require(client->token_endpoint_auth_method == "none");
  auto shown = displayable(client->client_name);
  require(displayable(shown) == shown);
  for (const auto& uri : client->redirect_uris) require(check_redirect_uri_form(uri).has_value());
  for (const auto& uri : {client->client_uri, client->logo_uri, client->tos_uri, client->policy_uri}) {
    require(uri.empty() || starts_with_ignoring_case(uri, "http://") ||
            starts_with_ignoring_case(uri, "https://"));
  }
  // Another reader finds the same id in the same bytes, and no secret.
  auto document = parse_json_object(body);
  require(document.has_value() && text_member(*document, "client_id") == id);
  require(!document->contains("client_secret"));
  return 0;
}
