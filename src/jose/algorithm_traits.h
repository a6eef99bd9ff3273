#pragma once

#include "jose/algorithm.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace mcp_oauth {

enum class padding { none, pkcs1, pss };

// What RFC 7518 §3 and RFC 8037 §3 fix for an algorithm.
struct algorithm_traits {
  algorithm alg;
  std::string_view name;
  std::string_view kty;
  std::string_view crv;  // "" where the key type has none
  const char* digest;    // OpenSSL's name; null where the algorithm brings its own
  padding rsa_padding;
  std::size_t signature_size;  // in bytes; 0: as long as the RSA modulus
};

const algorithm_traits& traits(algorithm alg);
std::span<const algorithm_traits> all_traits();

}  // namespace mcp_oauth
