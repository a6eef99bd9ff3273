#include "jose/digest.h"

#include "jose/openssl.h"

#include <openssl/core_names.h>

namespace mcp_oauth {
namespace {

// Fetched once for the life of the process: a fetch by name costs as much as the digest of a token.
const EVP_MD* fetched_sha256() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  must(md != nullptr, "no SHA-256");
  return md;
}

EVP_MAC* fetched_hmac() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  must(mac != nullptr, "no HMAC");
  return mac;
}

EVP_KDF* fetched_hkdf() {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  must(kdf != nullptr, "no HKDF");
  return kdf;
}

OSSL_PARAM text_param(const char* name, const char* value) {
  return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0);
}

OSSL_PARAM octet_param(const char* name, std::string_view value) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<unsigned char*>(octets(value)), value.size());
}

}  // namespace

sha256_digest sha256(std::string_view bytes) {
  thread_local const evp_md_ctx ctx(EVP_MD_CTX_new());
  sha256_digest out;
  must(EVP_DigestInit_ex2(ctx.get(), fetched_sha256(), nullptr) == 1 &&
           EVP_DigestUpdate(ctx.get(), bytes.data(), bytes.size()) == 1 &&
           EVP_DigestFinal_ex(ctx.get(), out.data(), nullptr) == 1,
       "SHA-256 failed");
  return out;
}

std::string sha256_bytes(std::string_view bytes) {
  auto digest = sha256(bytes);
  return {digest.begin(), digest.end()};
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
  evp_mac_ctx ctx(EVP_MAC_CTX_new(fetched_hmac()));
  const OSSL_PARAM settings[] = {text_param(OSSL_MAC_PARAM_DIGEST, "SHA256"), OSSL_PARAM_construct_end()};
  std::string out(32, '\0');
  std::size_t written = 0;
  must(ctx != nullptr && EVP_MAC_init(ctx.get(), octets(key), key.size(), settings) == 1 &&
           EVP_MAC_update(ctx.get(), octets(data), data.size()) == 1 &&
           EVP_MAC_final(ctx.get(), octets(out), &written, out.size()) == 1 && written == out.size(),
       "HMAC failed");
  return out;
}

std::string hkdf_sha256(std::string_view key, std::string_view salt, std::string_view info,
                        std::size_t size) {
  evp_kdf_ctx ctx(EVP_KDF_CTX_new(fetched_hkdf()));
  const OSSL_PARAM settings[] = {text_param(OSSL_KDF_PARAM_DIGEST, "SHA256"),
                                 octet_param(OSSL_KDF_PARAM_KEY, key), octet_param(OSSL_KDF_PARAM_SALT, salt),
                                 octet_param(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  std::string out(size, '\0');
  must(ctx != nullptr && EVP_KDF_derive(ctx.get(), octets(out), size, settings) == 1, "HKDF failed");
  return out;
}

}  // namespace mcp_oauth
