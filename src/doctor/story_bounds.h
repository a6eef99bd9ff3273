#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mcp_oauth {

// What is known of a story that is kept, to decide whether it may stay.
struct kept_size {
  std::string id;
  std::string source;  // whose failure it is: an address
  std::size_t bytes = 0;
};

// The ids of those that have to go, so that `most` and `most_bytes` hold: of the source that has most, its
// oldest, until they do. So nobody's failures wash out another's. `newest_first` is what it says.
std::vector<std::string> surplus(std::span<const kept_size> newest_first, std::size_t most,
                                 std::uint64_t most_bytes);

}  // namespace mcp_oauth
