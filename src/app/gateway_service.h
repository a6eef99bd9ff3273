#pragma once

#include "app/announced_paths.h"
#include "app/call_trace.h"
#include "app/log.h"
#include "app/metrics.h"
#include "app/open_streams.h"
#include "app/probe.h"
#include "app/snapshot.h"
#include "gateway/session_query.h"
#include "gateway/token_cache.h"
#include "mcp/envelope.h"
#include "net/blocking.h"
#include "net/server.h"

#include <memory>
#include <span>
#include <string>

namespace mcp_oauth {

// What the workers share. Each part is safe to use from all of them.
struct gateway_parts {
  record_store* store = nullptr;
  log_sink* log = nullptr;
  metrics* counts = nullptr;
  net::blocking_pool* blocking = nullptr;    // the store, passwords, names
  net::blocking_pool* fetching = nullptr;    // outbound HTTP to those that the operator named
  net::blocking_pool* strangers = nullptr;   // outbound HTTP to anybody else, who may be slow on purpose
  std::function<std::size_t()> connections;  // open, over all workers
  std::shared_ptr<announced_paths> announced = std::make_shared<announced_paths>();
  std::function<void()> key_unknown;  // a token names a key that another gateway may have made
  time_point started;
};

// The gateway as one worker runs it: routes, the token cache, kept upstream connections, the log buffer.
class gateway_service final : public net::service {
 public:
  gateway_service(net::worker& w, const gateway_parts& parts, std::shared_ptr<const snapshot> first);
  ~gateway_service() override;

  net::task<void> serve(net::exchange& x) override;
  http_response refuse(const error& why, const net::exchange& x) override;

  // On this worker's thread only.
  void use(std::shared_ptr<const snapshot> next);
  // No token of the grant is valid from now until `until`; its open streams end.
  void revoke(const std::string& grant, time_point until);
  // The provider's token of the grant was renewed: what is remembered of it is not used any more.
  void forget_provider_token(const std::string& grant) { tokens_.forget_provider_token(grant); }
  // Ends what has outlived its token. Called every ten seconds.
  void sweep(time_point now);

 private:
  struct story;  // what the log will say about a request
  class mcp_watcher;
  struct admission;

  net::task<void> serve_path(net::exchange& x, story& told);

  // app/serve_mcp.cc
  // `rules` and what is in them stay until the end.
  net::task<void> serve_mcp(net::exchange& x, const snapshot& rules, const upstream& to, story& told);
  net::task<result<void>> read_call(net::exchange& x, const policy& judged, admission& in);
  result<std::shared_ptr<credential>> authenticate(const net::exchange& x, const upstream& to);
  result<std::string> session_of(const net::exchange& x, const upstream& to, credential& who,
                                 const session_query& query);
  static std::string upstream_head(const net::exchange& x, const upstream& to, const snapshot& rules,
                                   credential& who, std::string_view session, std::string_view query,
                                   std::string_view client_address);
  static void append_authorization(std::string& out, const net::exchange& x, const upstream& to,
                                   const snapshot& rules, credential& who);
  static std::string minted_for(const net::exchange& x, const upstream& to, const snapshot& rules,
                                credential& who);
  // Sees to it that `who` holds the identity provider's token. `rules` stay until the end.
  net::task<result<void>> fetch_provider_token(const snapshot& rules, credential& who, story& told);
  const policy& current_rules(const upstream& of) const;
  net::task<void> refuse_mcp(net::exchange& x, const upstream& to, story& told, error why,
                             std::vector<std::string> scopes, std::string raw_id);

  // app/serve_oauth.cc
  net::task<void> serve_oauth(net::exchange& x, endpoint at, story& told);
  // Takes the steps that an endpoint of the authorization server wants, to its answer.
  net::task<result<http_response>> carry_out(step& next, const snapshot& rules, story& told);
  http_request owned_request(const net::exchange& x) const;

  // app/serve_plain.cc: metadata, health, metrics
  net::task<void> serve_plain(net::exchange& x, story& told);
  net::task<http_response> health(std::string_view path);
  net::task<bool> store_answers();
  net::task<bool> servers_answer();

  net::task<void> answer(net::exchange& x, http_response response, bool open_to_pages);
  // Log lines of the topics that are watched.
  void watch(const snapshot& rules, const net::exchange& x, const trace_note& note);
  void watch_forwarding(const net::exchange& x, const upstream& to, const snapshot& rules,
                        const envelope& message, std::string_view upstream_head);
  void watch_refusal(const net::exchange& x, const snapshot& rules, const refusal& why);
  void tell(const net::exchange& x, story& told);

  // app/traced_request.cc: only where traces are made
  void begin_trace(const net::exchange& x, story& told, const envelope& message) const;
  static void begin_call(story& told);
  static void end_call(story& told, const call_result& end);
  static void end_trace(const net::exchange& x, story& told, std::chrono::nanoseconds took);
  void flush_log();

  net::worker& worker_;
  const gateway_parts& parts_;
  std::shared_ptr<const snapshot> rules_;
  token_cache tokens_;
  open_streams streams_;
  probe store_probe_;
  probe servers_probe_;
  // Why the last look found something missing: "MCP server files: upstream_refused".
  std::vector<std::string> store_reasons_, servers_reasons_;
  net::upstream_pool upstreams_;
  std::string lines_;
  net::periodic flushing_;
  net::periodic sweeping_;
};

}  // namespace mcp_oauth
