#include "base/base64url.h"
#include "base/json.h"
#include "jose/jws.h"
#include "provider/oidc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const time_point now = from_unix(1'790'000'000);

struct IdToken : testing::Test {
  static const signing_key& key() {
    static const signing_key made = signing_key::generate_es256();
    return made;
  }

  static provider_metadata idp() {
    provider_metadata metadata;
    metadata.issuer = "https://idp.example.com";
    metadata.id_token_algorithms = {algorithm::rs256, algorithm::es256};
    return metadata;
  }

  provider_metadata metadata = idp();
  id_token_rules rules{"corp", "mcp-gateway", "n-0S6_WzA2Mj", seconds(60)};
  key_set keys = key_set::of({key().public_part()});

  // A genuine id token with one claim replaced; an empty text removes it.
  std::string with(std::string_view name, std::string_view value_json, std::string_view typ = "JWT") const {
    auto claims =
        parse_json_object(R"({"iss":"https://idp.example.com","sub":"248289761001","aud":"mcp-gateway",
        "exp":1790000600,"iat":1790000000,"nonce":"n-0S6_WzA2Mj","email":"ada@example.com","email_verified":true,
        "name":"Ada","preferred_username":"ada","groups":["staff","admins"]})")
            .value();
    claims.erase({name.data(), name.size()});
    if (!value_json.empty()) claims[{name.data(), name.size()}] = parse_json(value_json).value();
    return sign(json::serialize(claims), typ);
  }
  std::string sign(std::string_view payload, std::string_view typ = "JWT") const {
    return sign_jws(key(), typ, key().public_part().kid(), payload);
  }
  result<identity> process(std::string_view token, time_point at = now) const {
    return process_id_token(token, keys, metadata, rules, at);
  }
  void expect_refusal(const result<identity>& who, errc code, std::string_view why, std::string_view what) {
    ASSERT_FALSE(who) << what;
    EXPECT_EQ(who.error().code, code) << what << ": " << who.error().detail;
    EXPECT_THAT(who.error().detail, HasSubstr(why)) << what;
  }
};

TEST_F(IdToken, GivesWhoSignedIn) {
  auto who = process(with("x", ""));
  ASSERT_TRUE(who) << who.error().detail;
  EXPECT_EQ(*who,
            (identity{"corp", "248289761001", "ada@example.com", true, "Ada", "ada", {"staff", "admins"}}));
}

TEST_F(IdToken, NeedsNothingButTheSubjectAboutThePerson) {
  auto who =
      process(sign(R"({"iss":"https://idp.example.com","sub":"1","aud":["mcp-gateway"],"exp":1790000600,
                              "iat":1790000000,"nonce":"n-0S6_WzA2Mj"})",
                   ""));
  ASSERT_TRUE(who) << who.error().detail;
  EXPECT_EQ(*who, (identity{"corp", "1", "", false, "", "", {}}));
}

TEST_F(IdToken, VerifiesTheAddressOnlyWhenTheProviderSaysSo) {
  struct row {
    std::string_view value;
    bool verified;
  };
  for (auto [value, verified] :
       {row{"true", true}, row{R"("true")", true}, row{"false", false}, row{R"("false")", false},
        row{"1", false}, row{R"("TRUE")", false}, row{"null", false}, row{"", false}, row{"[true]", false}}) {
    auto who = process(with("email_verified", value));
    ASSERT_TRUE(who) << value;
    EXPECT_EQ(who->email_verified, verified) << value;
  }
}

TEST_F(IdToken, MayNameOneGroupAsText) {
  EXPECT_THAT(process(with("groups", R"("staff")"))->groups, ElementsAre("staff"));
  for (auto groups : {"7", R"([1])", R"({"a":1})", R"("")"}) {
    EXPECT_TRUE(process(with("groups", groups))->groups.empty()) << groups;
  }
}

