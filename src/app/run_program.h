#pragma once

#include "base/error.h"
#include "base/time.h"

#include <atomic>
#include <string>
#include <vector>

#include <sys/types.h>

namespace mcp_oauth {

// The path of a program in `path` ("/usr/bin:/bin"); "" when there is none. A name with a slash is itself.
std::string find_program(const std::string& name, const std::string& path);

// Starts a program by its argument vector, without a shell, in a session of its own: it reads nothing,
// what it says goes nowhere, and the variables that configure a bridge are not in its environment. Errors:
// file_unreadable, when it cannot be started.
result<pid_t> start_program(const std::vector<std::string>& arguments);

// What a program finds in its environment: everything, as a command of the user may, or all but the variables
// that configure a bridge.
enum class surroundings { all, without_secrets };

// Runs it to its end and returns what it wrote to standard output, at most 64 KiB; `input` is its standard
// input. Blocks, until `given_up` is true at the longest. Errors: file_unreadable: not to be started, another
// status than 0, given up or not over in time (then it is killed, with what it started).
result<std::string> run_program(const std::vector<std::string>& arguments, const std::string& input,
                                milliseconds most, surroundings which,
                                const std::atomic<bool>* given_up = nullptr);

}  // namespace mcp_oauth
