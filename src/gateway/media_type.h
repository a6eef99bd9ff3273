#pragma once

#include "base/error.h"
#include "base/http.h"

#include <span>

namespace mcp_oauth {

// Whether a call comes as JSON in UTF-8 as it stands: what a server would decode before it reads, it might
// read as another call than the one that is judged here. Errors: http_media_type_unsupported.
result<void> check_media_type(std::span<const field> fields);

}  // namespace mcp_oauth
