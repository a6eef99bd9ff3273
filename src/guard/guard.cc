#include "guard/guard.h"

#include "base/text.h"
#include "oauth/certificate_binding.h"
#include "oauth/introspection.h"
#include "oauth/near_miss.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_token = 16 * 1024;
constexpr int most_fetches =
    8;  // for one token: the places of the metadata, keys twice, and the introspection
constexpr std::size_t largest_introspection = 256 * 1024;

bool takes_opaque(validation_mode mode) {
  return mode == validation_mode::introspection || mode == validation_mode::either;
}

// What a request showed, kept while others are asked.
struct kept_request {
  std::string token, proof, method, url, thumbprint;
  token_scheme scheme;
  bool has_proof;

  explicit kept_request(const presented& p)
      : token(p.token),
        proof(p.dpop_proof.value_or("")),
        method(p.method),
        url(p.url),
        thumbprint(p.certificate_thumbprint),
        scheme(p.scheme),
        has_proof(p.dpop_proof.has_value()) {}

  presented again() const {
    presented p{token, scheme, std::nullopt, method, url, thumbprint};
    if (has_proof) p.dpop_proof = proof;
    return p;
  }
};

verdict waited_too_long() {
  return fail(errc::issuer_unreachable, "another request asks its issuer, and no answer comes");
}

}  // namespace

offered_schemes schemes_to_offer(dpop_use use, bool by_dpop, errc why) {
  if (use == dpop_use::off) return {true, false};
  bool about_a_proof =
      why == errc::dpop_proof_invalid || why == errc::dpop_proof_replayed || why == errc::dpop_nonce_needed;
  // Whoever sent an unbound token with a proof may send it as it is, unless bound ones are demanded.
  if (use != dpop_use::required && why == errc::token_unbound) return {true, by_dpop};
  if (use == dpop_use::required || by_dpop || about_a_proof) return {false, true};
  return {true, why == errc::token_binding_missing};
}

struct guard::judgement {
  kept_request request;
  sha256_digest key;
  std::size_t issuer = 0;
  std::optional<unchecked_token> read = {};         // nothing where it is no JWT
  std::shared_ptr<void> place = nullptr;            // among the judgements in flight
  std::optional<verified_token> by_signature = {};  // where the issuer is asked besides
  std::uint64_t generation = 0;                     // of the keys that it was judged by
  bool asked_for_key = false;
  int fetches = 0;
};

guard::guard(std::vector<trusted_issuer> issuers, guard_rules rules, random_fn random,
             std::shared_ptr<dpop_replays> seen, std::vector<std::shared_ptr<issuer_keys>> known)
    : rules_(std::move(rules)),
      random_(std::move(random)),
      memory_(rules_.memory),
      replays_(seen ? std::move(seen) : std::make_shared<dpop_replays>(rules_.most_proofs)) {
  known.resize(issuers.size());
  for (std::size_t i = 0; i < issuers.size(); ++i) {
    issuers_.push_back(known[i] ? std::move(known[i]) : std::make_shared<issuer_keys>(std::move(issuers[i])));
  }
  if (rules_.dpop_nonces && rules_.dpop != dpop_use::off) {
    auto key = rules_.nonce_key.empty() ? secret(random_(32)) : rules_.nonce_key;
    nonces_.emplace(secret(hkdf_sha256(key.reveal(), "", "dpop nonces", 32)));
  }
  rules_.proofs.nonces = nonces_ ? &*nonces_ : nullptr;
}

guard_step guard::validate(const presented& request, time_point now) {
  if (request.scheme == token_scheme::dpop && rules_.dpop == dpop_use::off) {
    return fail(errc::authorization_scheme_unsupported,
                "the scheme DPoP, and no bound tokens are taken here");
  }
  if (request.token.empty()) return fail(errc::token_missing);
  if (request.token.size() > longest_token) return fail(errc::token_malformed, "over 16 KiB");
  auto key = sha256(request.token);
  if (auto known = memory_.find(key, now)) {
    bool keys_are_the_same = issuers_[known->issuer_index]->generation() == known->generation;
    if (keys_are_the_same) return check_binding(request, std::move(known), now);
    memory_.forget(key);
  }
  if (auto why = memory_.refused(key, now)) return tl::unexpected(std::move(*why));
  return begin(request, key, now);
}

