#pragma once

#include "base/random.h"
#include "base/time.h"
#include "broker/users.h"
#include "config/settings.h"
#include "jose/seal.h"
#include "store/record_store.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mcp_oauth {

// refreshed; refused: the sign-in ended; unavailable: no answer; misconfigured: the provider does not accept
// us; not_stored: renewed, but the store did not take it.
inline constexpr std::string_view refresh_outcomes[] = {"refreshed", "refused", "unavailable",
                                                        "misconfigured", "not_stored"};
class rate_limits;

// All that the authorization server knows of the world. What it refers to outlives it.
struct broker_world {
  const settings& conf;
  record_store& store;
  const sealer& seal;
  random_fn random;
  // Called when a grant has ended, before the request that ended it is answered: from then on no validator
  // may accept its access tokens. `until`: when the last of them has expired anyway.
  std::function<void(const std::string& grant, time_point until)> on_revoked;
  password_cost passwords = {};
  // Called after each attempt to renew a provider's token, with a word of `refresh_outcomes`.
  std::function<void(const std::string& provider, const std::string& grant, std::string_view outcome)>
      on_provider_refresh = {};
  // Of the process, which outlive this server; none: its own.
  std::shared_ptr<rate_limits> counts = {};

  // The same world, seen through a store before ours.
  broker_world through(record_store& other) const {
    return {conf, other, seal, random, on_revoked, passwords, on_provider_refresh, counts};
  }
};

}  // namespace mcp_oauth
