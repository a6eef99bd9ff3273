#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/random.h"
#include "base/time.h"
#include "guard/issuer_keys.h"
#include "guard/pending.h"
#include "guard/token_memory.h"
#include "guard/trusted_issuer.h"
#include "oauth/bearer.h"
#include "oauth/dpop.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mcp_oauth {

// What a request shows. Borrowed: a step that asks or waits keeps copies of its own.
struct presented {
  std::string_view token;
  token_scheme scheme = token_scheme::bearer;
  std::optional<std::string_view> dpop_proof = {};  // the DPoP field
  std::string_view method = {};                     // of the request, for the proof
  std::string_view url = {};                        // as clients write it: our public origin, and the path
  std::string_view certificate_thumbprint = {};     // of the client's certificate; "": none
};

enum class dpop_use {
  off,       // the scheme DPoP is unknown here; a token that is bound to a key is refused
  accepted,  // bound tokens come with a proof, others as Bearer
  required,  // every token has to be bound
};

// Which challenges a refusal has (RFC 9449 §7.1). Bearer first where both are good: clients that know only
// that one look no further. `by_dpop`: the request used that scheme.
struct offered_schemes {
  bool bearer = true;
  bool dpop = false;
};
offered_schemes schemes_to_offer(dpop_use use, bool by_dpop, errc why);

struct guard_rules {
  memory_rules memory;
  dpop_use dpop = dpop_use::off;
  dpop_rules proofs;         // its `nonces` are set by the guard
  bool dpop_nonces = false;  // each proof needs a nonce of ours
  secret nonce_key = {};     // the same for all replicas; empty: of this process alone
  std::size_t most_proofs = 200'000;
};

struct ask;
struct wait;

// What the guard wants next: its verdict told, or first a document fetched, or somebody else's fetch waited
// for. It never fetches itself.
using guard_step = std::variant<verdict, ask, wait>;

struct ask {
  http_call call;  // may hold the token and a secret: not to be logged
  fetch_rules rules;
  // Called once with the answer (or why there is none) and the time then. Dropped without a call, the work is
  // free for another request.
  std::function<guard_step(result<http_answer>, time_point)> then;
};

// Another request does what this one needs.
struct wait {
  std::shared_ptr<pending> on;
  // Called once, when it is settled, or after `longest` when it is not: then the step is an error of 503.
  std::function<guard_step(time_point)> then;
  seconds longest{15};
};

// Access tokens of several issuers, judged. One guard for the process; it has to outlive the steps that it
// gave. Safe from every thread; `random` is called from every thread as well. Proofs that came are known to
// this process only.
class guard final {
 public:
  // The issuers are as `check_trusted_issuers` let them pass; what it complains of is refused token by token.
  // `seen`: the proofs that a guard before this one has seen, so that none of them comes again; null: none.
  // `known`: at the place of an issuer that is the same as one of such a guard, what that one knows of it.
  guard(std::vector<trusted_issuer> issuers, guard_rules rules, random_fn random,
        std::shared_ptr<dpop_replays> seen = nullptr, std::vector<std::shared_ptr<issuer_keys>> known = {});

  // By the `iss` that it claims the token's issuer is found, and only that one is asked for anything; an
  // opaque token is of the one issuer that may have such. Then as `verify_issuer_token` and
  // `process_introspection_answer`; then what binds the token: scheme, proof and certificate, for each
  // request anew. A token that was judged lately is not judged again, and that allocates nothing. Errors:
  // theirs; authorization_scheme_unsupported; and where the issuer is away and nothing usable is known,
  // issuer_unreachable, issuer_metadata_invalid, issuer_keys_unavailable, introspection_failed, or
  // overloaded where the fetch of the caller was that: 503, for the token may be good. NOT checked: scopes,
  // and which of several resources the token is for
  // (`verified_token::is_for`).
  guard_step validate(const presented& request, time_point now);

  // For the background, and before the first request: see issuer_keys.
  struct errand {
    std::size_t issuer = 0;
    issuer_keys::wanted fetch;
  };
  std::vector<errand> due(time_point now);
  void learned(const errand& done, const result<http_answer>& answer, time_point now);
  // Drops what is over; once a minute is enough.
  void sweep(time_point now);

  std::vector<issuer_status> status(time_point now) const;
  std::span<const std::shared_ptr<issuer_keys>> issuers() const { return issuers_; }

  // For the DPoP-Nonce field of every answer where nonces are demanded; "" where they are not.
  std::string fresh_nonce(time_point now) const;
  const guard_rules& rules() const { return rules_; }
  // For the guard that takes this one's place.
  const std::shared_ptr<dpop_replays>& proofs_seen() const { return replays_; }

  // No longer good, by whatever its issuer says later: the next request judges it anew.
  void forget(std::string_view token);

 private:
  struct judgement;  // of one token that is not remembered
  using judgement_ptr = std::shared_ptr<judgement>;

  result<std::size_t> opaque_issuer(const error& otherwise) const;
  result<std::size_t> issuer_of(const result<unchecked_token>& token) const;
  guard_step begin(const presented& request, const sha256_digest& key, time_point now);
  guard_step judge(const judgement_ptr& j, time_point now);
  guard_step by_signature(const judgement_ptr& j, time_point now);
  guard_step by_introspection(const judgement_ptr& j, time_point now);
  guard_step fetch_first(const judgement_ptr& j, issuer_keys::wanted fetch);
  guard_step wait_for_fetch(const judgement_ptr& j, std::shared_ptr<pending> fetch);
  guard_step conclude(const judgement_ptr& j, result<verified_token> outcome, time_point now);
  verdict check_binding(const presented& request, std::shared_ptr<const accepted> token, time_point now);
  result<void> check_key_binding(const presented& request, const verified_token& token, time_point now);

  guard_rules rules_;
  random_fn random_;
  std::vector<std::shared_ptr<issuer_keys>> issuers_;
  token_memory memory_;
  std::optional<dpop_nonces> nonces_;
  std::shared_ptr<dpop_replays> replays_;
};

}  // namespace mcp_oauth
