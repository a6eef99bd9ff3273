#pragma once

#include "net/task.h"
#include "net/worker.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

namespace mcp_oauth::net {

// Threads for calls that block (the store, passwords, fetches, names). Made when first needed, up to a bound.
class blocking_pool {
 public:
  explicit blocking_pool(unsigned most_threads) : most_(most_threads) {}
  ~blocking_pool();
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  void submit(std::function<void()> job);

 private:
  void work();

  unsigned most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

// auto answer = co_await off_loop(w, pool, [&] { return store.get(…); });
// Runs `call` on the pool and resumes on the worker. What `call` captures by reference must outlive the
// await: name the lambda first, as g++ 12 destroys a temporary one twice.
template <class F>
class off_loop {
 public:
  using value = std::invoke_result_t<F&>;
  off_loop(worker& w, blocking_pool& pool, F& call) : worker_(w), pool_(pool), call_(call) {}

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    pool_.submit([this, h] {
      try {
        value_.emplace(call_());
      } catch (...) {
        failure_ = std::current_exception();
      }
      worker_.post([h] { h.resume(); });
    });
  }
  value await_resume() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(*value_);
  }

 private:
  worker& worker_;
  blocking_pool& pool_;
  F& call_;
  std::optional<value> value_;
  std::exception_ptr failure_;
};

}  // namespace mcp_oauth::net
