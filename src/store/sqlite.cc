#include "store/sqlite.h"

#include <cerrno>
#include <system_error>

#include <sqlite3.h>

namespace mcp_oauth {
namespace {

struct meaning {
  errc code;
  std::string_view name;
};

meaning meaning_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY: return {errc::store_busy, "SQLITE_BUSY"};
    case SQLITE_LOCKED: return {errc::store_busy, "SQLITE_LOCKED"};
    case SQLITE_PROTOCOL: return {errc::store_busy, "SQLITE_PROTOCOL"};
    case SQLITE_CORRUPT: return {errc::store_corrupt, "SQLITE_CORRUPT"};
    case SQLITE_NOTADB: return {errc::store_not_a_database, "SQLITE_NOTADB"};
    case SQLITE_ERROR: return {errc::store_corrupt, "SQLITE_ERROR"};  // "no such table: …": not our schema
    case SQLITE_SCHEMA: return {errc::store_corrupt, "SQLITE_SCHEMA"};
    case SQLITE_CANTOPEN: return {errc::store_unavailable, "SQLITE_CANTOPEN"};
    case SQLITE_READONLY: return {errc::store_unavailable, "SQLITE_READONLY"};
    case SQLITE_FULL: return {errc::store_full, "SQLITE_FULL"};
    case SQLITE_IOERR: return {errc::store_unavailable, "SQLITE_IOERR"};
    case SQLITE_PERM: return {errc::store_unavailable, "SQLITE_PERM"};
    case SQLITE_AUTH: return {errc::store_unavailable, "SQLITE_AUTH"};
    case SQLITE_NOMEM: return {errc::store_unavailable, "SQLITE_NOMEM"};
    case SQLITE_NOLFS: return {errc::store_unavailable, "SQLITE_NOLFS"};
    case SQLITE_INTERRUPT: return {errc::store_unavailable, "SQLITE_INTERRUPT"};
    case SQLITE_TOOBIG: return {errc::internal, "SQLITE_TOOBIG"};
    case SQLITE_CONSTRAINT: return {errc::internal, "SQLITE_CONSTRAINT"};
    case SQLITE_MISMATCH: return {errc::internal, "SQLITE_MISMATCH"};
    case SQLITE_RANGE: return {errc::internal, "SQLITE_RANGE"};
    case SQLITE_MISUSE: return {errc::internal, "SQLITE_MISUSE"};
    default: return {errc::internal, "SQLITE"};
  }
}

// What the system said to the last call that failed; 0 where it said nothing. A COMMIT that fails leaves it
// with the file alone, where it stays.
int system_error(sqlite3* db, int code) {
  int primary = code & 0xff;
  if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN) return 0;
  if (int known = sqlite3_system_errno(db)) return known;
  for (int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    int of_file = 0;
    if (sqlite3_file_control(db, "main", which, &file) != SQLITE_OK || !file || !file->pMethods) continue;
    int asked = file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &of_file);
    if (asked == SQLITE_OK && of_file != 0) return of_file;
  }
  return 0;
}

// SQLite knows of a full disk; a quota and the longest file that a process may write are errors like any
// other to it.
bool is_no_room(int os) { return os == ENOSPC || os == EDQUOT || os == EFBIG; }

// "SQLITE_IOERR: disk I/O error (/var/lib/oauth.db: Input/output error)"
tl::unexpected<error> failure(sqlite3* db, int code, std::string_view path = {}) {
  auto [ours, name] = meaning_of(code);
  std::string detail(name);
  detail += ": ";
  detail += db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  const char* opened = db ? sqlite3_db_filename(db, "main") : nullptr;
  if (path.empty() && opened) path = opened;
  if (!path.empty()) {
    detail += " (";
    detail += path;
    if (int os = db ? system_error(db, code) : 0) {
      detail += ": " + std::generic_category().message(os);
      if (is_no_room(os)) ours = errc::store_full;
    }
    detail += ")";
  }
  return fail(ours, std::move(detail));
}

// Asks again every millisecond. SQLite's own waiting backs off to 100 ms, and then a busy writer in another
// process leaves too few gaps to be caught.
constexpr int busy_step_ms = 1;
int on_busy(void* patience_ms, int tried) {
  if (tried * busy_step_ms >= static_cast<int>(reinterpret_cast<std::intptr_t>(patience_ms))) return 0;
  sqlite3_sleep(busy_step_ms);
  return 1;
}

int bind(sqlite3_stmt* statement, int index, const sqlite_value& value) {
  if (auto number = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *number);
  if (auto text = std::get_if<std::string_view>(&value)) {
    // A null pointer would bind NULL.
    return sqlite3_bind_text64(statement, index, text->data() ? text->data() : "", text->size(),
                               SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  if (auto blob = std::get_if<sqlite_blob>(&value)) {
    return sqlite3_bind_blob64(statement, index, blob->bytes.data() ? blob->bytes.data() : "",
                               blob->bytes.size(), SQLITE_TRANSIENT);
  }
  return sqlite3_bind_null(statement, index);
}

}  // namespace

sqlite_rows::~sqlite_rows() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

result<bool> sqlite_rows::next() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure(db_, code);
}

std::string sqlite_rows::text(int column) const {
  auto bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (!bytes) return {};
  return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::int64_t sqlite_rows::number(int column) const { return sqlite3_column_int64(statement_, column); }

void sqlite::closer::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
void sqlite::closer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

result<sqlite> sqlite::open(const std::string& path, milliseconds patience) {
  sqlite3* db = nullptr;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  sqlite opened(db);  // closes a connection that failed to open, too
  if (code != SQLITE_OK) return failure(db, code, path);
  opened.wait_at_most(patience);
  return opened;
}

result<void> sqlite::script(const std::string& statements) {
  int code = sqlite3_exec(db_.get(), statements.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(db_.get(), code);
  return {};
}

result<sqlite_rows> sqlite::query(std::string_view statement, std::initializer_list<sqlite_value> values) {
  auto known = statements_.find(statement);
  if (known == statements_.end()) {
    sqlite3_stmt* compiled = nullptr;
    int code = sqlite3_prepare_v3(db_.get(), statement.data(), static_cast<int>(statement.size()),
                                  SQLITE_PREPARE_PERSISTENT, &compiled, nullptr);
    if (code != SQLITE_OK) return failure(db_.get(), code);
    known = statements_.emplace(std::string(statement), statement_ptr(compiled)).first;
  }
  sqlite_rows rows(db_.get(), known->second.get());
  int index = 0;
  for (const auto& value : values) {
    int code = bind(known->second.get(), ++index, value);
    if (code != SQLITE_OK) return failure(db_.get(), code);
  }
  return rows;
}

result<std::uint64_t> sqlite::execute(std::string_view statement,
                                      std::initializer_list<sqlite_value> values) {
  auto rows = query(statement, values);
  if (!rows) return tl::unexpected(rows.error());
  for (;;) {
    auto more = rows->next();
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
  }
  return static_cast<std::uint64_t>(sqlite3_changes64(db_.get()));
}

bool sqlite::in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }

void sqlite::wait_at_most(milliseconds patience) {
  auto ms = static_cast<std::intptr_t>(patience.count());
  sqlite3_busy_handler(db_.get(), on_busy, reinterpret_cast<void*>(ms));
}

result<void> sqlite::checkpoint() {
  int code = sqlite3_wal_checkpoint_v2(db_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(db_.get(), code);
  return {};
}

}  // namespace mcp_oauth
