#include "store/postgres_store.h"

#include "jose/random.h"
#include "store/postgres_error.h"
#include "store/postgres_migrate.h"
#include "store/postgres_tables.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <thread>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr milliseconds first_pause{20};
constexpr std::size_t most_in_one_commit = 64;
constexpr milliseconds longest_pause{500};
constexpr milliseconds longest_start_pause{3000};
// What only says that a transaction was committed is kept for longer than anybody asks.
constexpr std::string_view trace_kind = "commit";
constexpr std::chrono::minutes trace_kept{10};

std::int64_t seconds_of(time_point t) {
  return std::chrono::floor<seconds>(t).time_since_epoch() / seconds(1);
}

// What no time_point can hold becomes the nearest that one can.
time_point from_seconds(std::int64_t count) {
  constexpr auto latest = std::chrono::floor<seconds>(time_point::max());
  constexpr auto earliest = std::chrono::ceil<seconds>(time_point::min());
  return from_unix(std::clamp(count, to_unix(earliest), to_unix(latest)));
}

// Never 0, which means "absent"; never one that an erased record of the same name had.
std::int64_t fresh_version() {
  std::uint64_t number = 0;
  auto bytes = random_bytes(sizeof number);
  std::memcpy(&number, bytes.data(), sizeof number);
  return static_cast<std::int64_t>(std::max<std::uint64_t>(1, number >> 1));
}

postgres_value text_or_null(const std::string& text) {
  return text.empty() ? postgres_value() : postgres_value(to_postgres_text(text));
}

// The parameters that name a record: the kind only where the table has several.
std::vector<postgres_value> of_kind(const postgres_table_sql& table, std::string_view kind) {
  std::vector<postgres_value> values;
  if (table.kind.empty()) values.emplace_back(to_postgres_text(kind));
  return values;
}
std::vector<postgres_value> named(const postgres_table_sql& table, std::string_view kind,
                                  std::string_view id) {
  auto values = of_kind(table, kind);
  values.emplace_back(to_postgres_text(id));
  return values;
}
std::vector<postgres_value> named_now(const postgres_table_sql& table, std::string_view kind,
                                      std::string_view id, time_point now) {
  auto values = named(table, kind, id);
  values.emplace_back(seconds_of(now));
  return values;
}

postgres_call putting(const record& r, std::int64_t version) {
  const auto& table = postgres_table_of(r.kind);
  auto values = named(table, r.kind, r.id);
  values.push_back(text_or_null(r.grant));
  values.push_back(text_or_null(r.user));
  values.push_back(text_or_null(r.provider));
  values.push_back(postgres_value::binary(r.data));
  values.emplace_back(seconds_of(r.created));
  values.emplace_back(seconds_of(r.expires));
  values.emplace_back(version);
  return {table.put, std::move(values)};
}

// A record of no use but to show that its transaction was committed.
record trace_record(time_point now) {
  record r;
  r.kind = trace_kind;
  r.id = std::to_string(fresh_version());
  r.created = now;
  r.expires = now + trace_kept;
  return r;
}

// FNV-1a: every replica, of any version, has to come to the same number.
std::int64_t lock_of(std::string_view kind, std::string_view id) {
  std::uint64_t hash = 14695981039346656037ULL;
  auto add = [&](std::string_view bytes) {
    for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  };
  add(kind);
  add(std::string_view("\0", 1));
  add(id);
  return static_cast<std::int64_t>(hash);
}

// The names of all that the change speaks of.
void add_names(const change& wanted, std::vector<std::int64_t>& names) {
  for (const auto& c : wanted.when) names.push_back(lock_of(c.kind, c.id));
  for (const auto& [kind, id] : wanted.erase) names.push_back(lock_of(kind, id));
  for (const auto& r : wanted.put) names.push_back(lock_of(r.kind, r.id));
}

// Locks the names, there or not, until the transaction ends: what is absent cannot be locked as a row. In one
// order for everybody, so that no two wait for each other.
postgres_call locking(std::vector<std::int64_t> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string list = "{";
  for (auto name : names) list += (list.size() > 1 ? "," : "") + std::to_string(name);
  return {"SELECT pg_advisory_xact_lock(name) FROM unnest($1::bigint[]) AS name", {list + "}"}};
}

// Of several changes in one transaction each has its own conditions.
constexpr std::string_view nothing_lost = "SELECT set_config('mcp_oauth.lost', 'no', true)";

