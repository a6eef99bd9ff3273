#pragma once

#include "base/error.h"
#include "base/time.h"
#include "net/blocking.h"
#include "net/channel.h"
#include "net/http_head.h"
#include "net/task.h"
#include "net/worker.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/socket.h>

namespace mcp_oauth::net {

// An HTTP proxy that makes a tunnel by CONNECT (RFC 9110 §9.3.6).
struct upstream_proxy {
  std::string host;  // name or IP literal, without brackets
  std::uint16_t port = 80;
  std::string authorization;  // the value of Proxy-Authorization; "": none
};

// Where an MCP server is.
struct upstream_target {
  std::string host;  // name or IP literal, without brackets
  std::uint16_t port = 80;
  std::string authority;                   // what its Host header says
  std::string key;                         // names scheme, host and port; "": the authority
  std::shared_ptr<const tls_context> tls;  // null: in clear
  milliseconds connect_timeout{10'000};    // and as long for looking up the name
  std::function<int()> dial;               // for tests: yields a connected descriptor in place of the above
  bool ipv4_only = false;
  std::optional<upstream_proxy> proxy;  // then the name is not looked up here
};

// How long a connection may be kept that this answer came on: as its Keep-Alive says, less a second, since a
// request that is sent just when the other side closes is lost; else a minute.
milliseconds announced_keep_alive(const response_head& head);

// Kept connections to upstreams, of one worker.
class upstream_pool {
  struct place;

 public:
  // `names` is for looking them up. It may be slow, and should have nothing else to do.
  upstream_pool(worker& w, blocking_pool& names);
  ~upstream_pool();
  upstream_pool(const upstream_pool&) = delete;
  upstream_pool& operator=(const upstream_pool&) = delete;

  // A connection that one request has for itself. Closes it, unless it was given back.
  class lease;
  enum class freshness { any, fresh };
  // A kept connection that the upstream has not closed, or a new one.
  // Errors: upstream_refused, upstream_unreachable, upstream_timeout, upstream_tls_failed,
  // upstream_proxy_refused; the detail lists what was tried.
  task<result<lease>> acquire(const upstream_target& target, freshness wanted);
  // Gives back a connection that stands between two messages. `keep_for`: the upstream's own Keep-Alive
  // timeout.
  void release(lease done, milliseconds keep_for);

 private:
  class connection;
  struct endpoint {
    sockaddr_storage address{};
    socklen_t size = 0;
  };
  struct resolved {
    std::vector<endpoint> endpoints;
    std::string failure;
    std::uint64_t until_ms = 0;
  };
  struct look_up;
  class look_up_awaiter;
  // What is known of one upstream: what is kept, and one look-up of its name at a time, for which all wait.
  struct place {
    std::vector<std::unique_ptr<connection>> idle;
    resolved last;
    std::shared_ptr<look_up> looking;
  };
  task<result<std::shared_ptr<channel>>> connect(const upstream_target& target, place& at);
  task<result<std::shared_ptr<channel>>> open(const upstream_target& target, const endpoint& to);
  task<result<void>> ask_proxy(const upstream_target& target, channel& stream);
  task<resolved> resolve(const upstream_target& target, place& at);
  std::shared_ptr<look_up> begin_look_up(const upstream_target& target);
  void take_up(place& at);
  static resolved addresses_of(const std::string& host, std::uint16_t port, bool literal, int family);
  void sweep();

  worker& worker_;
  blocking_pool& names_;
  std::unordered_map<std::string, place> places_;
  periodic sweeping_;
};

// One connection for as long as it lives: while it is idle, it takes itself out of the pool when it ends.
class upstream_pool::connection final : public channel::listener {
 public:
  connection(std::shared_ptr<channel> stream, place& of) : stream_(std::move(stream)), of_(of) {}
  ~connection() override;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

 private:
  friend class upstream_pool;
  friend class lease;
  void on_gone() override;

  std::shared_ptr<channel> stream_;
  place& of_;
  std::uint64_t until_ms_ = 0;
};

class upstream_pool::lease {
 public:
  lease() = default;
  explicit operator bool() const { return held_ != nullptr; }
  channel& stream() const { return *held_->stream_; }
  std::shared_ptr<channel> shared_stream() const { return held_->stream_; }
  bool reused() const { return reused_; }
  void drop() { held_.reset(); }

 private:
  friend class upstream_pool;
  lease(std::unique_ptr<connection> held, bool reused) : held_(std::move(held)), reused_(reused) {}
  std::unique_ptr<connection> held_;
  bool reused_ = false;
};

}  // namespace mcp_oauth::net
