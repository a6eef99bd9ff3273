#pragma once

#include "base/error.h"
#include "base/time.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What the store keeps: one value with a name and an end. A record is named by its kind and its id together.
// Times are kept to the second, rounded down. A record whose `expires` is not after `now` is absent to every
// call.
struct record {
  std::string kind;      // "login", "code", "refresh", "grant", "client", "consent", "user", "signing_key", …
  std::string id;        // never a usable secret: callers pass a hash where the id is one
  std::string grant;     // "" or the grant it belongs to; erase_grant removes all of a grant
  std::string user;      // "" or the subject it belongs to
  std::string provider;  // "" or the identity provider's name
  std::string data;      // any bytes; the store does not read them
  time_point created;
  time_point expires;
  std::uint64_t version = 0;  // set by the store, ignored by `put`: changes with every write of the record
};

struct record_name {
  std::string kind;
  std::string id;
};

// What must hold for a change to be applied: that record has that version.
// Version 0: there is no such record, or it is expired.
struct condition {
  std::string kind;
  std::string id;
  std::uint64_t version = 0;
};

// All of it or nothing. Erases come before puts; a put replaces; erasing what is absent is no failure.
struct change {
  std::vector<condition> when;
  std::vector<record> put;
  std::vector<std::pair<std::string, std::string>> erase;  // kind and id
  // Of what other processes are told besides, when the change is applied: names of kinds in
  // `announced_kinds`.
  std::vector<record_name> announce = {};
};

// What other processes remember, and do not look up with every request.
inline constexpr std::string_view announced_kinds[] = {"revoked", "signing_key", "provider_token"};
// Of these every put is announced: revocations and signing keys.
constexpr bool is_announced(std::string_view kind) { return kind == "revoked" || kind == "signing_key"; }

// Where records live. Every call blocks, may come from any thread, and sees every write that an earlier call
// reported as done. Other processes may use the same store and may remove records at any time.
//
// Errors: store_busy (somebody else holds the store longer than we wait), store_unavailable (not there, not
// writable; PostgreSQL says more exactly which: store_unreachable, store_starting, …), store_full,
// store_corrupt (there, but not readable). After an error nothing was changed, but for store_unclear: the
// connection was lost while the change was committed, and could not be found out since.
class record_store {
 public:
  virtual ~record_store() = default;

  // The record, or nothing if it is absent or expired.
  virtual result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) = 0;

  // As `get` of each name, in their order; a store that is far away is asked once for all of them. They may
  // be read one after the other, with writes of others in between.
  virtual result<std::vector<std::optional<record>>> get_each(std::span<const record_name> names,
                                                              time_point now) {
    std::vector<std::optional<record>> found;
    for (const auto& n : names) {
      auto one = get(n.kind, n.id, now);
      if (!one) return tl::unexpected(one.error());
      found.push_back(std::move(*one));
    }
    return found;
  }

  // Removes and returns the record, or nothing if it is absent, expired or already taken.
  // At most one caller ever receives it, across threads and processes.
  virtual result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) = 0;

  // True: applied, and it survives the loss of this process and of power.
  // False: a condition did not hold, and nothing was changed.
  virtual result<bool> commit(const change& wanted, time_point now) = 0;

  // Removes every record of every kind that belongs to the grant; returns how many. The grant "" is nobody's.
  virtual result<std::uint64_t> erase_grant(std::string_view grant) = 0;

  // The newest `most` records of a kind by `created`, newest first and then by id; only those
  // of `user` unless it is "".
  virtual result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                           std::string_view user = {}) = 0;

  // How many records of a kind there are.
  virtual result<std::uint64_t> count(std::string_view kind, time_point now) = 0;

  // Frees the room of up to `most` expired records; returns how many. Fewer than `most`: none is left.
  virtual result<std::uint64_t> sweep(time_point now, std::size_t most) = 0;

  // Calls `changed` from a thread of the store when somebody else, or this process, may have written a record
  // that every process must know of at once (is_announced, change::announce); the id is "" when any of that
  // kind may have changed,
  // as after the connection was lost. In place of the function before; with an empty one nobody is called any
  // more once this returns. A store that one process has for itself calls nobody.
  virtual void watch(std::function<void(std::string_view kind, std::string_view id)> changed) {
    (void)changed;
  }

  // The time by the store's own clock; nothing when that is this machine's.
  virtual result<std::optional<time_point>> clock() { return std::optional<time_point>{}; }

  // Is the store there and answering. Cheap enough for every health request; does not look for damage.
  virtual result<void> check() = 0;
};

}  // namespace mcp_oauth
