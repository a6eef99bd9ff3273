#pragma once

#include "library/checks.h"

#include <memory>
#include <optional>
#include <string_view>
#include <variant>

MCP_OAUTH_BEGIN

// A check under way: the core's step, and what its verdict is for.
struct MCP_OAUTH_LOCAL pending_parts {
  std::shared_ptr<engine> g;
  std::optional<guard_step> at;  // nothing where `answered` says it all
  fetch_request wanted;          // while the step is an ask
  time_point waits_until;        // while the step is a wait
  std::optional<admission> answered;
  std::optional<asked_call> asked;  // of a whole request

  void arrive(guard_step next);
};

std::unique_ptr<pending_parts> begin_check(const std::shared_ptr<engine>& g, std::string_view token);
std::unique_ptr<pending_parts> begin_check(const std::shared_ptr<engine>& g, const request& asked);

MCP_OAUTH_END
