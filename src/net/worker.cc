#include "net/worker.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace mcp_oauth::net {

struct worker::ticker {
  explicit ticker(asio::io_context& context) : timer(context), guard(context.get_executor()) {}
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             executor>
      timer;
  asio::executor_work_guard<executor> guard;
  std::chrono::steady_clock::time_point next = std::chrono::steady_clock::now();
};

worker::worker(unsigned index)
    : index_(index),
      // Sockets of this context are touched by its own thread only, so the reactor needs no locks for them.
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      ticker_(std::make_unique<ticker>(context_)) {
  arm_tick();
}

worker::~worker() = default;

void worker::arm_tick() {
  ticker_->next += std::chrono::milliseconds(wheel::tick_ms);
  ticker_->timer.expires_at(ticker_->next);
  ticker_->timer.async_wait([this](error_code failed) {
    if (failed) return;
    // A loop that was held up makes up for the ticks it missed.
    auto now = std::chrono::steady_clock::now();
    wheel_.tick();
    while (ticker_->next + std::chrono::milliseconds(wheel::tick_ms) <= now) {
      ticker_->next += std::chrono::milliseconds(wheel::tick_ms);
      wheel_.tick();
    }
    arm_tick();
  });
}

void worker::run() { context_.run(); }
void worker::stop() { context_.stop(); }
void worker::post(std::function<void()> job) { asio::post(context_, std::move(job)); }

char* worker::take_block() {
  if (blocks_.list.empty()) return new char[block_size];
  char* block = blocks_.list.back();
  blocks_.list.pop_back();
  return block;
}

void worker::give_block(char* block) noexcept {
  if (blocks_.list.size() < 64) {
    blocks_.list.push_back(block);
  } else {
    delete[] block;
  }
}

}  // namespace mcp_oauth::net
