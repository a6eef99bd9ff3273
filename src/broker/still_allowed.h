#pragma once

#include "base/error.h"
#include "base/time.h"
#include "broker/person.h"
#include "broker/world.h"

namespace mcp_oauth {

// Whether the person, who has signed in before, could still do so: their provider is configured, its lists of
// who is allowed let them in, and a built-in user is the same as then. Errors: refresh_invalid, and those of
// the store.
result<void> check_still_allowed(const broker_world& world, const person& who, time_point now);

}  // namespace mcp_oauth
