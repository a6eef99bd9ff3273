#pragma once

#include "base/error.h"
#include "base/time.h"
#include "guard/pending.h"
#include "jose/digest_map.h"
#include "oauth/access_token.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace mcp_oauth {

// A token that the guard took.
struct accepted {
  verified_token token;
  std::string issuer;            // the name of its trusted_issuer
  std::size_t issuer_index = 0;  // and its place among them
  bool introspected = false;     // its issuer was asked
  time_point good_until = {};    // without judging it again; never beyond `exp` and leeway
  std::uint64_t generation = 0;  // of the keys that it was judged by
  time_point judged = {};        // when that was
};

using verdict = result<std::shared_ptr<const accepted>>;

// One judgement that several requests wait for.
class shared_judgement final {
 public:
  pending over;
  // Nothing while it goes on, and when it was given up.
  std::optional<verdict> outcome() const;

 private:
  friend class token_memory;
  mutable std::mutex mutex_;
  std::optional<verdict> outcome_;
};

struct memory_rules {
  std::size_t most = 10'000;
  seconds ttl{300};      // for what was accepted
  seconds negative{10};  // for what was refused; 0: refusals are not remembered
};

// What was decided about tokens, by the SHA-256 of their text: no token is kept. Bounded; refusals do not
// crowd out what was accepted. Safe from every thread; finding what was accepted allocates nothing.
class token_memory final {
 public:
  explicit token_memory(memory_rules rules = {}) : rules_(rules) {}

  // What is known and still good; nothing otherwise. What was decided ahead of `now` is not known: the clock
  // was set back, and would keep it for as much longer.
  std::shared_ptr<const accepted> find(const sha256_digest& key, time_point now) const;
  std::optional<error> refused(const sha256_digest& key, time_point now) const;

  // Of several that ask for one token at a time, one judges it: it gets `mine`, the others what to wait for.
  // Whoever lets `mine` go without `settle` frees the place.
  struct flight {
    std::shared_ptr<const accepted> known;  // somebody just did
    std::shared_ptr<shared_judgement> others;
    std::shared_ptr<void> mine;
  };
  flight begin(const sha256_digest& key, time_point now);
  // Tells those who wait, and remembers, but for failures that are not the token's (503) and for unknown
  // keys, which may be known in a moment. Neither where the token was forgotten since `mine` was given: what
  // was asked before may have been answered before.
  void settle(const sha256_digest& key, const std::shared_ptr<void>& mine, const verdict& outcome,
              time_point now);

  // Also what is being judged: whoever waits for that judges anew when it is over.
  void forget(const sha256_digest& key);
  // Drops what is over. To be called from time to time.
  void sweep(time_point now);
  std::size_t size() const;  // accepted and refused

 private:
  struct refusal {
    error why;
    time_point since, until;
  };
  // On lines of its own: threads that look up different tokens write nothing that they share.
  struct alignas(64) shard {
    mutable std::mutex mutex;
    digest_map<std::shared_ptr<const accepted>> good;
    digest_map<refusal> bad;
    digest_map<std::shared_ptr<shared_judgement>> in_flight;
  };
  shard& of(const sha256_digest& key) const { return shards_[key.back() % shards_.size()]; }
  std::size_t most_in_shard() const { return std::max<std::size_t>(rules_.most / shards_.size(), 1); }
  void give_up(const sha256_digest& key, const std::shared_ptr<shared_judgement>& judgement);

  memory_rules rules_;
  mutable std::array<shard, 64> shards_;
};

}  // namespace mcp_oauth
