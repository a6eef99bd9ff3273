#include "broker/provider_access.h"

#include "base/base64url.h"
#include "broker/grants.h"
#include "broker/provider_failure.h"
#include "broker/sign_in_at_provider.h"
#include "provider/oidc.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr seconds answer_time{8};
constexpr seconds lease_time = answer_time + seconds(4);  // and the store
constexpr seconds discovery_time{10};                     // where the provider's metadata is not known
// Between gateways. What is leased for longer was leased by a clock that has been set back since.
constexpr seconds clock_difference{60};
constexpr seconds next_attempt_after{10};
constexpr seconds at_once_again_after{30};
constexpr seconds longest_wait{25};
constexpr milliseconds look_again_after{50};  // at first, then twice as long each time
constexpr milliseconds look_again_at_least{1000};
constexpr seconds without_lease{5};
constexpr milliseconds store_again_after{250};
constexpr std::chrono::minutes unchanging_for{10};

// One request that wants the token, through all of its steps.
struct renewal {
  std::string grant;
  refresh_when when;
  time_point give_up;
  access_step then;
  const provider_settings* provider = nullptr;
  token_plan plan = {};
  provider_tokens tokens = {};  // as they were when the lease was taken
  std::string lease = {};
  time_point leased_until = {};
  milliseconds pause = look_again_after;
};
using renewal_ptr = std::shared_ptr<renewal>;

step look(broker_parts& parts, const exchange& x, const renewal_ptr& r);

const provider_settings* find_provider(const settings& conf, std::string_view name) {
  auto found = std::find_if(conf.providers.begin(), conf.providers.end(),
                            [&](const auto& p) { return p.name == name; });
  return found == conf.providers.end() ? nullptr : &*found;
}

bool is_leased(const provider_tokens& t, time_point now) {
  return t.leased_until && now < *t.leased_until &&
         *t.leased_until <= now + lease_time + discovery_time + clock_difference;
}

bool is_good(const provider_tokens& t, time_point now) { return !t.expires || now < *t.expires; }

step give(const exchange& x, const renewal& r, const provider_tokens& t, time_point good_until,
          bool renewed = false) {
  provider_access access;
  access.provider = t.provider;
  access.token = t.access_token;
  access.expires = t.expires;
  access.good_until = t.expires ? std::min(good_until, *t.expires) : good_until;
  access.renewed = renewed;
  access.renewable = r.plan.renews && !t.refresh_token.empty();
  return r.then(x, std::move(access));
}

step give_up(const exchange& x, const renewal& r, error why) {
  return r.then(x, tl::unexpected(std::move(why)));
}

// The person has to sign in again.
step end(broker_parts& parts, const exchange& x, const renewal& r, error why) {
  auto ended = revoke_grant(parts.world, r.grant, x.now);
  return give_up(x, r, ended ? std::move(why) : ended.error());
}

void report(broker_parts& parts, const exchange& x, const renewal& r, std::string_view outcome) {
  x.log->note("provider", r.provider->name);
  x.log->note("provider_refresh", outcome);
  if (parts.world.on_provider_refresh) parts.world.on_provider_refresh(r.provider->name, r.grant, outcome);
}

step wait(broker_parts& parts, const exchange& x, const renewal_ptr& r, milliseconds time) {
  if (x.now >= r->give_up) {
    return give_up(x, *r,
                   {errc::provider_refresh_failed, "another request has been renewing it for too long"});
  }
  return delay{time, [&parts, x, r](time_point now) { return look(parts, x.at(now), r); }};
}

// While it waits, the old token is used as long as it is good.
step failed(broker_parts& parts, const exchange& x, const renewal_ptr& r, const error& why) {
  report(parts, x, *r, why.code == errc::provider_unreachable ? "unavailable" : "misconfigured");
  x.log->note("provider_detail", why.detail);
  note_explanation(x, parts.world.conf, *r->provider, why.detail);
  auto next = x.now + next_attempt_after;
  auto found = find_provider_tokens(parts.world, r->grant, x.now);
  if (found && *found && (*found)->leased_by == r->lease) {
    auto t = **found;
    t.leased_until = next;
    t.leased_by.clear();
    t.failure = explain(why.code).name;
    change c;
    c.when.push_back({"provider_token", t.grant, t.version});
    c.put.push_back(to_record(parts.world, t));
    // Where it cannot be noted, the lease runs out by itself.
    (void)parts.world.store.commit(c, x.now);
  }
  if (r->when == refresh_when::due && is_good(r->tokens, x.now)) return give(x, *r, r->tokens, next);
  return give_up(x, *r, {errc::provider_refresh_failed, why.detail});
}

