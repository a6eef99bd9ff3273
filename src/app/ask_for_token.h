#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <string>

namespace mcp_oauth {

// A token for a command: `given` itself, standard input for "-", and for "" a line that is typed or pasted at
// a terminal without being shown, or standard input where that is no terminal. Errors: parameter_missing when
// nothing came, parameter_too_long, parameter_malformed for the name of a file.
result<secret> ask_for_token(const std::string& given);

}  // namespace mcp_oauth
