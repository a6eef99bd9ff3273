#pragma once

// For tests of what fetches.

#include "base/http.h"

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {

// Answers one request on a free loopback port with those bytes, or the first requests of one connection.
class one_answer {
 public:
  explicit one_answer(std::string bytes, int requests = 1)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&where), size) != 0 || ::listen(listener_, 1) != 0)
      std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
    thread_ = std::thread([this, answer = std::move(bytes), requests] {
      int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      client_ = client;
      asked_ = true;
      for (int left = requests; left > 0; --left) {
        char request[4096];
        auto got = ::recv(client, request, sizeof request, 0);
        if (got <= 0) break;
        if (left == requests) request_.assign(request, static_cast<std::size_t>(got));
        ++answered_;
        std::string_view rest = answer;
        while (!rest.empty()) {
          auto n = ::send(client, rest.data(), rest.size(), MSG_NOSIGNAL);
          if (n <= 0) break;
          rest.remove_prefix(static_cast<std::size_t>(n));
        }
      }
      ::shutdown(client, SHUT_WR);
    });
  }
  one_answer(const one_answer&) = delete;
  one_answer& operator=(const one_answer&) = delete;
  ~one_answer() {
    ::shutdown(listener_, SHUT_RDWR);
    if (client_ >= 0) ::shutdown(client_, SHUT_RDWR);
    thread_.join();
    if (client_ >= 0) ::close(client_);
    ::close(listener_);
  }
  // To this server, under any of its names.
  http_call call(const std::string& host = "127.0.0.1") const {
    http_call c;
    c.method = "GET";
    c.url = "http://" + host + ":" + std::to_string(port_) + "/document?secret=1";
    return c;
  }
  // Whether anybody connected.
  bool asked() const { return asked_; }
  int answered() const { return answered_; }
  // What was asked; to be read when the answer has come.
  const std::string& request() const { return request_; }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> client_{-1};
  std::atomic<bool> asked_{false};
  std::atomic<int> answered_{0};
  std::string request_;
  std::thread thread_;
};

}  // namespace mcp_oauth::net
