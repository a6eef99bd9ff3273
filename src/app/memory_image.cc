#include "app/memory_image.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace mcp_oauth {

void keep_memory_private() {
  // The limit holds for files, the flag also for a handler that the kernel would pipe the image to.
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace mcp_oauth