// Whether the change cannot be applied twice: it ends a condition of its own, and for good, as no version
// comes back.
bool can_be_tried_again(const change& wanted) {
  return std::any_of(wanted.when.begin(), wanted.when.end(), [&](const condition& c) {
    if (c.version == 0) return false;
    auto is_put = [&](const record& r) { return r.kind == c.kind && r.id == c.id; };
    auto is_erased = [&](const auto& name) { return name.first == c.kind && name.second == c.id; };
    return std::any_of(wanted.put.begin(), wanted.put.end(), is_put) ||
           std::any_of(wanted.erase.begin(), wanted.erase.end(), is_erased);
  });
}

postgres_call announcing(std::string_view kind, const std::string& id) {
  std::string payload(kind);
  // Longer ones the server refuses (8000 bytes), and ours are short.
  if (id.size() < 1000 && to_postgres_text(id) == id) payload += " " + id;
  return {"SELECT pg_notify($1, $2) WHERE current_setting('mcp_oauth.lost', true) IS DISTINCT FROM 'yes'",
          {std::string(announcements), std::move(payload)}};
}

record read_record(std::string_view kind, const postgres_rows& rows, std::size_t row) {
  return record{.kind = std::string(kind),
                .id = from_postgres_text(rows.text(row, 0)),
                .grant = from_postgres_text(rows.text(row, 1)),
                .user = from_postgres_text(rows.text(row, 2)),
                .provider = from_postgres_text(rows.text(row, 3)),
                .data = rows.bytes(row, 4),
                .created = from_seconds(rows.number(row, 5)),
                .expires = from_seconds(rows.number(row, 6)),
                .version = static_cast<std::uint64_t>(rows.number(row, 7))};
}

std::optional<record> read_first(std::string_view kind, const postgres_rows& rows) {
  if (rows.size() == 0) return std::nullopt;
  return read_record(kind, rows, 0);
}

std::int64_t limit(std::size_t most) {
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  return most > static_cast<std::uint64_t>(largest) ? largest : static_cast<std::int64_t>(most);
}

// Attempt after attempt with growing pauses; false: the patience is used up.
class pauses final {
 public:
  pauses(milliseconds patience, milliseconds longest) : left_(patience), longest_(longest) {}
  bool rest() {
    if (left_ < next_) return false;
    std::this_thread::sleep_for(next_);
    left_ -= next_;
    next_ = std::min(next_ * 2, longest_);
    return true;
  }
  void spend(milliseconds time) { left_ -= time; }
  milliseconds left() const { return std::max(left_, milliseconds(0)); }
  milliseconds next() const { return next_; }

 private:
  milliseconds left_;
  milliseconds longest_;
  milliseconds next_ = first_pause;
};

bool is_silence(const error& why) { return why.detail.starts_with("ETIMEDOUT"); }

}  // namespace

// A change on its way, without its locks: `conditions` statements, of which each gives a row when its
// condition did not hold, and then the writes.
struct postgres_store::prepared : gathering::job {
  std::vector<std::int64_t> names;
  std::vector<postgres_call> calls;
  std::size_t conditions = 0;
  std::vector<trace> left;
  result<bool> outcome = false;

  // `first`: where the answers to its statements begin.
  bool held(const rows& answered, std::size_t first) const {
    return std::all_of(answered.begin() + static_cast<std::ptrdiff_t>(first),
                       answered.begin() + static_cast<std::ptrdiff_t>(first + conditions),
                       [](const postgres_rows& r) { return r.size() == 0; });
  }
};

result<std::vector<record>> list_in(postgres& db, std::string_view kind, time_point now, std::size_t most) {
  const auto& table = postgres_table_of(kind);
  postgres_call call{table.list, of_kind(table, kind)};
  call.values.emplace_back(seconds_of(now));
  call.values.emplace_back(limit(most));
  auto found = db.run_one(std::move(call));
  if (!found) return tl::unexpected(found.error());
  std::vector<record> all;
  for (std::size_t i = 0; i < found->size(); ++i) all.push_back(read_record(kind, *found, i));
  return all;
}

result<std::optional<record>> get_in(postgres& db, std::string_view kind, std::string_view id,
                                     time_point now) {
  const auto& table = postgres_table_of(kind);
  auto found = db.run_one({table.get, named_now(table, kind, id, now)});
  if (!found) return tl::unexpected(found.error());
  return read_first(kind, *found);
}

