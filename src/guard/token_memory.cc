#include "guard/token_memory.h"

#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

// Threads read the clock one after the other, and it is slewed; more than that is a step back.
constexpr seconds unordered{5};

bool counts(time_point since, time_point until, time_point now) {
  return now < until && since <= now + unordered;
}
bool counts(const std::shared_ptr<const accepted>& one, time_point now) {
  return counts(one->judged, one->good_until, now);
}

}  // namespace

std::optional<verdict> shared_judgement::outcome() const {
  std::lock_guard lock(mutex_);
  return outcome_;
}

std::shared_ptr<const accepted> token_memory::find(const sha256_digest& key, time_point now) const {
  auto& held = of(key);
  std::lock_guard lock(held.mutex);
  auto at = held.good.find(key);
  return at != held.good.end() && counts(at->second, now) ? at->second : nullptr;
}

std::optional<error> token_memory::refused(const sha256_digest& key, time_point now) const {
  auto& held = of(key);
  std::lock_guard lock(held.mutex);
  auto at = held.bad.find(key);
  if (at == held.bad.end() || !counts(at->second.since, at->second.until, now)) return std::nullopt;
  return at->second.why;
}

token_memory::flight token_memory::begin(const sha256_digest& key, time_point now) {
  auto& held = of(key);
  std::lock_guard lock(held.mutex);
  auto at = held.good.find(key);
  if (at != held.good.end() && counts(at->second, now)) return {at->second, nullptr, nullptr};
  auto& place = held.in_flight[key];
  if (place != nullptr) return {nullptr, place, nullptr};
  place = std::make_shared<shared_judgement>();
  auto judgement = place;
  return {nullptr, nullptr,
          std::shared_ptr<void>(judgement.get(), [this, key, judgement](void*) { give_up(key, judgement); })};
}

void token_memory::settle(const sha256_digest& key, const std::shared_ptr<void>& mine, const verdict& outcome,
                          time_point now) {
  std::shared_ptr<shared_judgement> judgement;
  auto& held = of(key);
  {
    std::lock_guard lock(held.mutex);
    auto at = held.in_flight.find(key);
    if (at == held.in_flight.end() || at->second.get() != mine.get()) return;
    judgement = std::move(at->second);
    held.in_flight.erase(at);
    if (outcome) {
      held.bad.erase(key);
      if (!held.good.contains(key)) make_room(held.good, most_in_shard());
      held.good[key] = *outcome;
    } else {
      held.good.erase(key);
      const auto& why = outcome.error();
      bool of_the_token = explain(why.code).status < 500 && why.code != errc::token_key_unknown;
      if (of_the_token && rules_.negative > seconds(0)) {
        if (!held.bad.contains(key)) make_room(held.bad, most_in_shard());
        held.bad[key] = {why, now, now + rules_.negative};
      }
    }
  }
  {
    std::lock_guard lock(judgement->mutex_);
    judgement->outcome_ = outcome;
  }
  judgement->over.settle();
}

void token_memory::give_up(const sha256_digest& key, const std::shared_ptr<shared_judgement>& judgement) {
  auto& held = of(key);
  {
    std::lock_guard lock(held.mutex);
    auto at = held.in_flight.find(key);
    if (at != held.in_flight.end() && at->second == judgement) held.in_flight.erase(at);
  }
  judgement->over.settle();
}

void token_memory::forget(const sha256_digest& key) {
  auto& held = of(key);
  std::lock_guard lock(held.mutex);
  held.good.erase(key);
  held.bad.erase(key);
  held.in_flight.erase(key);
}

void token_memory::sweep(time_point now) {
  for (auto& held : shards_) {
    std::lock_guard lock(held.mutex);
    boost::unordered::erase_if(held.good, [now](const auto& e) { return !counts(e.second, now); });
    boost::unordered::erase_if(held.bad,
                               [now](const auto& e) { return !counts(e.second.since, e.second.until, now); });
  }
}

std::size_t token_memory::size() const {
  std::size_t all = 0;
  for (auto& held : shards_) {
    std::lock_guard lock(held.mutex);
    all += held.good.size() + held.bad.size();
  }
  return all;
}

}  // namespace mcp_oauth
