#include "jose/jws.h"

#include "base/base64url.h"
#include "jose/digest.h"
#include "jose/test_keys.h"

#include <array>
#include <thread>
#include <type_traits>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr std::array es256_only = {algorithm::es256};
constexpr std::array everything = {algorithm::rs256, algorithm::rs384, algorithm::rs512, algorithm::ps256,
                                   algorithm::ps384, algorithm::ps512, algorithm::es256, algorithm::es384,
                                   algorithm::es512, algorithm::eddsa, algorithm::hs256, algorithm::hs384,
                                   algorithm::hs512};

static_assert(!std::is_default_constructible_v<unverified_jws>);
static_assert(!std::is_constructible_v<verified_jws, jws_header, std::string>);
template <class T>
concept shows_payload = requires(const T& t) { t.payload(); };
static_assert(!shows_payload<unverified_jws> && shows_payload<verified_jws>);

struct fixture {
  signing_key key = signing_key::generate_es256();
  key_set keys = key_set::of({key.public_part().with_kid("k1")});
};

result<verified_jws> judge(std::string_view compact, const key_set& keys,
                           std::span<const algorithm> accepted) {
  auto jws = parse_jws(compact);
  if (!jws) return tl::unexpected(jws.error());
  return verify_jws(*jws, keys, accepted);
}

errc verdict(std::string_view compact, const key_set& keys, std::span<const algorithm> accepted) {
  auto jws = judge(compact, keys, accepted);
  return jws ? errc::count_ : jws.error().code;
}

// Signed by the key, whatever the header says.
std::string signed_with(const signing_key& key, std::string_view header, std::string_view payload = "{}") {
  auto compact = base64url_encode(header) + "." + base64url_encode(payload);
  return compact + "." + base64url_encode(key.sign(compact));
}

std::string maced_with(std::string_view key, std::string_view header, std::string_view payload = "{}") {
  auto compact = base64url_encode(header) + "." + base64url_encode(payload);
  return compact + "." + base64url_encode(hmac_sha256(key, compact));
}

TEST(Jws, VerifiesWhatWasSigned) {
  fixture f;
  auto compact = sign_jws(f.key, "at+jwt", "k1", R"({"sub":"u"})");
  auto jws = judge(compact, f.keys, es256_only);
  ASSERT_TRUE(jws) << jws.error().detail;
  EXPECT_EQ(jws->payload(), R"({"sub":"u"})");
  EXPECT_EQ(jws->header().alg, algorithm::es256);
  EXPECT_EQ(jws->header().kid, "k1");
  EXPECT_EQ(jws->header().typ, "at+jwt");
}

TEST(Jws, LeavesOutTypAndKidThatAreEmpty) {
  fixture f;
  auto compact = sign_jws(f.key, "", "", "");
  EXPECT_EQ(compact.substr(0, compact.find('.')), base64url_encode(R"({"alg":"ES256"})"));
  auto jws = judge(compact, f.keys, es256_only);
  ASSERT_TRUE(jws);
  EXPECT_EQ(jws->payload(), "");
}

TEST(Jws, VerifiesEveryKindOfKeyAndRefusesEveryOther) {
  std::vector<signing_key> keys;
  for (const auto& pem : {test_keys::ec_pem("P-256"), test_keys::ec_pem("P-384"), test_keys::ec_pem("P-521"),
                          test_keys::pem("ED25519"), test_keys::rsa2048_pem()}) {
    keys.push_back(*signing_key::from_pem(pem));
  }
  for (const auto& signer : keys) {
    auto compact = sign_jws(signer, "JWT", "k1", "payload");
    for (const auto& other : keys) {
      auto set = key_set::of({other.public_part().with_kid("k1")});
      auto expected = &other == &signer ? errc::count_ : errc::token_algorithm_refused;
      EXPECT_EQ(verdict(compact, set, everything), expected) << to_name(signer.alg()) << to_name(other.alg());
    }
  }
}

