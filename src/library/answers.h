#pragma once

// What the guard answers by itself.

#include "library/parts.h"

#include <string_view>

MCP_OAUTH_BEGIN

// A refusal with its challenge (RFC 6750 §3, RFC 9449 §7.1), or as a JSON-RPC error under `raw_id` where no
// challenge helps. `by_dpop`: the request came with that scheme.
response refuse(const engine& g, const denial& why, bool by_dpop = false, std::string_view raw_id = {});

// The origin of the request that may call: the very text, or "" without one; nothing when it may not.
std::optional<std::string_view> allowed_origin(const config::parts& conf, const request& asked);

// Lets a page of that origin read the answer; nothing with "".
void add_cors(response& answer, std::string_view origin);
// What the next proof may have (RFC 9449 §8.2); nothing where no nonces are demanded.
void add_nonce(response& answer, const engine& g);
response preflight(const config::parts& conf, const request& asked, std::string_view origin);

// The document of RFC 9728, or nothing when the request is about something else.
std::optional<response> metadata_answer(const engine& g, const request& asked);

MCP_OAUTH_END