guard_step guard::begin(const presented& request, const sha256_digest& key, time_point now) {
  auto read = read_issuer_token(request.token);
  auto issuer = issuer_of(read);
  if (!issuer) return tl::unexpected(issuer.error());
  auto flight = memory_.begin(key, now);
  if (flight.known != nullptr) return check_binding(request, std::move(flight.known), now);
  if (flight.others != nullptr) {
    auto kept = std::make_shared<const kept_request>(request);
    auto others = flight.others;
    auto then = [this, kept, others](time_point later) -> guard_step {
      if (auto outcome = others->outcome()) {
        if (!*outcome) return *outcome;
        return check_binding(kept->again(), **outcome, later);
      }
      if (!others->over.settled()) return waited_too_long();
      return validate(kept->again(), later);  // it was given up
    };
    return wait{std::shared_ptr<pending>(others, &others->over), std::move(then)};
  }
  auto j = std::make_shared<judgement>(judgement{kept_request(request), key});
  j->issuer = *issuer;
  if (read) j->read = std::move(*read);
  j->place = std::move(flight.mine);
  return judge(j, now);
}

// Which issuer a token may be shown to and judged by: the one that it names, and for what names none, the
// only one that gives such tokens.
result<std::size_t> guard::issuer_of(const result<unchecked_token>& token) const {
  auto claimed = token ? token->claimed_issuer() : result<std::string>(tl::unexpected(token.error()));
  if (!claimed) {
    bool not_for_us_to_read =
        claimed.error().code == errc::token_opaque || claimed.error().code == errc::token_claim_missing;
    return not_for_us_to_read ? opaque_issuer(claimed.error()) : tl::unexpected(claimed.error());
  }
  // One that is named in full has rules of its own, whatever a form with {tenantid} before it would take.
  for (std::size_t i = 0; i < issuers_.size(); ++i) {
    const auto& rules = issuers_[i]->issuer().rules;
    if (rules.issuer == *claimed && is_issuer_of_rules(rules, *claimed)) return i;
  }
  std::vector<std::string> expected;
  std::string words;
  for (std::size_t i = 0; i < issuers_.size(); ++i) {
    const auto& rules = issuers_[i]->issuer().rules;
    if (is_issuer_of_rules(rules, *claimed)) return i;
    expected.push_back(rules.issuer);
    if (words.empty()) words = how_issuers_differ(*claimed, rules.issuer);
  }
  return fail(errc::token_issuer_mismatch, "iss is '" + *claimed + "', expected '" +
                                               join(expected, "' or '") + "'" +
                                               (words.empty() ? "" : " (" + words + ")"));
}

result<std::size_t> guard::opaque_issuer(const error& otherwise) const {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < issuers_.size(); ++i) {
    auto mode = issuers_[i]->issuer().mode;
    // A JWT without `iss` is nothing that a signature could be checked for.
    if (!takes_opaque(mode) ||
        (otherwise.code != errc::token_opaque && mode != validation_mode::introspection))
      continue;
    if (found)
      return fail(otherwise.code,
                  otherwise.detail + "; several issuers give such, and none may see another's");
    found = i;
  }
  if (!found) return tl::unexpected(otherwise);
  return *found;
}

guard_step guard::judge(const judgement_ptr& j, time_point now) {
  const auto& token = j->request.token;
  switch (issuers_[j->issuer]->issuer().mode) {
    case validation_mode::jwt: return by_signature(j, now);
    case validation_mode::introspection: return by_introspection(j, now);
    case validation_mode::jwt_and_introspection:
      return j->by_signature ? by_introspection(j, now) : by_signature(j, now);
    case validation_mode::either:
      return shape_of(token) == token_shape::jwt ? by_signature(j, now) : by_introspection(j, now);
  }
  return conclude(j, fail(errc::internal), now);
}

