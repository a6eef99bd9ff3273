#include "base/base64url.h"
#include "oauth/issuer_token.h"
#include "oauth/near_miss.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

// Wycheproof (C2SP) once more, by the way that tokens of other issuers take: keys without a `kid`, each of
// them tried. Not part of this repository; without the files these tests say that they were skipped.
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

// The key of a group beside one that signed nothing.
key_set keys_of(const json::object& jwk, issuer_rules& rules) {
  auto stranger = signing_key::generate_es256().public_part().with_kid("");
  if (text_member(jwk, "kty") == "oct") {
    auto alg = algorithm_from_name(text_member(jwk, "alg")).value_or(algorithm::hs256);
    rules.algorithms = {algorithm::hs256, algorithm::hs384, algorithm::hs512};
    auto key = public_key::hmac(secret(base64url_decode(text_member(jwk, "k")).value_or("")), alg);
    return key ? key_set::of({stranger, *key}) : key_set::of({stranger});
  }
  auto key = public_key::from_jwk(jwk);
  return key ? key_set::of({stranger, key->with_kid("")}) : key_set::of({stranger});
}

// Its payloads are no claims, so that a good signature shows in what is found wrong next.
bool gets_past_the_signature(std::string_view compact, const key_set& keys, const issuer_rules& rules) {
  auto verified = verify_issuer_token(compact, keys, rules, from_unix(1'790'000'000));
  EXPECT_FALSE(verified) << compact;
  auto code = verified.error().code;
  bool of_payload = verified.error().detail.find("the payload is no JSON object") == 0;
  return of_payload || code == errc::token_claim_missing || code == errc::token_issuer_mismatch;
}

TEST(WycheproofForIssuers, NoInvalidSignatureGetsPastIt) {
  const auto path = folder() / "wycheproof" / "json_web_signature_test.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no test vectors at " << path << "; set MOP_VECTORS";
  const auto document = load(path);
  int past = 0, valid = 0, cases = 0;
  for (const auto& item : document.at("testGroups").as_array()) {
    const auto& group = item.as_object();
    issuer_rules rules;
    rules.issuer = "https://idp.example.com";
    rules.audiences = {"a"};
    const auto keys = keys_of(group.at(group.contains("public") ? "public" : "private").as_object(), rules);
    for (const auto& test_item : group.at("tests").as_array()) {
      const auto& test = test_item.as_object();
      const auto id = test.at("tcId").as_int64();
      bool good =
          text_member(test, "result") == "valid" || id == 367 || id == 370;  // to the byte a valid one
      bool through = gets_past_the_signature(text_member(test, "jws"), keys, rules);
      EXPECT_TRUE(good || !through) << id << " " << text_member(test, "comment");
      past += through ? 1 : 0;
      valid += good ? 1 : 0;
      ++cases;
    }
  }
  EXPECT_GE(cases, 400);
  EXPECT_GE(past, 30) << "of " << valid;
}

TEST(WycheproofForIssuers, EncryptedTokensAreNeverTaken) {
  const auto path = folder() / "wycheproof" / "json_web_encryption_test.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no test vectors at " << path << "; set MOP_VECTORS";
  const auto document = load(path);
  int encrypted = 0;
  issuer_rules rules;
  rules.issuer = "a";
  for (const auto& group : document.at("testGroups").as_array()) {
    for (const auto& test : group.as_object().at("tests").as_array()) {
      auto jwe = text_member(test.as_object(), "jwe");
      if (jwe.empty()) continue;
      auto verified = verify_issuer_token(jwe, {}, rules, from_unix(0));
      ASSERT_FALSE(verified);
      EXPECT_TRUE(verified.error().code == errc::token_opaque ||
                  verified.error().code == errc::token_malformed)
          << jwe;
      encrypted += shape_of(jwe) == token_shape::jwe ? 1 : 0;
    }
  }
  EXPECT_GE(encrypted, 50);
}

}  // namespace
}  // namespace mcp_oauth
