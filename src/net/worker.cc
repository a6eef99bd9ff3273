#include "net/worker.h"

#include "net/recycling.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <system_error>

#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t most_events = 256;
constexpr std::size_t most_kept_bytes = 1 << 20;  // of each size
constexpr std::uint64_t wake_key = ~std::uint64_t{0};
constexpr auto tick = std::chrono::milliseconds(wheel::tick_ms);

// A process that cannot make its event loop cannot begin.
descriptor made(int number, const char* what) {
  if (number < 0) throw std::system_error(errno, std::system_category(), what);
  return descriptor(number);
}

}  // namespace

worker::worker(unsigned index)
    : index_(index),
      epoll_(made(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
      wake_(made(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
      next_tick_(std::chrono::steady_clock::now() + tick) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = wake_key;
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, wake_.number(), &event) != 0)
    throw std::system_error(errno, std::system_category(), "epoll");
}

worker::~worker() {
  for (char* block : blocks_) delete[] block;
  for (char* block : large_blocks_) delete[] block;
}

void worker::run() {
  int most_ms = 0;
  while (!stopping_.load(std::memory_order_relaxed)) {
    turn(most_ms);
    most_ms = tick_if_due();
  }
}

void worker::turn(int most_ms) {
  std::array<epoll_event, most_events> events;
  int n = wait(events, again_.empty() ? most_ms : 0);
  std::span<const epoll_event> happened(events.data(), static_cast<std::size_t>(std::max(n, 0)));
  for (const auto& event : happened) {
    if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) continue;
    if (auto* who = find(event.data.u64)) who->foresee_end();
  }
  for (const auto& event : happened) {
    if (event.data.u64 == wake_key) {
      run_posted();
    } else if (auto* who = find(event.data.u64)) {
      who->on_events(event.events);
    }
  }
  if (again_.empty()) return;
  for (auto [key, what] : std::exchange(again_, {})) {
    auto* who = find(key);
    if (who == nullptr) continue;
    who->again_ = false;
    who->on_events(what);
  }
}

int worker::wait(std::span<epoll_event> into, int most_ms) {
  auto look = [&](int ms) {
    return ::epoll_wait(epoll_.number(), into.data(), static_cast<int>(into.size()), ms);
  };
  if (most_ms == 0 || awake_until_ == std::chrono::steady_clock::time_point{}) return look(most_ms);
  auto now = std::chrono::steady_clock::now();
  auto end = now + std::chrono::milliseconds(most_ms);
  for (; now < std::min(awake_until_, end); now = std::chrono::steady_clock::now()) {
    if (int n = look(0); n != 0) return n;
  }
  if (now >= end) return look(0);
  awake_until_ = {};
  return look(most_ms);
}

watcher* worker::find(std::uint64_t key) {
  if (key == wake_key) return nullptr;
  auto& at = places_[static_cast<std::uint32_t>(key)];
  return at.generation == key >> 32 ? at.who : nullptr;
}

std::uint64_t worker::key_of(const watcher& who) const {
  return std::uint64_t{places_[who.place_].generation} << 32 | who.place_;
}

bool worker::watch(int number, watcher& who) {
  if (free_places_.empty()) {
    free_places_.push_back(static_cast<std::uint32_t>(places_.size()));
    places_.emplace_back();
  }
  who.place_ = free_places_.back();
  free_places_.pop_back();
  places_[who.place_].who = &who;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = key_of(who);
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, number, &event) == 0) return true;
  // Whoever watched it before has handed it on.
  if (errno == EEXIST && ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, number, &event) == 0) return true;
  forget(who);
  return false;
}

void worker::forget(watcher& who) {
  if (who.place_ == watcher::none) return;
  auto& at = places_[who.place_];
  at.who = nullptr;
  who.again_ = false;
  ++at.generation;
  free_places_.push_back(std::exchange(who.place_, watcher::none));
}

void worker::again(watcher& who, std::uint32_t events) {
  if (who.place_ == watcher::none || std::exchange(who.again_, true)) return;
  again_.emplace_back(key_of(who), events);
}

void worker::post(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(job));
    if (posted_.size() > 1) return;  // whoever came first has rung
  }
  ::eventfd_write(wake_.number(), 1);
}

void worker::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  ::eventfd_write(wake_.number(), 1);
}

void worker::run_posted() {
  eventfd_t ignored = 0;
  ::eventfd_read(wake_.number(), &ignored);
  std::vector<std::function<void()>> jobs;
  {
    std::lock_guard lock(mutex_);
    jobs.swap(posted_);
  }
  for (auto& job : jobs) job();
}

// One tick at most: a loop that was held up looks into its sockets before it gives up on them. Returns the
// milliseconds to the next one.
int worker::tick_if_due() {
  auto now = std::chrono::steady_clock::now();
  if (next_tick_ <= now) {
    next_tick_ = std::max(next_tick_ + tick, now + tick / 2);
    wheel_.tick();
  }
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - now).count());
}

char* worker::take_block(std::size_t size) {
  auto* kept = kept_blocks(size);
  if (kept == nullptr || kept->empty()) return new char[size];
  char* block = kept->back();
  kept->pop_back();
  return block;
}

void worker::give_block(char* block, std::size_t size) noexcept {
  auto* kept = kept_blocks(size);
  if (recycling && kept != nullptr && kept->size() * size < most_kept_bytes) {
    kept->push_back(block);
  } else {
    delete[] block;
  }
}

std::vector<char*>* worker::kept_blocks(std::size_t size) {
  return size == block_size ? &blocks_ : size == large_block_size ? &large_blocks_ : nullptr;
}

}  // namespace mcp_oauth::net
