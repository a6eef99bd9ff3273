#pragma once

#include "app/log.h"

#include <string_view>

namespace mcp_oauth {

// What a client chose and a record of its request repeats, that of the log as well as that of the file of
// decisions: without what looks like a credential (oauth/redact.h). Nearly all of it is plain, and is only
// looked at.

// The path of a request.
void text_of_path(log_line& line, std::string_view name, std::string_view path);
// What a call is about: its method; a tool, a prompt, or the URI of a resource.
void text_of_call(log_line& line, std::string_view name, std::string_view text);

}  // namespace mcp_oauth
