#include "jose/openssl.h"

#include <cstdio>
#include <cstdlib>

namespace mcp_oauth {

void must(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "mcp-oauth-proxy: cannot go on: %s\n", what);
  std::abort();
}

}  // namespace mcp_oauth
