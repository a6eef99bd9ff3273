#pragma once

#include "base/error.h"
#include "base/http.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The answer of the resource to a call that goes no further. The one place where an error of the gateway
// becomes bytes for a client; only the catalogue's words go out, never `detail`, save for what an upstream
// failure tried.
//
// 401 and 403 carry one challenge (RFC 6750 §3) and its words in the body; other refusals of a JSON-RPC
// request are JSON-RPC errors under `raw_id` (JSON text, "" when unknown).
http_response refuse_call(const error& why, std::string_view resource_metadata_url,
                          const std::vector<std::string>& scopes, std::string_view raw_id);

// The answer to a request outside of MCP: {"error", "error_description"}.
http_response refuse_plain(errc why);

}  // namespace mcp_oauth
