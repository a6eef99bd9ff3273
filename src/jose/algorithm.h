#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace mcp_oauth {

// The signature algorithms of RFC 7518 §3.1 and RFC 8037 that we know. There is no value for "none".
enum class algorithm {
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512,
  eddsa,  // Ed25519 only
  hs256,
  hs384,
  hs512,
};
inline constexpr std::size_t algorithm_count = 13;

// "RS256" and so on, as the `alg` member has it.
std::string_view to_name(algorithm alg);
// Exact, case included; nothing for "none" and for every name that is not in the list above.
std::optional<algorithm> algorithm_from_name(std::string_view name);

}  // namespace mcp_oauth
