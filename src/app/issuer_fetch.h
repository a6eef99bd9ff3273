#pragma once

#include "base/error.h"
#include "guard/guard.h"

#include <functional>
#include <string>
#include <vector>

namespace mcp_oauth {

// How a document is fetched: `net::fetch` with our authorities, or a test's own.
using fetch_fn = std::function<result<http_answer>(const http_call&, const fetch_rules&)>;

// An issuer whose tokens cannot be judged, and why.
struct issuer_failure {
  std::string issuer;
  // Its code says what was not to be had: issuer_unreachable or issuer_metadata_invalid for its metadata,
  // issuer_keys_unavailable. The detail says what was seen, and where.
  error why;
};

using clock_fn = std::function<time_point()>;
time_point real_time();

// Fetches what the guard wants before its first request, of all issuers at the same time, and waits for it.
// Those that cannot be used then are returned, in their order.
std::vector<issuer_failure> fetch_first_documents(guard& judge, const fetch_fn& fetch,
                                                  const clock_fn& clock = real_time);

// What an operator reads of it: the guides' headline, the cause, what to check.
std::string told(const issuer_failure& failure);

// The same in one line, for a start that goes on without it.
std::string retried(const issuer_failure& failure);

}  // namespace mcp_oauth
