#include "oauth/dpop.h"

#include "base/base64url.h"
#include "jose/test_keys.h"
#include "oauth/test_issuer.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

constexpr std::int64_t made_at = 1'790'000'000;
const time_point now = from_unix(made_at);
const std::string token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

const signing_key& key() {
  static const signing_key made = signing_key::generate_es256();
  return made;
}

json::object jwk_of(const signing_key& k) {
  auto jwk = k.public_part().to_jwk();
  for (auto name : {"kid", "alg", "use"}) jwk.erase(name);
  return jwk;
}

// A proof out of its parts; `sign_jws` cannot put a key into the header, and is not meant to.
std::string proof_of(const json::object& header, std::string_view payload,
                     const signing_key& signed_by = key()) {
  auto input = base64url_encode(json::serialize(header)) + "." + base64url_encode(payload);
  return input + "." + base64url_encode(signed_by.sign(input));
}

json::object usual_header() { return {{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", jwk_of(key())}}; }

json::object usual_claims() {
  json::object claims{
      {"jti", "e1j3V_bKic8-LAEB"}, {"htm", "POST"}, {"htu", "https://mcp.example.com/mcp"}, {"iat", made_at}};
  claims["ath"] = json::string(base64url_encode(sha256_bytes(token)));
  return claims;
}

std::string proof_with(std::string_view changes_json, std::string_view header_changes_json = "{}") {
  auto claims = usual_claims();
  auto header = usual_header();
  auto change = [](json::object& o, std::string_view by) {
    auto changes = parse_json_object(by).value();
    for (const auto& [name, value] : changes) {
      if (value.is_null()) {
        o.erase(name);
      } else {
        o[name] = value;
      }
    }
  };
  change(claims, changes_json);
  change(header, header_changes_json);
  return proof_of(header, json::serialize(claims));
}

dpop_request request(std::string_view url = "https://mcp.example.com/mcp") { return {"POST", url, token}; }

void expect_invalid(std::string_view proof, std::string_view words, errc code = errc::dpop_proof_invalid,
                    const dpop_rules& rules = {}, time_point at = now) {
  auto verified = verify_dpop_proof(proof, request(), rules, at);
  ASSERT_FALSE(verified) << words;
  EXPECT_EQ(static_cast<int>(verified.error().code), static_cast<int>(code)) << words;
  EXPECT_THAT(verified.error().detail, HasSubstr(words));
}

TEST(Dpop, TakesAProofThatIsForThisRequest) {
  auto verified = verify_dpop_proof(proof_with("{}"), request(), {}, now);
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_EQ(verified->key_thumbprint(), key().public_part().thumbprint());
  EXPECT_EQ(to_unix(verified->until()), made_at + 90);
}

// RFC 9449 §7.1, figure 12 and §6.1
TEST(Dpop, TakesTheExampleOfTheStandard) {
  constexpr std::string_view example =
      "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOX"
      "pDa0RscEJo"
      "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMj"
      "U2In19."
      "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm"
      "90ZWN0ZWRy"
      "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFby"
      "J9."
      "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
  auto verified = verify_dpop_proof(example, {"GET", "https://resource.example.org/protectedresource", token},
                                    {}, from_unix(1'562'262'618));
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_EQ(verified->key_thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

TEST(Dpop, RefusesAProofForAnotherRequest) {
  struct row {
    const char *changes, *words;
  };
  for (auto [changes, words] : {
           row{R"({"htm":"GET"})", "htm"},
           row{R"({"htm":"post"})", "htm"},
           row{R"({"htm":null})", "no htm"},
           row{R"({"htm":["POST"]})", "htm"},
           row{R"({"htu":"https://mcp.example.com/other"})", "htu"},
           row{R"({"htu":"https://evil.example/mcp"})", "htu"},
           row{R"({"htu":"http://mcp.example.com/mcp"})", "http and https"},
           row{R"({"htu":"https://mcp.example.com/mcp/"})", "slash"},
           row{R"({"htu":"https://mcp.example.com:8443/mcp"})", "port"},
           row{R"({"htu":"https://mcp.example.com/MCP"})", "case"},
           row{R"({"htu":"https://mcp.example.com/mcp%2F"})", "htu"},
           row{R"({"htu":"/mcp"})", "htu"},
           row{R"({"htu":""})", "no htu"},
           row{R"({"htu":null})", "no htu"},
           row{R"({"ath":"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo="})", "another access token"},
           row{R"({"ath":"AAAAO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"})", "another access token"},
           row{R"({"ath":null})", "no ath"},
           row{R"({"jti":null})", "no jti"},
           row{R"({"jti":""})", "no jti"},
           row{R"({"jti":7})", "jti"},
           row{R"({"iat":null})", "no iat"},
           row{R"({"iat":"1790000000"})", "iat"},
           row{R"({"iat":1789999910})", "90 s ago"},
           row{R"({"iat":1790000031})", "in 31 s"},
           row{R"({"iat":1e300})", "iat"},
       }) {
    expect_invalid(proof_with(changes), words);
  }
  expect_invalid(proof_with(R"({"jti":")" + std::string(513, 'j') + "\"}"), "512");
  EXPECT_TRUE(verify_dpop_proof(proof_with(R"({"iat":1789999911})"), request(), {}, now));
  EXPECT_TRUE(verify_dpop_proof(proof_with(R"({"iat":1790000030})"), request(), {}, now));
}

TEST(Dpop, ComparesUrlsAsTheyAreMeant) {
  struct row {
    const char *htu, *url;
    bool same;
  };
  for (auto [htu, url, same] : {
           row{"https://mcp.example.com/mcp?a=b#c", "https://mcp.example.com/mcp", true},
           row{"https://mcp.example.com/mcp", "https://mcp.example.com/mcp?session=1", true},
           row{"HTTPS://MCP.example.COM/mcp", "https://mcp.example.com/mcp", true},
           row{"https://mcp.example.com:443/mcp", "https://mcp.example.com/mcp", true},
           row{"https://mcp.example.com", "https://mcp.example.com/", true},
           row{"https://mcp.example.com/a/../mcp", "https://mcp.example.com/mcp", true},
           row{"https://mcp.example.com/./mcp", "https://mcp.example.com/mcp", true},
           row{"https://mcp.example.com/%6dcp", "https://mcp.example.com/mcp", true},
           row{"https://mcp.example.com/%2e%2E/mcp", "https://mcp.example.com/mcp", true},
           row{"https://mcp.example.com/a%c3%a4", "https://mcp.example.com/a%C3%A4", true},
           row{"https://mcp.example.com/a/..", "https://mcp.example.com/", true},
           row{"https://mcp.example.com/../..", "https://mcp.example.com/", true},
           row{"https://mcp.example.com/a//b", "https://mcp.example.com/a/b", false},
           row{"https://mcp.example.com/a%2Fb", "https://mcp.example.com/a/b", false},
           row{"https://mcp.example.com/mcp%", "https://mcp.example.com/mcp", false},
           row{"https://mcp.example.com/mcp\\u0000", "https://mcp.example.com/mcp", false},
           row{"https://user@mcp.example.com/mcp", "https://mcp.example.com/mcp", false},
           row{"ftp://mcp.example.com/mcp", "ftp://mcp.example.com/mcp", false},
       }) {
    auto verified =
        verify_dpop_proof(proof_with(std::string(R"({"htu":")") + htu + "\"}"), request(url), {}, now);
    EXPECT_EQ(verified.has_value(), same) << htu << " for " << url;
  }
}

TEST(Dpop, RefusesAProofOfAnotherFormKeyOrAlgorithm) {
  auto good = proof_with("{}");
  auto private_jwk = jwk_of(key());
  private_jwk["d"] = "AAAA";
  struct row {
    std::string proof;
    const char* words;
  };
  auto stranger = signing_key::generate_es256();
  for (const auto& [proof, words] : {
           row{"", "not three parts"},
           row{"abc", "not three parts"},
           row{good.substr(0, good.size() - 4) + "AAAA", "signature"},
           row{good + "," + good, "not three parts"},
           row{proof_with("{}", R"({"typ":"JWT"})"), "typ"},
           row{proof_with("{}", R"({"typ":null})"), "typ"},
           row{proof_with("{}", R"({"typ":"at+jwt"})"), "typ"},
           row{proof_with("{}", R"({"jwk":null})"), "no jwk"},
           row{proof_with("{}", R"({"jwk":"key"})"), "no jwk"},
           row{proof_with("{}", R"({"jwk":{"kty":"oct","k":"AAAA"}})"), "shared key"},
           row{proof_with("{}", R"({"jwk":{"kty":"oct"}})"), "jwk"},
           row{proof_with("{}", R"({"alg":"none"})"), "none"},
           row{proof_with("{}", R"({"alg":"HS256"})"), "symmetric"},
           row{proof_with("{}", R"({"alg":"ES384"})"), ""},
           row{proof_with("{}", R"({"alg":"RS256"})"), ""},
           row{proof_with("{}", R"({"crit":["jwk"]})"), "crit"},
           row{proof_of({{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", private_jwk}},
                        json::serialize(usual_claims())),
               "private"},
           row{proof_of(usual_header(), json::serialize(usual_claims()), stranger),
               "signature is not of the key"},
           row{proof_of(usual_header(), "[]"), "no JSON object"},
           row{proof_of(usual_header(), R"({"jti":"a","jti":"b"})"), "no JSON object"},
       }) {
    expect_invalid(proof, words);
  }
  dpop_rules only_eddsa;
  only_eddsa.algorithms = {algorithm::eddsa};
  expect_invalid(good, "ES256 is not accepted", errc::dpop_proof_invalid, only_eddsa);
  EXPECT_TRUE(verify_dpop_proof(proof_with("{}", R"({"kid":"some"})"), request(), {}, now));
  EXPECT_TRUE(verify_dpop_proof(proof_with("{}", R"({"typ":"application/DPoP+jwt"})"), request(), {}, now));
}

TEST(Dpop, IsInOneFieldOrNone) {
  field none[] = {{"Host", "a"}};
  EXPECT_FALSE(dpop_proof_of(none)->has_value());
  field one[] = {{"dpop", " a.b.c "}};
  EXPECT_EQ(dpop_proof_of(one)->value(), "a.b.c");
  field two[] = {{"DPoP", "a.b.c"}, {"dPOP", "a.b.c"}};
  EXPECT_EQ(dpop_proof_of(two).error().code, errc::dpop_proof_invalid);
}

TEST(DpopNonce, NeedsNoMemoryAndGoesOutOfDate) {
  dpop_nonces ours(secret(std::string(32, 'k')));
  dpop_nonces replica(secret(std::string(32, 'k')));
  dpop_nonces stranger(secret(std::string(32, 'x')));
  auto nonce = ours.fresh(now);
  EXPECT_GE(nonce.size(), 22u);
  EXPECT_TRUE(replica.accepts(nonce, now));
  EXPECT_TRUE(replica.accepts(nonce, now + seconds(120)));
  EXPECT_TRUE(replica.accepts(nonce, now - seconds(60)));
  EXPECT_FALSE(replica.accepts(nonce, now + seconds(240)));
  EXPECT_FALSE(stranger.accepts(nonce, now));
  EXPECT_FALSE(ours.accepts("", now));
  EXPECT_FALSE(ours.accepts(nonce + "A", now));
  EXPECT_NE(nonce, ours.fresh(now + seconds(120)));
}

TEST(DpopNonce, IsAskedForWhereItIsDemanded) {
  dpop_nonces nonces(secret(std::string(32, 'k')));
  dpop_rules rules;
  rules.nonces = &nonces;
  auto with = [&](const std::string& nonce) { return proof_with(R"({"nonce":")" + nonce + "\"}"); };
  EXPECT_TRUE(verify_dpop_proof(with(nonces.fresh(now)), request(), rules, now));
  expect_invalid(proof_with("{}"), "no nonce", errc::dpop_nonce_needed, rules);
  expect_invalid(with(nonces.fresh(now - seconds(600))), "old", errc::dpop_nonce_needed, rules);
  expect_invalid(with("guess"), "not ours", errc::dpop_nonce_needed, rules);
  expect_invalid(proof_with(R"({"nonce":7})"), "nonce", errc::dpop_proof_invalid, rules);
  // A nonce that we did not ask for does no harm.
  EXPECT_TRUE(verify_dpop_proof(with("of another server"), request(), {}, now));
}

TEST(DpopReplays, LetAProofComeOnce) {
  dpop_replays replays;
  auto proof = verify_dpop_proof(proof_with("{}"), request(), {}, now).value();
  auto other = verify_dpop_proof(proof_with(R"({"jti":"other"})"), request(), {}, now).value();
  EXPECT_TRUE(replays.admit(proof, now));
  EXPECT_EQ(replays.admit(proof, now).error().code, errc::dpop_proof_replayed);
  EXPECT_EQ(replays.admit(proof, proof.until() - seconds(1)).error().code, errc::dpop_proof_replayed);
  EXPECT_TRUE(replays.admit(other, now));
  EXPECT_EQ(replays.size(), 2u);
}

TEST(DpopReplays, TellKeysApart) {
  auto stranger = signing_key::generate_es256();
  json::object header{{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", jwk_of(stranger)}};
  auto theirs =
      verify_dpop_proof(proof_of(header, json::serialize(usual_claims()), stranger), request(), {}, now)
          .value();
  auto ours = verify_dpop_proof(proof_with("{}"), request(), {}, now).value();
  dpop_replays replays;
  EXPECT_TRUE(replays.admit(ours, now));
  EXPECT_TRUE(replays.admit(theirs, now));
}

TEST(DpopReplays, ForgetNothingThatCouldComeAgain) {
  dpop_replays replays(2);
  auto proof = [](int n, std::int64_t issued) {
    auto text = proof_with(R"({"jti":")" + std::to_string(n) + R"(","iat":)" + std::to_string(issued) + "}");
    return verify_dpop_proof(text, request(), {}, from_unix(issued)).value();
  };
  auto first = proof(1, made_at);
  EXPECT_TRUE(replays.admit(first, now));
  EXPECT_TRUE(replays.admit(proof(2, made_at + 10), now + seconds(10)));
  EXPECT_EQ(replays.admit(proof(3, made_at + 10), now + seconds(10)).error().code, errc::overloaded);
  EXPECT_EQ(replays.admit(first, now + seconds(10)).error().code, errc::dpop_proof_replayed);
  // The time of the first is over, so that it would be refused as too old: its room is free.
  EXPECT_TRUE(replays.admit(proof(4, made_at + 95), now + seconds(95)));
  EXPECT_EQ(replays.size(), 2u);
}

TEST(DpopReplays, ForgetNothingThatCouldComeAgainWhenTheClockIsSetBack) {
  auto proof = [](int n, std::int64_t issued) {
    auto text = proof_with(R"({"jti":")" + std::to_string(n) + R"(","iat":)" + std::to_string(issued) + "}");
    return verify_dpop_proof(text, request(), {}, from_unix(issued)).value();
  };
  for (int ahead : {120, 4 * 3600}) {
    dpop_replays replays(2);
    auto first = proof(1, made_at);
    EXPECT_TRUE(replays.admit(first, now));
    EXPECT_TRUE(replays.admit(proof(2, made_at), now));
    EXPECT_TRUE(replays.admit(proof(3, made_at + ahead), now + seconds(ahead)));
    EXPECT_EQ(replays.size(), 1u) << "the others are forgotten";
    auto again = replays.admit(first, now + seconds(5));
    ASSERT_FALSE(again) << ahead;
    EXPECT_EQ(again.error().code, errc::dpop_proof_replayed);
    EXPECT_TRUE(replays.admit(proof(4, made_at + 36), now + seconds(36))) << "and then it goes on";
  }
}

TEST(DpopReplays, AreSharedByThreads) {
  dpop_replays replays;
  auto proof = verify_dpop_proof(proof_with("{}"), request(), {}, now).value();
  std::atomic<int> admitted = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { admitted += replays.admit(proof, now) ? 1 : 0; });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(admitted, 1);
}

}  // namespace
}  // namespace mcp_oauth
