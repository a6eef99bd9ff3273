#pragma once

namespace mcp_oauth {

// From here on a large piece of memory goes back to the system when it is freed. By default the C library
// takes the first such piece for the size of things here, and keeps what is freed from then on: a log that
// had to wait for its disk for once would make the process larger for good.
void give_back_large_memory();

}  // namespace mcp_oauth
