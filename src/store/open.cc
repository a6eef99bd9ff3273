#include "store/open.h"

#include "base/text.h"
#include "store/memory_store.h"
#include "store/migrate.h"
#include "store/postgres_error.h"
#include "store/postgres_migrate.h"
#include "store/postgres_store.h"
#include "store/sqlite_store.h"

#include <filesystem>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr milliseconds patience{5000};

// libpq knows the scheme in small letters alone.
std::string libpq_url(std::string_view database_url) {
  return "postgresql" + std::string(database_url.substr(database_url.find("://")));
}

template <class Db, class Work>
result<schema_state> with_schema_of(Db& db, const std::vector<migration>& steps, const Work& work) {
  auto done = work(db, steps);
  if (!done) return tl::unexpected(done.error());
  auto version = schema_version(db);
  if (!version) return tl::unexpected(version.error());
  return schema_state{*version, steps.empty() ? 0 : steps.back().version};
}

// Runs `work(db, steps)` on a connection of its own; the state afterwards.
template <class Work>
result<schema_state> with_schema(std::string_view database_url, const Work& work) {
  if (is_postgres_url(database_url)) {
    auto db = postgres::connect(libpq_url(database_url), patience);
    if (!db) return tl::unexpected(db.error());
    return with_schema_of(*db, postgresql_migrations(), work);
  }
  auto path = sqlite_path(database_url);
  if (!path) return tl::unexpected(path.error());
  if (path->empty())
    return fail(errc::config_invalid, "database_url: a database in memory has no migrations");
  auto db = sqlite::open(*path, patience);
  if (!db) return tl::unexpected(db.error());
  return with_schema_of(*db, sqlite_migrations(), work);
}

// What `read` finds; nothing where there is no database yet, or none with a schema.
template <class Found, class Db, class Read>
result<Found> look_into(Db& db, const Read& read) {
  auto version = schema_version(db);
  if (!version) return tl::unexpected(version.error());
  if (*version == 0) return Found();
  return read(db);
}

template <class Found, class Read>
result<Found> look(std::string_view database_url, const Read& read) {
  if (is_postgres_url(database_url)) {
    auto db = postgres::connect(libpq_url(database_url), patience);
    if (!db) return tl::unexpected(db.error());
    return look_into<Found>(*db, read);
  }
  auto path = sqlite_path(database_url);
  if (!path) return tl::unexpected(path.error());
  std::error_code ignored;
  if (path->empty() || !std::filesystem::exists(*path, ignored)) return Found();
  auto db = sqlite::open(*path, patience);
  if (!db) return tl::unexpected(db.error());
  // Opened for reading alone, the file would leave those of its log behind.
  auto only = db->script("PRAGMA query_only = ON");
  if (!only) return tl::unexpected(only.error());
  return look_into<Found>(*db, read);
}

}  // namespace

result<std::string> sqlite_path(std::string_view database_url) {
  constexpr std::string_view in_memory[] = {"sqlite::memory:", "sqlite://:memory:"};
  for (auto name : in_memory) {
    if (database_url == name) return std::string();
  }
  constexpr std::string_view scheme = "sqlite://";
  if (!starts_with_ignoring_case(database_url, scheme)) {
    return fail(errc::config_invalid,
                "database_url: must be sqlite://FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME");
  }
  auto path = database_url.substr(scheme.size());
  if (path.empty()) return fail(errc::config_invalid, "database_url: sqlite:// names no file");
  // Also keeps a URL's parameters from becoming part of a file name.
  for (char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '?' || c == '#') {
      return fail(errc::config_invalid,
                  "database_url: sqlite:// takes a file name and nothing else: no ?, no #");
    }
  }
  return std::string(path);
}

bool is_postgres_url(std::string_view database_url) {
  return starts_with_ignoring_case(database_url, "postgresql://") ||
         starts_with_ignoring_case(database_url, "postgres://");
}

