// rooms: oauth
#include "base/json.h"
#include "oauth/displayable.h"
#include "oauth/redirect_uri.h"
#include "oauth/registration_request.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace mcp_oauth;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

http_request post(std::string body) {
  http_request request;
  request.method = "POST";
  request.fields.add("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

bool is_expected(errc code) {
  return code == errc::registration_malformed || code == errc::registration_redirect_refused ||
         code == errc::body_too_large;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  server_rules rules;
  rules.scopes_supported = {"tools:read", "tools:write"};
  rules.private_use_schemes = {"myapp"};
  auto parsed =
      parse_registration_request(post(std::string(reinterpret_cast<const char*>(data), size)), rules);
  if (!parsed) {
    require(is_expected(parsed.error().code));
    return 0;
  }
  const auto& client = parsed->client;
  require(!client.redirect_uris.empty() && client.redirect_uris.size() <= 20);
  for (const auto& uri : client.redirect_uris) {
    require(check_redirect_uri_registrable(uri, rules).has_value());
  }
  require(client.client_name.size() <= 256 && displayable(client.client_name) == client.client_name);
  for (const auto& uri : {client.client_uri, client.logo_uri, client.tos_uri, client.policy_uri}) {
    require(uri.empty() || uri.find("://") == 4 || uri.find("://") == 5);
  }

  // What is registered can be registered again, and is the same.
  auto random = [](std::size_t n) { return std::string(n, 'r'); };
  auto response = registration_response(register_client(*parsed, random, time_point{}));
  auto body = parse_json_object(response.body);
  require(body.has_value() && response.status == 201);
  require(body->contains("client_secret") == (client.token_endpoint_auth_method != "none"));
  auto again = parse_registration_request(post(response.body), rules);
  require(again.has_value() && again->client == client && again->dropped.empty());
  return 0;
}
