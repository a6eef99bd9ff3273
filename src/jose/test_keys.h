#pragma once

#include "base/secret.h"
#include "jose/openssl.h"

#include <string>

// Keys of every kind for the tests, made when asked for: none lies in the tree.
namespace mcp_oauth::test_keys {

inline secret to_pem(const evp_pkey& pkey) {
  memory_bio out(BIO_new(BIO_s_mem()));
  must(pkey != nullptr &&
           PEM_write_bio_PKCS8PrivateKey(out.get(), pkey.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
       "a test key");
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(out.get(), &bytes);
  return secret(std::string(bytes, static_cast<std::size_t>(size)));
}

inline secret ec_pem(const char* group) {
  return to_pem(evp_pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", group)));
}
inline secret rsa_pem(std::size_t bits) {
  return to_pem(evp_pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits)));
}
inline secret pem(const char* type) { return to_pem(evp_pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, type))); }

// Making one takes a tenth of a second, so all tests share it.
inline const secret& rsa2048_pem() {
  static const secret made = rsa_pem(2048);
  return made;
}

}  // namespace mcp_oauth::test_keys
