#include "store/postgres.h"

#include "base/text.h"
#include "store/postgres_error.h"
#include "store/pq_library.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>

#include <poll.h>

namespace mcp_oauth {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view escape = "\\x";

std::string hex_of(std::string_view bytes) {
  std::string hex(escape);
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    hex += hex_digits[byte >> 4];
    hex += hex_digits[byte & 15];
  }
  return hex;
}

// Of "\x" and digits, as PostgreSQL writes BYTEA and as we write text that it cannot hold.
std::string from_hex(std::string_view hex) {
  hex.remove_prefix(std::min(hex.size(), escape.size()));
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

// Waits for the descriptor; false: nothing happened for that long.
bool wait(int descriptor, short events, milliseconds most) {
  pollfd watched{descriptor, events, 0};
  for (;;) {
    int ready = ::poll(&watched, 1, static_cast<int>(most.count()));
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return true;  // the next call of libpq finds out
  }
}

void ignore_notice(void*, const PGresult*) {}

tl::unexpected<error> not_a_url(const std::string& url) {
  return fail(errc::config_invalid,
              "database_url: " + redacted_postgres_url(url) +
                  " is no connection URL of PostgreSQL, or has a parameter with an impossible value"
                  " (postgresql://USER:PASSWORD@HOST:PORT/NAME; percent-encode @ : / ? # % in a password)");
}

struct options {
  milliseconds connect_timeout;
  bool several_hosts = false;
};

result<options> read_options(const pq_library& pq, const std::string& url, milliseconds silence) {
  char* why = nullptr;
  PQconninfoOption* parsed = pq.conninfo_parse(url.c_str(), &why);
  if (parsed == nullptr) {
    // Its words may quote what stands where it expected something else, a password among it.
    pq.free_memory(why);
    return not_a_url(url);
  }
  options found{silence, false};
  for (auto* o = parsed; o->keyword != nullptr; ++o) {
    if (o->val == nullptr) continue;
    std::string_view keyword = o->keyword;
    std::string_view value = o->val;
    if (keyword == "connect_timeout") {
      auto given = parse_decimal(value);
      if (given && *given > 0 && *given < 3600) found.connect_timeout = seconds(*given);
    }
    if (keyword == "host" || keyword == "hostaddr")
      found.several_hosts = found.several_hosts || value.find(',') != std::string_view::npos;
  }
  pq.conninfo_free(parsed);
  return found;
}

// False: it took longer than it may.
bool complete(const pq_library& pq, PGconn* connection, milliseconds most) {
  // As libpq asks: before the first call it is taken to wait for writing.
  for (auto wanted = PGRES_POLLING_WRITING; wanted != PGRES_POLLING_OK && wanted != PGRES_POLLING_FAILED;
       wanted = pq.connect_poll(connection)) {
    if (pq.status(connection) == CONNECTION_BAD) return true;
    if (!wait(pq.socket(connection), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, most)) return false;
  }
  return true;
}

}  // namespace

std::string to_postgres_text(std::string_view bytes) {
  bool plain =
      bytes.find('\0') == std::string_view::npos && !bytes.starts_with(escape) && is_valid_utf8(bytes);
  return plain ? std::string(bytes) : hex_of(bytes);
}

std::string from_postgres_text(std::string text) {
  return text.starts_with(escape) ? from_hex(text) : std::move(text);
}

postgres_rows::~postgres_rows() {
  if (result_ != nullptr) pq_->clear(result_);
}

std::size_t postgres_rows::size() const { return static_cast<std::size_t>(pq_->rows(result_)); }

std::string postgres_rows::text(std::size_t row, int column) const {
  int at = static_cast<int>(row);
  return {pq_->value(result_, at, column), static_cast<std::size_t>(pq_->length(result_, at, column))};
}

