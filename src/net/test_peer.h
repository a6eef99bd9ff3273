#pragma once

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {

// The other end of a socket pair, driven by the test step by step. Every wait ends after five seconds.
class test_peer {
 public:
  explicit test_peer(int descriptor) : fd_(descriptor) {}
  test_peer(test_peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), seen_(std::move(other.seen_)) {}
  test_peer& operator=(test_peer&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    seen_ = std::move(other.seen_);
    return *this;
  }
  ~test_peer() { close(); }

  // Two connected ends: ours, and the descriptor for the other side.
  static std::pair<test_peer, int> pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    return {test_peer(ends[0]), ends[1]};
  }
  // The same over TCP, where an end and a reset differ for whoever reads on.
  static std::pair<test_peer, int> tcp_pair() {
    int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int ours = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* address = reinterpret_cast<sockaddr*>(&where);
    if (::bind(listener, address, size) != 0 || ::listen(listener, 1) != 0) std::abort();
    ::getsockname(listener, address, &size);
    if (::connect(ours, address, size) != 0) std::abort();
    int theirs = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ::close(listener);
    return {test_peer(ours), theirs};
  }

  // False: the other side takes no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  // Everything up to and with `mark`; what came instead if that never arrives.
  std::string until(std::string_view mark) {
    for (;;) {
      if (auto at = seen_.find(mark); at != std::string::npos) {
        auto got = seen_.substr(0, at + mark.size());
        seen_.erase(0, at + mark.size());
        return got;
      }
      if (!receive()) return std::exchange(seen_, {});
    }
  }

  std::string exactly(std::size_t n) {
    while (seen_.size() < n && receive()) {
    }
    auto got = seen_.substr(0, n);
    seen_.erase(0, got.size());
    return got;
  }

  // Everything until the other side closes.
  std::string rest() {
    while (receive()) {
    }
    return std::exchange(seen_, {});
  }

  // Whether the other side closes within the time, having sent nothing more.
  bool sees_end() {
    bool ended = !receive() && !timed_out_;
    return ended && seen_.empty();
  }
  // Whether the end that was met was a reset.
  bool was_reset() const { return reset_; }
  // Whether nothing at all arrives for a moment.
  bool hears_nothing(int for_ms = 150) {
    pollfd p{fd_, POLLIN, 0};
    return seen_.empty() && ::poll(&p, 1, for_ms) == 0;
  }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // Ends both directions; who is sending notices.
  void shut() { ::shutdown(fd_, SHUT_RDWR); }
  bool open() const { return fd_ >= 0; }

 private:
  bool receive() {
    timed_out_ = false;
    pollfd p{fd_, POLLIN, 0};
    if (fd_ < 0 || ::poll(&p, 1, 5000) <= 0) {
      timed_out_ = true;
      return false;
    }
    char buffer[65536];
    auto n = ::recv(fd_, buffer, sizeof buffer, 0);
    reset_ = n < 0 && errno == ECONNRESET;
    if (n <= 0) return false;
    seen_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  int fd_;
  bool timed_out_ = false, reset_ = false;
  std::string seen_;
};

}  // namespace mcp_oauth::net
