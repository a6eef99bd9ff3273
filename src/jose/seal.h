#pragma once

#include "base/error.h"
#include "base/random.h"
#include "base/secret.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Encrypts what is written to disk, so that whoever reads the file gains nothing: AES-256-GCM under a key per
// purpose, derived from a master key by HKDF-SHA-256.
//
// sealed = version (1 byte) | key id (4) | nonce (12) | ciphertext | tag (16)
//
// `purpose` is a fixed word of the caller ("signing-key"); what was sealed for one opens for no other.
// `associated` is not encrypted and must be the same on opening: give it the row's primary key, and rows
// cannot be exchanged. The nonce is random: at most 2^32 seals for each master key and purpose (SP 800-38D
// §8.3). Plaintext and `associated` are at most 512 MiB each; sealing more ends the process.
class sealer final {
 public:
  // The first key seals, all of them open. Errors: key_weak when there is none, or one is not of 32 bytes.
  static result<sealer> of(const std::vector<secret>& master_keys);

  std::string seal(std::string_view purpose, std::string_view associated, std::string_view plaintext,
                   const random_fn& random) const;
  // Errors: seal_broken, for every reason alike.
  result<std::string> open(std::string_view purpose, std::string_view associated,
                           std::string_view sealed) const;
  // Whether `sealed` names a key other than the first: time to seal it again.
  bool is_outdated(std::string_view sealed) const;

 private:
  struct master_key {
    std::string id;  // 4 bytes of SHA-256 over a key derived for nothing else
    secret key;
  };
  sealer() = default;
  std::vector<master_key> keys_;
};

// The same under one key of 32 bytes that the caller derived, for instance from a token that only its holder
// has; the key id is left out. A key of another length ends the process in `seal_with`, and is seal_broken in
// `open_with`.
std::string seal_with(std::string_view key32, std::string_view purpose, std::string_view associated,
                      std::string_view plaintext, const random_fn& random);
result<std::string> open_with(std::string_view key32, std::string_view purpose, std::string_view associated,
                              std::string_view sealed);

}  // namespace mcp_oauth
