#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_oauth {

using sha256_digest = std::array<std::uint8_t, 32>;

// SHA-256 (FIPS 180-4). Made for the request path: nothing is allocated after a thread's first call.
sha256_digest sha256(std::string_view bytes);
// The same as 32 bytes in a string.
std::string sha256_bytes(std::string_view bytes);

// HMAC with SHA-256 (RFC 2104), 32 bytes. Compare the result with `equal_constant_time`.
std::string hmac_sha256(std::string_view key, std::string_view data);

// HKDF with SHA-256 (RFC 5869), extract and expand. `key` must not be empty; `size` is 1 to 8160 bytes.
std::string hkdf_sha256(std::string_view key, std::string_view salt, std::string_view info, std::size_t size);

}  // namespace mcp_oauth
