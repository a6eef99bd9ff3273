#pragma once

#include "doctor/examination.h"
#include "doctor/site_facts.h"

#include <span>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Whether a client does something: documented, seen in its source, or not known.
enum class known { no, yes, unknown };

// Which `resource` a client takes for the URL that it was given.
enum class resource_rule {
  exact,          // the same URL after what every URL parser does: case of the host, default port
  exact_or_root,  // or the whole origin
  above,          // or any path above it
  unknown,
};

// What a client does on its way to a token, as data. Where its makers say nothing and its source is not open,
// it is `unknown`, and what depends on it is told as not known.
struct client_manners {
  std::string_view name, title;
  bool hosted = false;                     // runs elsewhere: needs an address that is public
  bool browser = false;                    // CORS counts
  known reads_challenge = known::unknown;  // resource_metadata of the 401
  known goes_on = known::unknown;          // to the well-known forms when that is not there
  known path_form = known::unknown, root_form = known::unknown;
  known without_resource = known::unknown;  // the origin as authorization server (MCP 2025-03-26)
  known openid_forms = known::unknown;      // reads OpenID metadata, too
  resource_rule resource = resource_rule::unknown;
  known compares_issuer = known::unknown;
  known s256_announced = known::unknown;  // stops where S256 is not announced at all
  known documents = known::unknown;       // client id metadata documents
  known registers = known::unknown;       // RFC 7591
  known fixed = known::unknown;           // takes a client id that somebody enters
  known old_transport = known::unknown;   // HTTP with SSE of 2024-11-05
  std::string_view redirects;             // the redirect URIs that it uses
  std::string_view scopes;                // which it asks for
  std::string_view source;                // where that is known from
};

std::span<const client_manners> known_clients();
// By its name; null for none.
const client_manners* find_client(std::string_view name);

// How far it comes: `facts` and what the checks made of them.
client_outlook outlook_of(const client_manners& client, const site_facts& facts, const examination& made);

// Of all, or of the one that is named.
std::vector<client_outlook> outlooks(const site_evidence& evidence, const examination& made,
                                     std::string_view only = "");

}  // namespace mcp_oauth
