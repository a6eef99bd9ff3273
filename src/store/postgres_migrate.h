#pragma once

#include "store/migrate.h"
#include "store/postgres.h"

#include <span>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// As for SQLite (store/migrate.h), in the schema that search_path leads to, and under the lock that
// golang-migrate takes as well: store_busy when somebody else migrates for longer than a minute.

std::vector<migration> postgresql_migrations();
result<std::uint64_t> schema_version(postgres& db);
result<void> migrate_up(postgres& db, std::span<const migration> steps);
result<void> migrate_down(postgres& db, std::span<const migration> steps);

// Whether the role may read and write every table of records that is there; which it is that counts, since
// another role may have made them. Errors: store_permission_denied, with the GRANT that is missing.
result<void> check_privileges(postgres& db);

// The id of the advisory lock with which golang-migrate guards that table.
std::int64_t migration_lock(std::string_view database, std::string_view schema, std::string_view table);

}  // namespace mcp_oauth
