#pragma once

#include <string>

namespace mcp_oauth {

// The JSON Schema (2020-12) of what `doctor --json` prints.
std::string examination_schema();

}  // namespace mcp_oauth
