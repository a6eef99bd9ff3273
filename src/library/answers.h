#pragma once

// What the guard answers by itself.

#include "library/parts.h"

#include <string_view>

MCP_OAUTH_BEGIN

// A refusal with its challenge (RFC 6750 §3), or as a JSON-RPC error under `raw_id` where no challenge helps.
response refuse(const config::parts& conf, const denial& why, std::string_view raw_id = {});

// The origin of the request that may call: the very text, or "" without one; nothing when it may not.
std::optional<std::string_view> allowed_origin(const config::parts& conf, const request& asked);

// Lets a page of that origin read the answer; nothing with "".
void add_cors(response& answer, std::string_view origin);
response preflight(const config::parts& conf, const request& asked, std::string_view origin);

// The document of RFC 9728, or nothing when the request is about something else.
std::optional<response> metadata_answer(const config::parts& conf, const request& asked);

MCP_OAUTH_END
