// What went wrong in JOSE libraries of others, done to ours: docs/past-mistakes.md has the whole list.

#include "base/base64url.h"
#include "jose/digest.h"
#include "jose/jws.h"
#include "jose/test_keys.h"

#include <array>
#include <tuple>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr std::array asymmetric = {algorithm::rs256, algorithm::rs384, algorithm::rs512, algorithm::ps256,
                                   algorithm::ps384, algorithm::ps512, algorithm::es256, algorithm::es384,
                                   algorithm::es512, algorithm::eddsa};
constexpr std::array everything = {algorithm::rs256, algorithm::rs384, algorithm::rs512, algorithm::ps256,
                                   algorithm::ps384, algorithm::ps512, algorithm::es256, algorithm::es384,
                                   algorithm::es512, algorithm::eddsa, algorithm::hs256, algorithm::hs384,
                                   algorithm::hs512};

// Verified, or why not.
errc verdict(std::string_view compact, const key_set& keys,
             std::span<const algorithm> accepted = everything) {
  auto jws = parse_jws(compact);
  if (!jws) return jws.error().code;
  auto verified = verify_jws(*jws, keys, accepted);
  return verified ? errc::count_ : verified.error().code;
}

std::string with_signature(std::string_view header, std::string_view signature) {
  return base64url_encode(header) + "." + base64url_encode("{}") + "." + base64url_encode(signature);
}

std::string signed_with(const signing_key& key, std::string_view header) {
  auto input = base64url_encode(header) + "." + base64url_encode("{}");
  return input + "." + base64url_encode(key.sign(input));
}

struct world {
  signing_key rsa = *signing_key::from_pem(test_keys::rsa2048_pem());
  signing_key ec = signing_key::generate_es256();
  signing_key ed = *signing_key::from_pem(test_keys::pem("ED25519"));
  key_set keys = key_set::of(
      {rsa.public_part().with_kid("rsa"), ec.public_part().with_kid("ec"), ed.public_part().with_kid("ed")});
};

// jsonwebtoken, and many before it: "none" in every spelling, with and without a signature.
TEST(AdvisoryJose, CVE_2022_23540_NoneIsNoAlgorithm) {
  world w;
  for (const char* none :
       {"none", "None", "NONE", "nOnE", "none ", " none", "none\\u0000", "n\\u006fne", "null", "", "0"}) {
    for (const char* kid : {"", R"(,"kid":"rsa")", R"(,"kid":"ec")", R"(,"kid":"")"}) {
      auto header = std::string(R"({"alg":")") + none + "\"" + kid + "}";
      EXPECT_NE(verdict(with_signature(header, ""), w.keys), errc::count_) << header;
      EXPECT_NE(verdict(with_signature(header, "x"), w.keys), errc::count_) << header;
      EXPECT_NE(verdict(signed_with(w.ec, header), w.keys), errc::count_) << header;
    }
  }
  for (const char* header : {"{}", R"({"alg":null})", R"({"alg":false})", R"({"alg":[]})",
                             R"({"alg":["none"]})", R"({"alg":{"none":1}})", R"({"kid":"ec"})"}) {
    EXPECT_EQ(verdict(with_signature(header, ""), w.keys), errc::jwt_malformed) << header;
  }
}

// jwt-simple and jsonwebtoken (CVE-2022-23541): the public key, in all its forms, as the secret of an HMAC.
TEST(AdvisoryJose, CVE_2016_10555_APublicKeyIsNoSharedSecret) {
  world w;
  for (const auto* signer : {&w.rsa, &w.ec, &w.ed}) {
    auto kid = signer == &w.rsa ? "rsa" : signer == &w.ec ? "ec" : "ed";
    auto jwk = signer->public_part().with_kid(kid).to_jwk();
    std::vector<std::string> secrets = {json::serialize(jwk), kid, ""};
    for (const char* member : {"n", "e", "x", "y"}) {
      auto text = text_member(jwk, member);
      if (text.empty()) continue;
      secrets.push_back(text);
      secrets.push_back(*base64url_decode(text));
    }
    for (const auto& secret_text : secrets) {
      for (const char* with_kid : {kid, "", "other"}) {
        auto header = std::string(R"({"alg":"HS256")") +
                      (*with_kid != '\0' ? std::string(R"(,"kid":")") + with_kid + "\"" : "") + "}";
        auto input = base64url_encode(header) + "." + base64url_encode("{}");
        auto forged = input + "." + base64url_encode(hmac_sha256(secret_text, input));
        EXPECT_NE(verdict(forged, w.keys), errc::count_) << header;
        EXPECT_NE(verdict(forged, w.keys, asymmetric), errc::count_) << header;
      }
    }
  }
}

