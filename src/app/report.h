#pragma once

#include "app/commands.h"
#include "base/error.h"

#include <string>

namespace mcp_oauth {

// What the shell learns of a failed start or command.
exit_code exit_code_of(errc code);

// "Could not …: detail", or, where the detail is what people know the error by, two lines.
std::string headline(const error& why);

// Prints what went wrong, the likely cause and the fix to standard error.
exit_code report(const error& why);

}  // namespace mcp_oauth
