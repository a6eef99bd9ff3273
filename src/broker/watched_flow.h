#pragma once

// What DEBUG shows of a sign-in, for the sources of this room. Each looks at what is watched first, and none
// shows a code, a state, a verifier or a token.

#include "broker/exchange.h"
#include "broker/pending_login.h"
#include "oauth/authorization_request.h"
#include "oauth/token_request.h"

#include <string_view>

namespace mcp_oauth {

// oauth:authorize, oauth:pkce: what a client asks for, and the mistakes in its challenge.
void watch_request(const exchange& x, const authorization_request& request);
// oauth:pkce: its challenge is kept with the code.
void watch_code(const exchange& x, const approved_access& access);
// oauth:token, oauth:pkce: what it asks the token endpoint for, and what became of it; `why` nullptr:
// granted.
void watch_grant(const exchange& x, std::string_view client_id, const token_grant& asked, const error* why);
// The same for a request that cannot be read.
void watch_unread_grant(const exchange& x, const error& why);
// oauth:state, oauth:pkce: a sign-in at a provider begins, with a state and a verifier of our own.
void watch_departure(const exchange& x, std::string_view provider, std::string_view challenge);
// oauth:callback, oauth:state, oauth:pkce: somebody comes back.
void watch_return(const exchange& x, const pending_login& login);
void watch_refused_return(const exchange& x, const error& why);

}  // namespace mcp_oauth
