#pragma once

#include "base/error.h"
#include "base/http.h"
#include "net/exchange.h"
#include "net/listen.h"
#include "net/worker.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mcp_oauth::net {

// What answers requests on one worker. One object a worker: it needs no locks.
class service {
 public:
  virtual ~service() = default;
  // Answers the request. Not answering closes the connection.
  virtual task<void> serve(exchange& x) = 0;
  // The answer to bytes that are no request.
  virtual http_response refuse(const error& why, const exchange& x) = 0;
};

struct server_options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  unsigned workers = 1;
  std::size_t most_connections = 20'000;
  exchange_limits limits;
  milliseconds drain{10'000};
  // How long to wait for a port that a predecessor is about to leave.
  milliseconds listen_patience{5'000};
};

// Opens the listeners that a server with these options needs, and stores the port they got in `options`.
// Connections wait in the kernel from here on. Errors: as `open_listeners`.
result<listeners> reserve_port(server_options& options);

// Event loops, listeners and the connections on them.
class server {
 public:
  server(server_options options, std::function<std::unique_ptr<service>(worker&)> make_service);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  // Starts the threads on listeners that `reserve_port` opened for the same options.
  result<void> start(listeners open);
  // Starts the threads without a listener; connections come by `adopt`.
  void start_unbound();
  // Hands a connected socket to one of the workers, as one from the address `peer`.
  void adopt(int number, unsigned worker_index = 0, std::string peer = "local");

  std::uint16_t port() const { return options_.port; }
  std::vector<std::unique_ptr<worker>>& workers() { return workers_; }
  service& service_of(unsigned index);

  // New certificates for connections from now on; nullptr: clear.
  void use_tls(std::shared_ptr<const tls_context> context);

  // Other limits, for connections from now on. Those that are open keep what they began with.
  void use_limits(const exchange_limits& limits, std::size_t most_connections);

  // Closes the listeners, lets requests in flight end (at most `drain`), then ends. Idempotent.
  void stop();
  std::size_t connections() const;

 private:
  struct state;
  class acceptor;
  static task<void> session(state& s, std::shared_ptr<channel> client, std::string peer);
  void launch();

  server_options options_;
  std::function<std::unique_ptr<service>(worker&)> make_service_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<std::unique_ptr<state>> states_;
  std::vector<std::thread> threads_;
  std::shared_ptr<const tls_context> tls_;
  bool stopped_ = false;
};

}  // namespace mcp_oauth::net
