#include "store/sqlite_store.h"

#include "store/migrate.h"
#include "store/sql_time.h"
#include "store/sqlite_tables.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

tl::unexpected<error> unavailable(const std::string& path, int os) {
  return fail(errc::store_unavailable, path + ": " + std::generic_category().message(os));
}

// Creates the file 0600 whatever the umask; SQLite gives -wal and -shm the mode of the file.
// A file that is there is not opened: closing it again would drop the locks of this process's other
// connections.
result<void> create(const std::string& path) {
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    if (errno == EEXIST) return {};
    return unavailable(path, errno);
  }
  ::close(file);
  return {};
}

void warn_if_readable_by_others(const std::string& path, std::vector<std::string>& warnings) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return;
  unsigned mode = found.st_mode & 0777U;
  if ((mode & 0077U) == 0) return;
  char octal[8];
  std::snprintf(octal, sizeof octal, "%04o", mode);
  warnings.push_back(path + " has mode " + octal +
                     ", so that others on this machine can reach its tokens; chmod 600 " + path);
}

result<void> prepare(sqlite& db) {
  {
    auto mode = db.query("PRAGMA journal_mode = WAL");
    if (!mode) return tl::unexpected(mode.error());
    auto row = mode->next();
    if (!row) return tl::unexpected(row.error());
    if (!*row || mode->text(0) != "wal") {
      return fail(errc::store_unavailable, "the file system cannot hold a write-ahead log (journal_mode " +
                                               (*row ? mode->text(0) : std::string("unknown")) + ")");
    }
  }
  // The checkpoint is the idle writer's work; the bound is for one that is never idle (pages of 4 KiB).
  auto set =
      db.script("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 8000");
  if (!set) return set;
  auto steps = sqlite_migrations();
  return migrate_up(db, steps);
}

// Another process that opens or closes the file holds it for moments in which SQLite does not wait but
// refuses.
result<void> prepare_with_patience(sqlite& db, milliseconds patience) {
  constexpr milliseconds step{10};
  db.wait_at_most(milliseconds(0));
  auto done = prepare(db);
  for (milliseconds waited{0}; !done && done.error().code == errc::store_busy && waited < patience;
       waited += step) {
    std::this_thread::sleep_for(step);
    done = prepare(db);
  }
  db.wait_at_most(patience);
  return done;
}

sqlite_value text_or_null(const std::string& text) {
  if (text.empty()) return std::monostate{};
  return std::string_view(text);
}

result<record> read_record(std::string_view kind, const sqlite_rows& row) {
  auto created = from_sql_time(row.text(5));
  auto expires = from_sql_time(row.text(6));
  if (!created || !expires) {
    return fail(errc::store_corrupt, "a record of kind " + std::string(kind) + " has a malformed time");
  }
  return record{.kind = std::string(kind),
                .id = row.text(0),
                .grant = row.text(1),
                .user = row.text(2),
                .provider = row.text(3),
                .data = row.text(4),
                .created = *created,
                .expires = *expires,
                .version = static_cast<std::uint64_t>(row.number(7))};
}

result<std::vector<record>> read_all(std::string_view kind, result<sqlite_rows> rows) {
  if (!rows) return tl::unexpected(rows.error());
  std::vector<record> found;
  for (;;) {
    auto row = rows->next();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return found;
    auto one = read_record(kind, *rows);
    if (!one) return tl::unexpected(one.error());
    found.push_back(std::move(*one));
  }
}

// The one record of a statement, or nothing. Runs it to its end, as RETURNING needs.
result<std::optional<record>> read_one(std::string_view kind, sqlite_rows rows) {
  auto row = rows.next();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::nullopt;
  auto found = read_record(kind, rows);
  if (!found) return tl::unexpected(found.error());
  auto end = rows.next();
  if (!end) return tl::unexpected(end.error());
  return std::move(*found);
}

result<bool> holds(sqlite& db, const condition& c, std::string_view now) {
  auto rows = db.query(table_of(c.kind).version, {c.kind, c.id, now});
  if (!rows) return tl::unexpected(rows.error());
  auto row = rows->next();
  if (!row) return tl::unexpected(row.error());
  std::uint64_t version = *row ? static_cast<std::uint64_t>(rows->number(0)) : 0;
  return version == c.version;
}

