#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// A file that lines are added to, open as a descriptor; made with its folders, 0600. `key` is the setting
// that names it, for the message. Errors: file_unwritable.
result<int> open_to_append(const std::string& file, std::string_view key);

// As a write that failed halfway leaves it, of this process or of one before. Of an ordinary file alone.
bool ends_within_a_line(const std::string& file);

// What became of a file since it was opened under that name. What is no ordinary file stays where it is.
enum class file_state { in_place, renamed, removed };
file_state state_of(int descriptor, const std::string& file);

}  // namespace mcp_oauth
