#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace mcp_oauth {

// Returns that many bytes nobody can guess. Given only to what mints; tests pass a counter.
using random_fn = std::function<std::string(std::size_t)>;

}  // namespace mcp_oauth
