#include "store/postgres_listener.h"

#include "store/record_store.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

// A peer that has gone without a word is found out by asking it something this often.
constexpr milliseconds asked_every{10'000};
constexpr milliseconds first_pause{50};
constexpr milliseconds longest_pause{1'000};

}  // namespace

postgres_listener::postgres_listener(std::string url, milliseconds silence, changed_fn changed)
    : url_(std::move(url)),
      silence_(silence),
      changed_(std::move(changed)),
      bell_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { listen(); }) {}

postgres_listener::~postgres_listener() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  (void)::eventfd_write(bell_, 1);
  thread_.join();
  ::close(bell_);
}

void postgres_listener::listen() {
  milliseconds pause = first_pause;
  while (!stopping_) {
    auto db = postgres::connect(url_, silence_);
    if (db && db->script("LISTEN " + std::string(announcements)).has_value()) {
      pause = first_pause;
      // Only now: what came before was told to nobody.
      for (auto kind : announced_kinds) changed_(kind, {});
      hear(*db);
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, pause, [this] { return stopping_.load(); });
    pause = std::min(pause * 2, longest_pause);
  }
}

void postgres_listener::hear(postgres& db) {
  while (!stopping_) {
    // Before the first wait too: some may have come with the answer to LISTEN.
    auto heard = db.notices();
    if (!heard) return;
    for (const auto& one : *heard) pass_on(one.payload);
    pollfd watched[] = {{db.descriptor(), POLLIN, 0}, {bell_, POLLIN, 0}};
    int ready = ::poll(watched, 2, static_cast<int>(asked_every.count()));
    if (ready < 0 && errno != EINTR) return;
    if (ready == 0 && !db.run_one({"SELECT 1", {}})) return;
  }
}

void postgres_listener::pass_on(std::string_view payload) {
  auto space = payload.find(' ');
  auto kind = payload.substr(0, space);
  // Anybody who may connect may notify.
  if (std::find(std::begin(announced_kinds), std::end(announced_kinds), kind) == std::end(announced_kinds)) {
    return;
  }
  changed_(kind, space == std::string_view::npos ? std::string_view() : payload.substr(space + 1));
}

}  // namespace mcp_oauth
