#pragma once

#include "base/time.h"
#include "net/asio.h"
#include "net/task.h"
#include "net/wheel.h"

#include <functional>
#include <memory>
#include <vector>

namespace mcp_oauth::net {

// One event loop on one thread, and what its connections share. Nothing in here is touched by another thread
// except `post`.
class worker {
 public:
  explicit worker(unsigned index);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  unsigned index() const { return index_; }
  asio::io_context& context() { return context_; }
  wheel& deadlines() { return wheel_; }

  // Runs until `stop`.
  void run();
  void stop();
  // Runs `job` on this worker's thread; callable from any thread.
  void post(std::function<void()> job);

  // Monotonic milliseconds since the worker began, true to one tick.
  std::uint64_t coarse_ms() const { return wheel_.now() * wheel::tick_ms; }

  // Input blocks of one size, kept for the next connection that needs one.
  static constexpr std::size_t block_size = 8192;
  char* take_block();
  void give_block(char* block) noexcept;

  std::size_t connections = 0;  // open client connections

 private:
  void arm_tick();

  unsigned index_;
  // What a connection gives back when it goes must outlive the context, which holds the last of them.
  struct free_blocks {
    std::vector<char*> list;
    free_blocks() = default;
    free_blocks(const free_blocks&) = delete;
    free_blocks& operator=(const free_blocks&) = delete;
    ~free_blocks() {
      for (char* block : list) delete[] block;
    }
  };
  free_blocks blocks_;
  wheel wheel_;
  asio::io_context context_;
  struct ticker;
  std::unique_ptr<ticker> ticker_;
};

// co_await sleep(w, 50ms)
class sleep final : public timed {
 public:
  sleep(worker& w, milliseconds time) : worker_(w), time_(time) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    waiter_ = h;
    worker_.deadlines().set(*this, static_cast<std::uint64_t>(time_.count()));
  }
  void await_resume() const {}

 private:
  void on_deadline() override { waiter_.resume(); }
  worker& worker_;
  milliseconds time_;
  std::coroutine_handle<> waiter_;
};

// Calls `job` on the worker's thread again and again while it lives.
class periodic final : public timed {
 public:
  periodic(worker& w, milliseconds every, std::function<void()> job)
      : worker_(w), every_(every), job_(std::move(job)) {
    arm();
  }

 private:
  void arm() { worker_.deadlines().set(*this, static_cast<std::uint64_t>(every_.count())); }
  void on_deadline() override {
    arm();
    job_();
  }
  worker& worker_;
  milliseconds every_;
  std::function<void()> job_;
};

}  // namespace mcp_oauth::net
