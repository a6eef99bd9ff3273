#pragma once

#include "store/reader_pool.h"
#include "store/record_store.h"
#include "store/write_queue.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace mcp_oauth {

// As `list` and `get`, of any connection.
result<std::vector<record>> list_in(sqlite& db, std::string_view kind, time_point now, std::size_t most);
result<std::optional<record>> get_in(sqlite& db, std::string_view kind, std::string_view id, time_point now);

struct sqlite_options {
  milliseconds patience{5000};  // how long a lock held by others is waited for before store_busy
  std::size_t readers = 4;      // connections that read at the same time
};

// Records in one SQLite file: write-ahead log, flushed to disk before a write counts as done, writes of
// concurrent callers grouped. Several processes may share the file.
class sqlite_store final : public record_store {
 public:
  // Creates the file readable by its owner only, or opens it, and brings its schema up to date.
  // store_schema_newer when a newer program migrated it.
  static result<std::unique_ptr<sqlite_store>> open(const std::string& path, sqlite_options options = {});

  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override;
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override;
  result<bool> commit(const change& wanted, time_point now) override;
  result<std::uint64_t> erase_grant(std::string_view grant) override;
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user) override;
  result<std::uint64_t> count(std::string_view kind, time_point now) override;
  result<std::uint64_t> sweep(time_point now, std::size_t most) override;
  // Notices as well that the file was removed or replaced under us.
  result<void> check() override;

  // What the operator should know: each one sentence. Fixed once open.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Transactions committed since the start, and callers that wait for one now.
  std::uint64_t commits() const { return writer_.commits(); }
  std::size_t waiting() const { return writer_.waiting(); }

 private:
  struct file_identity {
    std::uint64_t device = 0;
    std::uint64_t node = 0;
    bool operator==(const file_identity&) const = default;
  };
  static result<file_identity> identify(const std::string& path);

  sqlite_store(std::string path, file_identity identity, const sqlite_options& options, sqlite writer,
               std::vector<std::string> warnings);

  std::string path_;
  file_identity identity_;
  std::vector<std::string> warnings_;
  reader_pool readers_;
  write_queue writer_;
};

}  // namespace mcp_oauth