result<std::unique_ptr<postgres_store>> postgres_store::open(const std::string& url,
                                                             postgres_options options) {
  std::unique_ptr<postgres_store> store(new postgres_store(url, std::move(options)));
  const auto& opts = store->options_;
  auto steps = postgresql_migrations();
  pauses between(opts.start_timeout, longest_start_pause);
  for (;;) {
    auto attempt = [&]() -> result<void> {
      auto db = store->pool_.borrow(opts.patience);
      if (!db) return tl::unexpected(db.error());
      auto done = migrate_up(**db, steps);
      if (done) done = check_privileges(**db);
      (**db).wait_at_most(opts.silence);
      return done;
    };
    auto ready = attempt();
    if (ready) return store;
    if (!is_passing(ready.error().code)) return tl::unexpected(ready.error());
    if (is_silence(ready.error())) between.spend(opts.silence);
    if (between.left() < between.next()) return tl::unexpected(ready.error());
    if (opts.waiting) opts.waiting(ready.error(), between.next());
    between.rest();
  }
}

postgres_store::postgres_store(std::string url, postgres_options options)
    : url_(std::move(url)),
      options_(std::move(options)),
      pool_(url_, std::max<std::size_t>(options_.connections, 1), options_.silence),
      // Half of the connections are left for everything else.
      commits_(std::max<std::size_t>(options_.connections / 2, 1), most_in_one_commit,
               [this](std::span<gathering::job* const> jobs) {
                 std::vector<prepared*> changes;
                 try {
                   for (auto* one : jobs) changes.push_back(static_cast<prepared*>(one));
                   commit_together(changes);
                 } catch (const std::exception& e) {
                   // No memory: whoever waits has to hear of it, and whether it was committed is not known.
                   for (auto* one : jobs)
                     static_cast<prepared*>(one)->outcome = fail(errc::store_unclear, e.what());
                 }
               }) {}

result<void> postgres_store::patiently(const std::function<result<void>(postgres&)>& work) {
  pauses between(options_.patience, longest_pause);
  for (;;) {
    auto done = [&]() -> result<void> {
      auto db = pool_.borrow(std::max(between.left(), first_pause));
      if (!db) return tl::unexpected(db.error());
      auto worked = work(**db);
      if (!worked && (**db).is_open() && (**db).in_transaction()) (void)(**db).script("ROLLBACK");
      // A server that takes no writes will not take them on this connection later.
      if (!worked && worked.error().code == errc::store_read_only) (**db).abandon();
      return worked;
    }();
    if (done || !is_passing(done.error().code)) return done;
    if (is_silence(done.error())) between.spend(options_.silence);
    if (!between.rest()) return done;
  }
}