std::int64_t postgres_rows::number(std::size_t row, int column) const {
  auto digits = text(row, column);
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::string postgres_rows::bytes(std::size_t row, int column) const { return from_hex(text(row, column)); }

std::uint64_t postgres_rows::affected() const { return parse_decimal(pq_->affected(result_)).value_or(0); }

result<postgres> postgres::connect(const std::string& url, milliseconds silence) {
  auto library = load_pq();
  if (!library) return tl::unexpected(library.error());
  const auto& pq = **library;
  auto opts = read_options(pq, url, silence);
  if (!opts) return tl::unexpected(opts.error());

  // What stands behind the URL overrides it, what stands before is overridden by it.
  auto per_host = std::to_string(std::max<std::int64_t>(2, opts->connect_timeout.count() / 1000));
  const char* names[] = {
      "connect_timeout",           "keepalives_idle", "keepalives_interval", "keepalives_count",
      "fallback_application_name", "dbname",          "client_encoding",     nullptr};
  const char* values[] = {per_host.c_str(), "15", "5", "3", "mcp-oauth-proxy", url.c_str(), "UTF8", nullptr};
  PGconn* made = pq.connect_start(names, values, 1);
  if (made == nullptr) return fail(errc::store_unavailable, "no memory for a connection");
  postgres db(pq, made, silence);
  pq.set_notice_receiver(made, ignore_notice, nullptr);
  // Nothing else tells the SQLSTATE of a refused connection.
  pq.set_error_verbosity(made, PQERRORS_VERBOSE);
  std::string_view refused = pq.status(made) == CONNECTION_BAD ? pq.error_message(made) : "";
  if (refused.find("for connection option") != std::string_view::npos || refused.starts_with("invalid ")) {
    return not_a_url(url);
  }
  if (pq.status(made) != CONNECTION_BAD && !complete(pq, made, opts->connect_timeout)) {
    if (!opts->several_hosts) return tl::unexpected(connection_failure("timeout expired"));
    pq.reset(made);  // from the first host again, each bounded by connect_timeout
  }
  if (pq.status(made) != CONNECTION_OK) return tl::unexpected(connection_failure(pq.error_message(made)));
  if (pq.set_nonblocking(made, 1) != 0) return tl::unexpected(connection_failure(pq.error_message(made)));

  // A replica that vanished in the middle must not keep its locks; an acknowledged write must be on disk; and
  // whatever the database's own default is, our locks are made for this isolation level.
  auto ready = db.script(
      "SET idle_in_transaction_session_timeout = 30000; SET TimeZone = 'UTC';"
      " SET default_transaction_isolation = 'read committed';"
      " SELECT set_config('synchronous_commit', 'on', false)"
      " WHERE current_setting('synchronous_commit') = 'off'");
  if (!ready) return tl::unexpected(ready.error());
  return db;
}

postgres::postgres(postgres&& other) noexcept
    : pq_(other.pq_),
      connection_(std::exchange(other.connection_, nullptr)),
      silence_(other.silence_),
      compiled_(std::move(other.compiled_)),
      open_(other.open_) {}

postgres::~postgres() {
  if (connection_ != nullptr) pq_->finish(connection_);
}

bool postgres::in_transaction() const { return pq_->transaction_status(connection_) != PQTRANS_IDLE; }
int postgres::descriptor() const { return pq_->socket(connection_); }

bool postgres::still_there() {
  if (!open_ || pq_->status(connection_) != CONNECTION_OK) return open_ = false;
  if (!wait(descriptor(), POLLIN, milliseconds(0))) return true;
  // Either it says why it ends, or something harmless such as a changed parameter.
  if (pq_->consume_input(connection_) == 0 || pq_->status(connection_) != CONNECTION_OK) open_ = false;
  return open_;
}

tl::unexpected<error> postgres::lost() {
  open_ = false;
  auto why = connection_failure(pq_->error_message(connection_));
  return tl::unexpected(std::move(why));
}

tl::unexpected<error> postgres::failure(const pg_result* result) {
  const char* state = pq_->result_error_field(result, PG_DIAG_SQLSTATE);
  const char* words = pq_->result_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
  const char* severity = pq_->result_error_field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  bool fatal = state == nullptr || severity == nullptr || std::string_view(severity) != "ERROR";
  if (fatal || pq_->status(connection_) != CONNECTION_OK) open_ = false;
  if (state == nullptr) return lost();
  std::string detail = words == nullptr ? "" : words;
  auto code = meaning_of_sqlstate(state);
  // The words of a missing table are what people search for; the others are found by their number.
  if (code != errc::store_tables_missing) detail = std::string(state) + " " + detail;
  return fail(code, std::move(detail));
}

result<void> postgres::await_result() {
  for (;;) {
    int unsent = pq_->flush(connection_);
    if (unsent < 0) return lost();
    if (unsent == 0 && pq_->is_busy(connection_) == 0) return {};
    short events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
    if (!wait(descriptor(), events, silence_)) {
      open_ = false;
      return fail(errc::store_unreachable,
                  "ETIMEDOUT: the server said nothing for " + std::to_string(silence_.count()) + " ms");
    }
    if (pq_->consume_input(connection_) == 0) return lost();
  }
}

result<void> postgres::send(const postgres_call& call, std::vector<std::string>& compiled) {
  // The statement is its own name, but for the 63 bytes that a name may have.
  std::string name = "s" + std::to_string(std::hash<std::string_view>{}(call.statement));
  std::string statement(call.statement);
  bool known =
      compiled_.count(name) != 0 || std::find(compiled.begin(), compiled.end(), name) != compiled.end();
  if (!known) {
    if (pq_->send_prepare(connection_, name.c_str(), statement.c_str(), 0, nullptr) == 0) return lost();
    compiled.push_back(name);
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const auto& v : call.values) {
    values.push_back(v.bytes ? v.bytes->c_str() : nullptr);
    lengths.push_back(v.bytes ? static_cast<int>(v.bytes->size()) : 0);
    formats.push_back(v.is_binary ? 1 : 0);
  }
  if (pq_->send_query_prepared(connection_, name.c_str(), static_cast<int>(values.size()), values.data(),
                               lengths.data(), formats.data(), 0) == 0)
    return lost();
  return {};
}

result<std::vector<postgres_rows>> postgres::run(std::span<const postgres_call> calls) {
  if (!open_) return fail(errc::store_unreachable, "the connection was lost");
  if (pq_->enter_pipeline(connection_) == 0) return lost();
  std::vector<postgres_rows> all;
  std::optional<error> first;
  std::vector<bool> is_compile;  // of the results to come
  std::vector<std::string> compiled;
  for (const auto& call : calls) {
    auto before = compiled.size();
    if (auto sent = send(call, compiled); !sent) return tl::unexpected(sent.error());
    if (compiled.size() != before) is_compile.push_back(true);
    is_compile.push_back(false);
  }
  if (pq_->pipeline_sync(connection_) == 0) return lost();

  std::size_t compiled_now = 0;
  for (bool compile : is_compile) {
    if (auto ready = await_result(); !ready) return tl::unexpected(ready.error());
    postgres_rows rows(*pq_, pq_->get_result(connection_));
    auto status = pq_->result_status(rows.raw());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      if (compile) {
        compiled_.insert(compiled[compiled_now++]);
      } else {
        all.push_back(std::move(rows));
      }
    } else if (status != PGRES_PIPELINE_ABORTED && !first) {
      first = failure(rows.raw()).value();
    }
    if (!open_) break;
    // Each statement's results end with a null one.
    if (auto ready = await_result(); !ready) return tl::unexpected(ready.error());
    postgres_rows end(*pq_, pq_->get_result(connection_));
  }
  if (!open_)
    return tl::unexpected(first.value_or(error{errc::store_unreachable, "the connection was lost"}));
  if (auto ready = await_result(); !ready) return tl::unexpected(ready.error());
  postgres_rows sync(*pq_, pq_->get_result(connection_));
  if (pq_->result_status(sync.raw()) != PGRES_PIPELINE_SYNC || pq_->exit_pipeline(connection_) == 0) {
    return lost();
  }
  if (first) return tl::unexpected(std::move(*first));
  return all;
}

