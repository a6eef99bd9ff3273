#pragma once

#include "base/error.h"
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
  explicit blocking_pool(unsigned most_threads, std::size_t most_waiting = 4096)
      : most_(most_threads), most_waiting_(most_waiting) {}
  // Waits for the jobs that run. Those that wait never run: what awaits them is never resumed, so that
  // nothing it refers to is touched any more.
  ~blocking_pool();
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  // False: too many jobs wait, or no thread could be made to run any; the job was not taken.
  [[nodiscard]] bool submit(std::function<void()> job);

 private:
  void work();

  unsigned most_;
  std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

// auto answer = co_await off_loop(w, pool, [&] { return store.get(…); });
// Runs `call` on the pool and resumes on the worker. What `call` captures by reference must outlive the
// await: name the lambda first, as g++ 12 destroys a temporary one twice. When the pool takes nothing more,
// the value is the error `overloaded`, or, if it can hold no error, an empty one. What `call` throws comes
// out here.
template <class F>
class off_loop {
 public:
  using value = std::invoke_result_t<F&>;
  off_loop(worker& w, blocking_pool& pool, F& call) : worker_(w), pool_(pool), call_(call) {}

  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> h) {
    bool taken = pool_.submit([this, h] {
      try {
        value_.emplace(call_());
      } catch (...) {
        failure_ = std::current_exception();
      }
      worker_.post([h] { h.resume(); });
    });
    if (!taken) value_.emplace(refusal());
    return taken;
  }
  value await_resume() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(*value_);
  }

 private:
  static value refusal() {
    if constexpr (std::is_constructible_v<value, tl::unexpected<error>>) {
      return tl::unexpected<error>(error{errc::overloaded, "too many jobs wait for a thread"});
    } else {
      return value{};
    }
  }

  worker& worker_;
  blocking_pool& pool_;
  F& call_;
  std::optional<value> value_;
  std::exception_ptr failure_;
};

}  // namespace mcp_oauth::net
