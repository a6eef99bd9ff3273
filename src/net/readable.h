#pragma once

#include "net/descriptor.h"
#include "net/worker.h"

#include <functional>
#include <utility>

#include <sys/epoll.h>

namespace mcp_oauth::net {

// Owns a descriptor, and calls back on the worker's thread whenever there is something to read in it, or its
// end: of signals, of another process. None (-1) never calls.
class readable final : private watcher {
 public:
  readable(worker& w, descriptor number, std::function<void(int)> what)
      : worker_(w), number_(std::move(number)), what_(std::move(what)) {
    if (number_) worker_.watch(number_.number(), *this);
  }
  ~readable() override { worker_.forget(*this); }

 private:
  void on_events(std::uint32_t events) override {
    if ((events & (EPOLLIN | EPOLLHUP)) != 0) what_(number_.number());
  }
  worker& worker_;
  descriptor number_;
  std::function<void(int)> what_;
};

}  // namespace mcp_oauth::net