// The old one stays in the store until the new one is there. Whoever overtook us has the last word.
step store(broker_parts& parts, const exchange& x, const renewal_ptr& r, const provider_tokens& fresh) {
  constexpr int most_attempts = 8;
  error why{errc::store_busy, "the provider's token kept changing"};
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    auto found = find_provider_tokens(parts.world, r->grant, x.now);
    if (!found) {
      why = found.error();
      break;
    }
    if (!*found) return give_up(x, *r, {errc::provider_session_ended, "the grant has ended meanwhile"});
    const auto& current = **found;
    bool theirs = !current.refresh_token.equals(r->tokens.refresh_token.reveal());
    if (theirs) return give(x, *r, current, x.now);
    auto next = fresh;
    next.kept_until = current.kept_until;
    change c;
    c.when.push_back({"provider_token", next.grant, current.version});
    c.put.push_back(to_record(parts.world, next));
    // The others may send the old one for as long as it would have been good, which it may be no more.
    c.announce.push_back({"provider_token", next.grant});
    auto done = parts.world.store.commit(c, x.now);
    if (!done) {
      why = done.error();
      break;
    }
    if (!*done) continue;
    report(parts, x, *r, "refreshed");
    auto due = renewal_due(next, parts.world.conf.provider_refresh_margin);
    return give(x, *r, next, due.value_or(x.now + unchanging_for), true);
  }
  if (x.now < r->leased_until) {
    return delay{store_again_after,
                 [&parts, x, r, fresh](time_point now) { return store(parts, x.at(now), r, fresh); }};
  }
  report(parts, x, *r, "not_stored");
  return give_up(x, *r, why);
}

step judge(broker_parts& parts, const exchange& x, const renewal_ptr& r, const result<http_answer>& answer) {
  if (!answer) return failed(parts, x, r, {errc::provider_unreachable, answer.error().detail});
  std::array sent = {r->tokens.refresh_token.reveal(), r->provider->client_secret.reveal()};
  auto got = process_refresh_answer(*answer, sent);
  if (!got && got.error().code != errc::provider_sign_in_needed) return failed(parts, x, r, got.error());
  if (got) {
    auto fresh = r->tokens;
    fresh.access_token = r->plan.sends ? got->access_token : secret();
    if (!got->refresh_token.empty()) fresh.refresh_token = got->refresh_token;
    if (!got->scope.empty()) fresh.scope = got->scope;
    fresh.expires = got->expires_in ? std::optional(x.now + *got->expires_in) : std::nullopt;
    fresh.issued = x.now;
    fresh.renewed = x.now;
    fresh.leased_until.reset();
    fresh.leased_by.clear();
    fresh.failure.clear();
    return store(parts, x, r, fresh);
  }
  // Somebody may have been faster after all, and used up the token that we came with.
  auto found = find_provider_tokens(parts.world, r->grant, x.now);
  if (!found) return give_up(x, *r, found.error());
  if (*found && !(*found)->refresh_token.equals(r->tokens.refresh_token.reveal())) return look(parts, x, r);
  report(parts, x, *r, "refused");
  note_explanation(x, parts.world.conf, *r->provider, got.error().detail);
  return end(parts, x, *r, {errc::provider_session_ended, got.error().detail});
}

step renew(broker_parts& parts, const exchange& x, const renewal_ptr& r) {
  return with_provider_metadata(
      parts, x, *r->provider,
      [&parts, r](const exchange& later,
                  const result<std::shared_ptr<const provider_metadata>>& metadata) -> step {
        if (!metadata) return failed(parts, later, r, metadata.error());
        outbound fetch;
        fetch.call = token_refresh_request(
            **metadata, {r->provider->client_id, r->provider->client_secret, r->tokens.refresh_token});
        fetch.rules.timeout = answer_time;
        // Later, somebody else may have sent the same refresh token.
        fetch.not_after = r->leased_until - answer_time;
        fetch.then = [&parts, later, r](const result<http_answer>& answer, time_point now) {
          return judge(parts, later.at(now), r, answer);
        };
        return fetch;
      });
}

