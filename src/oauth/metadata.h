#pragma once

#include "base/json.h"
#include "jose/algorithm.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// A resource as RFC 9728 §2 describes it.
struct resource_description {
  std::string resource;  // the identifier, exactly as tokens carry it in `aud`
  std::vector<std::string> authorization_servers;
  std::vector<std::string> scopes;  // `offline_access` is left out: it says nothing about a resource
  std::string name;                 // for people; "" leaves it out
  std::vector<algorithm> dpop_algorithms = {};  // of proofs (RFC 9449); empty: bound tokens are not taken
  bool dpop_required = false;                   // no other tokens are
  bool certificate_bound = false;  // nor tokens that are bound to no client certificate (RFC 8705)
};

// RFC 9728 §3.2. Empty lists are left out. The values are not checked.
json::object protected_resource_metadata(const resource_description& resource);

// Our authorization server. The endpoints are at fixed paths below the issuer, `<issuer>/oauth/authorize` and
// so on.
struct server_description {
  std::string issuer;  // without a trailing slash
  bool dynamic_registration = true;
  bool client_documents = true;
  std::vector<std::string> scopes;               // `offline_access` is added: it stands for a refresh token
  std::vector<std::string> protected_resources;  // RFC 9728 §4
};

// RFC 8414 §2, with the members of RFC 9207, of client id metadata documents and of RFC 9728 §4.
json::object authorization_server_metadata(const server_description& server);

// The same with what OpenID Connect Discovery §3 requires on top, for clients that read only that form. We
// sign people in elsewhere and issue no id tokens; so there is no userinfo endpoint and no `openid` scope.
json::object openid_configuration(const server_description& server);

// A metadata document that a path asks for.
struct metadata_path {
  enum class document { protected_resource, authorization_server, openid_configuration };

  document kind;
  std::string_view resource_path;  // "/mcp"; "" for the root; borrowed, as written, without a trailing slash

  friend bool operator==(const metadata_path&, const metadata_path&) = default;
};

// Every form that clients try: the well-known name alone, inserted before the path of the resource (RFC 8414
// §3.1, RFC 9728 §3.1), and appended to it (OpenID Connect Discovery §4.1). Whether such a resource exists is
// not checked. `path` is the path of a request, without its query, not percent-decoded.
std::optional<metadata_path> match_metadata_path(std::string_view path);

}  // namespace mcp_oauth
