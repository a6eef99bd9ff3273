#pragma once

#include <string>
#include <vector>

namespace mcp_oauth {

// Reads the command line and does what it says. Returns what the shell gets, an exit_code.
int run_command_line(int argc, const char* const* argv);

// Every command there is, those of two words as well: "check-config", "users", "users add".
std::vector<std::string> command_names();

}  // namespace mcp_oauth
