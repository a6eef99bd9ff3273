#pragma once

#include "base/http.h"
#include "base/time.h"
#include "base/trace.h"
#include "broker/rate_limits.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// A request on the way of a sign-in.
struct login_step {
  std::string hop;        // the endpoint: "authorize"; or what came before it: "gateway", "metadata"
  std::string id;         // of the request
  std::int64_t at = 0;    // milliseconds since 1970
  bool probable = false;  // it came from the same address a little before; no more is known
};

// What was decided about one request, for the log line that carries its correlation id. Names: result (a word
// of the catalogue, or "ok"), symptom, detail, client_id, user, provider, userinfo (why it could not be had),
// grant, event. Holds no secret.
struct broker_log {
  std::vector<std::pair<std::string, std::string>> notes;

  void note(std::string_view name, std::string_view value) { notes.emplace_back(name, value); }

  // The limit that was reached, if one was.
  std::optional<rate_limit> limited = {};

  // Of the sign-in that the request belongs to, for the story of its failure (broker/login_trail.h): what its
  // requests have in common, "" when it is of none; and those before this one.
  std::string login = {};
  std::vector<login_step> steps = {};
  std::vector<login_step> openings = {};  // given by the caller: what came before a first request

  topics watched = {};             // what the operator wants to see in detail
  std::vector<trace_note> traces;  // of those; see broker/watched_flow.h
  bool watches(topic t) const { return watched.has(t); }
};

// One request on its way through the endpoints, and through the fetches that it may need.
struct exchange {
  std::shared_ptr<const http_request> request;
  time_point now;
  broker_log* log = nullptr;  // the caller's; outlives the last step

  exchange at(time_point later) const { return {request, later, log}; }
};

}  // namespace mcp_oauth
