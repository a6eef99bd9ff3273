#pragma once

#include "library/parts.h"

#include <string_view>

MCP_OAUTH_BEGIN

// The verdict behind a user, and the caller that the rules judge. Borrowed.
const accepted& verdict_of(const user& who);
caller caller_of(const accepted& verdict);

// Whether the answer to a message of that method may hold a list: the four list methods, batches and streams.
bool may_hold_lists(std::string_view method);

// What an answer may be.
enum class content {
  lists,          // to a list method or a batch: what is neither JSON nor an event stream is refused
  stream,         // to GET or DELETE: only an event stream can hold lists
  without_lists,  // everything passes
};

// JSON and event streams are filtered by these rules. Where none asks for it, everything passes.
answer_filter begin_filter(std::shared_ptr<engine> g, const rules_now& rules, const user& who,
                           std::string_view content_type, content what);

MCP_OAUTH_END
