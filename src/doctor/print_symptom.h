#pragma once

#include "base/json.h"
#include "symptom/find_symptom.h"

#include <span>
#include <string>

namespace mcp_oauth {

// For people; `colour`: with the escapes of a terminal.
std::string to_text(std::span<const found_symptom> found, bool colour);
// For programs; see `explain_schema`.
json::object to_json(std::span<const found_symptom> found);

// Its members that do not depend on what was seen.
json::object row_json(const symptom& row);

// The command that shows whether the cause is gone.
std::string_view check_of(const symptom& row);
// The guides whose readers know it, by their titles.
std::string guides_of(const symptom& row);
// Where more is to be read.
std::string page_of(const symptom& row);

// JSON Schema (2020-12) of what `explain --json` prints. Members may be added, none is renamed or removed as
// long as `version` is 1.
std::string explain_schema();

}  // namespace mcp_oauth
