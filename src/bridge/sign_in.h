#pragma once

#include "base/random.h"
#include "bridge/metadata.h"
#include "bridge/outbound.h"
#include "bridge/step.h"
#include "jose/key.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Why a token is wanted, and what can be done for it.
struct sign_in_purpose {
  server_demand demand;     // of the 401 or 403; empty where nothing was asked yet
  bool challenged = false;  // there was one: who issues tokens may have changed
  bool step_up = false;     // 403 with insufficient_scope
  bool may_refresh = true;  // the refresh token was not tried yet
  bool person = true;       // somebody may be asked
  bool headless = false;    // without a browser on this machine
  secret assertion;         // for jwt_bearer and enterprise
};

// What a sign-in works with; all of it outlives the steps.
struct sign_in_world {
  const bridge_settings& settings;
  outbound_rules rules;
  std::optional<signing_key> client_key;  // for private_key_jwt
  random_fn random;
  // For the log; holds no secret.
  std::function<void(bridge_log_level, const std::string&)> note;
  // The authorization server says that the refresh token has ended, or that it does not know the client.
  std::function<void()> session_over = {};
};

// One way to a token, from what is kept to what is to be kept. In order: the refresh token, where there is
// one; discovery, where it is on; the client (configured, document, registered before, registered now); the
// grant. Every check of MCP's authorization for clients is in here or in what it uses. What is kept is
// returned whole, also what was learned on the way to a failure is not lost: a registration is reported by
// `world.note` and made again.
//
// Bounded by itself: at most one refresh, one registration twice, one page for a person, one more without
// `resource` where the server refuses that. Errors: sign_in_*; details are fit for the user and for the
// client, and hold no secret.
//
// NOT checked: whether the token is good at the MCP server.
sign_in_step begin_sign_in(std::shared_ptr<const sign_in_world> world, kept_sign_in kept,
                           sign_in_purpose purpose, time_point now);

// The scopes to ask for: configured; else with a step-up the union of what was asked for before and what the
// server wants now; else of the challenge, of the resource's metadata, or none. `offline_access` is added
// where the server offers it and anything else is asked for. Errors: sign_in_scope_in_vain when a step-up
// would ask for nothing new.
result<std::vector<std::string>> wanted_scopes(const bridge_settings& settings,
                                               const sign_in_purpose& purpose, const kept_tokens* before,
                                               const std::optional<resource_facts>& resource,
                                               const server_facts& server);

// RFC 9207 §2.4, for codes and errors alike: equal byte for byte where it is there, and there where the
// server says that it sends it. Where the issuer is not known it is not compared. Errors:
// sign_in_issuer_mismatch.
result<void> check_iss(const server_facts& server, const std::optional<std::string>& iss);

// Where the browser goes: the endpoint with its own query, and the parameters; what is named twice is there
// once, and ours wins.
std::string with_parameters(std::string_view endpoint,
                            const std::vector<std::pair<std::string, std::string>>& ours,
                            const std::vector<std::pair<std::string, std::string>>& others);

// Parameters that nobody may set over ours, in a request to the authorization or to the token endpoint.
bool is_reserved_parameter(std::string_view name);

}  // namespace mcp_oauth
