#pragma once

#include "doctor/site_evidence.h"

#include <string>

namespace mcp_oauth {

// Carries out the plan of an examination (doctor/site_plan.h) until nothing is left to be asked. `ca_file`:
// authorities besides the system's.
site_evidence examine(const url& target, const std::string& ca_file);

}  // namespace mcp_oauth
