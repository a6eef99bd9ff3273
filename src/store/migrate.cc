#include "store/migrate.h"

#include "base/text.h"
#include "embedded/migrations.h"
#include "store/schema_steps.h"

#include <algorithm>
#include <functional>
#include <string>

namespace mcp_oauth {
namespace {

constexpr std::string_view up_suffix = ".up.sql";
constexpr std::string_view down_suffix = ".down.sql";

result<void> in_transaction(sqlite& db, const std::function<result<void>()>& work) {
  // Two processes may start at once: whoever comes second waits here and then finds the work done.
  if (auto begun = db.script("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = work();
  if (done) done = db.script("COMMIT");
  if (!done && db.in_transaction()) (void)db.script("ROLLBACK");
  return done;
}

result<void> set_version(sqlite& db, std::uint64_t version) {
  auto cleared = db.execute("DELETE FROM schema_migrations");
  if (!cleared) return tl::unexpected(cleared.error());
  if (version == 0) return {};
  auto written = db.execute("INSERT INTO schema_migrations (version, dirty) VALUES (?1, 0)",
                            {static_cast<std::int64_t>(version)});
  if (!written) return tl::unexpected(written.error());
  return {};
}

}  // namespace

std::vector<migration> migrations_in(std::span<const embedded_file> files, std::string_view folder) {
  std::vector<migration> steps;
  for (const auto& file : files) {
    std::string_view name = file.name;
    auto slash = name.rfind('/');
    if (name.substr(0, slash == std::string_view::npos ? 0 : slash) != folder || !name.ends_with(up_suffix))
      continue;
    name.remove_prefix(slash + 1);
    name.remove_suffix(up_suffix.size());
    auto line = name.find('_');
    if (line == std::string_view::npos) continue;
    auto version = parse_decimal(name.substr(0, line));
    if (!version || *version == 0) continue;

    auto stem = file.name.substr(0, file.name.size() - up_suffix.size());
    auto down = std::find_if(files.begin(), files.end(), [&](const embedded_file& other) {
      return other.name.size() == stem.size() + down_suffix.size() && other.name.starts_with(stem) &&
             other.name.ends_with(down_suffix);
    });
    if (down == files.end()) continue;
    steps.push_back({*version, name.substr(line + 1), file.contents, down->contents});
  }
  std::sort(steps.begin(), steps.end(),
            [](const migration& a, const migration& b) { return a.version < b.version; });
  return steps;
}

std::vector<migration> sqlite_migrations() { return migrations_in(embedded_migrations(), "sqlite"); }

result<std::uint64_t> schema_version(sqlite& db) {
  auto table = db.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'");
  if (!table) return tl::unexpected(table.error());
  auto there = table->next();
  if (!there) return tl::unexpected(there.error());
  if (!*there) return 0;

  auto rows = db.query("SELECT version, dirty FROM schema_migrations ORDER BY version DESC LIMIT 1");
  if (!rows) return tl::unexpected(rows.error());
  auto row = rows->next();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return 0;
  return checked_version(rows->number(0), rows->number(1) != 0);
}

result<std::uint64_t> checked_version(std::int64_t version, bool dirty) {
  if (version < 0) return fail(errc::store_corrupt, "schema_migrations holds a negative version");
  if (dirty) {
    return fail(errc::store_corrupt, "migration " + std::to_string(version) + " was left half done (dirty)");
  }
  return static_cast<std::uint64_t>(version);
}

result<std::uint64_t> known_version(std::uint64_t at, std::span<const migration> steps) {
  std::uint64_t last = steps.empty() ? 0 : steps.back().version;
  if (at > last) {
    return fail(errc::store_schema_newer, "the database is at version " + std::to_string(at) +
                                              ", this program knows up to " + std::to_string(last));
  }
  return at;
}

result<void> migrate_up(sqlite& db, std::span<const migration> steps) {
  return apply_steps<sqlite>(db, steps, {in_transaction, set_version});
}

result<void> migrate_down(sqlite& db, std::span<const migration> steps) {
  return undo_steps<sqlite>(db, steps, {in_transaction, set_version});
}

}  // namespace mcp_oauth
