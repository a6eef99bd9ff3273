#pragma once

#include "base/error.h"
#include "base/time.h"
#include "store/record_store.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The file that a database_url names: "sqlite://oauth.db" and "sqlite:///var/lib/oauth.db", taken literally
// (no %-decoding). "" for `sqlite::memory:`. config_invalid for everything else; the detail never repeats the
// URL, which may hold a password.
result<std::string> sqlite_path(std::string_view database_url);

// Whether the URL names a PostgreSQL database, which several gateways may share.
bool is_postgres_url(std::string_view database_url);

// The database as messages name it: an absolute path, or a URL without its password.
std::string database_place(std::string_view database_url);

struct store_options {
  std::size_t connections = 8;  // to PostgreSQL, at a time
  seconds start_timeout{30};    // how long a PostgreSQL server that is away is waited for
  // Told of each attempt to reach it that failed, and of when the next one comes.
  std::function<void(const error& why, milliseconds next)> waiting;
};

// Opens the store, creating and migrating it as needed. Adds to `warnings` what the operator should know.
// config_invalid for a URL we cannot serve; otherwise the errors of sqlite_store::open and
// postgres_store::open.
result<std::unique_ptr<record_store>> open_store(std::string_view database_url,
                                                 std::vector<std::string>& warnings,
                                                 store_options options = {});

struct schema_state {
  std::uint64_t version = 0;  // 0: nothing was ever applied
  std::uint64_t latest = 0;   // that this program knows
  // Of PostgreSQL, and of `read_schema_state` alone:
  std::optional<time_point> clock = {};  // the server's
  std::string role = {};                 // who we are there
  std::string schema = {};               // where tables are made
  bool may_create = true;                // tables, there
  std::optional<error> lacking = {};     // store_permission_denied or store_read_only: what it may not do
};

// What `migrate up`, `down` and `version` do; the state afterwards. A file that is absent is made by `up`
// alone; `version` says 0 of it. Errors: as open_store, store_schema_newer and store_corrupt as in
// store/migrate.h.
result<schema_state> apply_migrations(std::string_view database_url);
result<schema_state> undo_migrations(std::string_view database_url);
result<schema_state> read_schema_state(std::string_view database_url);

// The newest records of a kind, newest first, and one record by its name: without making, migrating or
// changing anything. Nothing where there is none, or no database yet. Errors: as open_store.
result<std::vector<record>> look_at_kind(std::string_view database_url, std::string_view kind, time_point now,
                                         std::size_t most);
result<std::optional<record>> look_at(std::string_view database_url, std::string_view kind,
                                      std::string_view id, time_point now);

}  // namespace mcp_oauth
