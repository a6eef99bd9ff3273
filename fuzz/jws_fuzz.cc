// rooms: jose
#include "jose/jws.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace mcp_oauth;

// Nothing that a stranger writes may be verified, and nothing may go wrong on the way to saying so.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const key_set keys = key_set::of({
      signing_key::generate_es256().public_part().with_kid("k1"),
      public_key::hmac(secret(std::string(32, 'k')), algorithm::hs256, "hs").value(),
  });
  static constexpr std::array accepted = {algorithm::es256, algorithm::es384, algorithm::rs256,
                                          algorithm::eddsa, algorithm::hs512};
  auto jws = parse_jws(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!jws) return 0;
  if (size > 16 * 1024) std::abort();
  if (verify_jws(*jws, keys, accepted)) std::abort();
  return 0;
}
