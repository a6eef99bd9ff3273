#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "jose/algorithm.h"
#include "jose/digest.h"
#include "jose/digest_map.h"

#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Proof of possession (RFC 9449), as a resource server.

// The only DPoP field; nothing without one. Borrowed from `fields`. Errors: dpop_proof_invalid for more than
// one.
result<std::optional<std::string_view>> dpop_proof_of(std::span<const field> fields);

// Nonces that need no memory (RFC 9449 §8, §9): an HMAC over the time, under a key that all replicas have.
// Safe from every thread.
class dpop_nonces final {
 public:
  // `key` is of 32 random bytes or more: a shorter one ends the process. A nonce is good for `life`, and for
  // as long again while a client still holds the one before.
  explicit dpop_nonces(secret key, seconds life = seconds(120));
  std::string fresh(time_point now) const;
  bool accepts(std::string_view nonce, time_point now) const;

 private:
  std::string made_in(std::int64_t period) const;
  secret key_;
  seconds life_;
};

struct dpop_rules {
  std::vector<algorithm> algorithms = {algorithm::es256, algorithm::es384, algorithm::es512,
                                       algorithm::eddsa, algorithm::ps256, algorithm::rs256};
  seconds window{60};                   // how long ago `iat` may be, besides
  seconds leeway{30};                   // the difference of the clocks, both ways
  const dpop_nonces* nonces = nullptr;  // given: a proof needs one of these
};

// What the proof must be for.
struct dpop_request {
  std::string_view method;
  std::string_view url;  // as clients write it: https, our public name; a query does not matter
  std::string_view access_token;
};

// A proof that is right for its request. Only the check makes one.
class verified_proof final {
 public:
  const std::string& key_thumbprint() const { return key_thumbprint_; }  // compare with cnf.jkt
  const sha256_digest& digest() const { return digest_; }  // of key and `jti`: what may come once
  time_point until() const { return until_; }              // when its time is over anyway
  seconds good_for() const { return good_for_; }           // from its `iat` until then

 private:
  verified_proof() = default;
  friend result<verified_proof> verify_dpop_proof(std::string_view, const dpop_request&, const dpop_rules&,
                                                  time_point);
  std::string key_thumbprint_;
  sha256_digest digest_{};
  time_point until_;
  seconds good_for_{0};
};

// RFC 9449 §4.3 but for its last step, which is `dpop_replays`, and §7.1: form, `typ`, an asymmetric
// algorithm of the rules, a public `jwk` without private members, signature, htm, htu (normalised as RFC 3986
// §6.2.2 and 6.2.3 say, without query and fragment), iat, jti, ath, nonce. Errors: dpop_proof_invalid,
// dpop_nonce_needed. NOT checked: whether the key is the one that the token is bound to.
result<verified_proof> verify_dpop_proof(std::string_view proof, const dpop_request& request,
                                         const dpop_rules& rules, time_point now);

// The proofs that came, by their digest, until their time is over. Bounded: when it is full of proofs whose
// time is not over, no new one is accepted, for otherwise an old one could come again. When the clock was set
// back, proofs that may have come before and were forgotten since are refused: those issued until then. Safe
// from every thread.
class dpop_replays final {
 public:
  explicit dpop_replays(std::size_t most = 200'000) : most_(most) {}
  // Errors: dpop_proof_replayed, overloaded.
  result<void> admit(const verified_proof& proof, time_point now);
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::size_t most_;
  digest_map<time_point> seen_;
  time_point swept_{}, latest_{};
  time_point forgotten_{};  // what ends until then may have come
  std::size_t sweep_at_ = 1024;
};

}  // namespace mcp_oauth
