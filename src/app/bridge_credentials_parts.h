#pragma once

// What the files of bridge_credentials share.

#include "app/bridge_callback.h"
#include "app/bridge_credentials.h"
#include "app/bridge_store.h"
#include "bridge/sign_in.h"
#include "net/worker.h"

#include <atomic>
#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// While it lives and what is waited for does not come: one line in the log that says what it is.
class slow_notice final : private net::timed {
 public:
  slow_notice(net::worker& w, bridge_log& log, std::string what, std::string where)
      : log_(log), what_(std::move(what)), where_(std::move(where)) {
    w.deadlines().set(*this, 3'000);
  }

 private:
  void on_deadline() override {
    log_.write(bridge_log_level::info, "sign-in", "still waiting", {{"for", what_}, {"url", where_}});
  }
  bridge_log& log_;
  std::string what_, where_;
};

struct bridge_credentials::parts {
  parts(const bridge_settings& s, net::worker& w, net::blocking_pool& p, bridge_log& l);

  const bridge_settings& settings;
  net::worker& worker;
  net::blocking_pool& pool;
  bridge_log& log;
  bridge_store store;
  std::shared_ptr<sign_in_world> world;

  std::optional<kept_sign_in> kept;
  bool loaded = false, loading = false;
  bool unwritten = false;  // what is in the store is older than what is here
  bool in_store = false;   // something of it was there
  std::uint64_t generation = 0;
  bool stopping = false;
  std::atomic<bool> given_up{false};  // the same, for what runs on other threads

  // one way to a token at a time, for all that wait
  bool flying = false, asks_person = false;
  std::vector<std::coroutine_handle<>> waiting;
  std::optional<error> landed;   // how the last one ended, for those that waited; nothing: well
  std::optional<error> failure;  // the same, where it is not to be tried again before `not_before`
  std::string waiting_text;
  bool takes_pasted = false;  // whoever reads the log can paste into this process
  std::unique_ptr<bridge_callback> callback;
  bridge_lock::note predecessor;  // what whoever had the lock before was at, until a page was opened here
  // Codes and assertions that it has sent, hidden from the log until it is over.
  std::vector<secret> hidden_for_now;

  // what bounds it
  unsigned refusals = 0;  // fresh tokens that the server refused, one after the other
  bool unproven = false;  // the token is fresh, and the server has not taken it yet
  unsigned holds = 0;
  unsigned step_ups = 0;
  unsigned nonce_retries = 0;
  std::uint64_t taken_generation = 0;  // the generation that the server took last
  unsigned quick = 0;                  // renewals of tokens that had just been taken
  bool session_over = false;           // the last refresh was refused for good by the authorization server
  unsigned asked_after_all = 0;        // within the window
  // By the clock that nobody sets.
  using steady = std::chrono::steady_clock;
  steady::time_point stepping_since{};
  steady::time_point asking_since{};
  steady::time_point hold_until{};
  steady::time_point not_before{};
  steady::time_point token_since{};
  unsigned failures = 0;
  std::string nonce;
  std::optional<signing_key> dpop_key;

  static time_point now() { return std::chrono::system_clock::now(); }
  bool has_fresh() const;
  bridge_token token() const;
  void adopt(kept_sign_in fresh);
  void sign_out();
  std::string holder_text(const bridge_lock::note& note) const;
  error in_vain();
  error refused_here() const;
  error given_refused(const server_demand& demand) const;
  bool renews_alone() const;
  bool may_ask_after_all(steady::time_point at);

  net::task<bool> take_from_store(std::string refused);
  net::task<result<void>> obtain(sign_in_purpose purpose, std::string refused);
  net::task<result<void>> fly(sign_in_purpose purpose, std::string refused);
  net::task<result<void>> sign_in(sign_in_purpose purpose, bridge_lock& lock);
  net::task<result<void>> take_given();
  net::task<result<secret>> assertion();
  net::task<result<http_answer>> probe();

  // bridge_drive.cc: carries the steps of a sign-in out
  void hide_what_is_sent(const http_call& call);
  net::task<result<kept_sign_in>> drive(sign_in_step step, bridge_lock& lock);
  net::task<result<http_answer>> fetch(http_call call, fetch_rules rules, std::string purpose,
                                       unsigned& retries);
  net::task<result<std::uint16_t>> listen(std::string host, std::optional<std::uint16_t> port,
                                          bool only_that);
  net::task<result<callback_answer>> visit(sign_in_visit page, bridge_lock& lock);
  net::task<void> open_in_browser(std::string address);
};

}  // namespace mcp_oauth
