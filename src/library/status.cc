// The functions of mcp_oauth/status.h, and `guard::status`.

#include "base/json.h"
#include "library/parts.h"
#include "library/safely.h"

#include <algorithm>
#include <chrono>

MCP_OAUTH_BEGIN
namespace {

json::string text(std::string_view s) { return json::string(s.data(), s.size()); }

json::value age_of(const std::optional<time_point>& then, time_point now) {
  if (!then) return nullptr;
  return std::chrono::duration_cast<std::chrono::seconds>(now - *then).count();
}

issuer_state state_of(const issuer_status& from) {
  issuer_state s;
  s.issuer = from.issuer;
  s.ready = from.ready;
  s.keys = from.keys;
  s.keys_fetched = from.keys_fetched;
  s.last_success = from.last_success;
  s.last_failure = from.last_failure;
  if (from.failure) s.failure = from.failure->detail;
  return s;
}

policy_state state_of(const policy_feed& feed, time_point now) {
  auto from = feed.state(now);
  policy_state s;
  s.from_url = true;
  s.ready = from.ready;
  s.fetched = from.asked;
  s.good_until = from.good_until;
  s.last_failure = from.failed;
  s.failure = std::move(from.failure);
  return s;
}

}  // namespace

std::string guard_status::json() const {
  json::object all;
  all["ready"] = ready;
  auto& list = all["issuers"].emplace_array();
  for (const auto& i : issuers) {
    json::object one;
    one["issuer"] = text(i.issuer);
    one["ready"] = i.ready;
    one["keys"] = i.keys;
    one["keys_age"] = age_of(i.keys_fetched, now);
    one["last_success_age"] = age_of(i.last_success, now);
    one["last_failure_age"] = age_of(i.last_failure, now);
    one["failure"] = text(i.failure);
    list.push_back(std::move(one));
  }
  json::object rules;
  rules["from_url"] = policy.from_url;
  rules["ready"] = policy.ready;
  rules["age"] = age_of(policy.fetched, now);
  rules["good_for"] = policy.good_until ? age_of(now, *policy.good_until) : json::value();
  rules["last_failure_age"] = age_of(policy.last_failure, now);
  rules["failure"] = text(policy.failure);
  all["policy"] = std::move(rules);
  return json::serialize(all);
}

guard_status guard::status() const noexcept {
  return safely(
      [&] {
        guard_status s;
        s.now = parts_->g->now();
        for (const auto& issuer : parts_->g->core.status(s.now)) s.issuers.push_back(state_of(issuer));
        if (parts_->g->feed) s.policy = state_of(*parts_->g->feed, s.now);
        s.ready = s.policy.ready &&
                  std::all_of(s.issuers.begin(), s.issuers.end(), [](auto& i) { return i.ready; });
        return s;
      },
      [] { return guard_status(); });
}

MCP_OAUTH_END