result<postgres_rows> postgres::run_one(postgres_call call) {
  auto rows = run(std::span(&call, 1));
  if (!rows) return tl::unexpected(rows.error());
  return std::move(rows->front());
}

result<void> postgres::script(const std::string& statements) {
  if (!open_) return fail(errc::store_unreachable, "the connection was lost");
  if (pq_->send_query(connection_, statements.c_str()) == 0) return lost();
  std::optional<error> first;
  for (;;) {
    if (auto ready = await_result(); !ready) return ready;
    auto* next = pq_->get_result(connection_);
    if (next == nullptr) break;
    postgres_rows rows(*pq_, next);
    auto status = pq_->result_status(next);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY && !first) {
      first = failure(next).value();
    }
    if (!open_) break;
  }
  if (first) return tl::unexpected(std::move(*first));
  return {};
}

result<time_point> server_time(postgres& db) {
  auto row = db.run_one({"SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint", {}});
  if (!row) return tl::unexpected(row.error());
  return time_point(milliseconds(row->number(0, 0)));
}

result<std::vector<postgres_notice>> postgres::notices() {
  if (pq_->consume_input(connection_) == 0 || pq_->status(connection_) != CONNECTION_OK) return lost();
  std::vector<postgres_notice> all;
  while (auto* one = pq_->notifies(connection_)) {
    all.push_back({one->relname, one->extra});
    pq_->free_memory(one);
  }
  return all;
}

}  // namespace mcp_oauth
