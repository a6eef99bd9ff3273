#pragma once

#include "base/time.h"
#include "net/descriptor.h"
#include "net/task.h"
#include "net/wheel.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

struct epoll_event;

namespace mcp_oauth::net {

class worker;

// Whoever wants to know what happens on a descriptor.
class watcher {
 public:
  watcher() = default;
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  virtual ~watcher() = default;

 private:
  friend class worker;
  // `events`: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR as they became true; each is told once, so
  // what is there has to be taken until the kernel says EAGAIN.
  virtual void on_events(std::uint32_t events) = 0;
  // The same round will tell of the peer's end; others whose turn is before should not count on it.
  virtual void foresee_end() {}
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  std::uint32_t place_ = none;
  bool again_ = false;
};

// One event loop on one thread, and what its connections share. Nothing in here is touched by another thread
// except `post` and `stop`.
class worker {
 public:
  explicit worker(unsigned index);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  unsigned index() const { return index_; }
  wheel& deadlines() { return wheel_; }

  // Runs until `stop`.
  void run();
  // One round: what is ready now, without waiting for more.
  void poll() { turn(0); }
  void stop();
  // For that long the loop looks without sleeping, so that what comes meanwhile need not wake the thread. It
  // costs processor time.
  void stay_awake(std::chrono::microseconds time) { awake_until_ = std::chrono::steady_clock::now() + time; }
  // Runs `job` on this worker's thread; callable from any thread. Jobs that are left when the worker goes are
  // destroyed, not run.
  void post(std::function<void()> job);

  // Tells `who` of what happens on the descriptor until `forget`, which comes before either goes. False: the
  // kernel has no room for it.
  bool watch(int descriptor, watcher& who);
  void forget(watcher& who);
  // Tells `who` of `events` once more when all others have had their turn.
  void again(watcher& who, std::uint32_t events);

  // Milliseconds that the worker has run, true to one tick. Time in which it was stopped does not count: what
  // was due then is in the sockets now.
  std::uint64_t coarse_ms() const { return wheel_.now() * wheel::tick_ms; }

  // Input blocks of two sizes, kept for the next connection that needs one: for heads and calls, and for
  // large bodies.
  static constexpr std::size_t block_size = 8 * 1024, large_block_size = 64 * 1024;
  char* take_block(std::size_t size);
  void give_block(char* block, std::size_t size) noexcept;

  std::size_t connections = 0;  // open client connections

 private:
  struct place {
    watcher* who = nullptr;
    std::uint32_t generation = 0;
  };
  void turn(int most_ms);
  int wait(std::span<epoll_event> into, int most_ms);
  watcher* find(std::uint64_t key);
  std::uint64_t key_of(const watcher& who) const;
  void run_posted();
  int tick_if_due();

  unsigned index_;
  descriptor epoll_;
  descriptor wake_;
  std::atomic<bool> stopping_{false};

  // An event names a place and the generation that it was asked for in: what was fetched for a watcher that
  // is gone by now finds nobody.
  std::vector<place> places_;
  std::vector<std::uint32_t> free_places_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> again_;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;

  std::vector<char*>* kept_blocks(std::size_t size);
  std::vector<char*> blocks_, large_blocks_;
  wheel wheel_;
  std::chrono::steady_clock::time_point next_tick_;
  std::chrono::steady_clock::time_point awake_until_;  // the epoch: not at all
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
