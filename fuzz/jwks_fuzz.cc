// rooms: jose
#include "jose/key_set.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace mcp_oauth;

// What is read as a key set must survive being written and read again, with the same keys.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto keys = key_set::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!keys) return 0;
  auto again = key_set::parse(json::serialize(keys->to_json()));
  if (!again || again->size() != keys->size()) std::abort();
  for (auto one = keys->begin(), other = again->begin(); one != keys->end(); ++one, ++other) {
    if (one->kid() != other->kid() || one->thumbprint() != other->thumbprint()) std::abort();
    if (one->verifies(algorithm::es256, "input", std::string(64, 's'))) std::abort();
  }
  return 0;
}
