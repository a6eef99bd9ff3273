#include "library/policy_feed.h"

#include "config/policy_document.h"

#include <utility>

namespace mcp_oauth {
namespace {

result<policy_document> document_in(const result<http_answer>& answer) {
  if (!answer) return tl::unexpected<error>(answer.error());
  auto text = policy_text(*answer);
  if (!text) return tl::unexpected<error>(text.error());
  return read_policy_json(*text);
}

policy rules_of(const policy_document& document, const policy_rules& own) {
  if (!document.complete) return policy::closed(errc::policy_incomplete, document.state);
  policy_rules ours;
  ours.base_scopes = own.base_scopes;
  return policy(rules_for(document, ours, own));
}

}  // namespace

bool policy_feed::counts(time_point now) const { return seen_.has_value() && known_.is_fresh(now); }

std::optional<policy_feed::wanted> policy_feed::hand_out(time_point now) {
  if (!in_flight_.expired() || !known_.is_due(now)) return std::nullopt;
  others_ = std::make_shared<pending>();
  // Let go, it wakes those who wait: one of them asks instead.
  std::shared_ptr<void> flight(nullptr, [others = others_](void*) { others->settle(); });
  in_flight_ = flight;
  return wanted{policy_call(of_.url, of_.token), policy_fetch_rules(), now, others_, std::move(flight)};
}

std::optional<policy_feed::wanted> policy_feed::due(time_point now) {
  const std::lock_guard lock(mutex_);
  return hand_out(now);
}

std::optional<policy_feed::wanted> policy_feed::needed(time_point now) {
  const std::lock_guard lock(mutex_);
  if (in_background_ && counts(now)) return std::nullopt;
  return hand_out(now);
}

void policy_feed::in_background(bool it_is) {
  const std::lock_guard lock(mutex_);
  in_background_ = it_is;
}

std::shared_ptr<pending> policy_feed::awaited(time_point now) const {
  const std::lock_guard lock(mutex_);
  return counts(now) || in_flight_.expired() ? nullptr : others_;
}

policy_feed::news policy_feed::learned(const wanted& fetch, const result<http_answer>& answer,
                                       time_point now) {
  news told;
  auto document = document_in(answer);
  {
    const std::lock_guard lock(mutex_);
    if (document) {
      told.other = known_.fetched(std::move(*document), fetch.asked);
      if (told.other || !seen_) seen_ = rules_of(*known_.document(), of_.own);
      const auto& said = *known_.document();
      if (told.other) {
        told.what = said.complete ? std::to_string(said.rules.tools.rules.size()) + " rules for tools"
                                  : "it is not finished (" + said.state + "): nothing is allowed";
      }
      told.back = std::exchange(away_, false);
    } else {
      known_.failed(document.error(), now);
      failed_ = now;
      if (!std::exchange(away_, true)) told.away = document.error();
    }
    in_flight_.reset();
  }
  fetch.others->settle();
  return told;
}

policy policy_feed::in_force(time_point now) const {
  const std::lock_guard lock(mutex_);
  if (counts(now)) return *seen_;
  const auto& why = known_.failure();
  auto words =
      seen_ ? "policy_url has given no policy for " + std::to_string(of_.pace.max_age.count()) + " s or more"
            : std::string("policy_url has given no policy yet");
  return policy::closed(errc::policy_unavailable, why ? words + ": " + why->detail : words);
}

policy_feed::status policy_feed::state(time_point now) const {
  const std::lock_guard lock(mutex_);
  status s;
  s.ready = counts(now);
  if (seen_) {
    s.good_until = known_.good_until();
    s.asked = known_.good_until() - of_.pace.max_age;
  }
  s.failed = failed_;
  if (known_.failure()) s.failure = known_.failure()->detail;
  return s;
}

}  // namespace mcp_oauth
