#pragma once

#include "app/commands.h"
#include "doctor/deployment.h"

namespace mcp_oauth {

// Looks at the deployment that a configuration describes: its settings, what a start of it needs, its
// identity providers, the gateway that runs, and what clients see of it. Changes nothing. Its providers see
// a made-up code and our credentials for them.
examination examine_configured(const command_input& in, const doctor_input& about);

}  // namespace mcp_oauth