std::string database_place(std::string_view database_url) {
  if (is_postgres_url(database_url)) return redacted_postgres_url(database_url);
  auto path = sqlite_path(database_url);
  if (!path) return "an unknown database";
  std::error_code why;
  auto absolute = std::filesystem::absolute(*path, why);
  return why ? *path : absolute.lexically_normal().string();
}

result<std::unique_ptr<record_store>> open_store(std::string_view database_url,
                                                 std::vector<std::string>& warnings, store_options options) {
  if (is_postgres_url(database_url)) {
    postgres_options opts;
    opts.connections = options.connections;
    opts.start_timeout = options.start_timeout;
    opts.waiting = std::move(options.waiting);
    auto store = postgres_store::open(libpq_url(database_url), std::move(opts));
    if (!store) return tl::unexpected(store.error());
    return std::unique_ptr<record_store>(std::move(*store));
  }
  auto path = sqlite_path(database_url);
  if (!path) return tl::unexpected(path.error());
  if (path->empty()) return std::make_unique<memory_store>();
  auto store = sqlite_store::open(*path);
  if (!store) return tl::unexpected(store.error());
  warnings.insert(warnings.end(), (*store)->warnings().begin(), (*store)->warnings().end());
  return std::unique_ptr<record_store>(std::move(*store));
}

result<schema_state> apply_migrations(std::string_view database_url) {
  // A file is made as the store makes it, with its mode.
  if (!is_postgres_url(database_url)) {
    std::vector<std::string> warnings;
    auto store = open_store(database_url, warnings);
    if (!store) return tl::unexpected(store.error());
  }
  return with_schema(database_url, [](auto& db, const auto& steps) { return migrate_up(db, steps); });
}

result<schema_state> undo_migrations(std::string_view database_url) {
  return with_schema(database_url, [](auto& db, const auto& steps) { return migrate_down(db, steps); });
}

result<schema_state> read_schema_state(std::string_view database_url) {
  if (!is_postgres_url(database_url)) {
    auto path = sqlite_path(database_url);
    std::error_code ignored;
    if (path && !path->empty() && !std::filesystem::exists(*path, ignored))
      return schema_state{0, sqlite_migrations().empty() ? 0 : sqlite_migrations().back().version};
    return with_schema(database_url, [](auto&, const auto&) { return result<void>(); });
  }
  auto db = postgres::connect(libpq_url(database_url), patience);
  if (!db) return tl::unexpected(db.error());
  auto state =
      with_schema_of(*db, postgresql_migrations(), [](auto&, const auto&) { return result<void>(); });
  if (!state) return state;
  auto at = server_time(*db);
  if (!at) return tl::unexpected(at.error());
  state->clock = *at;
  auto row =
      db->run_one({"SELECT quote_ident(current_user), quote_ident(current_schema()), "
                   "has_schema_privilege(current_schema(), 'CREATE')::int, "
                   "(current_setting('transaction_read_only') = 'on')::int",
                   {}});
  if (!row) return tl::unexpected(row.error());
  state->role = row->text(0, 0);
  state->schema = row->text(0, 1);
  state->may_create = row->number(0, 2) == 1;
  if (auto allowed = check_privileges(*db); !allowed) state->lacking = allowed.error();
  if (row->number(0, 3) == 1)
    state->lacking = {errc::store_read_only, redacted_postgres_url(database_url) + " takes no writes"};
  return state;
}

result<std::vector<record>> look_at_kind(std::string_view database_url, std::string_view kind, time_point now,
                                         std::size_t most) {
  return look<std::vector<record>>(database_url, [&](auto& db) { return list_in(db, kind, now, most); });
}

result<std::optional<record>> look_at(std::string_view database_url, std::string_view kind,
                                      std::string_view id, time_point now) {
  return look<std::optional<record>>(database_url, [&](auto& db) { return get_in(db, kind, id, now); });
}

}  // namespace mcp_oauth
