#pragma once

#include "library/parts.h"

MCP_OAUTH_BEGIN

// Fetches one document of an issuer and hands it to the core. Blocks.
void run_errand(const guard::parts& g, const core_guard::errand& errand);

MCP_OAUTH_END
