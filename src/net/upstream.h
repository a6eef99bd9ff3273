#pragma once

#include "base/error.h"
#include "base/time.h"
#include "net/asio.h"
#include "net/blocking.h"
#include "net/channel.h"
#include "net/task.h"
#include "net/worker.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace mcp_oauth::net {

// Where an MCP server is.
struct upstream_target {
  std::string host;  // name or IP literal, without brackets
  std::uint16_t port = 80;
  std::string authority;                   // what its Host header says
  std::string key;                         // names scheme, host and port; "": the authority
  std::shared_ptr<const tls_context> tls;  // null: in clear
  milliseconds connect_timeout{10'000};
  std::function<int()> dial;  // for tests: yields a connected descriptor in place of the above
};

// Kept connections to upstreams, of one worker.
class upstream_pool {
 public:
  upstream_pool(worker& w, blocking_pool& blocking);
  ~upstream_pool();
  upstream_pool(const upstream_pool&) = delete;
  upstream_pool& operator=(const upstream_pool&) = delete;

  struct lease {
    std::shared_ptr<channel> connection;
    bool reused = false;
  };
  enum class freshness { any, fresh };
  // A kept connection that the upstream has not closed, or a new one.
  // Errors: upstream_refused, upstream_unreachable, upstream_timeout, upstream_tls_failed; the detail lists
  // what was tried.
  task<result<lease>> acquire(const upstream_target& target, freshness wanted);
  // Gives back a connection that stands between two messages. `keep_for`: the upstream's own Keep-Alive
  // timeout.
  void release(const upstream_target& target, std::shared_ptr<channel> connection, milliseconds keep_for);

 private:
  struct kept {
    std::shared_ptr<channel> connection;
    std::uint64_t until_ms;
  };
  using endpoint = asio::generic::stream_protocol::endpoint;
  struct resolved {
    std::vector<endpoint> endpoints;
    std::string failure;
    std::uint64_t until_ms = 0;
  };
  task<result<std::shared_ptr<channel>>> connect(const upstream_target& target);
  // One look-up at a time for a name; others wait for it.
  struct name_state {
    resolved last;
    bool looking = false;
    std::vector<std::coroutine_handle<>> waiting;
  };
  task<resolved> resolve(const upstream_target& target);
  void forget(const std::string& key, channel* gone);
  void sweep();

  worker& worker_;
  blocking_pool& blocking_;
  std::unordered_map<std::string, std::vector<kept>> idle_;
  std::unordered_map<std::string, name_state> names_;
  periodic sweeping_;
};

}  // namespace mcp_oauth::net