// At most one request of all holds the lease.
step lease(broker_parts& parts, const exchange& x, const renewal_ptr& r, provider_tokens t) {
  r->lease = base64url_encode(parts.world.random(16));
  bool knows_provider = parts.providers.fresh_metadata(r->provider->name, x.now) != nullptr;
  r->leased_until = x.now + lease_time + (knows_provider ? seconds(0) : discovery_time);
  t.leased_by = r->lease;
  t.leased_until = r->leased_until;
  change c;
  c.when.push_back({"provider_token", t.grant, t.version});
  c.put.push_back(to_record(parts.world, t));
  auto taken = parts.world.store.commit(c, x.now);
  if (!taken) {
    bool usable =
        r->when == refresh_when::due && is_good(t, x.now) && !(r->plan.sends && t.access_token.empty());
    return usable ? give(x, *r, t, x.now + without_lease) : give_up(x, *r, taken.error());
  }
  if (!*taken) return wait(parts, x, r, milliseconds(1));
  r->tokens = std::move(t);
  return renew(parts, x, r);
}

step look(broker_parts& parts, const exchange& x, const renewal_ptr& r) {
  auto found = find_provider_tokens(parts.world, r->grant, x.now);
  if (!found) return give_up(x, *r, found.error());
  if (!*found) return give_up(x, *r, {errc::provider_token_absent, "nothing is kept for the grant"});
  auto& t = **found;
  r->provider = find_provider(parts.world.conf, t.provider);
  if (r->provider == nullptr) {
    return end(parts, x, *r,
               {errc::provider_session_ended, "provider " + t.provider + " is no longer configured"});
  }
  r->plan = token_plan_of(parts.world.conf, *r->provider);
  bool good = is_good(t, x.now);
  bool lacks_token = r->plan.sends && t.access_token.empty();
  if (!r->plan.renews || t.refresh_token.empty()) {
    if (lacks_token) return give_up(x, *r, {errc::provider_token_absent, "the access token was not kept"});
    if (good) return give(x, *r, t, x.now + unchanging_for);
    return end(parts, x, *r,
               {errc::refresh_token_missing,
                title_of(*r->provider) + (r->plan.renews ? " did not provide a refresh token"
                                                         : "'s token has expired, and refresh_strategy is " +
                                                               r->provider->refresh_strategy)});
  }

  bool at_once = r->when == refresh_when::at_once;
  if (at_once && t.renewed && x.now < *t.renewed + at_once_again_after) {
    at_once = false;
    r->when = refresh_when::due;
  }
  auto due = renewal_due(t, parts.world.conf.provider_refresh_margin);
  bool wanted = at_once || lacks_token || (due && *due <= x.now);
  if (!wanted) return give(x, *r, t, due.value_or(x.now + unchanging_for));
  if (!is_leased(t, x.now)) return lease(parts, x, r, std::move(t));

  bool resting = !t.failure.empty() && t.leased_by.empty();
  bool usable = good && !lacks_token && !at_once;
  // What a refresh ends is not handed out while one may be under way.
  if (usable && (resting || !kind_of(*r->provider).refresh_ends_access_token)) {
    return give(x, *r, t, *t.leased_until);
  }
  if (resting)
    return give_up(x, *r, {errc::provider_refresh_failed, "the last attempt failed: " + t.failure});
  auto pause = r->pause;
  r->pause = std::min(pause * 2, look_again_at_least);
  return wait(parts, x, r, pause);
}

}  // namespace

result<bool> renews_for_grant(broker_parts& parts, const std::string& grant, time_point now) {
  auto found = find_provider_tokens(parts.world, grant, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return false;
  const auto* provider = find_provider(parts.world.conf, (*found)->provider);
  return provider == nullptr || token_plan_of(parts.world.conf, *provider).renews;
}

step with_provider_access(broker_parts& parts, exchange x, std::string grant, refresh_when when,
                          access_step then) {
  auto r = std::make_shared<renewal>(renewal{std::move(grant), when, x.now + longest_wait, std::move(then)});
  return look(parts, x, r);
}

}  // namespace mcp_oauth
