#pragma once

#include "app/announced_paths.h"
#include "app/call_trace.h"
#include "app/log.h"
#include "app/metrics.h"
#include "app/open_streams.h"
#include "app/probe.h"
#include "app/snapshot.h"
#include "app/story_front.h"
#include "gateway/known_callers.h"
#include "gateway/session_query.h"
#include "gateway/token_cache.h"
#include "mcp/envelope.h"
#include "net/blocking.h"
#include "net/server.h"

#include <memory>
#include <span>
#include <string>

namespace mcp_oauth {

class audit_trail;
class login_openings;

// What the workers share. Each part is safe to use from all of them.
struct gateway_parts {
  record_store* store = nullptr;
  log_sink* log = nullptr;
  audit_trail* audit = nullptr;
  story_keeper* stories = nullptr;     // nullptr: there is nowhere to keep any
  login_openings* openings = nullptr;  // of a gateway
  metrics* counts = nullptr;
  net::blocking_pool* blocking = nullptr;       // the store and passwords
  net::blocking_pool* naming = nullptr;         // names of MCP servers: no call waits for what the store does
  net::blocking_pool* fetching = nullptr;       // outbound HTTP to those that the operator named
  net::blocking_pool* introspecting = nullptr;  // questions about tokens that anybody may send
  net::blocking_pool* auditing = nullptr;       // the file of decisions
  net::blocking_pool* strangers = nullptr;      // outbound HTTP to anybody else, who may be slow on purpose
  std::function<std::size_t()> connections;     // open, over all workers
  std::shared_ptr<announced_paths> announced = std::make_shared<announced_paths>();
  std::string pseudonym;              // of this process, in `Via`; never the same twice
  std::function<void()> key_unknown;  // a token names a key that another gateway may have made
  time_point started;
  // Somebody whom the operator named said what time it is.
  std::function<void(std::string_view whose, time_point theirs)> saw_clock;
  // The first time that this is said of that MCP server, since the start.
  std::function<bool(std::string_view server, std::string_view what)> first_time_of;
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
  struct asked_verdict;

  net::task<void> serve_path(net::exchange& x, story& told);

  // app/serve_mcp.cc
  // `rules` and what is in them stay until the end.
  net::task<void> serve_mcp(net::exchange& x, const snapshot& rules, const upstream& to, story& told);
  void warn_of_path(const upstream& to, std::string_view path) const;
  net::task<result<void>> read_call(net::exchange& x, const policy& judged, admission& in);
  result<std::shared_ptr<credential>> authenticate(const net::exchange& x, const upstream& to);
  // Asks again once time has passed. Errors: token_expired, and those of `authenticate`. Not asked again: the
  // issuer of another's token.
  result<void> still_good(const net::exchange& x, const upstream& to, const credential& who);

  // app/serve_guarded.cc
  // The request that a token came with, as its client made it: of /auth/verify that is not the one in hand.
  struct shown_request {
    std::string_view method, host, path, query;
    std::string_view certificate;  // thumbprint of the client's; "" none
  };
  // The same for tokens of others. `rules`, `to` and `as` stay until the end.
  net::task<result<std::shared_ptr<credential>>> judge_token(net::exchange& x, const snapshot& rules,
                                                             const upstream& to, const shown_request& as,
                                                             story& told);
  // Takes the steps that the guard wants, to its verdict.
  net::task<result<std::shared_ptr<const accepted>>> carry_out(guard_step& next, const snapshot& rules,
                                                               story& told);
  // What a refusal says besides: of proofs (RFC 9449 §7.1, §9), and in the words of other guards.
  void say_as_a_guard(http_response& refusal, errc why, const std::string& metadata_url,
                      const std::vector<std::string>& scopes, const story& told) const;
  static void append_nonce(std::string& out, const snapshot& rules);  // that the next proof may have
  void tell_remembered(const net::exchange& x, const snapshot& rules, const story& told);
  net::task<void> refuse_endpoint_of_a_gateway(net::exchange& x, const snapshot& rules, story& told);
  static http_response metadata_of_issuer(const snapshot& rules, story& told);
  static json::array issuers_for_health(const snapshot& rules, bool& all_ready);

