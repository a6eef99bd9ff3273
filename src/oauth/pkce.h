#pragma once

#include "base/error.h"
#include "base/random.h"
#include "base/secret.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// Proof key for code exchange, method S256 only (RFC 7636). Used on both legs: to judge our clients, and to
// prove ourselves to an identity provider.

// 43 to 128 unreserved characters (§4.1).
bool is_code_verifier(std::string_view text);
// 43 characters of base64url without padding, the only form that S256 yields (§4.2).
bool is_code_challenge(std::string_view text);

// BASE64URL(SHA256(ASCII(verifier))) (§4.2).
std::string code_challenge_of(std::string_view verifier);

struct pkce_pair {
  secret verifier;
  std::string challenge;
};
// A fresh pair out of 32 random bytes.
pkce_pair make_pkce(const random_fn& random);

// §4.6, for a challenge that was stored with a code. The comparison takes the same time wherever it differs.
// Errors: pkce_malformed for a verifier of impossible form; pkce_mismatch with the diagnosis in `detail`.
result<void> check_code_verifier(std::string_view verifier, std::string_view challenge);

// What a client did instead, when it is one of the known mistakes; "" otherwise. For our log: names a
// mistake, never quotes a value.
std::string diagnose_code_challenge(std::string_view malformed_challenge);
std::string diagnose_code_verifier(std::string_view verifier, std::string_view challenge);

}  // namespace mcp_oauth
