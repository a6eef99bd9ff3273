#pragma once

#include "broker/world.h"
#include "jose/key_set.h"
#include "oauth/access_token.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// An access token of ours for any of the resources served here, if it is genuine and expired no longer than
// `expired_for` ago. Errors: those of verify_access_token. NOT checked: whether its grant has ended.
result<access_claims> read_access_token(const broker_world& world, const key_set& keys,
                                        std::string_view token, time_point now,
                                        seconds expired_for = seconds(0));

}  // namespace mcp_oauth
