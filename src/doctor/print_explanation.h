#pragma once

#include "base/json.h"
#include "doctor/token_explanation.h"

#include <string>

namespace mcp_oauth {

// For people; `colour`: with the escapes of a terminal.
std::string to_text(const token_explanation& told, bool colour);

// For programs: docs/guide/troubleshooting.md describes it. Members may be added, none is renamed or removed
// as long as `version` is 1.
json::object to_json(const token_explanation& told);

}  // namespace mcp_oauth
