// rooms: base
// An accepted URL says the same when it is written out and read again, and hides nothing in its host.

#include "base/url.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace mcp_oauth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto u = url::parse(input);
  if (!u) return 0;
  auto again = url::parse(u->to_string());
  if (!again || again->to_string() != u->to_string() || again->host != u->host ||
      again->origin() != u->origin())
    std::abort();
  if (u->host.find_first_of("@/\\?#% \t\r\n") != std::string::npos) std::abort();
  if (u->is_http() && u->host.empty()) std::abort();
  return 0;
}
