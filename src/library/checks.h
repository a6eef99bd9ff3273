#pragma once

// From a request or a token to a verdict, with the fetching left to others.

#include "library/parts.h"

#include <optional>
#include <string_view>
#include <variant>

MCP_OAUTH_BEGIN

// A request whose credentials were found, before anybody looked at them.
struct asked_call {
  request about;
  std::string_view token;
  std::string origin;  // of a web page that may read the answer; "" when there is none
  presented shown;
  std::string certificate_thumbprint;  // `shown` borrows it
};

// Everything that needs no token: preflight, Origin, method, credentials. An answer, or what to validate.
std::variant<admission, asked_call> read_request(const engine& g, const request& asked);

// The rest, once the token was judged.
admission conclude(const std::shared_ptr<engine>& g, const asked_call& asked,
                   const result<std::shared_ptr<const accepted>>& verdict);
outcome<user> conclude(const engine& g, const result<std::shared_ptr<const accepted>>& verdict);

// A step of the guard's, and behind its last one the fetch of the policy where that comes from a URL and has
// to be had first. A policy that cannot be had fails no token: what it denies is decided later. `g` has to
// outlive it.
guard_step with_policy(const engine& g, guard_step at);

// Fetches and waits until the verdict is there. Blocks.
result<std::shared_ptr<const accepted>> drive(const engine& g, guard_step at);

MCP_OAUTH_END
