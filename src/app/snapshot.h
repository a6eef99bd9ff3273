#pragma once

#include "app/log.h"
#include "app/policy_source.h"
#include "app/test_issuers.h"
#include "broker/broker.h"
#include "config/settings.h"
#include "gateway/cors.h"
#include "gateway/headers.h"
#include "gateway/issuers.h"
#include "gateway/metrics_access.h"
#include "gateway/response_transform.h"
#include "gateway/route.h"
#include "gateway/session_binding.h"
#include "jose/key_set.h"
#include "net/relay.h"
#include "net/upstream.h"
#include "oauth/access_token.h"
#include "oauth/metadata.h"
#include "policy/policy.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace mcp_oauth {

class span_exporter;

// Of a guard: whose tokens are good.
struct issuers_in_use {
  std::unique_ptr<guard> judge;
  std::set<std::string> for_the_resource;  // as in `issuer_plan`
  std::vector<std::string> authorization_servers;
};

// One MCP server behind us, ready to be called.
struct upstream {
  mount where;
  net::upstream_target target;
  policy rules;
  token_rules tokens;
  test_issuers tests;             // whose tokens are good here as well
  std::string metadata_path;      // of its protected resource metadata
  resource_description metadata;  // what stands there
  std::string origin;             // where clients reach it, when that is not our public address; else ""
  header_rules headers;
  response_transform transform;
  net::relay_limits relaying;
  std::shared_ptr<const policy_freshness> fresh = {};  // of `rules`, where they were fetched
  std::optional<policy> otherwise = {};                // in their place once they are too old

  const policy& rules_at(time_point now) const { return is_fresh(now) ? rules : *otherwise; }
  // The same; the clock is read only where it matters.
  const policy& rules_now() const { return otherwise ? rules_at(std::chrono::system_clock::now()) : rules; }
  bool is_fresh(time_point now) const { return !otherwise || (fresh && fresh->holds_at(now)); }
  bool is_public() const { return !where.conf().require_auth; }
};

// Everything that decides about requests, made once and never changed: a reload makes another one.
struct snapshot {
  settings conf;
  std::vector<upstream> upstreams;
  cors_rules cors;
  client_address clients;
  metrics_access counters;
  session_binding sessions;
  std::shared_ptr<const key_set> keys;
  log_style style;
  topics watched;                                 // in detail; of DEBUG and logging
  std::string server_metadata;                    // RFC 8414 document
  std::string openid_metadata;                    // the same in the form of OpenID Connect Discovery
  std::shared_ptr<broker> authorization_server;   // under these settings; a guard has none
  std::shared_ptr<const issuers_in_use> issuers;  // of a guard, else nullptr
  span_exporter* spans = nullptr;                 // nullptr: no traces are made

  // The MCP server that a request is for; nullptr as well where its ways do not agree.
  const upstream* find(std::string_view host, std::string_view path) const;
  ways<upstream> find_ways(std::string_view host, std::string_view path) const;
  // Its path, "/mcp"; "" gives the first that the host leads to.
  const upstream* find_resource_path(std::string_view host, std::string_view path) const;
};

// What the log is to show in detail.
topics watched_by(const log_settings& conf);

// Whose tokens are good: those of our own authorization server, or those of others.
using token_source = std::variant<std::shared_ptr<broker>, std::shared_ptr<const issuers_in_use>>;
token_source tokens_of(const snapshot& rules);

// `spans` takes what is traced, if the settings want that; `remote` has the policy of `policy.url`. Errors:
// config_invalid, tls_certificate_invalid (upstream_ca_file).
result<std::shared_ptr<const snapshot>> make_snapshot(const settings& conf, token_source tokens,
                                                      const secret& session_key,
                                                      span_exporter* spans = nullptr,
                                                      const policy_source* remote = nullptr);

}  // namespace mcp_oauth
