#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/time.h"

#include <functional>
#include <variant>

namespace mcp_oauth {

struct outbound;

// What an endpoint of the authorization server wants next: its answer sent, or a document fetched first.
// The broker never sends anything itself.
using step = std::variant<http_response, outbound>;

struct outbound {
  http_call call;
  fetch_rules rules;
  // Called once with the answer (or why there is none) and the time then.
  std::function<step(result<http_answer>, time_point)> then;
};

}  // namespace mcp_oauth
