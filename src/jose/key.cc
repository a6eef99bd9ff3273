#include "jose/key.h"

#include "jose/algorithm_traits.h"
#include "jose/material.h"

#include <utility>

#include <openssl/core_names.h>
#include <openssl/rsa.h>

namespace mcp_oauth {

evp_md_ctx ready_context(EVP_PKEY* pkey, algorithm alg, key_use use) {
  const auto& row = traits(alg);
  evp_md_ctx ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* settings = nullptr;  // owned by ctx
  auto init = use == key_use::sign ? EVP_DigestSignInit_ex : EVP_DigestVerifyInit_ex;
  must(ctx != nullptr && init(ctx.get(), &settings, row.digest, nullptr, nullptr, pkey, nullptr) == 1,
       "a key cannot be made ready");
  if (row.rsa_padding == padding::pss) {
    // RFC 7518 §3.5: the salt is as long as the hash, MGF1 uses the same hash.
    must(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1,
         "a key cannot be made ready for PSS");
  }
  return ctx;
}

std::string_view public_key::kty() const { return material_->kty; }

public_key public_key::with_kid(std::string kid) const { return {material_, std::move(kid), alg_}; }

bool public_key::fits(algorithm alg) const {
  if (alg_ && *alg_ != alg) return false;
  auto at = static_cast<std::size_t>(alg);
  return material_->signatures[at] != nullptr || material_->macs[at] != nullptr;
}

std::size_t public_key::signature_size(algorithm alg) const {
  auto size = traits(alg).signature_size;
  return size != 0 ? size : static_cast<std::size_t>(EVP_PKEY_get_size(material_->pkey.get()));
}

bool public_key::verifies(algorithm alg, std::string_view input, std::string_view signature) const {
  if (!fits(alg)) return false;
  const auto& row = traits(alg);
  const auto at = static_cast<std::size_t>(alg);
  if (row.kty == "oct") {
    evp_mac_ctx ctx(EVP_MAC_CTX_dup(material_->macs[at].get()));
    std::string expected(row.signature_size, '\0');
    std::size_t written = 0;
    must(ctx != nullptr && EVP_MAC_update(ctx.get(), octets(input), input.size()) == 1 &&
             EVP_MAC_final(ctx.get(), octets(expected), &written, expected.size()) == 1 &&
             written == expected.size(),
         "HMAC failed");
    return equal_constant_time(expected, signature);
  }

  if (signature.size() != signature_size(alg)) return false;
  std::string der;
  if (row.kty == "EC") {
    der = ecdsa_to_der(signature);
    signature = der;
  }
  quiet_errors quiet;
  evp_md_ctx ctx(EVP_MD_CTX_new());
  must(ctx != nullptr && EVP_MD_CTX_copy_ex(ctx.get(), material_->signatures[at].get()) == 1,
       "a context cannot be copied");
  return EVP_DigestVerify(ctx.get(), octets(signature), signature.size(), octets(input), input.size()) == 1;
}

}  // namespace mcp_oauth