// node-jose: the key came with the token.
TEST(AdvisoryJose, CVE_2018_0114_AKeyInTheTokenIsNoKey) {
  world w;
  auto attacker = signing_key::generate_es256();
  auto jwk = json::serialize(attacker.public_part().to_jwk());
  auto kid = attacker.public_part().kid();
  for (const std::string& member :
       {std::string(R"("jwk":)") + jwk, std::string(R"("jwks":{"keys":[)") + jwk + "]}",
        std::string(R"("jku":"https://evil.example/jwks")"), std::string(R"("x5u":"file:///etc/passwd")"),
        std::string(R"("x5c":["MIIB"])"), std::string(R"("x5t":"abc")")}) {
    for (const std::string& named : {std::string("ec"), std::string("rsa"), kid, std::string("other")}) {
      auto header = R"({"alg":"ES256","kid":")" + named + "\"," + member + "}";
      EXPECT_NE(verdict(signed_with(attacker, header), w.keys), errc::count_) << header;
    }
    auto header = R"({"alg":"ES256",)" + member + "}";
    EXPECT_NE(verdict(signed_with(attacker, header), w.keys), errc::count_) << header;
  }
}

// liboauth2 (CWE-918, CWE-134, CWE-74): a key id became part of a request, a path, a format or a query.
TEST(AdvisoryJose, Liboauth2_2026_AKeyIdIsComparedAndNothingElse) {
  world w;
  for (const char* kid : {"../../etc/passwd", "/dev/null", "file:///dev/null", "https://evil.example/key",
                          "%s%n%x", "ec\\u0000", "ec ", " ec", "EC", "*", "ec' OR '1'='1", "ec\\r\\nSET x 1",
                          "0", "-1", "e%63", "{\\\"$ne\\\":1}", "ec,rsa", "|id", "\\u202eec"}) {
    auto header = std::string(R"({"alg":"ES256","kid":")") + kid + "\"}";
    EXPECT_EQ(verdict(signed_with(w.ec, header), w.keys), errc::token_key_unknown) << header;
  }
}

// Authlib: what must be understood and is not.
TEST(AdvisoryJose, CVE_2025_59420_CriticalHeadersAreRefused) {
  world w;
  for (const char* member :
       {R"("crit":["exp"],"exp":1)", R"("crit":["bork"],"bork":true)", R"("crit":["b64"],"b64":false)",
        R"("b64":false)", R"("b64":true)", R"("crit":[])", R"("crit":"exp")", R"("crit":null)",
        R"("crit":{})", R"("crit":["alg"])", R"("crit":["cnf"],"cnf":{"jkt":"x"})", R"("crit":[1])",
        R"("crit":["typ"])", R"("crit":["exp","exp"])"}) {
    auto header = std::string(R"({"alg":"ES256","kid":"ec",)") + member + "}";
    EXPECT_EQ(verdict(signed_with(w.ec, header), w.keys), errc::jwt_malformed) << header;
  }
}

