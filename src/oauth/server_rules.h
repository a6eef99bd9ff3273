#pragma once

#include <string>
#include <vector>

namespace mcp_oauth {

// What the checks of a request need to know of this server.
struct server_rules {
  std::string issuer;
  std::vector<std::string> resources;            // RFC 8707 identifiers served here; the first is the default
  std::vector<std::string> scopes_supported;     // all that this client may have; empty: no scopes exist here
  std::vector<std::string> default_scopes;       // for a client that neither asks for nor registered any
  std::vector<std::string> private_use_schemes;  // for redirect URIs, besides the known ones
};

}  // namespace mcp_oauth
