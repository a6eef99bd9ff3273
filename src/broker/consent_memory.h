#pragma once

#include "broker/pending_login.h"
#include "broker/person.h"
#include "broker/world.h"

#include <optional>
#include <string>

namespace mcp_oauth {

// What was approved in a browser before, and by whom: record of kind "consent", named by a digest over
// browser, client, the name that it showed, redirect URI, resource and scopes; anything else asked for is
// another consent, also when a client's document says something else by now. It comes into being when whoever
// approved has signed in, and counts for that person alone: where somebody else signs in, they are asked
// themselves. Only for clients whose answer goes to a web host: who listens on this computer, or behind a
// private scheme, nothing can say (RFC 8252 §8.6).

// Names a person; whoever gets a removed user's name is another one.
std::string approver_of(const person& who);

struct remembered_approval {
  std::string provider;  // that was chosen then
  std::string approver;
};
std::optional<remembered_approval> remembered_consent(const broker_world& world,
                                                      std::string_view browser_digest,
                                                      const approved_access& access, time_point now);
// Adds to `c` that the person approved it.
void remember_consent(change& c, const pending_login& login, const person& who, time_point now);

}  // namespace mcp_oauth
