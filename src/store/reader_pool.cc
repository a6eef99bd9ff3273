#include "store/reader_pool.h"

#include <utility>

namespace mcp_oauth {

result<reader_pool::loan> reader_pool::borrow() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&] { return !free_.empty() || open_ < most_; });
  if (!free_.empty()) {
    auto db = std::move(free_.back());
    free_.pop_back();
    return loan(*this, std::move(db));
  }
  ++open_;
  lock.unlock();
  auto db = open_one();
  if (db) return loan(*this, std::move(*db));
  lock.lock();
  --open_;
  returned_.notify_one();
  return tl::unexpected(db.error());
}

void reader_pool::give_back(std::unique_ptr<sqlite> db) {
  {
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(db));
  }
  returned_.notify_one();
}

result<std::unique_ptr<sqlite>> reader_pool::open_one() const {
  auto db = sqlite::open(path_, patience_);
  if (!db) return tl::unexpected(db.error());
  if (auto set = db->script("PRAGMA query_only = ON"); !set) return tl::unexpected(set.error());
  return std::make_unique<sqlite>(std::move(*db));
}

}  // namespace mcp_oauth
