#pragma once

#include "base/error.h"
#include "jose/algorithm.h"
#include "jose/key_set.h"

#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The JOSE header members that we act on (RFC 7515 §4.1). `jwk`, `jku`, `x5u` and `x5c` are never read: which
// key verifies is our decision, not the sender's.
struct jws_header {
  algorithm alg = algorithm::es256;
  std::string kid;  // "": none
  std::string typ;  // as written, any case, with or without "application/"; "": none
};

// A compact JWS whose form is right and of which nothing is known to be true. Its payload cannot be reached.
class unverified_jws final {
 public:
  const jws_header& header() const { return header_; }

 private:
  unverified_jws() = default;
  friend result<unverified_jws> parse_jws(std::string_view compact);
  friend result<class verified_jws> verify_jws(const unverified_jws& jws, const key_set& keys,
                                               std::span<const algorithm> accepted);
  jws_header header_;
  std::string input_;  // RFC 7515 §5.2 step 8
  std::string payload_;
  std::string signature_;
};

// What `verify_jws` found signed by a key of the set. Only that function makes one.
class verified_jws final {
 public:
  const jws_header& header() const { return header_; }
  const std::string& payload() const { return payload_; }

 private:
  verified_jws(jws_header header, std::string payload)
      : header_(std::move(header)), payload_(std::move(payload)) {}
  friend result<verified_jws> verify_jws(const unverified_jws& jws, const key_set& keys,
                                         std::span<const algorithm> accepted);
  jws_header header_;
  std::string payload_;
};

// Reads the compact form (RFC 7515 §7.1): at most 16 KiB, three parts of strict base64url of which only the
// payload may be empty, a header that is strict JSON without repeated members. `crit` and `b64` are refused:
// we understand no extension. Errors: jwt_malformed; token_algorithm_refused for "none" and for names that we
// do not know. Not checked: the signature, `typ`, whether the payload is JSON.
result<unverified_jws> parse_jws(std::string_view compact);

// RFC 7515 §5.2 step 8 with RFC 8725 §3.1: the algorithm must be one of `accepted` and fit the key; the key
// is found by `kid` (see `key_set::find`). Safe from many threads on the same arguments. Errors:
// token_algorithm_refused, token_key_unknown, token_malformed where the signature is longer or shorter than
// those of the key (RFC 7518 §3.3 to §3.5), token_signature_invalid. Not checked: any claim, and `typ`.
result<verified_jws> verify_jws(const unverified_jws& jws, const key_set& keys,
                                std::span<const algorithm> accepted);

// The compact form of a JWS over `payload`, by the key's one algorithm. An empty `typ` or `kid` is left out.
std::string sign_jws(const signing_key& key, std::string_view typ, std::string_view kid,
                     std::string_view payload);

}  // namespace mcp_oauth
