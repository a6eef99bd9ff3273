#include "base/base64url.h"
#include "jose/algorithm_traits.h"
#include "jose/key.h"
#include "jose/key_set.h"
#include "jose/material.h"

#include <algorithm>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/x509.h>

namespace mcp_oauth {
namespace {

// Without it OpenSSL would ask at the terminal.
int no_password(char*, int, int, void*) { return -1; }

std::string number(const EVP_PKEY* pkey, const char* name, std::size_t width) {
  BIGNUM* read = nullptr;
  must(EVP_PKEY_get_bn_param(pkey, name, &read) == 1, "a key without its numbers");
  bignum value(read);
  std::string bytes(std::max(width, static_cast<std::size_t>(BN_num_bytes(value.get()))), '\0');
  must(BN_bn2binpad(value.get(), octets(bytes), static_cast<int>(bytes.size())) >= 0, "a number too long");
  return base64url_encode(bytes);
}

struct group {
  std::string_view name;  // OpenSSL's
  const char* crv;
  const char* alg;
  std::size_t width;  // bytes of a coordinate
};
constexpr group groups[] = {{"prime256v1", "P-256", "ES256", 32},
                            {"secp384r1", "P-384", "ES384", 48},
                            {"secp521r1", "P-521", "ES512", 66}};

enum class rsa_use { rs256_only, every_algorithm };

// Through a JWK, so that our own keys pass the checks that foreign ones do, and nothing private goes along.
result<public_key> public_part_of(EVP_PKEY* pkey, rsa_use rsa = rsa_use::rs256_only) {
  json::object jwk;
  if (EVP_PKEY_is_a(pkey, "EC") == 1) {
    char name[32] = {};
    std::size_t length = 0;
    if (EVP_PKEY_get_group_name(pkey, name, sizeof name, &length) != 1) {
      return fail(errc::key_malformed, "unnamed curve");
    }
    const auto* known = std::find_if(std::begin(groups), std::end(groups),
                                     [&](auto& g) { return g.name == std::string_view(name, length); });
    if (known == std::end(groups)) return fail(errc::key_malformed, "unknown curve");
    jwk = {{"kty", "EC"},
           {"crv", known->crv},
           {"x", number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, known->width)},
           {"y", number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, known->width)},
           {"alg", known->alg}};
  } else if (EVP_PKEY_is_a(pkey, "RSA") == 1) {
    jwk = {{"kty", "RSA"},
           {"n", number(pkey, OSSL_PKEY_PARAM_RSA_N, 0)},
           {"e", number(pkey, OSSL_PKEY_PARAM_RSA_E, 0)}};
    if (rsa == rsa_use::rs256_only) jwk["alg"] = "RS256";
  } else if (EVP_PKEY_is_a(pkey, "ED25519") == 1) {
    std::string x(32, '\0');
    std::size_t size = x.size();
    must(EVP_PKEY_get_raw_public_key(pkey, octets(x), &size) == 1, "a key without its public part");
    jwk = {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", base64url_encode(x)}, {"alg", "EdDSA"}};
  } else {
    return fail(errc::key_malformed, "neither RSA nor EC nor Ed25519");
  }
  auto key = public_key::from_jwk(jwk);
  if (!key) return key;
  return key->with_kid(key->thumbprint());
}

// One block of a PEM text: a public key, or the one of a certificate.
result<evp_pkey> public_key_in(std::string_view label, const unsigned char* bytes, long size) {
  evp_pkey pkey;
  if (label == PEM_STRING_PUBLIC) {
    pkey.reset(d2i_PUBKEY(nullptr, &bytes, size));
  } else if (label == PEM_STRING_X509) {
    std::unique_ptr<X509, free_with<X509_free>> certificate(d2i_X509(nullptr, &bytes, size));
    if (certificate != nullptr) pkey.reset(X509_get_pubkey(certificate.get()));
  } else if (label.ends_with("PRIVATE KEY")) {
    return fail(errc::key_malformed,
                "a private key: only its owner may have it, and its public part belongs here");
  } else {
    return fail(errc::key_malformed, "PEM that is neither a public key nor a certificate");
  }
  if (pkey == nullptr) return fail(errc::key_malformed, "a PEM block that cannot be read");
  return pkey;
}

}  // namespace

result<key_set> key_set::from_pem(std::string_view pem) {
  quiet_errors quiet;
  memory_bio in(BIO_new_mem_buf(octets(pem), static_cast<int>(pem.size())));
  std::vector<public_key> keys;
  char *label = nullptr, *header = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;
  while (PEM_read_bio(in.get(), &label, &header, &bytes, &size) == 1) {
    auto pkey = public_key_in(label, bytes, size);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
    if (!pkey) return tl::unexpected(pkey.error());
    auto key = public_part_of(pkey->get(), rsa_use::every_algorithm);
    if (!key) return tl::unexpected(key.error());
    keys.push_back(key->with_kid(""));
  }
  if (keys.empty()) return fail(errc::key_malformed, "no PEM with a public key");
  return of(std::move(keys));
}

signing_key signing_key::generate_es256() {
  evp_pkey pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  must(pkey != nullptr, "no key can be made");
  auto shown = public_part_of(pkey.get());
  must(shown.has_value(), "a key of our own does not hold");
  auto ready = ready_context(pkey.get(), algorithm::es256, key_use::sign);
  auto material = std::make_shared<signing_material>();
  material->alg = algorithm::es256;
  material->pkey = std::move(pkey);
  material->ready = std::move(ready);
  return {std::move(material), std::move(*shown)};
}

result<signing_key> signing_key::from_pem(const secret& pem) {
  quiet_errors quiet;
  memory_bio in(BIO_new_mem_buf(octets(pem.reveal()), static_cast<int>(pem.reveal().size())));
  evp_pkey pkey(PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
  if (pkey == nullptr) return fail(errc::key_malformed, "no unencrypted PEM private key");
  auto shown = public_part_of(pkey.get());
  if (!shown) return tl::unexpected(shown.error());
  evp_pkey_ctx check(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey.get(), nullptr));
  if (check == nullptr || EVP_PKEY_pairwise_check(check.get()) != 1) {
    return fail(errc::key_malformed, "the private and the public half do not belong together");
  }
  auto material = std::make_shared<signing_material>();
  material->alg = *shown->alg();
  material->ready = ready_context(pkey.get(), material->alg, key_use::sign);
  material->pkey = std::move(pkey);
  return signing_key(std::move(material), std::move(*shown));
}

secret signing_key::to_pem() const {
  memory_bio out(BIO_new(BIO_s_mem()));  // overwrites its bytes when it goes
  must(out != nullptr && PEM_write_bio_PKCS8PrivateKey(out.get(), material_->pkey.get(), nullptr, nullptr, 0,
                                                       nullptr, nullptr) == 1,
       "a key cannot be written");
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &bytes);
  return secret(std::string(bytes, static_cast<std::size_t>(size)));
}

algorithm signing_key::alg() const { return material_->alg; }

std::string signing_key::sign(std::string_view input) const {
  evp_md_ctx ctx(EVP_MD_CTX_new());
  must(ctx != nullptr && EVP_MD_CTX_copy_ex(ctx.get(), material_->ready.get()) == 1,
       "a context cannot be copied");
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(material_->pkey.get()));
  std::string signature(size, '\0');
  must(EVP_DigestSign(ctx.get(), octets(signature), &size, octets(input), input.size()) == 1,
       "signing failed");
  signature.resize(size);
  const auto& row = traits(material_->alg);
  return row.kty == "EC" ? ecdsa_from_der(signature, row.signature_size / 2) : signature;
}

}  // namespace mcp_oauth
