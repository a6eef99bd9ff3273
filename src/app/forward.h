#pragma once

#include "net/relay.h"
#include "policy/policy.h"

namespace mcp_oauth {

// Sends a call to an MCP server. It takes a permit, and only `authorize` makes one: a call that was not
// decided cannot be forwarded. Nothing else in the program may call `net::relay` (tests/lint/layers.py).
inline net::task<net::relay_outcome> forward(const permit&, net::exchange& x, net::upstream_pool& pool,
                                             net::relay_order& order, const net::relay_limits& limits,
                                             net::relay_watcher& watcher) {
  return net::relay(x, pool, order, limits, watcher);
}

}  // namespace mcp_oauth
