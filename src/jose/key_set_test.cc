#include "jose/key_set.h"

#include "jose/test_keys.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>

namespace mcp_oauth {
namespace {

std::string set_of(const std::vector<json::object>& keys) {
  json::array listed;
  for (const auto& key : keys) listed.push_back(key);
  return json::serialize(json::object{{"keys", listed}});
}

json::object fresh(const char* kid) {
  return signing_key::generate_es256().public_part().with_kid(kid).to_jwk();
}

TEST(KeySet, FindsAKeyByKidAndAlgorithm) {
  auto set = key_set::parse(set_of({fresh("a"), fresh("b")}));
  ASSERT_TRUE(set);
  ASSERT_NE(set->find("b", algorithm::es256), nullptr);
  EXPECT_EQ(set->find("b", algorithm::es256)->kid(), "b");
  EXPECT_EQ(set->find("b", algorithm::rs256), nullptr);
  EXPECT_TRUE(set->has_kid("a"));
  EXPECT_FALSE(set->has_kid("c"));
}

TEST(KeySet, NeverFallsBackFromAnUnknownKid) {
  auto nameless = fresh("x");
  nameless.erase("kid");
  auto set = key_set::parse(set_of({nameless}));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->find("other", algorithm::es256), nullptr);
  EXPECT_NE(set->find("", algorithm::es256), nullptr);
}

TEST(KeySet, WithoutKidFindsOnlyWhatIsUnambiguous) {
  auto one = *key_set::parse(set_of({fresh("a")}));
  ASSERT_NE(one.find("", algorithm::es256), nullptr);
  EXPECT_EQ(one.find("", algorithm::es256)->kid(), "a");
  auto two = *key_set::parse(set_of({fresh("a"), fresh("b")}));
  EXPECT_EQ(two.find("", algorithm::es256), nullptr);
  auto ed = signing_key::from_pem(test_keys::pem("ED25519"));
  auto mixed = *key_set::parse(set_of({fresh("a"), ed->public_part().to_jwk()}));
  EXPECT_NE(mixed.find("", algorithm::eddsa), nullptr);
}

TEST(KeySet, LeavesOutWhatItCannotUseAndKeepsTheRest) {
  auto for_encryption = fresh("enc");
  for_encryption["use"] = "enc";
  auto broken = fresh("broken");
  broken["y"] = "AA";
  json::object shared{{"kty", "oct"}, {"kid", "shared"}, {"alg", "HS256"}, {"k", std::string(64, 'k')}};
  auto text = set_of({for_encryption, broken, shared, json::object{{"kty", "new"}}, fresh("good")});
  text.insert(text.find('[') + 1, R"(7,null,"x",[],)");
  auto set = key_set::parse(text);
  ASSERT_TRUE(set);
  EXPECT_EQ(set->size(), 1u);
  EXPECT_TRUE(set->has_kid("good"));
  EXPECT_EQ(set->find("shared", algorithm::hs256), nullptr);
}

TEST(KeySet, MayBeEmpty) {
  auto set = key_set::parse(R"({"keys":[]})");
  ASSERT_TRUE(set);
  EXPECT_EQ(set->size(), 0u);
  EXPECT_EQ(set->find("", algorithm::es256), nullptr);
}

TEST(KeySet, RefusesWhatIsNoJwkSet) {
  const auto key = json::serialize(fresh("a"));
  std::string many = key;
  for (int i = 0; i < 100; ++i) many += "," + key;
  const std::string texts[] = {"",
                               "{}",
                               "[]",
                               "null",
                               key,
                               R"({"keys":{}})",
                               R"({"keys":null})",
                               R"({"keys":[],"keys":[]})",
                               R"({"keys":[]}x)",
                               "<html>",
                               R"({"keys":[)" + many + "]}",
                               R"({"keys":[],"x":")" + std::string(512 * 1024, 'x') + "\"}"};
  for (const auto& text : texts) {
    auto set = key_set::parse(text);
    ASSERT_FALSE(set) << text.substr(0, 80);
    EXPECT_EQ(set.error().code, errc::key_malformed);
  }
}

