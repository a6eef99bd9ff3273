#include "oauth/access_token.h"

#include "base/json.h"
#include "jose/jws.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

const time_point issued_at = from_unix(1'790'000'000);

struct AccessToken : testing::Test {
  static const signing_key& key() {
    static const signing_key made = signing_key::generate_es256();
    return made;
  }

  access_claims claims{.issuer = "https://mcp.example.com",
                       .subject = "user-1",
                       .audience = "https://mcp.example.com/mcp",
                       .client_id = "c_1",
                       .grant_id = "g_1",
                       .token_id = "t_1",
                       .provider = "corp",
                       .email = "ada@example.com",
                       .name = "Ada \"L\" \xC3\xA9",
                       .scopes = {"tools:read", "tools:write"},
                       .issued = issued_at,
                       .expires = issued_at + seconds(900)};
  token_rules rules{"https://mcp.example.com", "https://mcp.example.com/mcp", seconds(60)};
  key_set keys = key_set::of({key().public_part()});

  result<verified_token> verify(std::string_view token, time_point now = issued_at) const {
    return verify_access_token(token, keys, rules, now);
  }

  json::object payload() const {
    auto jws = parse_jws(mint_access_token(claims, key()));
    auto verified = verify_jws(*jws, keys, token_rules{}.algorithms);
    return parse_json_object(verified->payload()).value();
  }

  // A genuine token whose payload has one member replaced; an empty text removes it.
  std::string with(std::string_view name, std::string_view value_json,
                   std::string_view typ = "at+jwt") const {
    auto changed = payload();
    changed.erase({name.data(), name.size()});
    if (!value_json.empty()) changed[{name.data(), name.size()}] = parse_json(value_json).value();
    return sign_jws(key(), typ, key().public_part().kid(), json::serialize(changed));
  }

  void expect_refusal(const result<verified_token>& token, errc code, std::string_view why,
                      std::string_view what) {
    ASSERT_FALSE(token) << what;
    EXPECT_EQ(token.error().code, code) << what << ": " << token.error().detail;
    EXPECT_THAT(token.error().detail, HasSubstr(why)) << what;
  }
};

TEST_F(AccessToken, SaysAgainWhatWasMinted) {
  auto token = verify(mint_access_token(claims, key()));
  ASSERT_TRUE(token) << token.error().detail;
  EXPECT_EQ(token->claims(), claims);
}

TEST_F(AccessToken, HasTheFormOfTheStandard) {
  auto token = mint_access_token(claims, key());
  auto jws = parse_jws(token);
  ASSERT_TRUE(jws);
  EXPECT_EQ(jws->header().typ, "at+jwt");
  EXPECT_EQ(jws->header().alg, algorithm::es256);
  EXPECT_EQ(jws->header().kid, key().public_part().kid());
  EXPECT_EQ(payload(), parse_json_object(R"({"iss":"https://mcp.example.com","sub":"user-1",
      "aud":"https://mcp.example.com/mcp","client_id":"c_1","iat":1790000000,"exp":1790000900,"jti":"t_1",
      "scope":"tools:read tools:write","gid":"g_1","provider":"corp","email":"ada@example.com",
      "name":"Ada \"L\" é"})")
                           .value());
}

TEST_F(AccessToken, LeavesOutWhatIsEmpty) {
  claims.grant_id = claims.provider = claims.email = claims.name = "";
  claims.scopes.clear();
  auto minted = payload();
  for (auto name : {"gid", "provider", "email", "name", "scope"}) EXPECT_FALSE(minted.contains(name)) << name;
  auto token = verify(mint_access_token(claims, key()));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->claims(), claims);
}

TEST_F(AccessToken, IsOfOneType) {
  for (auto typ : {"at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"}) {
    EXPECT_TRUE(verify(with("x", "", typ))) << typ;
  }
  for (auto typ : {"", "JWT", "jwt", "id_token+jwt", "logout+jwt", "dpop+jwt", "oauth-id-jag+jwt", "at+jwt ",
                   "text/at+jwt", "application/application/at+jwt"}) {
    expect_refusal(verify(with("x", "", typ)), errc::token_type_wrong, "expected 'at+jwt'", typ);
  }
}