// False: a condition did not hold, and nothing was written.
result<bool> apply(sqlite& db, const change& wanted, std::string_view now) {
  for (const auto& c : wanted.when) {
    auto held = holds(db, c, now);
    if (!held || !*held) return held;
  }
  for (const auto& [kind, id] : wanted.erase) {
    auto erased = db.execute(table_of(kind).erase, {kind, id});
    if (!erased) return tl::unexpected(erased.error());
  }
  for (const auto& r : wanted.put) {
    auto created = to_sql_time(r.created);
    auto expires = to_sql_time(r.expires);
    auto put =
        db.execute(table_of(r.kind).put, {r.kind, r.id, text_or_null(r.grant), text_or_null(r.user),
                                          text_or_null(r.provider), sqlite_blob{r.data}, created, expires});
    if (!put) return tl::unexpected(put.error());
  }
  return true;
}

// The kinds that have expired or live records in that table.
result<std::vector<std::string>> kinds_in(sqlite& db, const table_sql& table) {
  if (table.next_kind.empty()) return std::vector{table.kind};
  std::vector<std::string> kinds;
  for (std::string last;;) {
    // One step into the index per kind, however many records a kind has.
    auto rows = db.query(table.next_kind, {last});
    if (!rows) return tl::unexpected(rows.error());
    auto row = rows->next();
    if (!row) return tl::unexpected(row.error());
    last = *row ? rows->text(0) : std::string();
    if (last.empty()) return kinds;
    kinds.push_back(last);
  }
}

std::int64_t limit(std::size_t most) {
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  return most > static_cast<std::uint64_t>(largest) ? largest : static_cast<std::int64_t>(most);
}

result<std::uint64_t> sweep_all(sqlite& db, std::string_view now, std::size_t most) {
  std::uint64_t swept = 0;
  for (const auto& table : all_tables()) {
    auto kinds = kinds_in(db, table);
    if (!kinds) return tl::unexpected(kinds.error());
    for (const auto& kind : *kinds) {
      if (swept >= most) return swept;
      auto removed = db.execute(table.sweep, {kind, std::monostate{}, now, limit(most - swept)});
      if (!removed) return removed;
      swept += *removed;
    }
  }
  return swept;
}

}  // namespace

result<std::vector<record>> list_in(sqlite& db, std::string_view kind, time_point now, std::size_t most) {
  auto moment = to_sql_time(now);
  return read_all(kind, db.query(table_of(kind).list, {kind, std::monostate{}, moment, limit(most)}));
}

result<std::optional<record>> get_in(sqlite& db, std::string_view kind, std::string_view id, time_point now) {
  auto moment = to_sql_time(now);
  auto rows = db.query(table_of(kind).get, {kind, id, moment});
  if (!rows) return tl::unexpected(rows.error());
  return read_one(kind, std::move(*rows));
}

result<std::unique_ptr<sqlite_store>> sqlite_store::open(const std::string& path, sqlite_options options) {
  std::error_code why;
  // A later change of the working folder must not lead the readers elsewhere.
  std::string absolute = std::filesystem::absolute(path, why).string();
  if (why) return unavailable(path, why.value());
  if (auto created = create(absolute); !created) return tl::unexpected(created.error());
  auto identity = identify(absolute);
  if (!identity) return tl::unexpected(identity.error());

  std::vector<std::string> warnings;
  for (auto suffix : {"", "-wal", "-shm"}) warn_if_readable_by_others(absolute + suffix, warnings);

  auto writer = sqlite::open(absolute, options.patience);
  if (!writer) return tl::unexpected(writer.error());
  auto ready = prepare_with_patience(*writer, options.patience);
  if (!ready) return tl::unexpected(ready.error());
  return std::unique_ptr<sqlite_store>(
      new sqlite_store(absolute, *identity, options, std::move(*writer), std::move(warnings)));
}

sqlite_store::sqlite_store(std::string path, file_identity identity, const sqlite_options& options,
                           sqlite writer, std::vector<std::string> warnings)
    : path_(std::move(path)),
      identity_(identity),
      warnings_(std::move(warnings)),
      readers_(path_, options.patience, std::max<std::size_t>(options.readers, 1)),
      writer_(std::move(writer)) {}

