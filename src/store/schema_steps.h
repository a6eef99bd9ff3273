#pragma once

#include "store/migrate.h"

#include <functional>

namespace mcp_oauth {

// For the migrations of each database: what is the same for all of them. `Database` has `script` and, beside
// it, `schema_version`; what differs is given.
template <class Database>
struct schema_rules {
  // All of the work or nothing, and nobody else's meanwhile.
  result<void> (*in_transaction)(Database& db, const std::function<result<void>()>& work);
  // 0: no row.
  result<void> (*set_version)(Database& db, std::uint64_t version);
};

template <class Database>
result<std::uint64_t> known_version_of(Database& db, std::span<const migration> steps) {
  auto at = schema_version(db);
  return at ? known_version(*at, steps) : at;
}

template <class Database>
result<void> apply_steps(Database& db, std::span<const migration> steps, schema_rules<Database> rules) {
  auto at = known_version_of(db, steps);
  if (!at) return tl::unexpected(at.error());
  if (steps.empty() || *at == steps.back().version) return {};

  return rules.in_transaction(db, [&]() -> result<void> {
    // Whoever was here before us may have done it.
    auto from = known_version_of(db, steps);
    if (!from) return tl::unexpected(from.error());
    if (*from == steps.back().version) return {};
    auto table = db.script(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY,"
        " dirty BOOLEAN NOT NULL)");
    if (!table) return table;
    for (const auto& step : steps) {
      if (step.version <= *from) continue;
      if (auto done = db.script(std::string(step.up)); !done) return done;
    }
    return rules.set_version(db, steps.back().version);
  });
}

template <class Database>
result<void> undo_steps(Database& db, std::span<const migration> steps, schema_rules<Database> rules) {
  auto at = known_version_of(db, steps);
  if (!at) return tl::unexpected(at.error());
  if (*at == 0) return {};

  return rules.in_transaction(db, [&]() -> result<void> {
    auto from = known_version_of(db, steps);
    if (!from) return tl::unexpected(from.error());
    if (*from == 0) return {};
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      if (step->version > *from) continue;
      if (auto done = db.script(std::string(step->down)); !done) return done;
    }
    return rules.set_version(db, 0);
  });
}

}  // namespace mcp_oauth
