#pragma once

#include "broker/world.h"
#include "oauth/authorization_request.h"

#include <optional>
#include <string>

namespace mcp_oauth {

// What was approved in a browser before: record of kind "consent", named by a digest over browser, client,
// the name that it showed, redirect URI, resource and scopes; anything else asked for is another consent,
// also when a client's document says something else by now. Only for clients whose answer goes to a web host:
// who listens on this computer, or behind a private scheme, nothing can say (RFC 8252 §8.6).

// The provider that was chosen then.
std::optional<std::string> remembered_consent(const broker_world& world, std::string_view browser_digest,
                                              const authorization_terms& terms, std::string_view client_name,
                                              time_point now);
result<void> remember_consent(const broker_world& world, std::string_view browser_digest,
                              const authorization_terms& terms, std::string_view client_name,
                              std::string_view provider, time_point now);

}  // namespace mcp_oauth
