// What went wrong where others validated tokens that somebody else issued, done to ours:
// docs/past-mistakes.md has the whole list.

#include "base/base64url.h"
#include "jose/test_keys.h"
#include "oauth/dpop.h"
#include "oauth/introspection.h"
#include "oauth/issuer_token.h"
#include "oauth/test_issuer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using namespace test_issuer;

errc verdict_on(std::string_view token, const issuer_rules& rules = test_issuer::rules(),
                const key_set& by = keys(), time_point at = now) {
  auto verified = verify_issuer_token(token, by, rules, at);
  return verified ? errc::count_ : verified.error().code;
}

// `iss` and `aud` were not asked for, so that a token that the same key signed for another server was taken.
TEST(AdvisoryIssuerToken, GHSA_wcvh_g65p_v576_IssuerAndAudienceAreAlwaysAskedFor) {
  EXPECT_EQ(verdict_on(mint(claims())), errc::count_);
  EXPECT_EQ(verdict_on(mint_with(R"({"iss":null})")), errc::token_claim_missing);
  EXPECT_EQ(verdict_on(mint_with(R"({"aud":null})")), errc::token_audience_absent);
  EXPECT_EQ(verdict_on(mint_with(R"({"aud":"https://other.example.com/mcp"})")),
            errc::token_audience_mismatch);
  EXPECT_EQ(verdict_on(mint_with(R"({"aud":null,"resource":"https://mcp.example.com/mcp"})")),
            errc::token_audience_absent);
  issuer_rules nothing_said;
  EXPECT_EQ(verdict_on(mint(claims()), nothing_said), errc::token_issuer_mismatch);
  auto no_audience = rules();
  no_audience.audiences.clear();
  EXPECT_EQ(verdict_on(mint(claims()), no_audience), errc::token_audience_mismatch);
}

// `exp` was optional, and what was no number of seconds was read as one.
TEST(AdvisoryIssuerToken, Liboauth2_2026_TimesOfEveryForm) {
  struct row {
    const char* exp;
    errc code;
  };
  for (auto [exp, code] :
       {row{"1790000900", errc::count_}, row{"1790000900.75", errc::count_}, row{"1.7900009e9", errc::count_},
        row{"4102444800", errc::count_}, row{"9223372036854775807", errc::count_},
        row{"9223372036854775808", errc::token_malformed}, row{"1e300", errc::token_malformed},
        row{"-1e300", errc::token_malformed}, row{"1e-300", errc::token_expired},
        row{"0", errc::token_expired}, row{"-1", errc::token_expired},
        row{"-9223372036854775808", errc::token_expired}, row{"\"1790000900\"", errc::token_malformed},
        row{"[1790000900]", errc::token_malformed}, row{"true", errc::token_malformed},
        row{"null", errc::token_malformed}}) {
    auto text = json::serialize(claims());
    text.replace(text.find("1790000600"), 10, exp);
    EXPECT_EQ(verdict_on(sign(text)), code) << exp;
  }
  EXPECT_EQ(verdict_on(mint_with(R"({"exp":null})")), errc::token_claim_missing);
}

// None, keys of another kind, keys out of the token, what must be understood and is not, and two readings of
// one text.
TEST(AdvisoryIssuerToken, JoseClass_WhatIsNotPlainlySignedByAKeyOfTheIssuerIsNotSigned) {
  auto payload = base64url_encode(json::serialize(claims()));
  auto with_header = [&](const json::object& header) {
    auto input = base64url_encode(json::serialize(header)) + "." + payload;
    return input + "." + base64url_encode(key().sign(input));
  };
  auto jwk = key().public_part().to_jwk();
  struct row {
    std::string token;
    errc code;
  };
  for (const auto& [token, code] : {
           row{with_header({{"alg", "ES256"}, {"kid", "k1"}}), errc::count_},
           row{with_header({{"alg", "none"}, {"kid", "k1"}}), errc::token_algorithm_refused},
           row{with_header({{"alg", "None"}, {"kid", "k1"}}), errc::token_algorithm_refused},
           row{with_header({{"alg", "HS256"}, {"kid", "k1"}}), errc::token_algorithm_refused},
           row{with_header({{"alg", "ES384"}, {"kid", "k1"}}), errc::token_algorithm_refused},
           row{with_header({{"alg", "RS256"}, {"kid", "k1"}}), errc::token_algorithm_refused},
           row{with_header({{"alg", "ES256"}, {"kid", "other"}, {"jwk", jwk}}), errc::token_key_unknown},
           row{with_header({{"alg", "ES256"}, {"kid", "../../k1"}}), errc::token_key_unknown},
           row{with_header({{"alg", "ES256"}, {"kid", "k1"}, {"crit", {"exp"}}, {"exp", 1}}),
               errc::token_malformed},
           row{with_header({{"alg", "ES256"}, {"kid", "k1"}, {"b64", false}}), errc::token_malformed},
           row{sign(R"({"iss":"https://evil.example","iss":"https://idp.example.com"})"),
               errc::token_malformed},
           row{base64url_encode(R"({"alg":"ES256","x":")" + std::string(1 << 20, 'x') + "\"}") + "." +
                   payload + ".c2ln",
               errc::token_malformed},
           row{base64url_encode(R"({"alg":"ES256","kid":"k1"})") + "." + payload + "." +
                   base64url_encode(std::string(64, '\0')),
               errc::token_signature_invalid},
       }) {
    EXPECT_EQ(static_cast<int>(verdict_on(token)), static_cast<int>(code)) << token.substr(0, 120);
  }
  // The public key as the secret of an HMAC.
  auto input = base64url_encode(R"({"alg":"HS256","kid":"k1"})") + "." + payload;
  auto mac = input + "." + base64url_encode(hmac_sha256(json::serialize(jwk), input));
  auto both = rules();
  both.algorithms = {algorithm::es256, algorithm::hs256};
  EXPECT_EQ(verdict_on(mac, both), errc::token_algorithm_refused);
  EXPECT_EQ(verdict_on(mint(claims()), both), errc::token_algorithm_refused);
}

// Id tokens passed for access tokens; so might any other JWT that the issuer signs with the same key.
TEST(AdvisoryIssuerToken, Tuannvm_2026_AnIdTokenIsNoAccessToken) {
  auto id_token = R"({"nonce":"n","at_hash":"h","scope":null,"client_id":null,"azp":"inspector"})";
  EXPECT_EQ(verdict_on(mint_with(id_token, "JWT")), errc::token_type_wrong);
  EXPECT_EQ(verdict_on(mint_with(id_token, "")), errc::token_type_wrong);
  for (auto typ : {"dpop+jwt", "oauth-id-jag+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt"}) {
    EXPECT_EQ(verdict_on(mint(claims(), typ)), errc::token_type_wrong) << typ;
  }
}

// A list, or an answer that only looks like a yes.
TEST(AdvisoryIntrospection, ModAuthOpenidc_2026_08_OnlyAnObjectThatSaysTrueIsAYes) {
  for (auto body :
       {R"([{"active":true}])", R"({"active":"true"})", R"({"active":1})", R"({"active":[true]})",
        R"({"Active":true})", R"("active")", "true", "", "null", R"({"active":true}{"active":true})"}) {
    auto verified = process_introspection_answer(http_answer{200, {}, body}, rules(), {}, now);
    ASSERT_FALSE(verified) << body;
    EXPECT_EQ(verified.error().code, errc::introspection_failed) << body;
  }
}

// All scopes had been taken away, and those of the JWT were kept because the answer's list was empty.
TEST(AdvisoryIntrospection, AuthSec_2026_ScopesThatWereTakenAwayAreGone) {
  auto jwt = verify_issuer_token(mint(claims()), keys(), rules(), now).value();
  for (auto body : {R"({"active":true,"scope":""})", R"({"active":true,"scope":[]})", R"({"active":true})",
                    R"({"active":true,"scope":null})"}) {
    auto both = process_introspection_answer(jwt, http_answer{200, {}, body}, rules(), now);
    ASSERT_TRUE(both) << body;
    EXPECT_TRUE(both->claims().scopes.empty()) << body;
  }
}

// The algorithm, the key, the target and the time of a proof were believed or not looked at.
TEST(AdvisoryDpop, Liboauth2_2026_AProofIsForOneRequestOneKeyAndItsTime) {
  const std::string token = "token", url = "https://mcp.example.com/mcp";
  auto public_jwk = key().public_part().to_jwk();
  auto made = [&](json::object header, const char* htm, const std::string& htu, std::int64_t iat,
                  const std::string& of) {
    json::object said{{"jti", "j"}, {"htm", htm}, {"iat", iat}};
    said["htu"] = json::string(htu);
    said["ath"] = json::string(base64url_encode(sha256_bytes(of)));
    auto input = base64url_encode(json::serialize(header)) + "." + base64url_encode(json::serialize(said));
    return input + "." + base64url_encode(key().sign(input));
  };
  json::object good{{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", public_jwk}};
  auto with = [&](const char* name, json::value value) {
    auto changed = good;
    changed[name] = std::move(value);
    return changed;
  };
  auto private_jwk = public_jwk;
  private_jwk["d"] = "AAAA";
  auto takes = [&](const std::string& proof) {
    return verify_dpop_proof(proof, {"POST", url, token}, {}, now).has_value();
  };
  EXPECT_TRUE(takes(made(good, "POST", url, issued_at, token)));
  EXPECT_FALSE(takes(made(with("jwk", private_jwk), "POST", url, issued_at, token)));
  EXPECT_FALSE(takes(made(with("alg", "none"), "POST", url, issued_at, token)));
  EXPECT_FALSE(takes(made(with("alg", "HS256"), "POST", url, issued_at, token)));
  EXPECT_FALSE(takes(made(with("typ", "JWT"), "POST", url, issued_at, token)));
  EXPECT_FALSE(takes(made(good, "GET", url, issued_at, token)));
  EXPECT_FALSE(takes(made(good, "POST", "https://evil.example/mcp", issued_at, token)));
  EXPECT_FALSE(takes(made(good, "POST", url, issued_at - 3600, token)));
  EXPECT_FALSE(takes(made(good, "POST", url, issued_at + 3600, token)));
  EXPECT_FALSE(takes(made(good, "POST", url, issued_at, "another")));
  dpop_replays replays;
  auto once =
      verify_dpop_proof(made(good, "POST", url, issued_at, token), {"POST", url, token}, {}, now).value();
  EXPECT_TRUE(replays.admit(once, now));
  EXPECT_FALSE(replays.admit(once, now));
}

}  // namespace
}  // namespace mcp_oauth
