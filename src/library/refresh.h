#pragma once

#include "library/parts.h"

MCP_OAUTH_BEGIN

// Fetches what the core wants to have from its issuers now, and the policy when that is due. Blocks.
void run_errands(const engine& g);

// Takes what came of a fetch of the policy, and logs what is new about it.
void learn_policy(const engine& g, const policy_feed::wanted& fetch, const result<http_answer>& answer,
                  time_point now);

MCP_OAUTH_END
