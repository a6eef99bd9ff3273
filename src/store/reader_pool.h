#pragma once

#include "base/error.h"
#include "base/time.h"
#include "store/sqlite.h"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mcp_oauth {

// A few connections that only read, lent to one caller at a time and opened when first needed.
class reader_pool final {
 public:
  reader_pool(std::string path, milliseconds patience, std::size_t most)
      : path_(std::move(path)), patience_(patience), most_(most) {}

  // A connection on loan; goes back by itself. The pool must outlive it.
  class loan final {
   public:
    loan(reader_pool& pool, std::unique_ptr<sqlite> db) : pool_(&pool), db_(std::move(db)) {}
    loan(loan&&) noexcept = default;
    loan& operator=(loan&&) = delete;
    ~loan() {
      if (db_) pool_->give_back(std::move(db_));
    }
    sqlite* operator->() const { return db_.get(); }
    sqlite& operator*() const { return *db_; }

   private:
    reader_pool* pool_;
    std::unique_ptr<sqlite> db_;
  };

  // Blocks while all of them are lent.
  result<loan> borrow();

 private:
  void give_back(std::unique_ptr<sqlite> db);
  result<std::unique_ptr<sqlite>> open_one() const;

  std::string path_;
  milliseconds patience_;
  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<sqlite>> free_;
  std::size_t open_ = 0;
};

}  // namespace mcp_oauth