result<postgres_store::rows> postgres_store::run(std::span<const postgres_call> calls) {
  rows found;
  auto done = patiently([&](postgres& db) -> result<void> {
    auto answered = db.run(calls);
    if (!answered) return tl::unexpected(answered.error());
    found = std::move(*answered);
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return found;
}

result<bool> postgres_store::transact(std::vector<postgres_call> calls, const trace& left,
                                      const std::function<bool(const rows&)>& keep) {
  calls.insert(calls.begin(), {"BEGIN", {}});
  calls.push_back({"SELECT txid_current()", {}});
  constexpr int most_lost = 3;
  for (int lost = 1;; ++lost) {
    bool kept = false;
    std::string transaction;
    error why;
    auto done = patiently([&](postgres& db) -> result<void> {
      auto answered = db.run(calls);
      if (!answered) return tl::unexpected(answered.error());
      kept = keep(*answered);
      if (!kept) {
        // Even if the connection is lost now: what was never committed is gone.
        (void)db.script("ROLLBACK");
        return {};
      }
      transaction = answered->back().text(0, 0);
      auto committed = db.run_one({"COMMIT", {}});
      if (committed) return {};
      if (db.is_open()) return tl::unexpected(committed.error());
      why = committed.error();
      return fail(errc::store_unclear, why.detail);
    });
    if (done) return kept;
    if (done.error().code != errc::store_unclear) return tl::unexpected(done.error());
    auto found = find_out(transaction, left, why);
    if (!found || *found) return found;
    if (lost == most_lost) return tl::unexpected(std::move(why));
  }
}

result<bool> postgres_store::find_out(const std::string& transaction, const trace& left, const error& why) {
  const auto& table = postgres_table_of(left.kind);
  bool committed = false, unclear = false;
  auto asked = patiently([&](postgres& db) -> result<void> {
    auto status = db.run_one({"SELECT txid_status($1::bigint)", {transaction}});
    // A crash can lose the number itself, and with it all that was done under it.
    if (!status && status.error().detail.starts_with("22023")) return {};
    if (!status) return tl::unexpected(status.error());
    auto word = status->text(0, 0);
    if (word == "in progress") return fail(errc::store_busy, "the transaction is still in progress");
    if (word == "aborted") return {};
    // After a crash another transaction may have the same number, so the number alone proves nothing.
    auto row = db.run_one({table.version, named_now(table, left.kind, left.id, time_point())});
    if (!row) return tl::unexpected(row.error());
    committed = row->size() == 1 && row->number(0, 0) == left.version;
    unclear = !committed;
    return {};
  });
  if (asked && !unclear) return committed;
  return fail(errc::store_unclear, asked ? why.detail : why.detail + "; then " + asked.error().detail);
}

void postgres_store::commit_together(std::span<prepared* const> changes) {
  std::vector<std::int64_t> names;
  for (const auto* one : changes) names.insert(names.end(), one->names.begin(), one->names.end());
  std::vector<postgres_call> calls{locking(std::move(names))};
  std::vector<std::size_t> first;
  for (const auto* one : changes) {
    if (changes.size() > 1) calls.push_back({nothing_lost, {}});
    first.push_back(calls.size());
    calls.insert(calls.end(), one->calls.begin(), one->calls.end());
  }
  bool cut = false;
  auto done = patiently([&](postgres& db) -> result<void> {
    auto answered = db.run(calls);
    if (!answered) {
      cut = cut || !db.is_open();
      return tl::unexpected(answered.error());
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      bool kept = changes[i]->held(*answered, first[i]);
      // Whoever was first may have been we ourselves, in the attempt that was cut.
      if (cut && !kept) {
        auto ours = is_any_there(db, changes[i]->left);
        if (!ours) return tl::unexpected(ours.error());
        kept = *ours;
      }
      changes[i]->outcome = kept;
    }
    return {};
  });
  if (done) return;
  // What only one of them has caused is not for the others to bear.
  if (!cut && changes.size() > 1 && !is_passing(done.error().code)) {
    for (auto* one : changes) commit_together(std::span(&one, 1));
    return;
  }
  for (auto* one : changes)
    one->outcome = tl::unexpected(cut ? error{errc::store_unclear, done.error().detail} : done.error());
}

result<bool> postgres_store::is_any_there(postgres& db, std::span<const trace> left) {
  for (const auto& one : left) {
    const auto& table = postgres_table_of(one.kind);
    auto row = db.run_one({table.version, named_now(table, one.kind, one.id, time_point())});
    if (!row) return tl::unexpected(row.error());
    if (row->size() == 1 && row->number(0, 0) == one.version) return true;
  }
  return false;
}

result<std::optional<record>> postgres_store::get(std::string_view kind, std::string_view id,
                                                  time_point now) {
  const auto& table = postgres_table_of(kind);
  postgres_call call{table.get, named_now(table, kind, id, now)};
  auto found = run(std::span(&call, 1));
  if (!found) return tl::unexpected(found.error());
  return read_first(kind, found->front());
}

result<std::vector<std::optional<record>>> postgres_store::get_each(std::span<const record_name> names,
                                                                    time_point now) {
  std::vector<postgres_call> calls;
  for (const auto& n : names) {
    const auto& table = postgres_table_of(n.kind);
    calls.push_back({table.get, named_now(table, n.kind, n.id, now)});
  }
  std::vector<std::optional<record>> all;
  if (calls.empty()) return all;
  auto found = run(calls);
  if (!found) return tl::unexpected(found.error());
  for (std::size_t i = 0; i < names.size(); ++i) all.push_back(read_first(names[i].kind, (*found)[i]));
  return all;
}

result<std::optional<record>> postgres_store::take(std::string_view kind, std::string_view id,
                                                   time_point now) {
  const auto& table = postgres_table_of(kind);
  auto proof = trace_record(now);
  trace left{proof.kind, proof.id, fresh_version()};
  std::optional<record> taken;
  auto done = transact({{table.take, named_now(table, kind, id, now)}, putting(proof, left.version)}, left,
                       [&](const rows& answered) {
                         taken.reset();
                         if (answered[1].size() == 1) taken = read_record(kind, answered[1], 0);
                         return taken.has_value();
                       });
  if (!done) return tl::unexpected(done.error());
  return taken;
}

result<bool> postgres_store::commit(const change& wanted, time_point now) {
  if (wanted.when.empty() && wanted.put.empty() && wanted.erase.empty()) return true;
  prepared mine;
  add_names(wanted, mine.names);
  mine.conditions = wanted.when.size();
  auto& calls = mine.calls;
  for (const auto& c : wanted.when) {
    const auto& table = postgres_table_of(c.kind);
    auto values = named_now(table, c.kind, c.id, now);
    values.emplace_back(static_cast<std::int64_t>(c.version));
    calls.push_back({table.hold, std::move(values)});
  }
  for (const auto& [kind, id] : wanted.erase) {
    const auto& table = postgres_table_of(kind);
    calls.push_back({table.erase, named(table, kind, id)});
  }
  auto put = [&](const record& r) {
    mine.left.push_back({r.kind, r.id, fresh_version()});
    calls.push_back(putting(r, mine.left.back().version));
    if (is_announced(r.kind)) calls.push_back(announcing(r.kind, r.id));
  };
  for (const auto& r : wanted.put) put(r);
  // Everything above somebody else may have overwritten before we can look.
  put(trace_record(now));
  for (const auto& name : wanted.announce) calls.push_back(announcing(name.kind, name.id));

  if (can_be_tried_again(wanted)) {
    commits_.run(mine);
    return std::move(mine.outcome);
  }
  calls.insert(calls.begin(), locking(std::move(mine.names)));
  constexpr std::size_t behind_begin_and_the_locks = 2;
  return transact(std::move(calls), mine.left.back(),
                  [&](const rows& answered) { return mine.held(answered, behind_begin_and_the_locks); });
}

result<std::uint64_t> postgres_store::erase_grant(std::string_view grant) {
  if (grant.empty()) return 0;
  std::vector<postgres_call> calls;
  for (const auto& table : all_postgres_tables()) {
    calls.push_back({table.erase_grant, {to_postgres_text(grant)}});
  }
  auto erased = run(calls);
  if (!erased) return tl::unexpected(erased.error());
  std::uint64_t sum = 0;
  for (const auto& of_table : *erased) sum += of_table.affected();
  return sum;
}

result<std::vector<record>> postgres_store::list(std::string_view kind, time_point now, std::size_t most,
                                                 std::string_view user) {
  const auto& table = postgres_table_of(kind);
  postgres_call call{user.empty() ? table.list : table.list_of_user, of_kind(table, kind)};
  call.values.emplace_back(seconds_of(now));
  if (!user.empty()) call.values.emplace_back(to_postgres_text(user));
  call.values.emplace_back(limit(most));
  auto found = run(std::span(&call, 1));
  if (!found) return tl::unexpected(found.error());
  std::vector<record> all;
  for (std::size_t i = 0; i < found->front().size(); ++i) all.push_back(read_record(kind, found->front(), i));
  return all;
}

result<std::uint64_t> postgres_store::count(std::string_view kind, time_point now) {
  const auto& table = postgres_table_of(kind);
  postgres_call call{table.count, of_kind(table, kind)};
  call.values.emplace_back(seconds_of(now));
  auto found = run(std::span(&call, 1));
  if (!found) return tl::unexpected(found.error());
  return static_cast<std::uint64_t>(found->front().number(0, 0));
}

result<std::uint64_t> postgres_store::sweep(time_point now, std::size_t most) {
  std::uint64_t swept = 0;
  for (const auto& table : all_postgres_tables()) {
    if (swept >= most) break;
    postgres_call call{table.sweep, {seconds_of(now), limit(most - swept)}};
    auto removed = run(std::span(&call, 1));
    if (!removed) return tl::unexpected(removed.error());
    swept += removed->front().affected();
  }
  return swept;
}

void postgres_store::watch(std::function<void(std::string_view kind, std::string_view id)> changed) {
  listener_.reset();
  if (changed) listener_ = std::make_unique<postgres_listener>(url_, options_.silence, std::move(changed));
}

result<std::optional<time_point>> postgres_store::clock() {
  auto db = pool_.borrow(options_.silence);
  if (!db) return tl::unexpected(db.error());
  auto at = server_time(**db);
  if (!at) return tl::unexpected(at.error());
  return std::optional(*at);
}

result<void> postgres_store::check() {
  auto db = pool_.borrow(options_.silence);
  if (!db) return tl::unexpected(db.error());
  auto version = schema_version(**db);
  if (!version) return tl::unexpected(version.error());
  if (*version == 0) return fail(errc::store_tables_missing, "no migration was applied");
  return {};
}

}  // namespace mcp_oauth
