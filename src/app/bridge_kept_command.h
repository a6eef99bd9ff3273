#pragma once

#include "app/bridge_log.h"
#include "bridge/settings.h"

namespace mcp_oauth {

// `bridge status [URL]`: what is kept, of the server or of all; without settings besides the URL every
// sign-in to it counts, with some the one of these, and the others are named. What the shell gets: not 0
// where none of those that count is usable.
int bridge_status(const bridge_settings& settings, bridge_log& log, bool as_json);

// `bridge logout URL`: forgets and revokes, of the same sign-ins.
int bridge_logout(const bridge_settings& settings, bridge_log& log);

}  // namespace mcp_oauth
