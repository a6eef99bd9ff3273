#pragma once

#include "base/http.h"
#include "broker/person.h"
#include "broker/users.h"
#include "broker/world.h"

#include <optional>
#include <string>

namespace mcp_oauth {

// A browser in which a built-in user is signed in: record of kind "browser", named by the digest of its
// cookie, for sign_in_lifetime. People of other identity providers are signed in there, not here.

// Nobody where the user was removed, has another password since, or is no longer allowed.
std::optional<person> signed_in_person(const broker_world& world, const http_request& request,
                                       time_point now);

// The record to commit, and the Set-Cookie of the answer. Always a fresh cookie: one that was there before
// the sign-in may have been planted.
struct new_session {
  record row;
  std::string cookie;
};
new_session begin_session(const broker_world& world, const person& who, const user& known, time_point now);

// Adds to `c` the end of the session that the browser had before: its cookie is worth nothing from then on.
void end_previous_session(change& c, const broker_world& world, const http_request& request);

// Ends it; returns the Set-Cookie that removes the cookie.
result<std::string> end_session(const broker_world& world, const http_request& request, time_point now);

}  // namespace mcp_oauth
