#pragma once

#include "base/error.h"
#include "base/time.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <netdb.h>

namespace mcp_oauth::net {

// Listening descriptors; closes those that nobody took.
class listeners {
 public:
  listeners() = default;
  listeners(listeners&& other) noexcept
      : descriptors_(std::exchange(other.descriptors_, {})), address_(std::move(other.address_)) {}
  listeners& operator=(listeners&&) = delete;
  ~listeners();
  void add(int descriptor) { descriptors_.push_back(descriptor); }
  // Where they listen, as "127.0.0.1:8080" or "[::1]:8080".
  const std::string& address() const { return address_; }
  void at(std::string address) { address_ = std::move(address); }
  std::size_t count() const { return descriptors_.size(); }
  std::vector<int> take() { return std::exchange(descriptors_, {}); }

 private:
  std::vector<int> descriptors_;
  std::string address_;
};

// Of what a name stands for, the first IPv4 address, else the first: a client that is given `localhost` tries
// all of its addresses, one that is given 127.0.0.1 does not try ::1.
const addrinfo* address_to_listen_on(const addrinfo* first);

// Opens `count` listening descriptors on one address that share its connections (SO_REUSEPORT), and refuses a
// port on which somebody else listens already: a second gateway by mistake must not take half of the
// requests. Waits up to `patience` for a predecessor that is about to leave. `port` 0: any free one, stored
// back. Errors: listen_in_use (with the holder, if it can be seen), listen_denied, config_invalid (host).
result<listeners> open_listeners(const std::string& host, std::uint16_t& port, unsigned count,
                                 milliseconds patience);

// "PID 4312 (nginx)" for who listens on that TCP port, or "".
std::string port_holder(std::uint16_t port);

}  // namespace mcp_oauth::net
