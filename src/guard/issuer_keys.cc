#include "guard/issuer_keys.h"

#include "symptom/catalogue.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t largest_document = 512 * 1024;
constexpr seconds first_pause{10}, longest_pause{300};  // after failures, in the background
constexpr seconds request_pause{5};                     // after a failure, for a request that waits
constexpr seconds between_unknown_keys{30};

bool is_recent(const std::optional<time_point>& then, seconds how_long, time_point now) {
  return then && *then <= now && now < *then + how_long;
}

seconds pause_after(int failures) {
  return std::min(first_pause * (1 << std::clamp(failures - 1, 0, 6)), longest_pause);
}

key_set keys_of_secret(const shared_secret& shared, const issuer_rules& rules) {
  std::vector<public_key> keys;
  for (auto alg : rules.algorithms) {
    if (auto key = public_key::hmac(shared.key, alg)) keys.push_back(std::move(*key));
  }
  return key_set::of(std::move(keys));
}

error unanswered(const issuer_keys::wanted& fetch, const error& why, errc code) {
  auto words = why.detail.empty() ? std::string(explain(why.code).description) : why.detail;
  bool named = words.find(fetch.call.url) != std::string::npos;
  return {code, named ? words : words + ", from " + fetch.call.url};
}

// Whether a key is gone, so that what it signed counts no longer.
bool lost_a_key(const key_set& before, const key_set& after) {
  return std::any_of(before.begin(), before.end(), [&](const public_key& old) {
    return std::none_of(after.begin(), after.end(), [&](const public_key& key) {
      return key.kid() == old.kid() && key.thumbprint() == old.thumbprint();
    });
  });
}

}  // namespace

issuer_keys::issuer_keys(trusted_issuer issuer) : issuer_(std::move(issuer)) {
  if (const auto* discovery = std::get_if<keys_by_discovery>(&issuer_.keys)) {
    metadata_urls_ =
        discovery->url.empty() ? metadata_urls(issuer_.rules.issuer) : std::vector{discovery->url};
  }
  if (const auto* fixed = std::get_if<fixed_keys>(&issuer_.keys))
    keys_ = std::make_shared<key_set>(fixed->keys);
  if (const auto* shared = std::get_if<shared_secret>(&issuer_.keys)) {
    keys_ = std::make_shared<key_set>(keys_of_secret(*shared, issuer_.rules));
  }
}

bool issuer_keys::reads_metadata() const { return !metadata_urls_.empty(); }

bool issuer_keys::reads_keys() const {
  return issuer_.mode != validation_mode::introspection &&
         (reads_metadata() || std::holds_alternative<keys_by_url>(issuer_.keys));
}

std::string issuer_keys::jwks_uri() const {
  if (const auto* by_url = std::get_if<keys_by_url>(&issuer_.keys)) return by_url->jwks_url;
  return metadata_ ? metadata_->jwks_uri : std::string();
}

bool issuer_keys::usable(const fetch_times& times, time_point now) const {
  return times.since && now < *times.since + times.good_for + issuer_.keys_kept_while_away;
}

issuer_keys::state issuer_keys::now_known(time_point now) const {
  std::lock_guard lock(mutex_);
  state known;
  known.keys_failed = keys_times_.failures > 0;
  known.generation = generation();
  if (!reads_keys() || usable(keys_times_, now)) known.keys = keys_;
  known.introspection_endpoint = issuer_.introspection_url;
  if (known.introspection_endpoint.empty() && metadata_ && usable(metadata_times_, now)) {
    known.introspection_endpoint = metadata_->introspection_endpoint;
  }
  known.missing = failure_.value_or(error{errc::issuer_unreachable, "it was not asked yet"});
  known.in_flight = in_flight_.lock();
  if (known.in_flight && known.in_flight->settled()) known.in_flight.reset();
  return known;
}

std::optional<issuer_keys::document> issuer_keys::stale(time_point now, bool ahead, bool for_request) const {
  // A request that can be judged by what is known pays for no more attempts than the background would make.
  bool urgent = for_request && !usable(reads_keys() ? keys_times_ : metadata_times_, now);
  auto wants = [&](const fetch_times& times) {
    auto pause = urgent ? request_pause : pause_after(times.failures);
    if (times.failures > 0 && is_recent(times.failed, pause, now)) return false;
    if (!times.since || now < *times.since) return true;
    return now >= *times.since + (ahead ? times.good_for * 4 / 5 : times.good_for);
  };
  if (reads_metadata() && wants(metadata_times_)) return document::metadata;
  if (reads_keys() && !jwks_uri().empty() && wants(keys_times_)) return document::keys;
  return std::nullopt;
}

issuer_keys::wanted issuer_keys::hand_out(document what, time_point now) {
  wanted fetch;
  fetch.what = what;
  fetch.call =
      what == document::metadata ? metadata_request(metadata_urls_[next_url_]) : keys_request(jwks_uri());
  fetch.rules.most_bytes = largest_document;
  fetch.others = std::make_shared<pending>();
  fetch.in_flight =
      std::shared_ptr<void>(fetch.others.get(), [others = fetch.others](void*) { others->settle(); });
  in_flight_ = fetch.others;
  if (what == document::keys) asked_for_keys_ = now;
  return fetch;
}

