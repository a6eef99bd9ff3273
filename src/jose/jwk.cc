#include "base/base64url.h"
#include "jose/algorithm_traits.h"
#include "jose/digest.h"
#include "jose/key.h"
#include "jose/material.h"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/core_names.h>

namespace mcp_oauth {
namespace {

constexpr int fewest_rsa_bits = 2048;
constexpr int most_rsa_bits = 8192;  // a verification grows with the square

result<std::string> octets_member(const json::object& jwk, std::string_view name) {
  std::string text;
  if (read(jwk, name, text) != member::present || text.empty()) {
    return fail(errc::key_malformed, "no " + std::string(name));
  }
  auto bytes = base64url_decode(text);
  if (!bytes) return fail(errc::key_malformed, std::string(name) + " is not base64url");
  return std::move(*bytes);
}

result<evp_pkey> build(const char* type, OSSL_PARAM_BLD* builder) {
  params settings(OSSL_PARAM_BLD_to_param(builder));
  evp_pkey_ctx ctx(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  must(settings != nullptr && ctx != nullptr && EVP_PKEY_fromdata_init(ctx.get()) == 1, "no such key type");
  const bool done = EVP_PKEY_fromdata(ctx.get(), &made, EVP_PKEY_PUBLIC_KEY, settings.get()) == 1;
  evp_pkey pkey(made);
  if (!done) return fail(errc::key_malformed, std::string(type) + " parameters refused");
  return pkey;
}

// RFC 7518 §6.3.1. Leading zero octets are against it but common; the value is what counts. OpenSSL's own
// check of a public modulus is left out: 90 ms at 8192 bits, and a set may hold a hundred.
result<evp_pkey> rsa_key(const json::object& jwk, json::object& members) {
  auto n = octets_member(jwk, "n");
  if (!n) return tl::unexpected(n.error());
  auto e = octets_member(jwk, "e");
  if (!e) return tl::unexpected(e.error());
  n->erase(0, n->find_first_not_of('\0'));
  e->erase(0, e->find_first_not_of('\0'));
  if (n->size() > most_rsa_bits / 8) return fail(errc::key_malformed, "RSA modulus over 8192 bits");
  bignum modulus(BN_bin2bn(octets(*n), static_cast<int>(n->size()), nullptr));
  if (BN_num_bits(modulus.get()) < fewest_rsa_bits) return fail(errc::key_weak, "RSA modulus under 2048");
  if (!BN_is_odd(modulus.get())) return fail(errc::key_malformed, "RSA modulus is even");
  if (e->size() > 8) return fail(errc::key_malformed, "RSA exponent over 64 bits");
  bignum exponent(BN_bin2bn(octets(*e), static_cast<int>(e->size()), nullptr));
  if (!BN_is_odd(exponent.get()) || BN_is_one(exponent.get())) {
    return fail(errc::key_malformed, "RSA exponent is 1 or even");
  }
  param_builder builder(OSSL_PARAM_BLD_new());
  must(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) == 1 &&
           OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) == 1,
       "RSA parameters");
  members = {{"e", base64url_encode(*e)}, {"kty", "RSA"}, {"n", base64url_encode(*n)}};
  return build("RSA", builder.get());
}

// RFC 7518 §6.2.1: coordinates have exactly the length of the field.
result<evp_pkey> ec_key(const json::object& jwk, const std::string& crv, json::object& members) {
  struct curve {
    std::string_view crv;
    std::size_t width;
  };
  static constexpr std::array curves = {curve{"P-256", 32}, curve{"P-384", 48}, curve{"P-521", 66}};
  const auto* known = std::find_if(curves.begin(), curves.end(), [&](auto& c) { return c.crv == crv; });
  if (known == curves.end()) return fail(errc::key_malformed, "unknown curve");
  auto x = octets_member(jwk, "x");
  if (!x) return tl::unexpected(x.error());
  auto y = octets_member(jwk, "y");
  if (!y) return tl::unexpected(y.error());
  if (x->size() != known->width || y->size() != known->width) {
    return fail(errc::key_malformed, "a coordinate of another length than the curve's");
  }
  const auto point = '\x04' + *x + *y;  // SEC 1 §2.3.3, uncompressed
  param_builder builder(OSSL_PARAM_BLD_new());
  must(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, crv.c_str(), 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                            point.size()) == 1,
       "EC parameters");
  members = {{"crv", crv}, {"kty", "EC"}, {"x", base64url_encode(*x)}, {"y", base64url_encode(*y)}};
  auto pkey = build("EC", builder.get());
  if (!pkey) return pkey;
  // SP 800-56A §5.6.2.3: in the field, on the curve, not at infinity.
  evp_pkey_ctx check(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey->get(), nullptr));
  if (check == nullptr || EVP_PKEY_public_check(check.get()) != 1) {
    return fail(errc::key_malformed, "the point is not on the curve");
  }
  return pkey;
}

