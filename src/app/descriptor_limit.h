#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace mcp_oauth {

// Raises how many files and sockets this process may have open to what the system allows it; returns that.
std::size_t raise_descriptor_limit();

// What to tell the operator when that many descriptors do not carry that many client connections; nothing
// when they do.
std::optional<std::string> descriptor_warning(std::size_t descriptors, std::size_t connections);

}  // namespace mcp_oauth