bool issuer_keys::is_fetching() const {
  auto other = in_flight_.lock();
  return other && !other->settled();
}

std::optional<issuer_keys::wanted> issuer_keys::due(time_point now) {
  std::lock_guard lock(mutex_);
  if (is_fetching()) return std::nullopt;
  auto what = stale(now, true, false);
  if (!what) return std::nullopt;
  return hand_out(*what, now);
}

std::optional<issuer_keys::wanted> issuer_keys::needed(time_point now) {
  std::lock_guard lock(mutex_);
  if (is_fetching()) return std::nullopt;
  auto what = stale(now, false, true);
  if (!what) return std::nullopt;
  return hand_out(*what, now);
}

std::optional<issuer_keys::wanted> issuer_keys::unknown_key(time_point now) {
  std::lock_guard lock(mutex_);
  if (is_fetching() || !reads_keys() || jwks_uri().empty()) return std::nullopt;
  if (is_recent(asked_for_keys_, between_unknown_keys, now)) return std::nullopt;
  return hand_out(document::keys, now);
}

void issuer_keys::learned(const wanted& fetch, const result<http_answer>& answer, time_point now) {
  {
    std::lock_guard lock(mutex_);
    auto outcome =
        fetch.what == document::metadata ? take_metadata(fetch, answer, now) : take_keys(fetch, answer, now);
    if (outcome) {
      last_success_ = now;
    } else {
      last_failure_ = now;
      failure_ = outcome.error();
    }
  }
  fetch.others->settle();
}

result<void> issuer_keys::take_metadata(const wanted& fetch, const result<http_answer>& answer,
                                        time_point now) {
  auto found = answer ? process_metadata_answer(issuer_.rules, fetch.call.url, *answer)
                      : tl::unexpected(unanswered(fetch, answer.error(), errc::issuer_unreachable));
  if (found && found->jwks_uri.empty() && reads_keys()) {
    found = fail(errc::issuer_metadata_invalid, "a document without jwks_uri from " + fetch.call.url);
  }
  if (found) {
    bool elsewhere = metadata_ && metadata_->jwks_uri != found->jwks_uri;
    metadata_times_ = {now, time_to_keep(*answer), std::nullopt, 0};
    metadata_ = std::make_shared<issuer_metadata>(std::move(*found));
    round_failure_.reset();
    if (elsewhere) keys_times_.good_for = seconds(0);
    return {};
  }
  // What is not here may be at the next place; a document is an answer, and so is an issuer that is away.
  bool ends = found.error().code == errc::issuer_unreachable || (answer && is_json_document(*answer));
  if (!ends) {
    if (!round_failure_) {
      round_failure_ = found.error();
    } else {
      round_failure_->detail += "; " + found.error().detail;
    }
    if (++next_url_ < metadata_urls_.size()) return tl::unexpected(*round_failure_);
    found = tl::unexpected(*round_failure_);
  }
  round_failure_.reset();
  next_url_ = 0;
  metadata_times_.failed = now;
  ++metadata_times_.failures;
  return tl::unexpected(found.error());
}

result<void> issuer_keys::take_keys(const wanted& fetch, const result<http_answer>& answer, time_point now) {
  auto found = answer ? process_keys_answer(fetch.call.url, *answer)
                      : tl::unexpected(unanswered(fetch, answer.error(), errc::issuer_keys_unavailable));
  if (!found) {
    keys_times_.failed = now;
    ++keys_times_.failures;
    if (answer && withdraws_every_key(*answer) && keys_) {
      keys_.reset();
      keys_times_.since.reset();
      generation_.fetch_add(1, std::memory_order_acq_rel);
    }
    return tl::unexpected(found.error());
  }
  if (keys_ && lost_a_key(*keys_, *found)) generation_.fetch_add(1, std::memory_order_acq_rel);
  keys_ = std::make_shared<key_set>(std::move(*found));
  keys_times_ = {now, time_to_keep(*answer), std::nullopt, 0};
  return {};
}

issuer_status issuer_keys::status(time_point now) const {
  auto known = now_known(now);
  issuer_status s;
  s.name = issuer_.name;
  s.issuer = issuer_.rules.issuer;
  bool by_keys = issuer_.mode != validation_mode::introspection;
  bool by_endpoint = issuer_.mode != validation_mode::jwt;
  s.ready = (!by_keys || known.keys != nullptr) && (!by_endpoint || !known.introspection_endpoint.empty());
  s.keys = known.keys ? known.keys->size() : 0;
  s.introspection_endpoint = by_endpoint ? known.introspection_endpoint : "";
  std::lock_guard lock(mutex_);
  if (reads_keys()) {
    s.jwks_uri = jwks_uri();
    s.keys_fetched = keys_times_.since;
  }
  s.last_success = last_success_;
  s.last_failure = last_failure_;
  s.failure = failure_;
  return s;
}

std::shared_ptr<const issuer_metadata> issuer_keys::metadata() const {
  std::lock_guard lock(mutex_);
  return metadata_;
}

}  // namespace mcp_oauth
