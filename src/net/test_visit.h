#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {

// Plays the other side of one connection on a thread of its own.
class one_visit {
 public:
  explicit one_visit(std::function<void(int)> play)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to who has gone, too
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&where), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
    thread_ = std::thread([this, play = std::move(play)] {
      int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      timeval five_seconds{5, 0};
      ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &five_seconds, sizeof five_seconds);
      play(client);
      ::close(client);
    });
  }
  one_visit(const one_visit&) = delete;
  one_visit& operator=(const one_visit&) = delete;
  ~one_visit() { end(); }
  // Waits until it is over; nobody can come any more.
  void end() {
    if (!thread_.joinable()) return;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

inline std::string received(int from) {
  char buffer[4096];
  auto n = ::recv(from, buffer, sizeof buffer, 0);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

inline void send_all(int to, const std::string& text) {
  if (text.empty()) return;
  EXPECT_EQ(::send(to, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

}  // namespace mcp_oauth::net
