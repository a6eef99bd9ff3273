#pragma once

#include <string>
#include <vector>

namespace mcp_oauth {

// What a client says about itself: in a registration request (RFC 7591 §2), or in the document that its
// client id leads to. Members are named as on the wire. Absent members hold the RFC's defaults once a reader
// has checked them.
struct client_metadata {
  std::string client_id;    // issued by us, or the URL of the document
  std::string client_name;  // unverified: a page shows it together with the redirect host
  std::string client_uri;
  std::string logo_uri;
  std::string tos_uri;
  std::string policy_uri;
  std::vector<std::string> redirect_uris;
  std::vector<std::string> grant_types;     // default: authorization_code
  std::vector<std::string> response_types;  // default: code
  std::string token_endpoint_auth_method;   // "none", "client_secret_basic" or "client_secret_post"
  std::string scope;                        // space-separated; "": whatever the server allows
  std::string application_type;             // "web" or "native"; "" when not stated
  std::vector<std::string> contacts;
  std::string software_id;
  std::string software_version;

  friend bool operator==(const client_metadata&, const client_metadata&) = default;
};

}  // namespace mcp_oauth
