#pragma once

#include "base/json.h"
#include "jose/algorithm.h"
#include "jose/openssl.h"

#include <array>
#include <optional>
#include <string>

namespace mcp_oauth {

// A context that was initialised once for a key and an algorithm, and is copied for each signature:
// initialising fetches digests by name and costs more than the copy by microseconds. Copying only reads it.
struct verification_material {
  std::string kty;
  std::string crv;
  json::object members;  // of the JWK, required public ones only (RFC 7638 §3.2); none for HMAC
  evp_pkey pkey;         // null for HMAC
  std::array<evp_md_ctx, algorithm_count> signatures;  // null where the algorithm does not fit
  std::array<evp_mac_ctx, algorithm_count> macs;       // likewise
};

struct signing_material {
  algorithm alg;
  evp_pkey pkey;
  evp_md_ctx ready;
};

enum class key_use { sign, verify };
evp_md_ctx ready_context(EVP_PKEY* pkey, algorithm alg, key_use use);

// DER of RFC 3279 §2.2.3 to and from the fixed-length form of RFC 7518 §3.4; `width` is the length of one
// number.
std::string ecdsa_to_der(std::string_view raw);
std::string ecdsa_from_der(std::string_view der, std::size_t width);

}  // namespace mcp_oauth
