#include "broker/rate_limits.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr seconds a_minute{60};
constexpr seconds an_hour{3600};
// A tenth of the logins in flight may be of one address, so that no single one keeps everybody else out.
constexpr std::uint32_t least_logins = 20;

constexpr std::array<rate_limit_row, static_cast<std::size_t>(rate_limit::count_)> rows = {{
    {rate_limit::requests, "rate_limits.requests_per_minute", "address"},
    {rate_limit::sign_ins, "rate_limits.sign_ins_per_minute", "address"},
    {rate_limit::registrations, "rate_limits.registrations_per_hour", "address"},
    {rate_limit::logins, "limits.logins_in_flight", "address"},
    {rate_limit::client_requests, "rate_limits.client_requests_per_minute", "client"},
    {rate_limit::user_tokens, "rate_limits.user_tokens_per_minute", "user"},
    {rate_limit::account, "limits.sign_in_attempts", "account"},
    {rate_limit::device, "limits.sign_in_attempts", "device"},
}};
static_assert([] {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].which != static_cast<rate_limit>(i)) return false;
  }
  return true;
}());

}  // namespace

const std::array<rate_limit_row, static_cast<std::size_t>(rate_limit::count_)>& rate_limit_rows() {
  return rows;
}

rate_limits::rate_limits(const random_fn& random)
    : counters_{limiter(random), limiter(random), limiter(random),
                limiter(random), limiter(random), limiter(random)} {}

std::optional<seconds> rate_limits::refuse(rate_limit which, std::string_view key, const settings& conf,
                                           time_point now) {
  return counter(which).refuse(key, allowed_rate(which, conf), now);
}

std::optional<seconds> rate_limits::is_spent(rate_limit which, std::string_view key, const settings& conf,
                                             time_point now) {
  return counter(which).is_spent(key, allowed_rate(which, conf), now);
}

rate allowed_rate(rate_limit which, const settings& conf) {
  const auto& r = conf.rates;
  switch (which) {
    case rate_limit::requests: return {r.requests_per_minute, a_minute};
    case rate_limit::sign_ins: return {r.sign_ins_per_minute, a_minute};
    case rate_limit::registrations: return {r.registrations_per_hour, an_hour};
    case rate_limit::logins:
      return {std::max(least_logins, conf.limits.logins_in_flight / 10), conf.session_timeout};
    case rate_limit::client_requests: return {r.client_requests_per_minute, a_minute};
    case rate_limit::user_tokens: return {r.user_tokens_per_minute, a_minute};
    case rate_limit::account:
    case rate_limit::device:
    case rate_limit::count_: break;
  }
  return {};
}

}  // namespace mcp_oauth