guard_step guard::by_signature(const judgement_ptr& j, time_point now) {
  auto& from = *issuers_[j->issuer];
  if (auto fetch = from.needed(now)) return fetch_first(j, std::move(*fetch));
  auto known = from.now_known(now);
  if (known.keys == nullptr) {
    if (known.in_flight) return wait_for_fetch(j, std::move(known.in_flight));
    return conclude(j, tl::unexpected(known.missing), now);
  }
  j->generation = known.generation;
  auto outcome = j->read ? verify_issuer_token(*j->read, *known.keys, from.issuer().rules, now)
                         : verify_issuer_token(j->request.token, *known.keys, from.issuer().rules, now);
  // Also where the keys, or the token, have no names: then the issuer may have replaced its key by another.
  bool other_key = !outcome && (outcome.error().code == errc::token_key_unknown ||
                                (outcome.error().code == errc::token_signature_invalid && j->read &&
                                 !j->read->names_one_of(*known.keys)));
  if (other_key && !j->asked_for_key) {
    j->asked_for_key = true;
    if (auto fetch = from.unknown_key(now)) return fetch_first(j, std::move(*fetch));
    if (known.in_flight) return wait_for_fetch(j, std::move(known.in_flight));
  }
  // The key may be among those that could not be fetched.
  if (!outcome && outcome.error().code == errc::token_key_unknown && known.keys_failed) {
    outcome = fail(errc::issuer_keys_unavailable,
                   outcome.error().detail + ", and the keys could not be fetched again");
  }
  if (!outcome || from.issuer().mode != validation_mode::jwt_and_introspection) {
    return conclude(j, std::move(outcome), now);
  }
  j->by_signature = std::move(*outcome);
  return by_introspection(j, now);
}

guard_step guard::by_introspection(const judgement_ptr& j, time_point now) {
  auto& from = *issuers_[j->issuer];
  const auto& issuer = from.issuer();
  auto known = from.now_known(now);
  if (known.introspection_endpoint.empty()) {
    if (auto fetch = from.needed(now)) return fetch_first(j, std::move(*fetch));
    known = from.now_known(now);
    if (known.in_flight) return wait_for_fetch(j, std::move(known.in_flight));
    if (known.introspection_endpoint.empty()) {
      bool silent = from.metadata() != nullptr;
      error none{errc::introspection_failed,
                 "the metadata names no introspection_endpoint, and none is configured"};
      return conclude(j, tl::unexpected(silent ? none : known.missing), now);
    }
  }
  ask question;
  question.call = introspection_request(known.introspection_endpoint, issuer.introspection, j->request.token,
                                        now, random_);
  question.rules.most_bytes = largest_introspection;
  question.then = [this, j](const result<http_answer>& answer, time_point later) -> guard_step {
    if (!answer) {
      // The issuer was not asked: too many questions wait for it already.
      if (answer.error().code == errc::overloaded) return conclude(j, tl::unexpected(answer.error()), later);
      return conclude(j, fail(errc::introspection_failed, "no answer: " + answer.error().detail), later);
    }
    const auto& asked = issuers_[j->issuer]->issuer();
    return conclude(j,
                    j->by_signature
                        ? process_introspection_answer(*j->by_signature, *answer, asked.rules, later)
                        : process_introspection_answer(*answer, asked.rules, asked.introspected, later),
                    later);
  };
  return question;
}

guard_step guard::fetch_first(const judgement_ptr& j, issuer_keys::wanted fetch) {
  auto call = fetch.call;
  auto rules = fetch.rules;
  auto then = [this, j, fetch = std::move(fetch)](const result<http_answer>& answer,
                                                  time_point now) -> guard_step {
    issuers_[j->issuer]->learned(fetch, answer, now);
    if (++j->fetches >= most_fetches) {
      return conclude(j, fail(errc::issuer_unreachable, "too many fetches for one token"), now);
    }
    return judge(j, now);
  };
  return ask{std::move(call), rules, std::move(then)};
}