  result<std::string> session_of(const net::exchange& x, const upstream& to, credential& who,
                                 const session_query& query);
  std::string upstream_head(const net::exchange& x, const upstream& to, const snapshot& rules,
                            credential& who, std::string_view session, std::string_view query,
                            std::string_view client_address) const;
  static void append_authorization(std::string& out, const net::exchange& x, const upstream& to,
                                   const snapshot& rules, credential& who);
  static std::string minted_for(const net::exchange& x, const upstream& to, const snapshot& rules,
                                credential& who);
  // Sees to it that `who` holds the identity provider's token. `rules` stay until the end.
  net::task<result<void>> fetch_provider_token(const snapshot& rules, credential& who, story& told);
  // The answer to a request for `to` under that host that goes no further.
  http_response refusal_of(std::string_view host, const snapshot& rules, const upstream& to, const error& why,
                           std::vector<std::string> scopes, std::string_view raw_id, const story& told) const;
  const policy& rules_of_server(std::string_view name) const;
  net::task<void> refuse_mcp(net::exchange& x, const upstream& to, story& told, error why,
                             std::vector<std::string> scopes, std::string raw_id);

  // app/record_decision.cc
  // Writes what was decided to audit.file; `why` null: it was allowed. Errors, where nothing may go on
  // unrecorded: audit_unwritable. Everything stays until the end.
  enum class decision { denied, allowed, ended };
  net::task<result<void>> record_decision(const net::exchange& x, const snapshot& rules, const story& told,
                                          decision what, const error* why);
  static std::string audit_line(const net::exchange& x, const story& told, decision what, const error* why);

  // app/serve_verify.cc: `rules` stay until the end.
  net::task<void> serve_verify(net::exchange& x, const snapshot& rules, story& told);
  net::task<result<void>> judge_original(net::exchange& x, const snapshot& rules, asked_verdict& about,
                                         story& told);
  net::task<result<void>> read_shown_call(net::exchange& x, const snapshot& rules, asked_verdict& about);

  // app/serve_oauth.cc
  net::task<void> serve_oauth(net::exchange& x, endpoint at, story& told);
  void note_clock(const http_answer& answer, std::string_view url) const;
  // Takes the steps that an endpoint of the authorization server wants, to its answer.
  net::task<result<http_response>> carry_out(step& next, const snapshot& rules, story& told);
  http_request owned_request(const net::exchange& x) const;

  // app/serve_plain.cc: metadata, health, metrics
  net::task<void> serve_plain(net::exchange& x, story& told);
  net::task<http_response> health(std::string_view path);
  // Shows what collects answers between us and whoever asks: an event at once, and one a second later.
  net::task<void> health_stream(net::exchange& x);
  net::task<bool> store_answers();
  net::task<bool> servers_answer();

  net::task<void> answer(net::exchange& x, http_response response, bool open_to_pages);
  // Log lines of the topics that are watched.
  void watch(const snapshot& rules, const net::exchange& x, trace_note note);
  void watch_forwarding(const net::exchange& x, const upstream& to, const snapshot& rules,
                        const envelope& message, std::string_view upstream_head);
  void watch_refusal(const net::exchange& x, const snapshot& rules, const refusal& why);
  void tell(const net::exchange& x, story& told);
  // app/record_story.cc: what `explain` will say of it, if it failed.
  void keep_story(const net::exchange& x, const story& told);
  void keep_failure(const net::exchange& x, const story& told, const symptom& why, bool finished,
                    std::string_view detail);
  void note_opening(const net::exchange& x, const story& told);

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
  known_callers callers_;  // of a guard
  open_streams streams_;
  probe store_probe_;
  probe servers_probe_;
  // Why the last look found something missing: "MCP server files: upstream_refused".
  std::vector<std::string> store_reasons_, servers_reasons_;
  net::upstream_pool upstreams_;
  std::string lines_;
  story_front failures_;
  net::periodic flushing_;
  net::periodic sweeping_;
};

}  // namespace mcp_oauth
