#pragma once

#include "app/call_trace.h"
#include "app/gateway_service.h"
#include "broker/exchange.h"
#include "policy/policy.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

struct gateway_service::story {
  metrics::area area = metrics::area::other;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::string client;                        // address
  std::string_view action;                   // what was asked for, in a word
  std::shared_ptr<const snapshot> rules;     // under which it began; keeps `upstream`
  std::shared_ptr<const credential> caller;  // whose token it was; keeps the next two
  std::string_view subject, client_id;
  std::string method, tool;
  std::string_view upstream;
  std::optional<error> why;
  std::uint64_t request_bytes = 0, response_bytes = 0;
  bool stream = false;
  bool answered = false;                               // by the MCP server
  std::chrono::steady_clock::time_point stream_began;  // the head of its stream came
  bool by_dpop = false;                                // the token came with the scheme DPoP
  bool remembered = false;                             // the guard had judged it before
  std::string issuer;                                  // of a token of others
  bool permitted = false;                              // the call was allowed, whatever became of it then
  std::vector<std::pair<std::string, std::string>> notes;
  std::unique_ptr<call_trace> trace;  // when traces are made
  std::unique_ptr<refusal> denied;    // by the policy
  bool headless = false;              // the request's head could not be read
  std::string login;                  // as in `broker_log`
  std::vector<login_step> steps;
};

}  // namespace mcp_oauth
