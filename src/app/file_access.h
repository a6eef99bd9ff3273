#pragma once

#include "base/error.h"

#include <string>

namespace mcp_oauth {

// The whole file. Errors: file_unreadable, with the cause and without the path: "is a folder, not a file",
// "permission denied (owner root, mode 0600; this runs as daemon)".
result<std::string> read_file_text(const std::string& path);

// Whether the file can be opened for writing, or made together with its folders. Makes nothing and opens
// nothing. Errors: file_unwritable.
result<void> check_writable(const std::string& path);

// The path from the root; as it is when there is no current folder.
std::string absolute_path(const std::string& path);

}  // namespace mcp_oauth
