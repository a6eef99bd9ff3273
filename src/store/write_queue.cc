#include "store/write_queue.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

// Bounds how long the first of a transaction waits for the last.
constexpr std::size_t most_in_one_transaction = 256;

// So long without work is idle: time for the checkpoint, which would hold up a caller inside a commit.
constexpr milliseconds idle{100};

}  // namespace

write_queue::write_queue(sqlite db) : db_(std::move(db)), thread_([this] { serve(); }) {}

write_queue::~write_queue() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_one();
  thread_.join();
}

result<void> write_queue::run(const write& work) {
  job mine{.work = work, .outcome = {}, .wake = {}};
  std::unique_lock lock(mutex_);
  queue_.push_back(&mine);
  ++waiting_;
  arrived_.notify_one();
  mine.wake.wait(lock, [&] { return mine.answered; });
  --waiting_;
  return std::move(mine.outcome);
}

void write_queue::serve() {
  bool written_since_checkpoint = false;
  std::vector<job*> batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    auto called = [&] { return stopping_ || !queue_.empty(); };
    if (!written_since_checkpoint) {
      arrived_.wait(lock, called);
    } else if (!arrived_.wait_for(lock, idle, called)) {
      lock.unlock();
      (void)db_.checkpoint();  // one that fails is made up for by the next, and nothing is lost
      written_since_checkpoint = false;
      lock.lock();
      continue;
    }
    if (queue_.empty()) return;

    auto taken = static_cast<std::ptrdiff_t>(std::min(queue_.size(), most_in_one_transaction));
    batch.assign(queue_.begin(), queue_.begin() + taken);
    queue_.erase(queue_.begin(), queue_.begin() + taken);
    lock.unlock();
    auto done = apply(batch);
    written_since_checkpoint = written_since_checkpoint || done.has_value();
    lock.lock();
    for (job* one : batch) {
      if (!done) one->outcome = done;
      one->answered = true;
      // Under the lock: the waiter may not return, and take its job with it, before this call is over.
      one->wake.notify_one();
    }
  }
}

result<void> write_queue::apply(const std::vector<job*>& batch) {
  auto begun = db_.execute("BEGIN IMMEDIATE");
  if (!begun) return tl::unexpected(begun.error());
  for (job* one : batch) {
    if (apply_one(*one)) continue;
    if (db_.in_transaction()) (void)db_.execute("ROLLBACK");
    return tl::unexpected(one->outcome.error());
  }
  auto committed = db_.execute("COMMIT");
  if (!committed) {
    if (db_.in_transaction()) (void)db_.execute("ROLLBACK");
    return tl::unexpected(committed.error());
  }
  ++commits_;
  return {};
}

bool write_queue::apply_one(job& one) {
  auto marked = db_.execute("SAVEPOINT one");
  if (!marked) {
    one.outcome = tl::unexpected(marked.error());
    return false;
  }
  one.outcome = one.work(db_);
  // SQLite itself ends the transaction after some failures: disk full, I/O, out of memory.
  if (!db_.in_transaction()) {
    if (one.outcome) one.outcome = fail(errc::internal, "a write ended the transaction");
    return false;
  }
  if (!one.outcome && !db_.execute("ROLLBACK TO one")) return false;
  auto released = db_.execute("RELEASE one");
  if (!released) {
    one.outcome = tl::unexpected(released.error());
    return false;
  }
  return true;
}

}  // namespace mcp_oauth
