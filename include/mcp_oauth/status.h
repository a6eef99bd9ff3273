#pragma once

#include "mcp_oauth/abi.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

MCP_OAUTH_BEGIN

// What is known of what an issuer publishes.
struct issuer_state {
  std::string issuer;
  bool ready = false;    // its tokens can be judged now
  std::size_t keys = 0;  // that are known
  // When the keys were fetched; nothing before that, and where they were given. They are used until the next
  // fetch is overdue by long.
  std::optional<std::chrono::system_clock::time_point> keys_fetched;
  // Of fetches of its documents.
  std::optional<std::chrono::system_clock::time_point> last_success, last_failure;
  std::string failure;  // why the last one that failed did; for your log, as it names URLs
};

// What is known of the policy.
struct policy_state {
  bool from_url = false;  // false: the options have it, and it is always ready
  bool ready = true;      // it counts; a policy that refuses everything does
  // When the last one that came was asked for, and until when it counts.
  std::optional<std::chrono::system_clock::time_point> fetched, good_until;
  std::optional<std::chrono::system_clock::time_point> last_failure;
  std::string failure;  // why there is no newer one; "" when the last question was answered
};

// What a health check wants to know. `now` is the time that all of it is of.
struct guard_status {
  bool ready = false;  // every issuer is, and the policy
  std::chrono::system_clock::time_point now;
  std::vector<issuer_state> issuers;
  policy_state policy;

  // All of it as one JSON object, with ages in seconds:
  // {"ready":true,"issuers":[{"issuer":"https://…","ready":true,"keys":2,"keys_age":41,"last_success_age":41,
  //   "last_failure_age":null,"failure":""}],
  //  "policy":{"from_url":true,"ready":true,"age":12,"good_for":108,"last_failure_age":null,"failure":""}}
  MCP_OAUTH_API std::string json() const;
};

MCP_OAUTH_END
