#include "jose/random.h"

#include "jose/openssl.h"

#include <openssl/rand.h>

namespace mcp_oauth {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  must(RAND_bytes_ex(nullptr, octets(bytes), count, 0) == 1, "no randomness");
  return bytes;
}

}  // namespace mcp_oauth
