#pragma once

#include "base/time.h"

#include <atomic>
#include <cstddef>

namespace mcp_oauth {

enum class addresses { any, public_only };

// The bounds of one outbound request. Redirects are never followed.
struct fetch_rules {
  addresses allowed = addresses::any;  // public_only: the guard for URLs that a stranger chose (SSRF)
  std::size_t most_bytes = 256 * 1024;
  seconds timeout{10};
  const std::atomic<bool>* given_up = nullptr;  // true: it ends within about a second, with fetch_failed
};

}  // namespace mcp_oauth
