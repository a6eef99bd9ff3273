#pragma once

#include <string>

namespace mcp_oauth {

// What the system said (`os`: an errno) about a file or folder, and whose it is where that matters:
// "Permission denied (owner root, mode 0600; this runs as daemon)".
std::string file_words(int os, const std::string& path);

// The same of a file that cannot be opened for reading; "" when it can.
std::string why_unreadable(const std::string& path);

}  // namespace mcp_oauth
