#include "oauth/metadata.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace mcp_oauth {
namespace {

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

json::array list(const std::vector<std::string>& values) {
  json::array items;
  for (const auto& value : values) items.push_back(text(value));
  return items;
}

json::array list(std::initializer_list<std::string_view> values) {
  json::array items;
  for (auto value : values) items.push_back(text(value));
  return items;
}

// RFC 8414 §3.2, RFC 9728 §3.2: claims with zero elements must be omitted.
void add_unless_empty(json::object& document, std::string_view name, json::array items) {
  if (!items.empty()) document[{name.data(), name.size()}] = std::move(items);
}

struct well_known {
  std::string_view path;
  metadata_path::document kind;
};

constexpr std::array documents = {
    well_known{"/.well-known/oauth-protected-resource", metadata_path::document::protected_resource},
    well_known{"/.well-known/oauth-authorization-server", metadata_path::document::authorization_server},
    well_known{"/.well-known/openid-configuration", metadata_path::document::openid_configuration},
};

std::string_view without_trailing_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

json::object protected_resource_metadata(const resource_description& resource) {
  auto scopes = resource.scopes;
  std::erase(scopes, "offline_access");

  json::object document;
  document["resource"] = text(resource.resource);
  add_unless_empty(document, "authorization_servers", list(resource.authorization_servers));
  add_unless_empty(document, "scopes_supported", list(scopes));
  document["bearer_methods_supported"] = list({"header"});
  if (!resource.name.empty()) document["resource_name"] = text(resource.name);
  json::array proofs;
  for (auto alg : resource.dpop_algorithms) proofs.push_back(text(to_name(alg)));
  add_unless_empty(document, "dpop_signing_alg_values_supported", std::move(proofs));
  if (resource.dpop_required) document["dpop_bound_access_tokens_required"] = true;
  if (resource.certificate_bound) document["tls_client_certificate_bound_access_tokens"] = true;
  return document;
}

json::object authorization_server_metadata(const server_description& server) {
  auto endpoint = [&](std::string_view path) { return text(server.issuer + std::string(path)); };
  auto scopes = server.scopes;
  if (std::find(scopes.begin(), scopes.end(), "offline_access") == scopes.end())
    scopes.emplace_back("offline_access");

  json::object document;
  document["issuer"] = text(server.issuer);
  document["authorization_endpoint"] = endpoint("/oauth/authorize");
  document["token_endpoint"] = endpoint("/oauth/token");
  if (server.dynamic_registration) document["registration_endpoint"] = endpoint("/oauth/register");
  document["revocation_endpoint"] = endpoint("/oauth/revoke");
  document["introspection_endpoint"] = endpoint("/oauth/introspect");
  document["jwks_uri"] = endpoint("/.well-known/jwks.json");
  document["response_types_supported"] = list({"code"});
  document["response_modes_supported"] = list({"query"});
  document["grant_types_supported"] = list({"authorization_code", "refresh_token"});
  document["code_challenge_methods_supported"] = list({"S256"});
  document["token_endpoint_auth_methods_supported"] =
      list({"none", "client_secret_post", "client_secret_basic"});
  document["revocation_endpoint_auth_methods_supported"] =
      list({"none", "client_secret_post", "client_secret_basic"});
  document["introspection_endpoint_auth_methods_supported"] =
      list({"client_secret_post", "client_secret_basic"});
  document["scopes_supported"] = list(scopes);
  document["client_id_metadata_document_supported"] = server.client_documents;
  document["authorization_response_iss_parameter_supported"] = true;
  add_unless_empty(document, "protected_resources", list(server.protected_resources));
  return document;
}

json::object openid_configuration(const server_description& server) {
  auto document = authorization_server_metadata(server);
  document["subject_types_supported"] = list({"public"});
  // Required there; the algorithm of the keys at jwks_uri is the true answer even though no id token is made.
  document["id_token_signing_alg_values_supported"] = list({"ES256"});
  return document;
}

std::optional<metadata_path> match_metadata_path(std::string_view path) {
  for (const auto& [name, kind] : documents) {
    if (path.starts_with(name)) {
      auto inserted = path.substr(name.size());
      if (!inserted.empty() && !inserted.starts_with('/')) continue;
      return metadata_path{kind, without_trailing_slash(inserted)};
    }
    auto whole = without_trailing_slash(path);
    if (whole.ends_with(name)) {
      auto before = whole.substr(0, whole.size() - name.size());
      if (!before.starts_with('/')) continue;
      return metadata_path{kind, without_trailing_slash(before)};
    }
  }
  return std::nullopt;
}

}  // namespace mcp_oauth
