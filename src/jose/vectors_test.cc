#include "base/base64url.h"
#include "jose/jws.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

// Test data that others made: Wycheproof (C2SP), and the cookbook of RFC 7520. Not part of this repository;
// without it these tests say that they were skipped.
namespace mcp_oauth {
namespace {

std::filesystem::path folder() {
  if (const char* given = std::getenv("MOP_VECTORS")) return given;
  return std::filesystem::path(MOP_SOURCE_DIR) / ".." / "shared" / "vectors";
}

json::object load(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto document = parse_json_object(text.str());
  EXPECT_TRUE(document) << path;
  return document ? *document : json::object();
}

constexpr std::array everything = {algorithm::rs256, algorithm::rs384, algorithm::rs512, algorithm::ps256,
                                   algorithm::ps384, algorithm::ps512, algorithm::es256, algorithm::es384,
                                   algorithm::es512, algorithm::eddsa, algorithm::hs256, algorithm::hs384,
                                   algorithm::hs512};

key_set keys_of(const json::object& jwk) {
  auto kid = text_member(jwk, "kid");
  if (text_member(jwk, "kty") == "oct") {
    auto bytes = base64url_decode(text_member(jwk, "k"));
    auto alg = algorithm_from_name(text_member(jwk, "alg")).value_or(algorithm::hs256);
    auto key = public_key::hmac(secret(bytes.value_or("")), alg, kid);
    return key ? key_set::of({*key}) : key_set();
  }
  auto key = public_key::from_jwk(jwk);
  return key ? key_set::of({*key}) : key_set();
}

bool accepts(std::string_view compact, const key_set& keys) {
  auto jws = parse_jws(compact);
  return jws && verify_jws(*jws, keys, everything);
}

// Where we answer otherwise than the file says, and why.
const std::map<std::int64_t, std::string_view> differences = {
    {346, "the key is for PS256 and the token says PS384"},
    {350, "the key is for PS256 and the token says PS384"},
    {347, "the key's alg is ES521, which is no algorithm"},
    {351, "the key's alg is ES521, which is no algorithm"},
    {367, "to the byte the token of case 357, which is valid"},
    {370, "to the byte the token of case 357, which is valid"},
    {372, "a character outside the alphabet; RFC 7515 §2 knows none to be ignored"},
    {373, "a character outside the alphabet; RFC 7515 §2 knows none to be ignored"},
};

TEST(Wycheproof, AgreesOnEverySignature) {
  const auto path = folder() / "wycheproof" / "json_web_signature_test.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no test vectors at " << path << "; set MOP_VECTORS";
  int cases = 0;
  int valid = 0;
  const auto document = load(path);
  for (const auto& item : document.at("testGroups").as_array()) {
    const auto& group = item.as_object();
    const auto keys = keys_of(group.at(group.contains("public") ? "public" : "private").as_object());
    for (const auto& test_item : group.at("tests").as_array()) {
      const auto& test = test_item.as_object();
      const auto id = test.at("tcId").as_int64();
      const bool expected = (text_member(test, "result") == "valid") != differences.contains(id);
      EXPECT_EQ(accepts(text_member(test, "jws"), keys), expected)
          << id << " " << text_member(test, "comment");
      ++cases;
      valid += expected ? 1 : 0;
    }
  }
  EXPECT_GE(cases, 400);
  EXPECT_GE(valid, 30);
}

class Cookbook : public testing::TestWithParam<const char*> {};

TEST_P(Cookbook, VerifiesAndItsNeighbourDoesNot) {
  const auto path = folder() / "cookbook" / GetParam();
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no test vectors at " << path << "; set MOP_VECTORS";
  const auto example = load(path);
  const auto& input = example.at("input").as_object();
  auto jwk = input.at("key").as_object();
  jwk["alg"] = input.at("alg");
  const auto keys = keys_of(jwk);
  auto compact = text_member(example.at("output").as_object(), "compact");
  auto jws = parse_jws(compact);
  ASSERT_TRUE(jws) << jws.error().detail;
  auto verified = verify_jws(*jws, keys, everything);
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_EQ(verified->payload(), text_member(input, "payload"));
  compact[compact.find('.') + 3] ^= 1;
  EXPECT_FALSE(accepts(compact, keys));
}

INSTANTIATE_TEST_SUITE_P(Rfc7520, Cookbook,
                         testing::Values("jws/4_1.rsa_v15_signature.json", "jws/4_2.rsa-pss_signature.json",
                                         "jws/4_3.ecdsa_signature.json",
                                         "jws/4_4.hmac-sha2_integrity_protection.json",
                                         "curve25519/jws.json"));

TEST(Rfc7797, UnencodedPayloadIsRefused) {
  const auto path = folder() / "cookbook" / "rfc7797" / "hmac-sha2_b64_false.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no test vectors at " << path << "; set MOP_VECTORS";
  const auto example = load(path);
  auto protected_part = text_member(example.at("signing").as_object(), "protected_b64u");
  ASSERT_FALSE(protected_part.empty());
  auto jws = parse_jws(protected_part + ".e30.c2ln");
  ASSERT_FALSE(jws);
  EXPECT_EQ(jws.error().code, errc::jwt_malformed);
}

}  // namespace
}  // namespace mcp_oauth
