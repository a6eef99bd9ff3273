#pragma once

#include "base/error.h"
#include "base/time.h"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

struct sqlite3;
struct sqlite3_stmt;

namespace mcp_oauth {

struct sqlite_blob {
  std::string_view bytes;
};
// monostate is NULL, string_view is TEXT. Views must live until the call that takes them returns.
using sqlite_value = std::variant<std::monostate, std::int64_t, std::string_view, sqlite_blob>;

// The rows of one statement. The connection that made it must outlive it; one statement text can be read by
// one sqlite_rows at a time.
class sqlite_rows final {
 public:
  sqlite_rows(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  sqlite_rows(sqlite_rows&& other) noexcept
      : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)) {}
  sqlite_rows& operator=(sqlite_rows&&) = delete;
  ~sqlite_rows();

  // Moves to the next row; false: there is none.
  result<bool> next();

  // Column of the row, counted from 0. NULL reads as "" and 0.
  std::string text(int column) const;
  std::int64_t number(int column) const;

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_;
};

// One connection to an SQLite file. Used by one thread at a time.
// Failures are store_busy, store_corrupt, store_full, store_unavailable; internal for what only a bug of ours
// can cause.
class sqlite final {
 public:
  // The file must exist. A lock held by others is waited for as long as `patience`.
  static result<sqlite> open(const std::string& path, milliseconds patience);
  sqlite(sqlite&&) noexcept = default;
  sqlite& operator=(sqlite&&) = delete;

  // Runs statements separated by `;`. Rows are dropped.
  result<void> script(const std::string& statements);

  // Binds ?1, ?2, … and starts. Statements are compiled once per connection.
  result<sqlite_rows> query(std::string_view statement, std::initializer_list<sqlite_value> values = {});

  // As `query`, to the end; returns how many rows an INSERT, UPDATE or DELETE changed.
  result<std::uint64_t> execute(std::string_view statement, std::initializer_list<sqlite_value> values = {});

  bool in_transaction() const;
  // How long a lock held by others is waited for from now on.
  void wait_at_most(milliseconds patience);
  // Moves what it can from the write-ahead log into the file, without waiting for anybody.
  result<void> checkpoint();

 private:
  struct closer {
    void operator()(sqlite3* db) const;
    void operator()(sqlite3_stmt* statement) const;
  };
  using statement_ptr = std::unique_ptr<sqlite3_stmt, closer>;

  explicit sqlite(sqlite3* db) : db_(db) {}

  std::unique_ptr<sqlite3, closer> db_;
  std::map<std::string, statement_ptr, std::less<>> statements_;  // finalized before the connection closes
};

}  // namespace mcp_oauth
