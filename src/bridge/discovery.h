#pragma once

#include "bridge/metadata.h"
#include "bridge/step.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

struct discovered {
  std::optional<resource_facts> resource;  // nothing: a server of before 2025-06-18
  server_facts server;
  std::vector<std::string> tried;  // what was asked in vain, and what it answered
};

// What to look for.
struct discovery_wish {
  url server;                     // of the MCP server
  std::string resource_metadata;  // as a challenge named it; "" when none did
  std::string preferred_issuer;   // where there are several: the one that is known already
  bool only_issuer = false;       // `server` is an issuer itself: no resource is asked about
  std::string issuer = {};        // as it is written, then
};

// Finds the authorization server: first the resource's metadata, in the order of MCP; then its authorization
// servers', the first three and the preferred one before them, each form in order; and where there is no
// metadata of the resource, its origin as MCP 2025-03-26 has it, at last with assumed endpoints. `then` gets
// what was found, or: sign_in_metadata_missing with a list of what was tried and what it answered;
// sign_in_resource_mismatch, sign_in_issuer_mismatch, sign_in_metadata_invalid, sign_in_url_refused;
// upstream_unreachable when nothing answered at all, sign_in_token_unreachable when no authorization server
// did.
sign_in_step discover(discovery_wish wish, const outbound_rules& rules,
                      std::function<sign_in_step(result<discovered>, time_point)> then, time_point now);

}  // namespace mcp_oauth