TEST(KeySet, HoldsAHundredKeys) {
  const auto key = fresh("a");
  auto set = key_set::parse(set_of(std::vector<json::object>(100, key)));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->size(), 100u);
}

TEST(KeySet, WritesWhatItReads) {
  auto shared = public_key::hmac(secret(std::string(32, 'k')), algorithm::hs256, "shared");
  auto written = key_set::of({signing_key::generate_es256().public_part(), *shared}).to_json();
  auto text = json::serialize(written);
  EXPECT_EQ(text.find("shared"), std::string::npos);
  auto read = key_set::parse(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), 1u);
  EXPECT_EQ(read->to_json(), written);
}

std::string public_pem(const secret& private_pem) {
  memory_bio in(BIO_new_mem_buf(octets(private_pem.reveal()), static_cast<int>(private_pem.reveal().size())));
  evp_pkey pkey(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  memory_bio out(BIO_new(BIO_s_mem()));
  EXPECT_EQ(PEM_write_bio_PUBKEY(out.get(), pkey.get()), 1);
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(out.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

TEST(KeySetFromPem, HoldsThePublicKeysThatAreThere) {
  auto text = public_pem(test_keys::rsa2048_pem()) + "\n# the next one\n" +
              public_pem(test_keys::ec_pem("P-256")) + public_pem(test_keys::pem("ED25519"));
  auto keys = key_set::from_pem(text);
  ASSERT_TRUE(keys) << keys.error().detail;
  ASSERT_EQ(keys->size(), 3u);
  for (const auto& key : *keys) EXPECT_EQ(key.kid(), "");
  for (auto alg : {algorithm::rs256, algorithm::ps512, algorithm::es256, algorithm::eddsa}) {
    EXPECT_NE(keys->find("", alg), nullptr) << to_name(alg);
  }
}

TEST(KeySetFromPem, TakesTheKeyOfACertificateWhateverElseItSays) {
  evp_pkey pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  std::unique_ptr<X509, free_with<X509_free>> certificate(X509_new());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -20);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), -10);  // over
  X509_set_pubkey(certificate.get(), pkey.get());
  ASSERT_GT(X509_sign(certificate.get(), pkey.get(), EVP_sha256()), 0);
  memory_bio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate.get());
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(out.get(), &bytes);
  auto keys = key_set::from_pem({bytes, static_cast<std::size_t>(size)});
  ASSERT_TRUE(keys) << keys.error().detail;
  EXPECT_NE(keys->find("", algorithm::es256), nullptr);
}

TEST(KeySetFromPem, VerifiesWhatItsOwnerSigned) {
  auto owner = signing_key::from_pem(test_keys::rsa2048_pem()).value();
  auto keys = key_set::from_pem(public_pem(test_keys::rsa2048_pem())).value();
  EXPECT_TRUE(keys.begin()->verifies(algorithm::rs256, "input", owner.sign("input")));
}

TEST(KeySetFromPem, RefusesWhatDoesNotBelongThere) {
  struct row {
    std::string text;
    errc code;
  };
  auto good = public_pem(test_keys::ec_pem("P-256"));
  for (const auto& [text, code] :
       {row{"", errc::key_malformed}, row{"no PEM", errc::key_malformed},
        row{std::string(test_keys::ec_pem("P-256").reveal()), errc::key_malformed},
        row{good + std::string(test_keys::ec_pem("P-256").reveal()), errc::key_malformed},
        row{public_pem(test_keys::rsa_pem(1024)), errc::key_weak},
        row{public_pem(test_keys::ec_pem("secp256k1")), errc::key_malformed},
        row{public_pem(test_keys::pem("X25519")), errc::key_malformed},
        row{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", errc::key_malformed},
        row{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", errc::key_malformed},
        row{"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", errc::key_malformed}}) {
    auto keys = key_set::from_pem(text);
    ASSERT_FALSE(keys) << text;
    EXPECT_EQ(keys.error().code, code) << text << keys.error().detail;
  }
}

}  // namespace
}  // namespace mcp_oauth