// Java: r and s of nothing; and every other pair that is no signature.
TEST(AdvisoryJose, CVE_2022_21449_NumbersOutOfRangeAreNoSignature) {
  for (auto [group, alg, half] :
       {std::tuple{"P-256", "ES256", std::size_t{32}}, std::tuple{"P-384", "ES384", std::size_t{48}},
        std::tuple{"P-521", "ES512", std::size_t{66}}}) {
    auto key = *signing_key::from_pem(test_keys::ec_pem(group));
    auto keys = key_set::of({key.public_part().with_kid("k")});
    auto header = std::string(R"({"alg":")") + alg + R"(","kid":"k"})";
    auto good = signed_with(key, header);
    ASSERT_EQ(verdict(good, keys), errc::count_);
    auto raw = *base64url_decode(good.substr(good.rfind('.') + 1));
    const std::string zero(half, '\0'), ones(half, '\xff');
    auto one = zero;
    one.back() = '\1';
    const std::string r = raw.substr(0, half), s = raw.substr(half);
    for (const auto& forged :
         {zero + zero, r + zero, zero + s, one + zero, zero + one, one + one, ones + ones, r + ones, ones + s,
          s + r, r + s + zero, zero + r + s, r, std::string(half * 2, ' ')}) {
      EXPECT_EQ(verdict(with_signature(header, forged), keys),
                forged.size() == raw.size() ? errc::token_signature_invalid : errc::token_malformed)
          << alg;
    }
  }
}

// jsonwebtoken: a curve, a hash or a padding that is not the key's.
TEST(AdvisoryJose, CVE_2022_23539_AnAlgorithmFitsItsKey) {
  world w;
  auto p384 = *signing_key::from_pem(test_keys::ec_pem("P-384"));
  auto keys = key_set::of({w.rsa.public_part().with_kid("rsa"), w.ec.public_part().with_kid("ec"),
                           w.ed.public_part().with_kid("ed"), p384.public_part().with_kid("p384")});
  const std::pair<const char*, const signing_key*> signers[] = {
      {"rsa", &w.rsa}, {"ec", &w.ec}, {"ed", &w.ed}, {"p384", &p384}};
  for (const auto& [kid, key] : signers) {
    for (const char* alg :
         {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA",
          "Ed448", "HS256", "HS384", "HS512", "RSA-OAEP", "dir", "A256GCM"}) {
      auto header = std::string(R"({"alg":")") + alg + R"(","kid":")" + kid + "\"}";
      bool own = to_name(key->alg()) == alg;
      EXPECT_EQ(verdict(signed_with(*key, header), keys) == errc::count_, own) << header;
    }
  }
}

// Keys that should never have been used.
TEST(AdvisoryJose, Jsonwebtoken_2022_WeakKeysAreNoKeys) {
  for (std::size_t bits : {512U, 1024U, 1536U, 2040U}) {
    auto weak = signing_key::from_pem(test_keys::rsa_pem(bits));
    ASSERT_FALSE(weak) << bits;
    EXPECT_EQ(weak.error().code, errc::key_weak) << bits;
  }
  for (std::size_t size : {0U, 1U, 16U, 31U}) {
    EXPECT_FALSE(public_key::hmac(secret(std::string(size, 'k')), algorithm::hs256, "k")) << size;
  }
  for (const char* group : {"secp256k1", "P-224", "prime192v1"}) {
    EXPECT_FALSE(signing_key::from_pem(test_keys::ec_pem(group))) << group;
  }
}

// python-jose: a token that unpacks to more; a megabyte of header, a header within a header, thousands of
// parts.
TEST(AdvisoryJose, CVE_2024_33664_SizeAndShapeAreBounded) {
  world w;
  for (const std::string& header :
       {R"({"alg":"ES256","kid":"ec","x":")" + std::string(1 << 20, 'x') + "\"}",
        R"({"alg":"ES256","kid":")" + std::string(1 << 20, 'k') + "\"}",
        R"({"alg":"ES256","kid":"ec","x":)" + std::string(10'000, '[') + std::string(10'000, ']') + "}",
        R"({"alg":"ES256","kid":"ec","x":)" + std::string(100, '[') + std::string(100, ']') + "}",
        std::string(R"({"alg":"ES256","alg":"none","kid":"ec"})"),
        std::string(R"({"alg":"ES256","kid":"ec","kid":"rsa"})"),
        std::string(R"({"alg":"ES256","kid":"ec","zip":"DEF"})") + std::string(1, '\0')}) {
    EXPECT_EQ(verdict(signed_with(w.ec, header), w.keys), errc::jwt_malformed) << header.substr(0, 60);
  }
  EXPECT_EQ(verdict(std::string(16 * 1024, '.'), w.keys), errc::jwt_malformed);
  EXPECT_EQ(verdict(std::string(1 << 20, 'A'), w.keys), errc::jwt_malformed);
  // Five parts are an encrypted one, whose content could be deflated: there is nothing here that opens it.
  EXPECT_EQ(
      verdict(base64url_encode(R"({"alg":"dir","enc":"A256GCM","zip":"DEF"})") + ".e30.e30.e30.e30", w.keys),
      errc::jwt_malformed);
}

}  // namespace
}  // namespace mcp_oauth
