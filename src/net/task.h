#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace mcp_oauth::net {

// Memory for coroutine frames, recycled per thread: a frame lives and dies on the event loop that made it.
void* allocate_frame(std::size_t size);
void release_frame(void* frame, std::size_t size) noexcept;

// A coroutine that starts when awaited and resumes its awaiter when done. One awaiter, one thread.
template <class T = void>
class [[nodiscard]] task;

namespace detail {

struct promise_base {
  std::coroutine_handle<> continuation;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct final_awaiter {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) noexcept {
      return self.promise().continuation;
    }
    void await_resume() noexcept {}
  };
  final_awaiter final_suspend() noexcept { return {}; }
};

template <class T>
struct promise : promise_base {
  std::optional<T> value;
  std::exception_ptr failure;

  task<T> get_return_object();
  template <class U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  void unhandled_exception() { failure = std::current_exception(); }
  T take() {
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
};

template <>
struct promise<void> : promise_base {
  std::exception_ptr failure;

  task<void> get_return_object();
  void return_void() {}
  void unhandled_exception() { failure = std::current_exception(); }
  void take() {
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] task {
 public:
  using promise_type = detail::promise<T>;

  explicit task(std::coroutine_handle<promise_type> self) : self_(self) {}
  task(task&& other) noexcept : self_(std::exchange(other.self_, nullptr)) {}
  task(const task&) = delete;
  task& operator=(task&&) = delete;
  ~task() {
    if (self_) self_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    self_.promise().continuation = awaiter;
    return self_;
  }
  T await_resume() { return self_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> self_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() {
  return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() {
  return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

struct detached {
  struct promise_type {
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }
    detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

}  // namespace detail

// Starts the task now and lets it run to its end on its own. What it throws is a defect and ends the program:
// the caller that can name a better answer catches inside the task.
inline void spawn(task<void> work) {
  [](task<void> owned) -> detail::detached { co_await std::move(owned); }(std::move(work));
}

}  // namespace mcp_oauth::net
