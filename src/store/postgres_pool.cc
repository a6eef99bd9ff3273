#include "store/postgres_pool.h"

#include <string>

namespace mcp_oauth {

std::unique_ptr<postgres> postgres_pool::take_free(milliseconds patience, bool& may_make) {
  std::unique_lock lock(mutex_);
  bool some = returned_.wait_for(lock, patience, [this] { return !free_.empty() || open_ < most_; });
  may_make = false;
  if (!some) return nullptr;
  if (free_.empty()) {
    ++open_;
    may_make = true;
    return nullptr;
  }
  auto db = std::move(free_.back());
  free_.pop_back();
  return db;
}

result<postgres_pool::loan> postgres_pool::borrow(milliseconds patience) {
  for (;;) {
    bool may_make = false;
    auto db = take_free(patience, may_make);
    // After a restart of the server every one of them is dead, and the first use would say so: too late for
    // a statement that must not run twice.
    if (db && db->still_there()) return loan(*this, std::move(db));
    if (db) {
      give_back(std::move(db));
      continue;
    }
    if (!may_make) {
      return fail(errc::overloaded, "all " + std::to_string(most_) +
                                        " connections to the database are in use (database_connections)");
    }
    auto made = postgres::connect(url_, silence_);
    if (made) return loan(*this, std::make_unique<postgres>(std::move(*made)));
    {
      std::lock_guard lock(mutex_);
      --open_;
    }
    returned_.notify_one();
    return tl::unexpected(made.error());
  }
}

void postgres_pool::give_back(std::unique_ptr<postgres> db) {
  bool good = db->is_open() && !db->in_transaction();
  if (!good) db.reset();
  {
    std::lock_guard lock(mutex_);
    if (good) {
      free_.push_back(std::move(db));
    } else {
      --open_;
    }
  }
  returned_.notify_one();
}

std::size_t postgres_pool::open() const {
  std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace mcp_oauth
