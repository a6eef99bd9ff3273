#pragma once

// For the sources of this room only: ownership of OpenSSL's objects, and its bytes.

#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

namespace mcp_oauth {

template <auto Free>
struct free_with {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

using evp_pkey = std::unique_ptr<EVP_PKEY, free_with<EVP_PKEY_free>>;
using evp_pkey_ctx = std::unique_ptr<EVP_PKEY_CTX, free_with<EVP_PKEY_CTX_free>>;
using evp_md = std::unique_ptr<EVP_MD, free_with<EVP_MD_free>>;
using evp_md_ctx = std::unique_ptr<EVP_MD_CTX, free_with<EVP_MD_CTX_free>>;
using evp_mac_ctx = std::unique_ptr<EVP_MAC_CTX, free_with<EVP_MAC_CTX_free>>;
using evp_cipher_ctx = std::unique_ptr<EVP_CIPHER_CTX, free_with<EVP_CIPHER_CTX_free>>;
using evp_kdf_ctx = std::unique_ptr<EVP_KDF_CTX, free_with<EVP_KDF_CTX_free>>;
using bignum = std::unique_ptr<BIGNUM, free_with<BN_free>>;
using ecdsa_sig = std::unique_ptr<ECDSA_SIG, free_with<ECDSA_SIG_free>>;
using param_builder = std::unique_ptr<OSSL_PARAM_BLD, free_with<OSSL_PARAM_BLD_free>>;
using params = std::unique_ptr<OSSL_PARAM, free_with<OSSL_PARAM_free>>;
using memory_bio = std::unique_ptr<BIO, free_with<BIO_free_all>>;

// Ends the process: memory is gone or the library is broken, and going on would mean going on unprotected.
void must(bool done, const char* what);

// Never null, which some of OpenSSL's functions read as "not given".
inline const unsigned char* octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data() != nullptr ? bytes.data() : "");
}
inline unsigned char* octets(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// Leaves this thread's error queue empty: TLS on the same thread reads that queue. Marks would not do,
// because OpenSSL's decoders leave theirs behind.
class quiet_errors final {
 public:
  quiet_errors() = default;
  ~quiet_errors() { ERR_clear_error(); }
  quiet_errors(const quiet_errors&) = delete;
  quiet_errors& operator=(const quiet_errors&) = delete;
};

}  // namespace mcp_oauth
