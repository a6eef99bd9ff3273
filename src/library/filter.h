#pragma once

#include "library/parts.h"

#include <string_view>

MCP_OAUTH_BEGIN

// The verdict behind a user, and the caller that the rules judge. Borrowed.
const accepted& verdict_of(const user& who);
caller caller_of(const accepted& verdict);

// Whether the answer to a message of that method may hold a list: the four list methods, batches and streams.
bool may_hold_lists(std::string_view method);

// JSON and event streams are filtered by the guard's rules; of every other type ("" too), and where no rule
// asks for it, everything passes.
answer_filter begin_filter(std::shared_ptr<engine> g, const user& who, std::string_view content_type);

MCP_OAUTH_END
