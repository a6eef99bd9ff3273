#pragma once

#include "doctor/failure_story.h"

#include <span>
#include <string>
#include <vector>

namespace mcp_oauth {

// For people; `colour`: with the escapes of a terminal.
std::string to_text(const told_story& told, bool colour);
// One line each, newest first: time, id, code, who, what.
std::string list_text(std::span<const failure_story> newest, bool colour);

// For programs; see `explain_schema`.
json::object to_json(const told_story& told);
json::object list_json(std::span<const failure_story> newest);

}  // namespace mcp_oauth
