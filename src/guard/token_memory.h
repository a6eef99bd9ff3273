#pragma once

#include "base/error.h"
#include "base/time.h"
#include "guard/pending.h"
#include "jose/digest_map.h"
#include "oauth/access_token.h"

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
  std::string issuer;         // the name of its trusted_issuer
  bool introspected = false;  // its issuer was asked
  time_point good_until;      // without judging it again; never beyond `exp` and leeway
  std::uint64_t generation = 0;
};

struct memory_rules {
  std::size_t most = 10'000;
  seconds ttl{300};      // for what was accepted
  seconds negative{10};  // for what was refused; 0: refusals are not remembered
};

// What was decided about tokens, by the SHA-256 of their text: no token is kept. Bounded, and never good
// beyond `exp`. Safe from every thread; finding what is known allocates nothing.
class token_memory final {
 public:
  using verdict = result<std::shared_ptr<const accepted>>;

  explicit token_memory(memory_rules rules = {});

  // What is known and still good; nothing otherwise. `generation` as of the issuer named: an older one does
  // not count.
  std::shared_ptr<const accepted> find(const sha256_digest& key, time_point now) const;
  std::optional<error> refused(const sha256_digest& key, time_point now) const;

  // Of several that ask for one token at a time, one judges it: it gets `mine`, the others what to wait for.
  // Whoever lets `mine` go without `settle` frees the place.
  struct flight {
    std::shared_ptr<pending> waiting_for;  // somebody else judges it
    std::shared_ptr<void> mine;
  };
  flight begin(const sha256_digest& key);
  // Failures of ours or of the issuer (503) are told to those who wait and not remembered.
  void settle(const sha256_digest& key, const verdict& outcome, time_point now);

  void forget(const sha256_digest& key);
  void clear();
  // Drops what is over. To be called from time to time.
  void sweep(time_point now);
  std::size_t size() const;

 private:
  struct entry {
    std::shared_ptr<const accepted> good;
    error bad;
    time_point until;
  };
  struct shard {
    mutable std::mutex mutex;
    digest_map<entry> known;
    digest_map<std::shared_ptr<pending>> in_flight;
  };
  shard& of(const sha256_digest& key) const { return shards_[key[31] % shards_.size()]; }

  memory_rules rules_;
  mutable std::array<shard, 16> shards_;
};

}  // namespace mcp_oauth
