#pragma once

#include "base/error.h"
#include "base/http.h"
#include "bridge/outbound.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What an MCP server and its authorization server say of themselves, as a client reads it.

// What the MCP server said with its 401 or 403 (RFC 6750 §3, RFC 9728 §5.1, RFC 9449 §7.1).
struct server_demand {
  std::string resource_metadata;     // "": not named
  std::optional<std::string> scope;  // of the challenge
  std::string error, error_description;
  bool dpop = false;  // it takes tokens that are bound to a key
};
// Of all WWW-Authenticate values, joined by commas; only Bearer and DPoP count.
server_demand read_demand(std::string_view challenges);

// RFC 9728 §2, of a document that is about our server.
struct resource_facts {
  std::string resource;  // as it stands there
  std::vector<std::string> authorization_servers;
  std::vector<std::string> scopes;
  bool dpop_required = false;
  bool dpop = false;  // it names algorithms for proofs
};

// In the order of MCP: what the challenge names, the path form, the root form; each once.
std::vector<std::string> resource_metadata_urls(const url& server, std::string_view named);

// `server` is the URL of the MCP server. Its `resource` must be that, or above it: same origin, its path a
// prefix by whole segments (RFC 9728 §3.3, MCP "parent"). Errors: sign_in_metadata_invalid,
// sign_in_resource_mismatch.
result<resource_facts> read_resource_metadata(const url& server, std::string_view from,
                                              const http_answer& answer);

// RFC 8414 §2 with OpenID Connect Discovery, RFC 8628, RFC 9207, RFC 9449 and client id metadata documents.
// An endpoint that may not be used is "", and stands in `refused` with the reason.
struct server_facts {
  std::string issuer;
  std::string authorization_endpoint, token_endpoint, registration_endpoint, device_authorization_endpoint,
      revocation_endpoint;
  std::vector<std::string> scopes, auth_methods, grant_types, dpop_algorithms;
  bool auth_methods_named = false;
  bool s256 = false;
  bool sends_iss = false;
  bool client_documents = false;
  bool takes_prompt_consent = true;  // false: prompt_values_supported is without it
  bool assumed = false;              // nothing was published: the paths of MCP 2025-03-26
  std::vector<std::string> refused;
};

// In the order of MCP: with a path RFC 8414, OpenID inserted, OpenID appended; without one RFC 8414, OpenID.
std::vector<std::string> server_metadata_urls(const url& issuer);

// The document must state `issuer`, byte for byte (RFC 8414 §3.3). Errors: sign_in_metadata_invalid,
// sign_in_issuer_mismatch.
result<server_facts> read_server_metadata(std::string_view issuer, std::string_view from,
                                          const http_answer& answer, const outbound_rules& rules);

// What a server of MCP 2025-03-26 has that publishes nothing: /authorize, /token and /register at its origin.
server_facts assumed_server(const url& server);

// "404, text/html, a page for people" for a message that lists what was tried.
std::string told_of_answer(const http_answer& answer);

}  // namespace mcp_oauth
