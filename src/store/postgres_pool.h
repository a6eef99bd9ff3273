#pragma once

#include "base/error.h"
#include "base/time.h"
#include "store/postgres.h"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

// At most `most` connections to one database, each lent to one caller at a time and made when first needed.
class postgres_pool final {
 public:
  postgres_pool(std::string url, std::size_t most, milliseconds silence)
      : url_(std::move(url)), most_(most), silence_(silence) {}

  // A connection on loan; goes back by itself, unless it is lost or still in a transaction. The pool must
  // outlive it.
  class loan final {
   public:
    loan(postgres_pool& pool, std::unique_ptr<postgres> db) : pool_(&pool), db_(std::move(db)) {}
    loan(loan&&) noexcept = default;
    loan& operator=(loan&&) = delete;
    ~loan() {
      if (db_) pool_->give_back(std::move(db_));
    }
    postgres& operator*() const { return *db_; }

   private:
    postgres_pool* pool_;
    std::unique_ptr<postgres> db_;
  };

  // Waits at most `patience` while all of them are lent. Errors: overloaded when none came back, those of
  // postgres::connect.
  result<loan> borrow(milliseconds patience);
  void give_back(std::unique_ptr<postgres> db);

  // Open connections, lent or not.
  std::size_t open() const;

 private:
  std::unique_ptr<postgres> take_free(milliseconds patience, bool& may_make);

  std::string url_;
  std::size_t most_;
  milliseconds silence_;
  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<postgres>> free_;
  std::size_t open_ = 0;
};

}  // namespace mcp_oauth
