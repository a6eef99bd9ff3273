#pragma once

#include "base/error.h"
#include "mcp/envelope.h"
#include "net/http_head.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// JSON in UTF-8 as it stands: what a server would decode before it reads, it might read as another call than
// the one that is judged here. Errors: http_media_type_unsupported.
result<void> check_media_type(const net::request_head& head);

// Methods that change nothing at the server: asking twice is the same as asking once.
bool may_repeat(std::string_view http_method, const envelope& message);

// The query without one parameter.
std::string without_parameter(std::string_view query, std::string_view name);

}  // namespace mcp_oauth
