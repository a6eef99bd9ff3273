#pragma once

#include "base/json.h"
#include "doctor/examination.h"

#include <string>

namespace mcp_oauth {

// For people; `colour`: with the escapes of a terminal.
std::string to_text(const examination& made, bool colour);

// For programs: docs/reference/doctor.schema.json describes it. Members may be added, none is renamed or
// removed as long as `version` is 1.
json::object to_json(const examination& made);

std::string_view word_of(severity level);
std::string_view word_of(examination_verdict verdict);

}  // namespace mcp_oauth
