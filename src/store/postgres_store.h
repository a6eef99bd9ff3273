#pragma once

#include "store/gathering.h"
#include "store/postgres_listener.h"
#include "store/postgres_pool.h"
#include "store/record_store.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mcp_oauth {

// As `list` and `get`, of any connection.
result<std::vector<record>> list_in(postgres& db, std::string_view kind, time_point now, std::size_t most);
result<std::optional<record>> get_in(postgres& db, std::string_view kind, std::string_view id,
                                     time_point now);

struct postgres_options {
  std::size_t connections = 8;        // at a time; the listener has one more
  milliseconds start_timeout{30000};  // how long an absent server is waited for at the start
  milliseconds silence{5000};         // a server that says nothing for so long counts as lost
  milliseconds patience{10000};       // how long an operation is tried again while the server is away
  // Told of each attempt to start that failed, and of when the next one comes.
  std::function<void(const error& why, milliseconds next)> waiting;
};

// Records in PostgreSQL, shared by any number of processes. An operation that meets a lost connection, a
// restart of the server, a deadlock or a serialization failure is tried again, if it was certainly not done.
// A connection lost in the middle of COMMIT leaves open whether it was: then the server is asked what became
// of the transaction, and store_unclear is returned when it cannot say.
class postgres_store final : public record_store {
 public:
  // Connects and brings the schema up to date. Errors: those of postgres_error.h, store_schema_newer,
  // store_corrupt (a migration was left half done), config_invalid (no such URL).
  static result<std::unique_ptr<postgres_store>> open(const std::string& url, postgres_options options = {});

  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override;
  result<std::vector<std::optional<record>>> get_each(std::span<const record_name> names,
                                                      time_point now) override;
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override;
  result<bool> commit(const change& wanted, time_point now) override;
  // A lost connection may make the number too small.
  result<std::uint64_t> erase_grant(std::string_view grant) override;
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user) override;
  result<std::uint64_t> count(std::string_view kind, time_point now) override;
  // As erase_grant.
  result<std::uint64_t> sweep(time_point now, std::size_t most) override;
  void watch(std::function<void(std::string_view kind, std::string_view id)> changed) override;
  result<std::optional<time_point>> clock() override;
  // One attempt, without patience.
  result<void> check() override;

  // Connections open now, without the listener's.
  std::size_t connections() const { return pool_.open(); }

 private:
  using rows = std::vector<postgres_rows>;

  // A row that a transaction wrote, by which it can be known again.
  struct trace {
    std::string kind;
    std::string id;
    std::int64_t version = 0;
  };

  postgres_store(std::string url, postgres_options options);

  // Runs `work` with a connection, again while it fails with what passes.
  result<void> patiently(const std::function<result<void>(postgres&)>& work);
  // Statements that change nothing, or may be done twice.
  result<rows> run(std::span<const postgres_call> calls);
  // Changes that cannot be applied twice, each of them all or nothing, in one go with the commit that they
  // share: after a lost connection they are tried again, and what they left, or nothing of it, says whether
  // the attempt before had been done. Sets their outcomes.
  struct prepared;
  void commit_together(std::span<prepared* const> changes);
  // Whether any of those rows is there, with its version.
  static result<bool> is_any_there(postgres& db, std::span<const trace> left);
  // All in one transaction, which is committed if `keep` says so of what they gave. `keep` may be called
  // again, with other rows.
  result<bool> transact(std::vector<postgres_call> calls, const trace& left,
                        const std::function<bool(const rows&)>& keep);
  // Whether that transaction was committed.
  result<bool> find_out(const std::string& transaction, const trace& left, const error& why);

  std::string url_;
  postgres_options options_;
  postgres_pool pool_;
  gathering commits_;
  std::unique_ptr<postgres_listener> listener_;
};

}  // namespace mcp_oauth