// RFC 8037 §2.
result<evp_pkey> okp_key(const json::object& jwk, const std::string& crv, json::object& members) {
  if (crv != "Ed25519") return fail(errc::key_malformed, "unknown curve");
  auto x = octets_member(jwk, "x");
  if (!x) return tl::unexpected(x.error());
  evp_pkey pkey(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, octets(*x), x->size()));
  if (pkey == nullptr) return fail(errc::key_malformed, "x is not an Ed25519 key");
  members = {{"crv", crv}, {"kty", "OKP"}, {"x", base64url_encode(*x)}};
  return pkey;
}

// RFC 7517 §4.2, §4.3: absent means any use.
result<void> check_use(const json::object& jwk) {
  std::string use;
  if (auto seen = read(jwk, "use", use);
      seen != member::absent && (seen != member::present || use != "sig")) {
    return fail(errc::key_malformed, "use is not sig");
  }
  std::vector<std::string> operations;
  auto seen = read(jwk, "key_ops", operations);
  if (seen == member::absent) return {};
  if (seen != member::present ||
      std::find(operations.begin(), operations.end(), "verify") == operations.end()) {
    return fail(errc::key_malformed, "key_ops without verify");
  }
  return {};
}

}  // namespace

result<public_key> public_key::from_jwk(const json::object& jwk) {
  std::string kty;
  if (read(jwk, "kty", kty) != member::present) return fail(errc::key_malformed, "no kty");
  std::string kid;
  if (read(jwk, "kid", kid) == member::wrong_type) return fail(errc::key_malformed, "kid is not a string");
  if (auto used = check_use(jwk); !used) return tl::unexpected(used.error());
  std::string alg_text;
  std::optional<algorithm> alg;
  if (auto seen = read(jwk, "alg", alg_text); seen != member::absent) {
    alg = algorithm_from_name(alg_text);
    if (!alg) return fail(errc::key_malformed, "alg is not one of ours");
  }

  quiet_errors quiet;
  auto material = std::make_shared<verification_material>();
  const auto crv = text_member(jwk, "crv");
  result<evp_pkey> pkey = fail(errc::key_malformed, "unknown kty");
  if (kty == "RSA") pkey = rsa_key(jwk, material->members);
  if (kty == "EC") pkey = ec_key(jwk, crv, material->members);
  if (kty == "OKP") pkey = okp_key(jwk, crv, material->members);
  if (!pkey) return tl::unexpected(pkey.error());

  material->kty = kty;
  if (kty != "RSA") material->crv = crv;
  material->pkey = std::move(*pkey);
  bool usable = false;
  for (const auto& row : all_traits()) {
    if (row.kty != kty || row.crv != material->crv || (alg && *alg != row.alg)) continue;
    material->signatures[static_cast<std::size_t>(row.alg)] =
        ready_context(material->pkey.get(), row.alg, key_use::verify);
    usable = true;
  }
  if (!usable) return fail(errc::key_malformed, "alg is of another key type");
  return public_key(std::move(material), std::move(kid), alg);
}

result<public_key> public_key::hmac(const secret& key, algorithm alg, std::string kid) {
  const auto& row = traits(alg);
  if (row.kty != "oct") return fail(errc::key_malformed, "not an HMAC algorithm");
  if (key.reveal().size() < row.signature_size) return fail(errc::key_weak, "HMAC key shorter than the hash");

  auto material = std::make_shared<verification_material>();
  material->kty = "oct";
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  auto& ready = material->macs[static_cast<std::size_t>(alg)];
  ready.reset(EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  const OSSL_PARAM settings[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(row.digest), 0),
      OSSL_PARAM_construct_end()};
  must(
      ready != nullptr && EVP_MAC_init(ready.get(), octets(key.reveal()), key.reveal().size(), settings) == 1,
      "no HMAC");
  return public_key(std::move(material), std::move(kid), alg);
}

json::object public_key::to_jwk() const {
  json::object jwk = material_->members;
  if (jwk.empty()) return jwk;
  if (!kid_.empty()) jwk["kid"] = kid_;
  if (alg_) {
    auto name = to_name(*alg_);
    jwk["alg"] = json::string(name.data(), name.size());
  }
  jwk["use"] = "sig";
  return jwk;
}

std::string public_key::thumbprint() const {
  if (material_->members.empty()) return {};
  // RFC 7638 §3.3: the required members in the order of their names, without white space. None of the values
  // needs escaping. Our objects keep the order in which they were built.
  return base64url_encode(sha256_bytes(json::serialize(material_->members)));
}

}  // namespace mcp_oauth
