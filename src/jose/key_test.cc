#include "jose/key.h"

#include "base/base64url.h"
#include "jose/algorithm_traits.h"
#include "jose/digest.h"
#include "jose/material.h"
#include "jose/test_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/rsa.h>

namespace mcp_oauth {
namespace {

constexpr std::string_view rfc7638_key =
    R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX)"
    R"(jBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0)"
    R"(zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEg)"
    R"(U8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})";

result<public_key> from_jwk(std::string_view text) {
  auto jwk = parse_json_object(text);
  EXPECT_TRUE(jwk) << text;
  return public_key::from_jwk(*jwk);
}

json::object jwk_of(const signing_key& key) { return key.public_part().to_jwk(); }

json::object with(json::object jwk, std::string_view name, json::value value) {
  jwk[json::string_view(name.data(), name.size())] = std::move(value);
  return jwk;
}
json::object with(json::object jwk, std::string_view name, const std::string& value) {
  return with(std::move(jwk), name, json::value(json::string_view(value)));
}
json::object with(json::object jwk, std::string_view name, const char* value) {
  return with(std::move(jwk), name, std::string(value));
}

errc refusal(const json::object& jwk) {
  auto key = public_key::from_jwk(jwk);
  return key ? errc::count_ : key.error().code;
}

signing_key key_from(const secret& pem) {
  auto key = signing_key::from_pem(pem);
  EXPECT_TRUE(key) << key.error().detail;
  return std::move(*key);
}

TEST(Algorithm, HasItsExactNameAndNoOther) {
  for (const auto& row : all_traits()) EXPECT_EQ(algorithm_from_name(to_name(row.alg)), row.alg);
  EXPECT_EQ(to_name(algorithm::eddsa), "EdDSA");
  for (std::string_view name :
       {"none", "None", "NONE", "", "es256", "ES256 ", "ES256K", "RSA-OAEP", "HS1", "EDDSA"}) {
    EXPECT_EQ(algorithm_from_name(name), std::nullopt) << name;
  }
}

TEST(PublicKey, ThumbprintIsThatOfRfc7638) {
  auto key = from_jwk(rfc7638_key);
  ASSERT_TRUE(key) << key.error().detail;
  EXPECT_EQ(key->thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  EXPECT_EQ(key->kid(), "2011-04-29");
  EXPECT_EQ(key->alg(), algorithm::rs256);
  EXPECT_EQ(key->kty(), "RSA");
}

// RFC 8037 appendix A.3.
TEST(PublicKey, ThumbprintOfEd25519IsThatOfRfc8037) {
  auto key = from_jwk(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  ASSERT_TRUE(key) << key.error().detail;
  EXPECT_EQ(key->thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(PublicKey, ThumbprintIsOfTheValueAndNotOfItsSpelling) {
  auto jwk = *parse_json_object(rfc7638_key);
  auto padded = with(jwk, "n", base64url_encode('\0' + *base64url_decode(text_member(jwk, "n"))));
  auto key = public_key::from_jwk(padded);
  ASSERT_TRUE(key) << key.error().detail;
  EXPECT_EQ(key->thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST(PublicKey, FitsItsTypeItsCurveAndItsAlgOnly) {
  using enum algorithm;
  const auto p256 = key_from(test_keys::ec_pem("P-256"));
  const auto p384 = key_from(test_keys::ec_pem("P-384"));
  const auto p521 = key_from(test_keys::ec_pem("P-521"));
  const auto ed = key_from(test_keys::pem("ED25519"));
  const auto rsa = key_from(test_keys::rsa2048_pem());
  auto open_rsa = jwk_of(rsa);
  open_rsa.erase("alg");
  auto hs = public_key::hmac(secret(std::string(64, 'k')), hs256);
  struct row {
    public_key key;
    std::vector<algorithm> fitting;
  };
  const row rows[] = {
      {p256.public_part(), {es256}},
      {p384.public_part(), {es384}},
      {p521.public_part(), {es512}},
      {ed.public_part(), {eddsa}},
      {rsa.public_part(), {rs256}},
      {*public_key::from_jwk(open_rsa), {rs256, rs384, rs512, ps256, ps384, ps512}},
      {*hs, {hs256}},
  };
  for (const auto& r : rows) {
    std::vector<algorithm> fitting;
    for (const auto& traits : all_traits()) {
      if (r.key.fits(traits.alg)) fitting.push_back(traits.alg);
    }
    EXPECT_EQ(fitting, r.fitting) << r.key.kty();
  }
}

TEST(PublicKey, ShowsNothingPrivate) {
  auto pem = test_keys::ec_pem("P-256");
  auto key = key_from(pem);
  auto jwk = with(with(jwk_of(key), "d", base64url_encode(std::string(32, 'd'))), "x5c", json::array{"MII"});
  auto read = public_key::from_jwk(jwk);
  ASSERT_TRUE(read) << read.error().detail;
  auto shown = read->to_jwk();
  std::vector<std::string> names;
  for (const auto& member : shown) names.emplace_back(member.key().data(), member.key().size());
  EXPECT_THAT(names, testing::UnorderedElementsAre("kty", "crv", "x", "y", "kid", "alg", "use"));
  EXPECT_EQ(shown, jwk_of(key));
}

TEST(PublicKey, OfAnHmacShowsNothingAtAll) {
  auto key = public_key::hmac(secret(std::string(32, 'k')), algorithm::hs256, "shared");
  ASSERT_TRUE(key);
  EXPECT_TRUE(key->to_jwk().empty());
  EXPECT_EQ(key->thumbprint(), "");
}

TEST(PublicKey, RefusesWhatIsNoUsableKey) {
  const auto ec = jwk_of(signing_key::generate_es256());
  const auto rsa = *parse_json_object(rfc7638_key);
  const auto okp = jwk_of(key_from(test_keys::pem("ED25519")));
  const auto x = *base64url_decode(text_member(ec, "x"));
  const auto y = *base64url_decode(text_member(ec, "y"));
  const auto n = *base64url_decode(text_member(rsa, "n"));
  auto without = [](json::object jwk, std::string_view name) {
    jwk.erase(json::string_view(name.data(), name.size()));
    return jwk;
  };
  auto even = n;
  even.back() = static_cast<char>(even.back() & ~1);
  auto off_curve = y;
  off_curve[7] = static_cast<char>(off_curve[7] ^ 1);
  struct row {
    const char* what;
    json::object jwk;
    errc code;
  };
  const row rows[] = {
      {"nothing", {}, errc::key_malformed},
      {"kty of another type", with(ec, "kty", 1), errc::key_malformed},
      {"unknown kty", with(ec, "kty", "XX"), errc::key_malformed},
      {"kty in another case", with(ec, "kty", "ec"), errc::key_malformed},
      {"a shared key", {{"kty", "oct"}, {"k", base64url_encode(std::string(64, 'k'))}}, errc::key_malformed},
      {"kid of another type", with(ec, "kid", 7), errc::key_malformed},
      {"for encryption", with(ec, "use", "enc"), errc::key_malformed},
      {"use of another type", with(ec, "use", json::value(nullptr)), errc::key_malformed},
      {"key_ops without verify", with(ec, "key_ops", json::array{"sign"}), errc::key_malformed},
      {"key_ops empty", with(ec, "key_ops", json::array{}), errc::key_malformed},
      {"key_ops of another type", with(ec, "key_ops", "verify"), errc::key_malformed},
      {"unknown alg", with(rsa, "alg", "RSA-OAEP"), errc::key_malformed},
      {"alg none", with(rsa, "alg", "none"), errc::key_malformed},
      {"alg of another type", with(rsa, "alg", 1), errc::key_malformed},
      {"alg of another key type", with(rsa, "alg", "ES256"), errc::key_malformed},
      {"HMAC over a public key", with(rsa, "alg", "HS256"), errc::key_malformed},
      {"alg of another curve", with(ec, "alg", "ES384"), errc::key_malformed},
      {"no curve", without(ec, "crv"), errc::key_malformed},
      {"secp256k1", with(ec, "crv", "secp256k1"), errc::key_malformed},
      {"another curve's coordinates", with(without(ec, "alg"), "crv", "P-384"), errc::key_malformed},
      {"no y", without(ec, "y"), errc::key_malformed},
      {"y of another type", with(ec, "y", 1), errc::key_malformed},
      {"x not base64url", with(ec, "x", "+++="), errc::key_malformed},
      {"x short", with(ec, "x", base64url_encode(x.substr(1))), errc::key_malformed},
      {"x long", with(ec, "x", base64url_encode('\0' + x)), errc::key_malformed},
      {"not on the curve", with(ec, "y", base64url_encode(off_curve)), errc::key_malformed},
      {"the origin",
       with(with(ec, "x", base64url_encode(std::string(32, '\0'))), "y",
            base64url_encode(std::string(32, '\0'))),
       errc::key_malformed},
      {"coordinate over the field", with(ec, "x", base64url_encode(std::string(32, '\xff'))),
       errc::key_malformed},
      {"no n", without(rsa, "n"), errc::key_malformed},
      {"no e", without(rsa, "e"), errc::key_malformed},
      {"n zero", with(rsa, "n", base64url_encode(std::string(256, '\0'))), errc::key_weak},
      {"n of 2040 bits", with(rsa, "n", base64url_encode(n.substr(1))), errc::key_weak},
      {"n of 8200 bits", with(rsa, "n", base64url_encode(std::string(1025, '\x7f'))), errc::key_malformed},
      {"n even", with(rsa, "n", base64url_encode(even)), errc::key_malformed},
      {"e one", with(rsa, "e", "AQ"), errc::key_malformed},
      {"e zero", with(rsa, "e", "AA"), errc::key_malformed},
      {"e even", with(rsa, "e", "BA"), errc::key_malformed},
      {"e of 72 bits", with(rsa, "e", base64url_encode(std::string(9, '\x01'))), errc::key_malformed},
      {"X25519", with(okp, "crv", "X25519"), errc::key_malformed},
      {"Ed25519 short", with(okp, "x", base64url_encode(std::string(31, 'x'))), errc::key_malformed},
      {"Ed25519 long", with(okp, "x", base64url_encode(std::string(33, 'x'))), errc::key_malformed},
  };
  for (const auto& r : rows) EXPECT_EQ(refusal(r.jwk), r.code) << r.what;
  EXPECT_TRUE(public_key::from_jwk(ec));
  EXPECT_TRUE(public_key::from_jwk(rsa));
  EXPECT_TRUE(public_key::from_jwk(okp));
  EXPECT_TRUE(public_key::from_jwk(with(ec, "key_ops", json::array{"verify"})));
}

TEST(PublicKey, LeavesNoErrorBehindForTheNextUserOfTheThread) {
  const auto key = signing_key::generate_es256();
  (void)public_key::from_jwk(with(jwk_of(key), "x", base64url_encode(std::string(32, '\xff'))));
  (void)signing_key::from_pem(secret("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
  EXPECT_FALSE(key.public_part().verifies(algorithm::es256, "input", std::string(64, '\xff')));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(HmacKey, IsAsLongAsItsHash) {
  using enum algorithm;
  for (auto [alg, size] : {std::pair{hs256, 32u}, {hs384, 48u}, {hs512, 64u}}) {
    EXPECT_TRUE(public_key::hmac(secret(std::string(size, 'k')), alg));
    auto weak = public_key::hmac(secret(std::string(size - 1, 'k')), alg);
    ASSERT_FALSE(weak);
    EXPECT_EQ(weak.error().code, errc::key_weak);
  }
  auto wrong = public_key::hmac(secret(std::string(64, 'k')), es256);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, errc::key_malformed);
}

TEST(HmacKey, VerifiesWhatTheHmacSays) {
  const std::string key(32, 'k');
  auto shared = public_key::hmac(secret(key), algorithm::hs256);
  auto mac = hmac_sha256(key, "input");
  EXPECT_TRUE(shared->verifies(algorithm::hs256, "input", mac));
  EXPECT_TRUE(shared->verifies(algorithm::hs256, "input", mac));
  EXPECT_FALSE(shared->verifies(algorithm::hs256, "inpuT", mac));
  EXPECT_FALSE(shared->verifies(algorithm::hs256, "input", mac.substr(0, 16)));
  EXPECT_FALSE(shared->verifies(algorithm::hs256, "input", ""));
  EXPECT_FALSE(shared->verifies(algorithm::hs512, "input", mac));
}

TEST(HmacKey, UsesTheHashOfItsAlgorithm) {
  using enum algorithm;
  const std::string key(64, 'k');
  for (auto alg : {hs256, hs384, hs512}) {
    std::string mac(traits(alg).signature_size, '\0');
    std::size_t size = 0;
    ASSERT_NE(EVP_Q_mac(nullptr, "HMAC", nullptr, traits(alg).digest, nullptr, key.data(), key.size(),
                        octets("input"), 5, octets(mac), mac.size(), &size),
              nullptr);
    EXPECT_EQ(size, mac.size());
    EXPECT_TRUE(public_key::hmac(secret(key), alg)->verifies(alg, "input", mac)) << to_name(alg);
  }
}

TEST(SigningKey, SignsWhatItsPublicPartVerifies) {
  const secret pems[] = {test_keys::ec_pem("P-256"), test_keys::ec_pem("P-384"), test_keys::ec_pem("P-521"),
                         test_keys::pem("ED25519"), test_keys::rsa2048_pem()};
  for (const auto& pem : pems) {
    const auto key = key_from(pem);
    const auto alg = key.alg();
    EXPECT_EQ(key.public_part().kid(), key.public_part().thumbprint());
    for (int i = 0; i < 20; ++i) {  // r and s are of different lengths from one signature to the next
      const auto input = "input " + std::to_string(i);
      auto signature = key.sign(input);
      EXPECT_TRUE(key.public_part().verifies(alg, input, signature)) << to_name(alg);
      EXPECT_FALSE(key.public_part().verifies(alg, input + "x", signature)) << to_name(alg);
      EXPECT_FALSE(key.public_part().verifies(alg, input, signature + '\0')) << to_name(alg);
      EXPECT_FALSE(key.public_part().verifies(alg, input, signature.substr(1))) << to_name(alg);
      EXPECT_FALSE(key.public_part().verifies(alg, input, "")) << to_name(alg);
      signature[signature.size() / 3] = static_cast<char>(signature[signature.size() / 3] ^ 4);
      EXPECT_FALSE(key.public_part().verifies(alg, input, signature)) << to_name(alg);
    }
  }
}

TEST(SigningKey, SurvivesBeingWrittenAndRead) {
  const auto key = signing_key::generate_es256();
  const auto again = key_from(key.to_pem());
  EXPECT_EQ(key.alg(), algorithm::es256);
  EXPECT_EQ(again.public_part().to_jwk(), key.public_part().to_jwk());
  EXPECT_TRUE(key.public_part().verifies(algorithm::es256, "input", again.sign("input")));
  EXPECT_EQ(std::string(key.to_pem().reveal()).rfind("-----BEGIN PRIVATE KEY-----", 0), 0u);
}

TEST(SigningKey, IsAnotherOneEachTime) {
  EXPECT_NE(signing_key::generate_es256().public_part().kid(),
            signing_key::generate_es256().public_part().kid());
}

std::string unarmoured(const secret& pem) {
  std::string body(pem.reveal());
  body.erase(body.find("-----END"));
  body.erase(0, body.find('\n'));
  std::erase(body, '\n');
  return *base64_decode(body);
}

secret armoured(const std::string& der) {
  return secret("-----BEGIN PRIVATE KEY-----\n" + base64_encode(der) + "\n-----END PRIVATE KEY-----\n");
}

TEST(SigningKey, RefusesHalvesThatDoNotBelongTogether) {
  const auto one = unarmoured(test_keys::ec_pem("P-256"));
  const auto other = unarmoured(test_keys::ec_pem("P-256"));
  ASSERT_TRUE(signing_key::from_pem(armoured(one)));
  // The public point is what a PKCS #8 document of P-256 ends with.
  auto mixed =
      signing_key::from_pem(armoured(one.substr(0, one.size() - 64) + other.substr(other.size() - 64)));
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code, errc::key_malformed);
}

TEST(SigningKey, RefusesWhatItCannotSignWith) {
  memory_bio out(BIO_new(BIO_s_mem()));
  evp_pkey pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  ASSERT_EQ(
      PEM_write_bio_PKCS8PrivateKey(out.get(), pkey.get(), EVP_aes_128_cbc(), "pass", 4, nullptr, nullptr),
      1);
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(out.get(), &bytes);
  struct row {
    const char* what;
    secret pem;
    errc code;
  };
  const row rows[] = {
      {"nothing", secret(), errc::key_malformed},
      {"no PEM", secret("key"), errc::key_malformed},
      {"broken DER", armoured("key"), errc::key_malformed},
      {"encrypted", secret(std::string(bytes, static_cast<std::size_t>(size))), errc::key_malformed},
      {"secp256k1", test_keys::ec_pem("secp256k1"), errc::key_malformed},
      {"X25519", test_keys::pem("X25519"), errc::key_malformed},
      {"Ed448", test_keys::pem("ED448"), errc::key_malformed},
      {"RSA of 1024 bits", test_keys::rsa_pem(1024), errc::key_weak},
  };
  for (const auto& r : rows) {
    auto key = signing_key::from_pem(r.pem);
    ASSERT_FALSE(key) << r.what;
    EXPECT_EQ(key.error().code, r.code) << r.what;
  }
}

std::string signed_by(EVP_PKEY* pkey, algorithm alg, int salt = RSA_PSS_SALTLEN_DIGEST) {
  auto ctx = ready_context(pkey, alg, key_use::sign);
  if (traits(alg).rsa_padding == padding::pss) {
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(EVP_MD_CTX_get_pkey_ctx(ctx.get()), salt), 1);
  }
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(pkey)), '\0');
  auto size = signature.size();
  EXPECT_EQ(EVP_DigestSign(ctx.get(), octets(signature), &size, octets("input"), 5), 1);
  return signature;
}

TEST(RsaKey, VerifiesEachOfItsAlgorithmsAndTakesNoneForAnother) {
  const auto pem = test_keys::rsa2048_pem().reveal();
  memory_bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  evp_pkey pkey(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  auto jwk = jwk_of(key_from(test_keys::rsa2048_pem()));
  jwk.erase("alg");
  const auto key = *public_key::from_jwk(jwk);
  for (const auto& signer : all_traits()) {
    if (signer.kty != "RSA") continue;
    const auto signature = signed_by(pkey.get(), signer.alg);
    for (const auto& verifier : all_traits()) {
      EXPECT_EQ(key.verifies(verifier.alg, "input", signature), verifier.alg == signer.alg)
          << signer.name << " as " << verifier.name;
    }
  }
  // RFC 7518 §3.5: the salt is as long as the hash.
  for (int salt : {0, 20, 31, 33}) {
    EXPECT_FALSE(key.verifies(algorithm::ps256, "input", signed_by(pkey.get(), algorithm::ps256, salt)))
        << salt;
  }
}

TEST(EcdsaForm, KeepsNumbersOfEveryLength) {
  for (std::size_t width : {32u, 48u, 66u}) {
    for (std::size_t zeros = 0; zeros < width; ++zeros) {
      auto number = std::string(zeros, '\0') + std::string(width - zeros, '\xff');
      auto small = std::string(width - 1, '\0') + '\x01';
      EXPECT_EQ(ecdsa_from_der(ecdsa_to_der(number + small), width), number + small);
      EXPECT_EQ(ecdsa_from_der(ecdsa_to_der(small + number), width), small + number);
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
