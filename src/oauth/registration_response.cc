#include "base/base64url.h"
#include "base/json.h"
#include "oauth/registration_request.h"

namespace mcp_oauth {
namespace {

void put(json::object& o, std::string_view name, const std::string& text) {
  if (!text.empty())
    o[json::string_view(name.data(), name.size())] = json::string_view(text.data(), text.size());
}

void put(json::object& o, std::string_view name, const std::vector<std::string>& items) {
  if (items.empty()) return;
  json::array array;
  for (const auto& item : items) array.emplace_back(json::string_view(item.data(), item.size()));
  o[json::string_view(name.data(), name.size())] = std::move(array);
}

}  // namespace

registered_client register_client(registration_request request, const random_fn& random, time_point now) {
  registered_client registered{std::move(request.client), secret(), now};
  registered.client.client_id = base64url_encode(random(16));
  if (registered.client.token_endpoint_auth_method != "none") {
    registered.client_secret = secret(base64url_encode(random(32)));
  }
  return registered;
}

http_response registration_response(const registered_client& registered) {
  const auto& client = registered.client;
  json::object body;
  put(body, "client_id", client.client_id);
  body["client_id_issued_at"] = to_unix(registered.issued_at);
  if (!registered.client_secret.empty()) {
    put(body, "client_secret", std::string(registered.client_secret.reveal()));
    body["client_secret_expires_at"] = 0;  // never
  }
  put(body, "client_name", client.client_name);
  put(body, "redirect_uris", client.redirect_uris);
  put(body, "grant_types", client.grant_types);
  put(body, "response_types", client.response_types);
  put(body, "token_endpoint_auth_method", client.token_endpoint_auth_method);
  put(body, "scope", client.scope);
  put(body, "client_uri", client.client_uri);
  put(body, "logo_uri", client.logo_uri);
  put(body, "tos_uri", client.tos_uri);
  put(body, "policy_uri", client.policy_uri);
  put(body, "contacts", client.contacts);
  put(body, "application_type", client.application_type);
  put(body, "software_id", client.software_id);
  put(body, "software_version", client.software_version);
  http_response response;
  response.status = 201;
  response.fields.add("Content-Type", "application/json");
  response.fields.add("Cache-Control", "no-store");
  response.body = json::serialize(body);
  return response;
}

}  // namespace mcp_oauth