guard_step guard::wait_for_fetch(const judgement_ptr& j, std::shared_ptr<pending> fetch) {
  auto then = [this, j, fetch](time_point now) -> guard_step {
    if (fetch->settled()) return judge(j, now);
    auto too_long = waited_too_long();
    return conclude(j, tl::unexpected(too_long.error()), now);
  };
  return wait{fetch, std::move(then)};
}

guard_step guard::conclude(const judgement_ptr& j, result<verified_token> outcome, time_point now) {
  verdict told = outcome ? verdict() : verdict(tl::unexpected(outcome.error()));
  if (outcome) {
    auto& from = *issuers_[j->issuer];
    const auto& issuer = from.issuer();
    bool introspected =
        issuer.mode != validation_mode::jwt &&
        (issuer.mode != validation_mode::either || shape_of(j->request.token) != token_shape::jwt);
    auto until = std::min(outcome->claims().expires + issuer.rules.leeway, now + rules_.memory.ttl);
    if (introspected) until = std::min(until, now + issuer.introspection_ttl);
    if (issuer.rules.max_age)
      until = std::min(until, outcome->claims().issued + *issuer.rules.max_age + issuer.rules.leeway);
    told = std::make_shared<const accepted>(accepted{std::move(*outcome), issuer.name, j->issuer,
                                                     introspected, until,
                                                     j->generation ? j->generation : from.generation(), now});
  }
  memory_.settle(j->key, j->place, told, now);
  j->place.reset();
  if (!told) return told;
  return check_binding(j->request.again(), *told, now);
}

verdict guard::check_binding(const presented& request, std::shared_ptr<const accepted> known,
                             time_point now) {
  auto certificate = check_certificate_binding(known->token, request.certificate_thumbprint);
  if (!certificate) return tl::unexpected(certificate.error());
  auto key = check_key_binding(request, known->token, now);
  if (!key) return tl::unexpected(key.error());
  return known;
}

// RFC 9449 §7.1
result<void> guard::check_key_binding(const presented& request, const verified_token& token, time_point now) {
  std::string_view bound_to =
      token.details() ? std::string_view(token.details()->key_thumbprint) : std::string_view();
  if (request.scheme == token_scheme::bearer) {
    if (!bound_to.empty())
      return fail(errc::token_binding_missing, "bound to a key (cnf.jkt), and sent as Bearer");
    if (rules_.dpop != dpop_use::required) return {};
    return fail(errc::token_unbound, "not bound to a key, which dpop: require demands");
  }
  if (bound_to.empty()) return fail(errc::token_unbound, "sent with the scheme DPoP, and not bound to a key");
  if (!request.dpop_proof) return fail(errc::dpop_proof_invalid, "no DPoP field");
  auto proof = verify_dpop_proof(*request.dpop_proof, {request.method, request.url, request.token},
                                 rules_.proofs, now);
  if (!proof) return tl::unexpected(proof.error());
  if (!equal_constant_time(proof->key_thumbprint(), bound_to)) {
    return fail(errc::dpop_proof_invalid, "its key is not the one that the token is bound to");
  }
  return replays_->admit(*proof, now);
}

std::vector<guard::errand> guard::due(time_point now) {
  std::vector<errand> errands;
  for (std::size_t i = 0; i < issuers_.size(); ++i) {
    if (auto fetch = issuers_[i]->due(now)) errands.push_back({i, std::move(*fetch)});
  }
  return errands;
}

void guard::learned(const errand& done, const result<http_answer>& answer, time_point now) {
  issuers_[done.issuer]->learned(done.fetch, answer, now);
}

void guard::sweep(time_point now) { memory_.sweep(now); }

std::vector<issuer_status> guard::status(time_point now) const {
  std::vector<issuer_status> all;
  for (const auto& issuer : issuers_) all.push_back(issuer->status(now));
  return all;
}

std::string guard::fresh_nonce(time_point now) const { return nonces_ ? nonces_->fresh(now) : std::string(); }

void guard::forget(std::string_view token) { memory_.forget(sha256(token)); }

}  // namespace mcp_oauth
