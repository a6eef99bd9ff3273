#pragma once

#include "base/error.h"
#include "base/time.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct pg_conn;
struct pg_result;

namespace mcp_oauth {

struct pq_library;

// A parameter: NULL, text without NUL, or bytes.
struct postgres_value {
  postgres_value() = default;
  postgres_value(std::string text) : bytes(std::move(text)) {}
  postgres_value(std::int64_t number) : bytes(std::to_string(number)) {}
  static postgres_value binary(std::string bytes) {
    postgres_value v(std::move(bytes));
    v.is_binary = true;
    return v;
  }
  std::optional<std::string> bytes;
  bool is_binary = false;
};

// One statement, with $1, $2, … The statement's text must live as long as the connections it is used with.
struct postgres_call {
  std::string_view statement;
  std::vector<postgres_value> values;
};

// What one statement gave.
class postgres_rows final {
 public:
  postgres_rows(const pq_library& pq, pg_result* result) : pq_(&pq), result_(result) {}
  postgres_rows(postgres_rows&& other) noexcept
      : pq_(other.pq_), result_(std::exchange(other.result_, nullptr)) {}
  postgres_rows& operator=(postgres_rows&&) = delete;
  ~postgres_rows();

  std::size_t size() const;
  // Row and column, counted from 0. NULL reads as "" and 0.
  std::string text(std::size_t row, int column) const;
  std::int64_t number(std::size_t row, int column) const;
  std::string bytes(std::size_t row, int column) const;  // of a BYTEA column
  // How many rows an INSERT, UPDATE or DELETE changed.
  std::uint64_t affected() const;
  const pg_result* raw() const { return result_; }

 private:
  const pq_library* pq_;
  pg_result* result_;
};

struct postgres_notice {
  std::string channel;
  std::string payload;
};

// One connection to PostgreSQL. Used by one thread at a time.
// Errors: those of postgres_error.h. A server that says nothing for `silence` counts as lost.
class postgres final {
 public:
  // Connects as libpq reads the URL, with its environment and password file. Several hosts are tried one
  // after the other; `connect_timeout` of the URL bounds each, and `silence` where it names none.
  static result<postgres> connect(const std::string& url, milliseconds silence);
  postgres(postgres&& other) noexcept;
  postgres& operator=(postgres&&) = delete;
  ~postgres();

  // Sends all of them in one go and reads what they gave, in their order; fails with the first that fails,
  // and then none after it was run. They are one transaction, unless they begin or end one themselves.
  // Statements are compiled once per connection.
  result<std::vector<postgres_rows>> run(std::span<const postgres_call> calls);
  result<postgres_rows> run_one(postgres_call call);

  // Statements separated by `;`, without parameters; one transaction. Rows are dropped.
  result<void> script(const std::string& statements);

  // False once the connection is of no use any more: what was sent and not answered may have been done.
  bool is_open() const { return open_; }
  // Not to be used again.
  void abandon() { open_ = false; }
  bool in_transaction() const;

  // How long a silence is taken for a lost connection from now on.
  void wait_at_most(milliseconds silence) { silence_ = silence; }

  // Notices that the other side has gone while nobody used the connection. Does not wait.
  bool still_there();

  // What LISTEN brought so far. Does not wait. Errors: the connection is lost.
  result<std::vector<postgres_notice>> notices();
  int descriptor() const;

 private:
  postgres(const pq_library& pq, pg_conn* connection, milliseconds silence)
      : pq_(&pq), connection_(connection), silence_(silence) {}

  // Waits until the next result can be read without waiting.
  result<void> await_result();
  result<void> send(const postgres_call& call, std::vector<std::string>& compiled);
  tl::unexpected<error> failure(const pg_result* result);
  tl::unexpected<error> lost();

  const pq_library* pq_;
  pg_conn* connection_;
  milliseconds silence_;
  std::set<std::string, std::less<>> compiled_;  // statements, by the name they have at the server
  bool open_ = true;
};

// The server's clock.
result<time_point> server_time(postgres& db);

// Text as PostgreSQL can hold it: what is no UTF-8, or has a NUL, as \x and hexadecimal digits.
std::string to_postgres_text(std::string_view bytes);
std::string from_postgres_text(std::string text);

}  // namespace mcp_oauth
