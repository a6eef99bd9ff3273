#pragma once

#include "app/commands.h"
#include "base/error.h"

#include <string>

namespace mcp_oauth {

// What the shell learns of a failed start or command.
exit_code exit_code_of(errc code);

// "Could not …: detail", or, where the detail is what people know the error by, two lines.
std::string headline(const error& why);

struct guard_start_failure;
// The same of a guard that did not start, for all of it.
exit_code report(const guard_start_failure& why);

// Prints what went wrong, the likely cause and the fix to standard error.
exit_code report(const error& why);

}  // namespace mcp_oauth