TEST_F(AccessToken, IsOfThisIssuerExactly) {
  for (auto issuer :
       {R"("https://mcp.example.com/")", R"("https://MCP.example.com")", R"("http://mcp.example.com")",
        R"("https://mcp.example.com:443")", R"("https://mcp.example.co")", R"("mcp.example.com")"}) {
    expect_refusal(verify(with("iss", issuer)), errc::token_issuer_mismatch,
                   "expected 'https://mcp.example.com'", issuer);
  }
  EXPECT_THAT(verify(with("iss", R"("https://evil.example")")).error().detail,
              HasSubstr("https://evil.example"));
}

TEST_F(AccessToken, IsForThisResourceExactly) {
  for (auto audience :
       {R"("https://mcp.example.com/mcp")", R"(["https://other","https://mcp.example.com/mcp"])"}) {
    auto token = verify(with("aud", audience));
    ASSERT_TRUE(token) << audience;
    EXPECT_EQ(token->claims().audience, rules.audience);
  }
  for (auto audience :
       {R"("https://mcp.example.com")", R"("https://mcp.example.com/mcp/")",
        R"("https://mcp.example.com/mcp2")", R"("https://mcp.example.com/MCP")", R"("")", R"([])",
        R"(["https://other"])", R"(["https://mcp.example.com/mcp https://other"])"}) {
    expect_refusal(verify(with("aud", audience)), errc::token_audience_mismatch,
                   "expected 'https://mcp.example.com/mcp'", audience);
  }
}

TEST_F(AccessToken, IsNeverAcceptedWithoutARuleToHoldItTo) {
  rules.audience = "";
  for (auto audience : {R"("")", R"([""])", R"("https://mcp.example.com/mcp")"}) {
    expect_refusal(verify(with("aud", audience)), errc::token_audience_mismatch, "aud", audience);
  }
  rules = {"", "https://mcp.example.com/mcp", seconds(60)};
  expect_refusal(verify(with("iss", R"("")")), errc::token_claim_missing, "iss", "empty issuer");
  expect_refusal(verify(with("x", "")), errc::token_issuer_mismatch, "iss", "no issuer configured");
  rules = {"https://mcp.example.com", "https://mcp.example.com/mcp", seconds(60), {}};
  expect_refusal(verify(with("x", "")), errc::token_algorithm_refused, "", "no algorithm configured");
}

TEST_F(AccessToken, ExpiresWhenTheLeewayIsOver) {
  auto token = mint_access_token(claims, key());
  EXPECT_TRUE(verify(token, claims.expires + seconds(59)));
  expect_refusal(verify(token, claims.expires + seconds(60)), errc::token_expired, "2026",
                 "at the end of the leeway");
  rules.leeway = seconds(0);
  EXPECT_TRUE(verify(token, claims.expires - milliseconds(1)));
  expect_refusal(verify(token, claims.expires), errc::token_expired, "exp is", "at exp");
}

TEST_F(AccessToken, IsNotValidBeforeItsTime) {
  EXPECT_TRUE(verify(with("nbf", "1790000060")));
  expect_refusal(verify(with("nbf", "1790000061")), errc::token_not_yet_valid, "nbf is",
                 "a second beyond the leeway");
}

TEST_F(AccessToken, MayHaveATimeBeyondWhatAClockCanSay) {
  for (auto time : {"9999999999", "253402300800", "9223372036854775807"}) {
    EXPECT_TRUE(verify(with("exp", time))) << time;
    expect_refusal(verify(with("nbf", time)), errc::token_not_yet_valid, "nbf", time);
  }
  for (auto time : {"0", "-1", "-9223372036854775808"}) {
    expect_refusal(verify(with("exp", time)), errc::token_expired, "exp", time);
    EXPECT_TRUE(verify(with("nbf", time))) << time;
  }
}

TEST_F(AccessToken, HasEveryClaimThatTheStandardRequires) {
  for (auto name : {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}) {
    expect_refusal(verify(with(name, "")), errc::token_claim_missing, name, name);
  }
  for (auto name : {"iss", "sub", "client_id", "jti"}) {
    expect_refusal(verify(with(name, R"("")")), errc::token_claim_missing, name, name);
  }
}

TEST_F(AccessToken, IsRefusedWhenAClaimHasTheWrongType) {
  struct row {
    std::string_view name, value;
  };
  for (auto [name, value] :
       {row{"iss", "7"}, row{"iss", R"(["https://mcp.example.com"])"}, row{"sub", "1"}, row{"sub", "null"},
        row{"aud", "null"}, row{"aud", R"([7])"}, row{"aud", R"({"a":1})"}, row{"exp", R"("1790000900")"},
        row{"exp", "true"}, row{"exp", "null"}, row{"nbf", R"("0")"}, row{"iat", "[]"}, row{"jti", "{}"},
        row{"client_id", "false"}, row{"scope", R"(["tools:read"])"}}) {
    expect_refusal(verify(with(name, value)), errc::token_malformed, name, name);
  }
}

TEST_F(AccessToken, IsRefusedWhenItIsNotAJwt) {
  auto token = mint_access_token(claims, key());
  for (const auto& text : {std::string(), std::string("abc"), std::string("a.b"), std::string(".."),
                           token.substr(0, token.rfind('.')), token + ".x", "Bearer " + token,
                           "\"" + token + "\"", token + "\n", token + "="}) {
    expect_refusal(verify(text), errc::token_malformed, "", text);
  }
  for (auto payload_text : {"", "[]", "7", "{", R"({"iss":"a","iss":"b"})"}) {
    auto signed_text = sign_jws(key(), "at+jwt", key().public_part().kid(), payload_text);
    expect_refusal(verify(signed_text), errc::token_malformed, "payload", payload_text);
  }
}

TEST_F(AccessToken, IsRefusedWhenAnotherKeySignedIt) {
  auto other = signing_key::generate_es256();
  expect_refusal(verify(mint_access_token(claims, other)), errc::token_key_unknown, "", "another kid");
  auto forged = sign_jws(other, "at+jwt", key().public_part().kid(), json::serialize(payload()));
  expect_refusal(verify(forged), errc::token_signature_invalid, "", "our kid");
}

TEST_F(AccessToken, IsRefusedWhenItsAlgorithmIsNotExpected) {
  rules.algorithms = {algorithm::rs256};
  expect_refusal(verify(mint_access_token(claims, key())), errc::token_algorithm_refused, "", "ES256");
}

TEST_F(AccessToken, ReadsTheScopesOfOthersLeniently) {
  auto token = verify(with("scope", R"(" a  b ")"));
  ASSERT_TRUE(token);
  EXPECT_THAT(token->claims().scopes, testing::ElementsAre("a", "b"));
}

}  // namespace
}  // namespace mcp_oauth
