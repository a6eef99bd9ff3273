#include "store/postgres_migrate.h"

#include "embedded/migrations.h"
#include "store/schema_steps.h"

#include <algorithm>
#include <functional>
#include <string>
#include <thread>

namespace mcp_oauth {
namespace {

constexpr milliseconds most_wait{60'000};
constexpr milliseconds step_of_wait{100};

// ISO 3309, as in zlib and Go's hash/crc32.
std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t sum = 0xFFFFFFFFU;
  for (char c : bytes) {
    sum ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (0xEDB88320U & (0U - (sum & 1U)));
  }
  return ~sum;
}

// A schema without USAGE for the role counts for the server as if it were not there.
tl::unexpected<error> no_schema(postgres& db) {
  auto closed = db.run_one(
      {"SELECT quote_ident(current_user), coalesce(string_agg(DISTINCT quote_ident(n.nspname), ', '), '') "
       "FROM pg_namespace n, unnest(string_to_array(current_setting('search_path'), ',')) AS part "
       "WHERE n.nspname = replace(trim(both '\" ' from part), '$user', current_user::text) "
       "AND NOT has_schema_privilege(n.oid, 'USAGE')",
       {}});
  if (closed && !closed->text(0, 1).empty()) {
    auto role = closed->text(0, 0), schema = closed->text(0, 1);
    return fail(errc::store_permission_denied,
                role + " may not use schema " + schema + ": GRANT USAGE ON SCHEMA " + schema + " TO " + role);
  }
  return fail(errc::store_tables_missing, "no schema of search_path exists; make it: CREATE SCHEMA NAME");
}

result<std::int64_t> lock(postgres& db) {
  auto where = db.run_one({"SELECT current_database(), coalesce(current_schema(), '')", {}});
  if (!where) return tl::unexpected(where.error());
  if (where->text(0, 1).empty()) return no_schema(db);
  auto id = migration_lock(where->text(0, 0), where->text(0, 1), "schema_migrations");
  for (milliseconds waited{0}; waited < most_wait; waited += step_of_wait) {
    auto locked = db.run_one({"SELECT pg_try_advisory_lock($1::bigint)::int", {id}});
    if (!locked) return tl::unexpected(locked.error());
    if (locked->number(0, 0) == 1) return id;
    std::this_thread::sleep_for(step_of_wait);
  }
  return fail(errc::store_busy, "another process has been migrating the database for a minute");
}

// Two processes may start at once: whoever comes second waits here and then finds the work done. The lock
// comes before the transaction, which would otherwise not see every table that was made while it waited.
result<void> in_transaction(postgres& db, const std::function<result<void>()>& work) {
  db.wait_at_most(most_wait);
  auto locked = lock(db);
  if (!locked) return tl::unexpected(locked.error());
  auto done = db.script("BEGIN");
  if (done) done = work();
  if (done) done = db.script("COMMIT");
  if (!done && db.is_open() && db.in_transaction()) (void)db.script("ROLLBACK");
  // A connection that is lost has lost its locks too.
  if (db.is_open() && !db.run_one({"SELECT pg_advisory_unlock($1::bigint)", {*locked}})) db.abandon();
  return done;
}

result<void> set_version(postgres& db, std::uint64_t version) {
  std::string row = version == 0 ? ""
                                 : "; INSERT INTO schema_migrations (version, dirty) VALUES (" +
                                       std::to_string(version) + ", false)";
  return db.script("DELETE FROM schema_migrations" + row);
}

}  // namespace

std::vector<migration> postgresql_migrations() { return migrations_in(embedded_migrations(), ""); }

std::int64_t migration_lock(std::string_view database, std::string_view schema, std::string_view table) {
  constexpr std::uint32_t salt = 1486364155;
  std::string name;
  for (auto part : {schema, table, database}) {
    if (part.empty()) continue;
    if (!name.empty()) name += '\0';
    name += part;
  }
  const std::uint32_t wrapped = crc32(name) * salt;
  return wrapped;
}

result<std::uint64_t> schema_version(postgres& db) {
  auto there = db.run_one(
      {"SELECT (to_regclass('schema_migrations') IS NOT NULL)::int, (current_schema() IS NOT NULL)::int",
       {}});
  if (!there) return tl::unexpected(there.error());
  if (there->number(0, 1) == 0) return no_schema(db);
  if (there->number(0, 0) == 0) return 0;
  auto rows =
      db.run_one({"SELECT version, dirty::int FROM schema_migrations ORDER BY version DESC LIMIT 1", {}});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->size() == 0) return 0;
  return checked_version(rows->number(0, 0), rows->number(0, 1) != 0);
}

result<void> check_privileges(postgres& db) {
  // Of a list in one call PostgreSQL tells whether any is there. The tables have no sequences.
  auto lacking = db.run_one(
      {"SELECT quote_ident(current_user), coalesce(string_agg(DISTINCT what, ', '), ''), "
       "coalesce(string_agg(DISTINCT format('%I.%I', n.nspname, c.relname), ', '), '') "
       "FROM unnest(ARRAY['records', 'sessions', 'tokens', 'users']) AS name "
       "JOIN pg_class c ON c.oid = to_regclass(name) JOIN pg_namespace n ON n.oid = c.relnamespace "
       "CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS what "
       "WHERE NOT has_table_privilege(c.oid, what)",
       {}});
  if (!lacking) return tl::unexpected(lacking.error());
  auto role = lacking->text(0, 0), what = lacking->text(0, 1), tables = lacking->text(0, 2);
  if (tables.empty()) return {};
  return fail(errc::store_permission_denied,
              role + " lacks " + what + " on tables: GRANT " + what + " ON " + tables + " TO " + role);
}

result<void> migrate_up(postgres& db, std::span<const migration> steps) {
  return apply_steps<postgres>(db, steps, {in_transaction, set_version});
}

result<void> migrate_down(postgres& db, std::span<const migration> steps) {
  return undo_steps<postgres>(db, steps, {in_transaction, set_version});
}

}  // namespace mcp_oauth
