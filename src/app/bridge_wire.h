#pragma once

#include "app/bridge_credentials.h"
#include "app/bridge_log.h"
#include "bridge/conversation.h"
#include "bridge/cookie_jar.h"
#include "bridge/settings.h"
#include "net/body.h"
#include "net/task.h"
#include "net/upstream.h"

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace mcp_oauth {

// Sends what a conversation wants to be sent, and tells it what comes back. Every request gets its token
// first. Lives on its worker's thread.
class bridge_wire {
 public:
  // `after` is called whenever the conversation has been told something. `room`: whether the client reads
  // what it gets; while not, no more is read from the server.
  bridge_wire(net::upstream_pool& pool, bridge_credentials& credentials, bridge_log& log,
              const bridge_settings& settings, net::upstream_target target, conversation& talk,
              std::function<void()> after, std::function<bool()> room);
  ~bridge_wire();
  bridge_wire(const bridge_wire&) = delete;
  bridge_wire& operator=(const bridge_wire&) = delete;

  void send(bridge_action what);
  void abort(std::uint64_t call);
  void renew(const bridge_action& what);
  // Those who wait for `room` or their turn look again.
  void resume();
  // Requests under way, and those that wait for a token.
  std::size_t open() const { return calls_.size() + renewals_; }

 private:
  struct running;
  class turn;
  static net::task<void> run(bridge_wire& wire, std::shared_ptr<running> call);
  static net::task<void> run_renewal(bridge_wire& wire, std::uint64_t call, std::uint64_t generation,
                                     bridge_action what);
  net::task<result<void>> carry(running& call);
  net::task<result<void>> send_request(running& call, bool& sent_any);
  net::task<result<void>> read_head(running& call, bool& seen_any);
  net::task<result<void>> read_body(running& call);
  net::task<bool> drain_body(running& call);
  std::string head_of(running& call);
  bool tell_head(running& call);
  bool may_read(const running& call) const;

  net::upstream_pool& pool_;
  bridge_credentials& credentials_;
  bridge_log& log_;
  const bridge_settings& settings_;
  net::upstream_target target_;
  conversation& talk_;
  std::function<void()> after_;
  std::function<bool()> room_;
  std::string origin_, target_path_, common_fields_;
  bool own_authorization_ = false;
  std::size_t renewals_ = 0;
  cookie_jar cookies_;
  std::unordered_map<std::uint64_t, std::shared_ptr<running>> calls_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

milliseconds steady_now();

}  // namespace mcp_oauth
