#pragma once

#include "app/commands.h"
#include "base/error.h"

namespace mcp_oauth {

// What the shell learns of a failed start or command.
exit_code exit_code_of(errc code);

// Prints what went wrong, the likely cause and the fix to standard error.
exit_code report(const error& why);

}  // namespace mcp_oauth
