#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/time.h"

#include <functional>
#include <optional>
#include <variant>

namespace mcp_oauth {

struct outbound;
struct delay;

// What an endpoint of the authorization server wants next: its answer sent, or first a document fetched, or
// some time to pass. The broker never sends anything itself, and never waits.
using step = std::variant<http_response, outbound, delay>;

struct outbound {
  http_call call;
  fetch_rules rules;
  // Not sent after that: then there is no answer.
  std::optional<time_point> not_after = {};
  // Called once with the answer (or why there is none) and the time then.
  std::function<step(result<http_answer>, time_point)> then;
};

// Somebody else is at what the request needs.
struct delay {
  milliseconds time;
  std::function<step(time_point)> then;  // called once, with the time after it
};

}  // namespace mcp_oauth
