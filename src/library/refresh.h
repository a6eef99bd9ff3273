#pragma once

#include "library/parts.h"

MCP_OAUTH_BEGIN

// Fetches what the core wants to have from its issuers now. Blocks.
void run_errands(const engine& g);

MCP_OAUTH_END
