#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/time.h"
#include "guard/issuer_metadata.h"
#include "guard/pending.h"
#include "guard/trusted_issuer.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// What is known of an issuer's publications, for health and for the doctor.
struct issuer_status {
  std::string name, issuer;
  bool ready = false;                  // tokens can be judged now
  std::string jwks_uri;                // "" while it is not known, and where there is none
  std::string introspection_endpoint;  // likewise
  std::size_t keys = 0;
  std::optional<time_point> keys_fetched;  // nothing where they were given
  std::optional<time_point> last_success;  // of a fetch
  std::optional<time_point> last_failure;
  std::optional<error>
      failure;  // of the last failure; its detail says in words what was seen, and at which URL
};

// What one issuer publishes, kept. Fetches are somebody else's: it says which it wants, and takes what came.
// Safe from every thread.
class issuer_keys final {
 public:
  explicit issuer_keys(trusted_issuer issuer);

  enum class document { metadata, keys };
  // A fetch that was handed out. While it is alive nobody else gets one; let go without `learned`, it counts
  // as not asked.
  struct wanted {
    document what;
    http_call call;
    fetch_rules rules;
    std::shared_ptr<pending> others;  // settled when the fetch is over
    std::shared_ptr<void> in_flight;
  };

  // What a request needs before it can be judged: the keys, or with `for_endpoint` the introspection
  // endpoint.
  struct state {
    std::shared_ptr<const key_set> keys;  // nothing while none are known, or those known are too old
    bool keys_failed = false;             // the last fetch of them did
    std::uint64_t generation = 0;         // of the keys
    std::string introspection_endpoint;   // "" likewise
    error missing;                        // why, where something is not there
    std::shared_ptr<pending> in_flight;   // somebody is fetching
  };
  state now_known(time_point now) const;

  // To be called from time to time, and before the first request: what should be fetched now. Nothing while a
  // fetch is in flight, while all is fresh, and for a while after a failure (10 s, then doubling to 5
  // minutes). Documents are asked for again when four fifths of their time are over; metadata first, then
  // keys.
  std::optional<wanted> due(time_point now);
  // The same for a request, which waits for it: when the time of a document is over, or there is none. After
  // a failure not for 5 seconds, and where it can be judged by what is known not before `due` would.
  std::optional<wanted> needed(time_point now);
  // A token names a key that is not here, or names none and is of none that is here. Keys are fetched for
  // that at most once in 30 seconds, whether or not it succeeds and whatever they were fetched for before.
  std::optional<wanted> unknown_key(time_point now);

  void learned(const wanted& fetch, const result<http_answer>& answer, time_point now);

  const trusted_issuer& issuer() const { return issuer_; }
  issuer_status status(time_point now) const;
  // Changes when a key went that was here before: what was verified by it counts no longer.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  // The metadata as it came last; nothing when there is none.
  std::shared_ptr<const issuer_metadata> metadata() const;

 private:
  struct fetch_times {
    std::optional<time_point> since;  // of what is known
    seconds good_for{0};
    std::optional<time_point> failed;
    int failures = 0;
  };
  // All but the first two are called under the lock.
  bool reads_metadata() const;
  bool reads_keys() const;
  std::string jwks_uri() const;
  bool usable(const fetch_times& times, time_point now) const;
  bool is_fetching() const;
  std::optional<document> stale(time_point now, bool ahead, bool for_request) const;
  wanted hand_out(document what, time_point now);
  result<void> take_metadata(const wanted& fetch, const result<http_answer>& answer, time_point now);
  result<void> take_keys(const wanted& fetch, const result<http_answer>& answer, time_point now);

  const trusted_issuer issuer_;
  mutable std::mutex mutex_;
  std::shared_ptr<const issuer_metadata> metadata_;
  std::shared_ptr<const key_set> keys_;
  fetch_times metadata_times_, keys_times_;
  std::vector<std::string> metadata_urls_;
  std::size_t next_url_ = 0;
  std::optional<error> round_failure_;  // of the places of the metadata that were tried so far
  std::optional<time_point> asked_for_keys_;
  std::optional<time_point> last_success_, last_failure_;
  std::optional<error> failure_;
  std::weak_ptr<pending> in_flight_;
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace mcp_oauth
