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

namespace mcp_oauth {

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
  // Of the process, which outlive this server; none: its own.
  std::shared_ptr<rate_limits> counts = {};
};

}  // namespace mcp_oauth
