#pragma once

namespace mcp_oauth {

// From here on no core file is written of this process, whatever the system would do with one, and no other
// process of the same user may read its memory: it holds keys, passwords and tokens.
void keep_memory_private();

}  // namespace mcp_oauth
