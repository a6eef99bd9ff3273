#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/secret.h"
#include "jose/algorithm.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

struct verification_material;
struct signing_material;

// A key that signatures are verified with: RSA, EC (P-256, P-384, P-521), Ed25519, or the shared key of an
// HMAC. Immutable; copies share it; every member may be called from many threads at once.
class public_key final {
 public:
  // One JWK (RFC 7517, RFC 7518 §6, RFC 8037). Private members are not looked at. A `use` other than "sig",
  // `key_ops` without "verify" and an `alg` that is unknown or of another key type are refused.
  // Errors: key_malformed; key_weak for RSA under 2048 bits. RSA over 8192 bits is key_malformed.
  // Refuses `oct`: a document from elsewhere must not be able to turn a public key into a shared one.
  // Not checked: x5c, x5t, and whether a modulus has a known weak structure.
  static result<public_key> from_jwk(const json::object& jwk);

  // A shared key for `alg` (one of hs256, hs384, hs512; anything else is key_malformed) and nothing else.
  // Errors: key_weak when shorter than the hash (RFC 7518 §3.2).
  static result<public_key> hmac(const secret& key, algorithm alg, std::string kid = {});

  const std::string& kid() const { return kid_; }        // "": none
  std::optional<algorithm> alg() const { return alg_; }  // nothing: whatever fits the type
  std::string_view kty() const;
  public_key with_kid(std::string kid) const;

  // Whether the key's type, curve and `alg` allow this algorithm.
  bool fits(algorithm alg) const;

  // Bytes of each signature of this key by that algorithm (RFC 7518 §3.2 to §3.5), which it must fit.
  std::size_t signature_size(algorithm alg) const;

  // Whether `signature`, in the form of RFC 7518 §3 (for ECDSA R and S in one, of exact length), is this
  // key's over `input`. False as well when the algorithm does not fit.
  bool verifies(algorithm alg, std::string_view input, std::string_view signature) const;

  // The public members, `kid`, `alg` and `use`. Empty for an HMAC key.
  json::object to_jwk() const;
  // RFC 7638 with SHA-256, base64url. "" for an HMAC key.
  std::string thumbprint() const;

 private:
  public_key(std::shared_ptr<const verification_material> material, std::string kid,
             std::optional<algorithm> alg)
      : material_(std::move(material)), kid_(std::move(kid)), alg_(alg) {}

  std::shared_ptr<const verification_material> material_;
  std::string kid_;
  std::optional<algorithm> alg_;
};

// A private key and the one algorithm that it signs with: ES256, ES384 or ES512 by the curve, RS256, EdDSA.
// Immutable; copies share it; every member may be called from many threads at once.
class signing_key final {
 public:
  static signing_key generate_es256();

  // PKCS #8, or the older PEM forms; not encrypted. The two halves of the key are checked against each other.
  // Errors: key_malformed, key_weak as in `public_key::from_jwk`.
  static result<signing_key> from_pem(const secret& pem);
  // PKCS #8, not encrypted: seal it before it is written anywhere.
  secret to_pem() const;

  algorithm alg() const;
  // Its `kid` is the thumbprint.
  const public_key& public_part() const { return public_part_; }

  // The signature over `input`, in the form of RFC 7518 §3.
  std::string sign(std::string_view input) const;

 private:
  signing_key(std::shared_ptr<const signing_material> material, public_key public_part)
      : material_(std::move(material)), public_part_(std::move(public_part)) {}

  std::shared_ptr<const signing_material> material_;
  public_key public_part_;
};

}  // namespace mcp_oauth
