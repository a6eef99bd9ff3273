#pragma once

#include "broker/limiter.h"
#include "config/settings.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Everything that says 429. Those from `account` on are counted elsewhere, in the store.
enum class rate_limit {
  requests,         // to the OAuth endpoints, by address
  sign_ins,         // passwords tried and returns from a provider, by address
  registrations,    // by address
  logins,           // begun, by address: a tenth of limits.logins_in_flight
  client_requests,  // that a client was granted, by client
  user_tokens,      // given out for a person, by person
  account,          // wrong passwords for an account
  device,           // wrong passwords in a browser that the account was used in
  count_            // not a limit: how many there are
};

struct rate_limit_row {
  rate_limit which;
  std::string_view key;         // of the configuration: "rate_limits.requests_per_minute"
  std::string_view counted_by;  // "address", "client", "user", "account", "device"
};

// Every limit, in the order of the enumeration: the labels of metrics, and the words for the wire.
const std::array<rate_limit_row, static_cast<std::size_t>(rate_limit::count_)>& rate_limit_rows();
inline const rate_limit_row& row_of(rate_limit which) {
  return rate_limit_rows()[static_cast<std::size_t>(which)];
}

// The counters of this process. They outlive a reload, so that none forgets anything.
class rate_limits final {
 public:
  explicit rate_limits(const random_fn& random);

  // Only for limits that are counted here. As limiter::refuse and limiter::is_spent.
  std::optional<seconds> refuse(rate_limit which, std::string_view key, const settings& conf, time_point now);
  std::optional<seconds> is_spent(rate_limit which, std::string_view key, const settings& conf,
                                  time_point now);

 private:
  limiter& counter(rate_limit which) { return counters_[static_cast<std::size_t>(which)]; }

  std::array<limiter, static_cast<std::size_t>(rate_limit::account)> counters_;
};

// What the configuration allows; of a limit that is counted elsewhere nothing.
rate allowed_rate(rate_limit which, const settings& conf);

}  // namespace mcp_oauth
