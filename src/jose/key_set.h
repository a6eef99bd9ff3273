#pragma once

#include "base/error.h"
#include "base/json.h"
#include "jose/key.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The keys of one issuer (RFC 7517 §5). Immutable after it is made.
class key_set final {
 public:
  // Keys that cannot be read or used (see `public_key::from_jwk`) are left out and the others remain, as §5
  // says; so the set may be empty. Errors: key_malformed when the text is no JWK Set, is over 512 KiB or
  // holds over 100 keys.
  static result<key_set> parse(std::string_view jwks_json);
  // PEM with one or several public keys (SPKI, RFC 7468 §13) or certificates, of which only the key counts:
  // neither names nor dates are looked at. They have no `kid`; an RSA key is for every RSA algorithm. Errors:
  // key_malformed, also for a private key, which does not belong there, and for anything else; key_weak.
  static result<key_set> from_pem(std::string_view pem);
  static key_set of(std::vector<public_key> keys);

  // The first key of that `kid` that fits the algorithm; a `kid` that is not here finds nothing, whatever
  // else is here. With `kid` empty: the only key that fits, and nothing when several do.
  const public_key* find(std::string_view kid, algorithm alg) const;
  bool has_kid(std::string_view kid) const;

  // {"keys": […]}, public members only; HMAC keys are left out.
  json::object to_json() const;
  std::size_t size() const { return keys_.size(); }
  auto begin() const { return keys_.begin(); }
  auto end() const { return keys_.end(); }

 private:
  std::vector<public_key> keys_;
};

}  // namespace mcp_oauth
