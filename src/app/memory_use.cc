#include "app/memory_use.h"

#include <malloc.h>

namespace mcp_oauth {

void give_back_large_memory() {
  // The value is the default; that it is set ends its growth.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

}  // namespace mcp_oauth
