#pragma once

#include "base/embedded.h"
#include "base/error.h"
#include "store/sqlite.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// One step of the schema, from `NNNNNN_name.up.sql` and `NNNNNN_name.down.sql`. The steps applied to a
// database stand in its table schema_migrations, in the form that golang-migrate reads.
struct migration {
  std::uint64_t version = 0;
  std::string_view name;  // "init"
  std::string_view up;
  std::string_view down;
};

// The steps in `folder` of these files ("" for those in none), by version. A step without both halves is left
// out.
std::vector<migration> migrations_in(std::span<const embedded_file> files, std::string_view folder);

// The steps for SQLite that this program carries.
std::vector<migration> sqlite_migrations();

// The version that the database is at; 0: nothing was ever applied.
// store_corrupt when another tool left a step half done.
result<std::uint64_t> schema_version(sqlite& db);

// What a row of schema_migrations says. store_corrupt as above.
result<std::uint64_t> checked_version(std::int64_t version, bool dirty);

// The version, if the last of `steps` is not below it; else store_schema_newer.
result<std::uint64_t> known_version(std::uint64_t at, std::span<const migration> steps);

// Applies what is missing, in one transaction; does nothing, and takes no lock, when nothing is.
// store_schema_newer when the database is at a version above the last of `steps`.
result<void> migrate_up(sqlite& db, std::span<const migration> steps);

// Undoes every step, last first, in one transaction. All records are lost.
// store_schema_newer as above: we do not know how to undo what we do not know.
result<void> migrate_down(sqlite& db, std::span<const migration> steps);

}  // namespace mcp_oauth