TEST(Jws, SharesAKeySetBetweenThreads) {
  const auto rsa = *signing_key::from_pem(test_keys::rsa2048_pem());
  const auto ec = signing_key::generate_es256();
  const auto shared = *public_key::hmac(secret(std::string(32, 'k')), algorithm::hs256, "hs");
  const auto keys = key_set::of({rsa.public_part().with_kid("rsa"), ec.public_part().with_kid("ec"), shared});
  const std::string texts[] = {sign_jws(rsa, "", "rsa", "p"), sign_jws(ec, "", "ec", "p"),
                               maced_with(std::string(32, 'k'), R"({"alg":"HS256","kid":"hs"})", "p")};
  std::vector<std::thread> threads;
  std::array<int, 4> wrong{};
  for (auto& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        for (const auto& text : texts) count += judge(text, keys, everything) ? 0 : 1;
        count += judge(sign_jws(ec, "", "ec", "p"), keys, everything) ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, (std::array<int, 4>{}));
}

TEST(Jws, RefusesAFormThatIsNotCompact) {
  fixture f;
  const auto good = sign_jws(f.key, "at+jwt", "k1", "{}");
  const auto first = good.find('.');
  const auto last = good.rfind('.');
  const auto head = good.substr(0, first);
  const auto body = good.substr(first + 1, last - first - 1);
  const auto tail = good.substr(last + 1);
  ASSERT_EQ(verdict(head + "." + body + "." + tail, f.keys, es256_only), errc::count_);
  const std::string texts[] = {"",
                               ".",
                               "..",
                               "...",
                               "a",
                               good + ".",
                               "." + good,
                               head + "." + body,
                               head + "." + body + ".",
                               "." + body + "." + tail,
                               head + tail,
                               head + "." + body + "." + tail + "." + tail,
                               head + "." + body + ".." + tail,
                               " " + good,
                               good + " ",
                               good + "\n",
                               good + "=",
                               good + "==",
                               head + "=." + body + "." + tail,
                               head + "." + body + "=." + tail,
                               head + ". " + body + "." + tail,
                               head + "." + body + "+." + tail,
                               head + "\r\n." + body + "." + tail,
                               good + std::string(1, '\0'),
                               R"({"payload":"e30","signatures":[]})",
                               "Bearer " + good};
  for (const auto& text : texts) {
    auto jws = parse_jws(text);
    ASSERT_FALSE(jws) << text;
    EXPECT_EQ(jws.error().code, errc::jwt_malformed) << text;
  }
}

TEST(Jws, RefusesAHeaderThatIsNotStrictOrAsksForMore) {
  fixture f;
  struct row {
    std::string header;
    errc code;
  };
  const row rows[] = {
      {R"({"alg":"ES256"})", errc::count_},
      {R"( { "alg" : "ES256" , "x" : [ 1 ] } )", errc::count_},
      {"", errc::jwt_malformed},
      {"null", errc::jwt_malformed},
      {"[]", errc::jwt_malformed},
      {"\"ES256\"", errc::jwt_malformed},
      {"{}", errc::jwt_malformed},
      {R"({"alg":"ES256")", errc::jwt_malformed},
      {R"({"alg":"ES256"}{})", errc::jwt_malformed},
      {R"({"alg":"ES256","alg":"ES256"})", errc::jwt_malformed},
      {R"({"alg":"none","\u0061lg":"ES256"})", errc::jwt_malformed},
      {R"({"alg":"ES256","jwk":{"kty":"EC","kty":"EC"}})", errc::jwt_malformed},
      {"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", errc::jwt_malformed},
      {R"({"ALG":"ES256"})", errc::jwt_malformed},
      {R"({"alg":null})", errc::jwt_malformed},
      {R"({"alg":["ES256"]})", errc::jwt_malformed},
      {R"({"alg":7})", errc::jwt_malformed},
      {R"({"alg":"ES256","kid":7})", errc::jwt_malformed},
      {R"({"alg":"ES256","kid":null})", errc::jwt_malformed},
      {R"({"alg":"ES256","typ":["at+jwt"]})", errc::jwt_malformed},
      {R"({"alg":"ES256","crit":["exp"]})", errc::jwt_malformed},
      {R"({"alg":"ES256","crit":[]})", errc::jwt_malformed},
      {R"({"alg":"ES256","crit":null})", errc::jwt_malformed},
      {R"({"alg":"ES256","b64":false,"crit":["b64"]})", errc::jwt_malformed},
      {R"({"alg":"ES256","b64":true})", errc::jwt_malformed},
      {R"({"alg":"none"})", errc::token_algorithm_refused},
      {R"({"alg":"None"})", errc::token_algorithm_refused},
      {R"({"alg":""})", errc::token_algorithm_refused},
      {R"({"alg":"es256"})", errc::token_algorithm_refused},
      {R"({"alg":"ES256K"})", errc::token_algorithm_refused},
      {R"({"alg":"RSA-OAEP","enc":"A128GCM"})", errc::token_algorithm_refused},
  };
  for (const auto& r : rows)
    EXPECT_EQ(verdict(signed_with(f.key, r.header), f.keys, es256_only), r.code) << r.header;
}

