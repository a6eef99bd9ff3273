#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "base/time.h"
#include "jose/key_set.h"
#include "oauth/introspection.h"
#include "oauth/issuer_token.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mcp_oauth {

// Where the keys of an issuer come from.
struct keys_by_discovery {
  std::string url;  // of the metadata; "": where RFC 8414 and OpenID Connect Discovery put it
};
struct keys_by_url {
  std::string jwks_url;  // no metadata is asked for
};
struct fixed_keys {
  key_set keys;
};
// HMAC: whoever can check such a token can make one.
struct shared_secret {
  secret key;  // at least as long as the hash of the algorithm
};
struct no_keys {};  // introspection only, at a configured endpoint
using key_source = std::variant<keys_by_discovery, keys_by_url, fixed_keys, shared_secret, no_keys>;

enum class validation_mode {
  jwt,                    // by signature alone
  introspection,          // every token is asked about
  jwt_and_introspection,  // both, and what the issuer answers decides
  either,                 // JWTs by signature, opaque strings by introspection
};

// An authorization server whose tokens are good here.
struct trusted_issuer {
  std::string name;  // for logs and health; unique
  issuer_rules rules;
  key_source keys = keys_by_discovery{};
  validation_mode mode = validation_mode::jwt;
  std::string introspection_url;  // "": as its metadata says
  introspection_client introspection;
  introspection_rules introspected;
  seconds introspection_ttl{30};  // how long an answer counts; 0: each request asks
  seconds keys_kept_while_away{24 * 3600};
};

// A JWK Set, or PEM (`key_set::from_pem`), whichever the text is. Of keys without a `kid` each is tried.
// Errors: key_malformed, also for a set without a key that can be used; key_weak.
result<key_set> keys_from_text(std::string_view text);

// What cannot work, all of it at once, in words that name the setting. Errors of each: config_invalid. Also
// across issuers: a name or an issuer twice; more than one that opaque tokens could be of, for a token must
// not be shown to another than its issuer.
std::vector<error> check_trusted_issuers(std::span<const trusted_issuer> issuers);

}  // namespace mcp_oauth
