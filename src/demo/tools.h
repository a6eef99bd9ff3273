#pragma once

#include "base/json.h"
#include "demo/methods.h"

namespace mcp_oauth {

// What `tools/list` shows under that revision.
json::array list_tools(revision spoken);

// Answers `tools/call`. Unknown tools and wrong arguments are invalid_params.
demo_reply call_tool(const demo_request& request);

// A reply of one message, at once.
demo_reply one_message(std::string message);
// Adds what every result of the request's revision carries.
json::object complete_result(revision spoken, json::object result);

inline json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

}  // namespace mcp_oauth