TEST_F(IdToken, IsOfTheIssuerExactly) {
  for (auto iss : {R"("https://idp.example.com/")", R"("https://IDP.example.com")",
                   R"("https://evil.example")", R"("idp.example.com")"}) {
    expect_refusal(process(with("iss", iss)), errc::provider_issuer_mismatch,
                   "expected 'https://idp.example.com'", iss);
  }
  for (auto iss : {"", "7", R"("")"})
    expect_refusal(process(with("iss", iss)), errc::provider_token_invalid, "iss", iss);
}

TEST_F(IdToken, IsForThisClient) {
  for (auto aud :
       {"", R"("other")", R"("mcp-gateway2")", R"("MCP-gateway")", "[]", R"(["other"])", "7", R"("")"}) {
    expect_refusal(process(with("aud", aud)), errc::provider_token_invalid, "aud", aud);
  }
  rules.client_id = "";
  expect_refusal(process(with("aud", R"("")")), errc::provider_token_invalid, "aud", "no client id");
}

TEST_F(IdToken, NamesTheClientItWasMadeForWhenItHasSeveralAudiences) {
  auto claims = [&](std::string_view aud, std::string_view azp) {
    std::string payload = R"({"iss":"https://idp.example.com","sub":"1","exp":1790000600,"iat":1790000000,)"
                          R"("nonce":"n-0S6_WzA2Mj","aud":)" +
                          std::string(aud);
    if (!azp.empty()) payload += ",\"azp\":" + std::string(azp);
    return sign(payload + "}");
  };
  EXPECT_TRUE(process(claims(R"(["mcp-gateway","api"])", R"("mcp-gateway")")));
  EXPECT_TRUE(process(claims(R"("mcp-gateway")", R"("mcp-gateway")")));
  struct row {
    std::string_view aud, azp;
  };
  for (auto [aud, azp] : {row{R"(["mcp-gateway","api"])", ""}, row{R"(["mcp-gateway","api"])", R"("api")"},
                          row{R"("mcp-gateway")", R"("android")"}, row{R"("mcp-gateway")", "7"},
                          row{R"("mcp-gateway")", R"("")"}, row{R"(["mcp-gateway"])", "null"}}) {
    expect_refusal(process(claims(aud, azp)), errc::provider_token_invalid, "az", azp);
  }
}

TEST_F(IdToken, IsValidNow) {
  EXPECT_TRUE(process(with("x", ""), now + seconds(659)));
  expect_refusal(process(with("x", ""), now + seconds(660)), errc::provider_token_invalid, "exp is",
                 "after exp");
  EXPECT_TRUE(process(with("iat", "1790000060")));
  expect_refusal(process(with("iat", "1790000061")), errc::provider_token_invalid, "iat is",
                 "made in the future");
  expect_refusal(process(with("nbf", "1790000061")), errc::provider_token_invalid, "nbf is", "not yet valid");
  for (auto name : {"exp", "iat"}) {
    for (auto value : {"", "null", R"("1790000600")", "true"}) {
      expect_refusal(process(with(name, value)), errc::provider_token_invalid, name, value);
    }
  }
}

TEST_F(IdToken, BelongsToThisSignIn) {
  for (auto nonce :
       {"", R"("")", R"("n-0S6_WzA2M")", R"("n-0S6_WzA2MjX")", R"("N-0S6_WzA2Mj")", "null", "7"}) {
    expect_refusal(process(with("nonce", nonce)), errc::provider_nonce_mismatch, "nonce", nonce);
  }
  rules.nonce = "";
  expect_refusal(process(with("nonce", R"("")")), errc::provider_nonce_mismatch, "nonce", "no nonce sent");
  expect_refusal(process(with("nonce", "")), errc::provider_nonce_mismatch, "nonce",
                 "no nonce sent, none there");
}

TEST_F(IdToken, HasASubjectThatFitsIntoAHeader) {
  EXPECT_TRUE(process(with("sub", "\"" + std::string(255, 's') + "\"")));
  for (const auto& sub :
       {std::string(), std::string(R"("")"), std::string("7"), "\"" + std::string(256, 's') + "\"",
        std::string(R"("a\r\nX-User: b")"), std::string(R"("a\u0000")"), std::string("\"\xC3\xA9\"")}) {
    expect_refusal(process(with("sub", sub)), errc::provider_token_invalid, "sub", sub);
  }
}

TEST_F(IdToken, IsNoOtherKindOfToken) {
  for (auto typ : {"", "JWT", "jwt", "application/JWT"}) EXPECT_TRUE(process(with("x", "", typ))) << typ;
  for (auto typ : {"at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt"}) {
    expect_refusal(process(with("x", "", typ)), errc::provider_token_invalid, "typ", typ);
  }
}

TEST_F(IdToken, IsSignedByTheProviderWithAnAnnouncedAlgorithm) {
  auto other = signing_key::generate_es256();
  expect_refusal(process(sign_jws(other, "JWT", key().public_part().kid(), "{}")),
                 errc::provider_token_invalid, "invalid_signature", "another key");
  EXPECT_FALSE(process(sign_jws(other, "JWT", other.public_part().kid(), "{}")));

  metadata.id_token_algorithms = {algorithm::rs256};
  expect_refusal(process(with("x", "")), errc::provider_token_invalid, "ES256", "not announced");
  metadata = idp();

  auto genuine = with("x", "");
  auto payload = genuine.substr(genuine.find('.'), genuine.rfind('.') - genuine.find('.'));
  for (auto header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"HS256"})"}) {
    for (auto signature : {".", ".AAAA"}) {
      auto forged = base64url_encode(header) + payload + signature;
      expect_refusal(process(forged), errc::provider_token_invalid, "", header);
    }
  }
}

TEST_F(IdToken, IsAJwtWithAnObject) {
  for (auto token : {"", "abc", "a.b.c", "..."})
    expect_refusal(process(token), errc::provider_token_invalid, "", token);
  for (auto payload : {"", "[]", "7", R"({"iss":"a","iss":"b"})"}) {
    expect_refusal(process(sign(payload)), errc::provider_token_invalid, "JSON", payload);
  }
}

TEST_F(IdToken, SaysWhenFetchingTheKeysAgainMayHelp) {
  EXPECT_FALSE(names_unknown_key(with("x", ""), keys));
  auto rotated = signing_key::generate_es256();
  EXPECT_TRUE(names_unknown_key(sign_jws(rotated, "JWT", rotated.public_part().kid(), "{}"), keys));
  EXPECT_FALSE(names_unknown_key(sign_jws(rotated, "JWT", "", "{}"), keys));
  EXPECT_FALSE(names_unknown_key("abc", keys));
}

}  // namespace
}  // namespace mcp_oauth
