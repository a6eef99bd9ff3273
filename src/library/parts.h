#pragma once

// What stands behind the classes of the interface.

#include "library/names.h"
#include "library/policy_feed.h"
#include "oauth/metadata.h"
#include "policy/policy.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

MCP_OAUTH_BEGIN

struct MCP_OAUTH_LOCAL denial::parts {
  errc code = errc::internal;
  std::string detail;
  std::vector<std::string> scopes;
};

struct MCP_OAUTH_LOCAL config::parts {
  std::string resource;
  std::string origin;         // of the resource
  std::string resource_path;  // "/mcp"; "" for the root
  std::string metadata_url;
  std::vector<std::string> metadata_paths;
  std::string metadata;              // the document (RFC 9728)
  std::vector<std::string> origins;  // that may call, the resource's own among them

  std::vector<trusted_issuer> issuers;
  guard_rules rules;
  bool wants_certificates = false;  // of every token
  policy calls = policy({}, false, {});
  std::optional<policy_feed_rules> remote;  // where the policy comes from instead
  std::vector<std::string> scopes;
  std::size_t most_body_bytes = 0;

  std::vector<std::string> warnings;
  fetch_function fetch;
  log_function log;
  std::function<time_point()> clock;
};

// What all copies of a guard share, and what its calls keep alive.
struct MCP_OAUTH_LOCAL engine {
  explicit engine(const config& from);

  time_point now() const noexcept;
  void log(level how, std::string_view message, std::span<const log_field> fields) const noexcept;

  const config conf;
  mutable core_guard core;
  const std::unique_ptr<policy_feed> feed;  // nothing where the options have the policy
};

// The rules that count now. Those that were fetched are kept; the others are borrowed from the engine.
class rules_now {
 public:
  explicit rules_now(const engine& g) : given_(&g.conf.inside().calls) {
    if (g.feed) fetched_ = g.feed->in_force(g.now());
  }
  const policy& operator*() const { return fetched_ ? *fetched_ : *given_; }
  const policy* operator->() const { return &**this; }

 private:
  const policy* given_;
  std::optional<policy> fetched_;
};

// Tells the background thread to stop. It outlives the guard by moments where that went on the thread itself.
struct refresh_order {
  std::mutex mutex;
  std::condition_variable news;
  bool stop = false;
};

// Only the copies of a guard hold this one. So it goes on a thread of the host's, which waits here for the
// background thread: no function of the host is called after its guard is gone.
struct MCP_OAUTH_LOCAL guard::parts {
  explicit parts(const config& from) : g(std::make_shared<engine>(from)) {}
  parts(const parts&) = delete;
  parts& operator=(const parts&) = delete;
  ~parts();

  const std::shared_ptr<engine> g;
  std::mutex refresh_mutex;  // of the two below
  std::shared_ptr<refresh_order> order;
  std::thread refresher;
};

struct MCP_OAUTH_LOCAL call::parts {
  std::shared_ptr<engine> g;
  rules_now rules;  // that let it in
  mcp_oauth::user user;
  std::string token;
  std::string method, name, id;
  std::string origin;  // of a page that may read the answer; "" when there is none
  bool may_hold_lists = false;
};

MCP_OAUTH_END
