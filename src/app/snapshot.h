#pragma once

#include "broker/broker.h"
#include "config/settings.h"
#include "gateway/cors.h"
#include "gateway/headers.h"
#include "gateway/route.h"
#include "gateway/session_binding.h"
#include "jose/key_set.h"
#include "net/relay.h"
#include "net/upstream.h"
#include "oauth/access_token.h"
#include "oauth/metadata.h"
#include "policy/policy.h"

#include <memory>
#include <string>
#include <vector>

namespace mcp_oauth {

// One MCP server behind us, ready to be called.
struct upstream {
  mount where;
  net::upstream_target target;
  policy rules;
  token_rules tokens;
  std::string metadata_path;      // of its protected resource metadata
  resource_description metadata;  // what stands there
};

// Everything that decides about requests, made once and never changed: a reload makes another one.
struct snapshot {
  settings conf;
  std::vector<upstream> upstreams;
  header_rules headers;
  cors_rules cors;
  session_binding sessions;
  std::shared_ptr<const key_set> keys;
  net::relay_limits relaying;
  std::string server_metadata;                   // RFC 8414 document
  std::string openid_metadata;                   // the same in the form of OpenID Connect Discovery
  std::shared_ptr<broker> authorization_server;  // under these settings

  const upstream* find(std::string_view path) const;
  const upstream* find_resource_path(std::string_view path) const;  // "/mcp"; "" gives the first
};

// Errors: config_invalid, tls_certificate_invalid (upstream_ca_file).
result<std::shared_ptr<const snapshot>> make_snapshot(const settings& conf,
                                                      std::shared_ptr<broker> authorization_server,
                                                      const secret& session_key);

}  // namespace mcp_oauth
