#pragma once

#include <string>
#include <string_view>

namespace mcp_oauth {

// One word of a command line for a POSIX shell, whatever is in it: as it is where that is plain, else in
// single quotes.
std::string shell_quoted(std::string_view word);

}  // namespace mcp_oauth