result<std::optional<record>> sqlite_store::get(std::string_view kind, std::string_view id, time_point now) {
  auto reader = readers_.borrow();
  if (!reader) return tl::unexpected(reader.error());
  return get_in(**reader, kind, id, now);
}

result<std::optional<record>> sqlite_store::take(std::string_view kind, std::string_view id, time_point now) {
  // Guesses at codes and states end here and never ask for the write lock.
  auto seen = get(kind, id, now);
  if (!seen || !*seen) return seen;

  std::optional<record> taken;
  auto written = writer_.run([&, moment = to_sql_time(now)](sqlite& db) -> result<void> {
    auto rows = db.query(table_of(kind).take, {kind, id, moment});
    if (!rows) return tl::unexpected(rows.error());
    auto one = read_one(kind, std::move(*rows));
    if (!one) return tl::unexpected(one.error());
    taken = std::move(*one);
    return {};
  });
  if (!written) return tl::unexpected(written.error());
  return taken;
}

result<bool> sqlite_store::commit(const change& wanted, time_point now) {
  bool applied = false;
  auto written = writer_.run([&, moment = to_sql_time(now)](sqlite& db) -> result<void> {
    auto done = apply(db, wanted, moment);
    if (!done) return tl::unexpected(done.error());
    applied = *done;
    return {};
  });
  if (!written) return tl::unexpected(written.error());
  return applied;
}

result<std::uint64_t> sqlite_store::erase_grant(std::string_view grant) {
  if (grant.empty()) return 0;
  std::uint64_t erased = 0;
  auto written = writer_.run([&](sqlite& db) -> result<void> {
    for (const auto& table : all_tables()) {
      auto removed = db.execute(table.erase_grant, {grant});
      if (!removed) return tl::unexpected(removed.error());
      erased += *removed;
    }
    return {};
  });
  if (!written) return tl::unexpected(written.error());
  return erased;
}

result<std::vector<record>> sqlite_store::list(std::string_view kind, time_point now, std::size_t most,
                                               std::string_view user) {
  auto reader = readers_.borrow();
  if (!reader) return tl::unexpected(reader.error());
  if (user.empty()) return list_in(**reader, kind, now, most);
  auto moment = to_sql_time(now);
  return read_all(kind, (*reader)->query(table_of(kind).list_of_user,
                                         {kind, std::monostate{}, moment, limit(most), user}));
}

result<std::uint64_t> sqlite_store::count(std::string_view kind, time_point now) {
  auto reader = readers_.borrow();
  if (!reader) return tl::unexpected(reader.error());
  auto rows = (*reader)->query(table_of(kind).count, {kind, std::monostate{}, to_sql_time(now)});
  if (!rows) return tl::unexpected(rows.error());
  auto row = rows->next();
  if (!row) return tl::unexpected(row.error());
  return static_cast<std::uint64_t>(rows->number(0));
}

result<std::uint64_t> sqlite_store::sweep(time_point now, std::size_t most) {
  std::uint64_t swept = 0;
  auto written = writer_.run([&, moment = to_sql_time(now)](sqlite& db) -> result<void> {
    auto removed = sweep_all(db, moment, most);
    if (!removed) return tl::unexpected(removed.error());
    swept = *removed;
    return {};
  });
  if (!written) return tl::unexpected(written.error());
  return swept;
}

result<void> sqlite_store::check() {
  auto identity = identify(path_);
  if (!identity) return tl::unexpected(identity.error());
  if (*identity != identity_) {
    return fail(errc::store_unavailable, path_ + ": the file was replaced while it was open; restart");
  }
  auto reader = readers_.borrow();
  if (!reader) return tl::unexpected(reader.error());
  auto version = schema_version(**reader);
  if (!version) return tl::unexpected(version.error());
  return {};
}

result<sqlite_store::file_identity> sqlite_store::identify(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return unavailable(path, errno);
  return file_identity{static_cast<std::uint64_t>(found.st_dev), static_cast<std::uint64_t>(found.st_ino)};
}

}  // namespace mcp_oauth