TEST(Jws, IsNoLongerThan16KiB) {
  fixture f;
  // 3 bytes of payload are 4 characters.
  const auto around = sign_jws(f.key, "", "k1", "").size();
  const auto fits = sign_jws(f.key, "", "k1", std::string((16 * 1024 - around) / 4 * 3, 'p'));
  EXPECT_LE(fits.size(), 16u * 1024);
  EXPECT_EQ(verdict(fits, f.keys, es256_only), errc::count_);
  const auto over = sign_jws(f.key, "", "k1", std::string((16 * 1024 - around) / 4 * 3 + 3, 'p'));
  EXPECT_GT(over.size(), 16u * 1024);
  EXPECT_EQ(verdict(over, f.keys, es256_only), errc::jwt_malformed);
}

TEST(Jws, RefusesAnAlgorithmThatIsNotAccepted) {
  fixture f;
  auto compact = sign_jws(f.key, "", "k1", "{}");
  constexpr std::array others = {algorithm::rs256, algorithm::es384};
  EXPECT_EQ(verdict(compact, f.keys, others), errc::token_algorithm_refused);
  EXPECT_EQ(verdict(compact, f.keys, {}), errc::token_algorithm_refused);
}

TEST(Jws, DoesNotTakeAPublicKeyForASharedOne) {
  const auto rsa = *signing_key::from_pem(test_keys::rsa2048_pem());
  auto open_jwk = rsa.public_part().with_kid("k1").to_jwk();
  open_jwk.erase("alg");
  auto keys = key_set::of({*public_key::from_jwk(open_jwk)});
  memory_bio out(BIO_new(BIO_s_mem()));
  const auto private_pem = test_keys::rsa2048_pem().reveal();
  memory_bio in(BIO_new_mem_buf(private_pem.data(), static_cast<int>(private_pem.size())));
  evp_pkey pkey(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  PEM_write_bio_PUBKEY(out.get(), pkey.get());
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(out.get(), &bytes);
  const std::string pem(bytes, static_cast<std::size_t>(size));
  for (const auto& key : {pem, json::serialize(open_jwk), *base64url_decode(text_member(open_jwk, "n"))}) {
    EXPECT_EQ(verdict(maced_with(key, R"({"alg":"HS256","kid":"k1"})"), keys, everything),
              errc::token_algorithm_refused);
    EXPECT_EQ(verdict(maced_with(key, R"({"alg":"HS256"})"), keys, everything), errc::token_key_unknown);
  }
}

TEST(Jws, DoesNotTakeAKeyFromTheToken) {
  fixture f;
  const auto attacker = signing_key::generate_es256();
  const auto jwk = json::serialize(attacker.public_part().to_jwk());
  const std::string more[] = {R"("jwk":)" + jwk, R"("jku":"https://attacker.example/jwks")",
                              R"("x5u":"https://attacker.example/cert")", R"("x5c":["MIIB"])"};
  for (const auto& member : more) {
    EXPECT_EQ(
        verdict(signed_with(attacker, R"({"alg":"ES256","kid":"k1",)" + member + "}"), f.keys, es256_only),
        errc::token_signature_invalid);
    EXPECT_EQ(verdict(signed_with(attacker, R"({"alg":"ES256",)" + member + "}"), f.keys, es256_only),
              errc::token_signature_invalid);
    EXPECT_EQ(verdict(signed_with(f.key, R"({"alg":"ES256","kid":"k1",)" + member + "}"), f.keys, es256_only),
              errc::count_);
  }
}

TEST(Jws, NamesAKeyThatIsUnknownApartFromASignatureThatIsWrong) {
  fixture f;
  const auto other = signing_key::generate_es256();
  EXPECT_EQ(verdict(sign_jws(f.key, "", "k2", "{}"), f.keys, es256_only), errc::token_key_unknown);
  EXPECT_EQ(verdict(sign_jws(other, "", "k1", "{}"), f.keys, es256_only), errc::token_signature_invalid);
  EXPECT_EQ(verdict(sign_jws(f.key, "", "", "{}"), f.keys, es256_only), errc::count_);
  auto two = key_set::of({f.key.public_part().with_kid("k1"), other.public_part().with_kid("k2")});
  EXPECT_EQ(verdict(sign_jws(f.key, "", "", "{}"), two, es256_only), errc::token_key_unknown);
  EXPECT_EQ(verdict(sign_jws(f.key, "", "k1", "{}"), key_set(), es256_only), errc::token_key_unknown);
}

TEST(Jws, RefusesEveryChange) {
  fixture f;
  const auto compact = sign_jws(f.key, "at+jwt", "k1", R"({"sub":"u"})");
  constexpr std::string_view alphabet = "AQgw";
  for (std::size_t i = 0; i < compact.size(); ++i) {
    for (char c : alphabet) {
      auto changed = compact;
      changed[i] = c;
      if (changed == compact) continue;
      EXPECT_NE(verdict(changed, f.keys, es256_only), errc::count_) << changed;
    }
  }
}

TEST(Jws, RefusesAnEcdsaSignatureInAnyOtherForm) {
  fixture f;
  const auto compact = sign_jws(f.key, "", "k1", "{}");
  const auto input = compact.substr(0, compact.rfind('.'));
  const auto raw = *base64url_decode(compact.substr(compact.rfind('.') + 1));
  const std::string zeros(32, '\0');
  const std::string forms[] = {zeros + zeros,
                               raw.substr(0, 32) + zeros,
                               zeros + raw.substr(32),
                               raw.substr(0, 63),
                               raw + '\0',
                               '\0' + raw,
                               '\0' + raw.substr(0, 32) + '\0' + raw.substr(32),
                               raw + raw,
                               std::string(64, '\xff'),
                               "\x30\x44\x02\x20" + raw.substr(0, 32) + "\x02\x20" + raw.substr(32)};
  for (const auto& form : forms) {
    EXPECT_EQ(verdict(input + "." + base64url_encode(form), f.keys, es256_only),
              form.size() == raw.size() ? errc::token_signature_invalid : errc::token_malformed)
        << hex_encode(form);
  }
}

TEST(Jws, SaysNothingOfTheTokenInItsDetail) {
  fixture f;
  auto compact = sign_jws(f.key, "", "k1", "{}");
  compact.back() = compact.back() == 'A' ? 'Q' : 'A';
  auto refused = judge(compact, f.keys, es256_only);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "");
  auto unknown = judge(sign_jws(f.key, "", std::string(2000, 'k'), "{}"), f.keys, es256_only);
  EXPECT_LE(unknown.error().detail.size(), 200u);
}

}  // namespace
}  // namespace mcp_oauth
