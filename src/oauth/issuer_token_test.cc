#include "oauth/issuer_token.h"

#include "base/base64url.h"
#include "jose/digest.h"
#include "jose/test_keys.h"
#include "oauth/test_issuer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace test_issuer;

struct IssuerToken : testing::Test {
  issuer_rules held_to = test_issuer::rules();
  key_set trusted = test_issuer::keys();

  result<verified_token> verify(std::string_view token, time_point at = test_issuer::now) const {
    return verify_issuer_token(token, trusted, held_to, at);
  }
  void expect_refused(std::string_view token, errc code, std::string_view words = "",
                      time_point at = test_issuer::now) const {
    auto verified = verify(token, at);
    ASSERT_FALSE(verified) << words;
    EXPECT_EQ(static_cast<int>(verified.error().code), static_cast<int>(code)) << verified.error().detail;
    EXPECT_THAT(verified.error().detail, HasSubstr(words));
  }
};

TEST_F(IssuerToken, SaysWhoComesAndWhatFor) {
  auto verified = verify(mint(claims()));
  ASSERT_TRUE(verified) << verified.error().detail;
  const auto& who = verified->claims();
  EXPECT_EQ(who.issuer, "https://idp.example.com");
  EXPECT_EQ(who.subject, "ada");
  EXPECT_EQ(who.client_id, "inspector");
  EXPECT_EQ(who.audience, "https://mcp.example.com/mcp");
  EXPECT_EQ(who.token_id, "t1");
  EXPECT_EQ(who.email, "ada@example.com");
  EXPECT_EQ(who.name, "Ada");
  EXPECT_EQ(who.grant_id, "");
  EXPECT_THAT(who.scopes, ElementsAre("tools:read", "tools:write"));
  EXPECT_EQ(to_unix(who.issued), issued_at);
  EXPECT_EQ(to_unix(who.expires), issued_at + 600);
  ASSERT_TRUE(verified->details());
  EXPECT_THAT(verified->details()->audiences, ElementsAre("https://mcp.example.com/mcp"));
  EXPECT_EQ(verified->details()->claims, claims());
  EXPECT_EQ(verified->details()->key_thumbprint, "");
}

TEST_F(IssuerToken, IsOfItsIssuerByteForByte) {
  struct row {
    const char *iss, *words;
  };
  for (auto [iss, words] :
       {row{"https://idp.example.com/", "slash at its end"},
        row{"https://IDP.example.com", "upper and lower case"},
        row{"http://idp.example.com", "http and https"}, row{"https://idp.example.com ", "blanks"},
        row{"https://evil.example", "expected"}, row{"https://idp.example.com.evil.example", "expected"}}) {
    auto changed = claims();
    changed["iss"] = iss;
    expect_refused(mint(changed), errc::token_issuer_mismatch, words);
  }
  expect_refused(mint_with(R"({"iss":null})"), errc::token_claim_missing, "no iss");
  expect_refused(mint_with(R"({"iss":["https://idp.example.com"]})"), errc::token_malformed, "iss");
  held_to.issuer = "";
  expect_refused(mint_with(R"({"iss":"x"})"), errc::token_issuer_mismatch);
}

TEST_F(IssuerToken, OfManyDirectoriesNamesItsOwnTwice) {
  const std::string directory = "72f988bf-86f1-41af-91ab-2d7cd011db47";
  held_to.issuer = "https://login.microsoftonline.com/{tenantid}/v2.0";
  auto of = [&](const std::string& iss, const std::string& tid) {
    auto changed = claims();
    changed["iss"] = "https://login.microsoftonline.com/" + iss + "/v2.0";
    if (!tid.empty()) changed["tid"] = tid;
    return mint(changed, "JWT");
  };
  auto verified = verify(of(directory, directory));
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_EQ(verified->claims().issuer, "https://login.microsoftonline.com/" + directory + "/v2.0");
  const std::string other = "00000000-86f1-41af-91ab-2d7cd011db47";
  for (const auto& [iss, tid] : {std::pair<std::string, std::string>{directory, other},
                                 {directory, ""},
                                 {"{tenantid}", "{tenantid}"},
                                 {"common", "common"},
                                 {"", ""},
                                 {directory + "/x", directory},
                                 {"evil/" + directory, directory},
                                 {"72F988BF-86F1-41AF-91AB-2D7CD011DB47", directory}}) {
    expect_refused(of(iss, tid), errc::token_issuer_mismatch);
  }
}

TEST_F(IssuerToken, HasOneOfTheAudiences) {
  held_to.audiences = {"api://mcp", "https://mcp.example.com/mcp"};
  EXPECT_EQ(
      verify(mint_with(R"({"aud":["x","https://mcp.example.com/mcp","api://mcp"]})"))->claims().audience,
      "api://mcp");
  auto several = verify(mint_with(R"({"aud":["x","https://mcp.example.com/mcp"]})"));
  ASSERT_TRUE(several);
  EXPECT_EQ(several->claims().audience, "https://mcp.example.com/mcp");
  EXPECT_TRUE(several->is_for("x") && several->is_for("https://mcp.example.com/mcp"));
  EXPECT_FALSE(several->is_for("api://mcp") || several->is_for("") || several->is_for("X"));
}

TEST_F(IssuerToken, IsRefusedForAnotherAudienceInWordsThatHelp) {
  struct row {
    const char* changes;
    errc code;
    const char* words;
  };
  for (auto [changes, code, words] : {
           row{R"({"aud":null})", errc::token_audience_absent, "no aud"},
           row{R"({"aud":[]})", errc::token_audience_absent, "no aud"},
           row{R"({"aud":""})", errc::token_audience_absent, "no aud"},
           row{R"({"aud":[""]})", errc::token_audience_absent, "no aud"},
           row{R"({"aud":["https://mcp.example.com/mcp",1]})", errc::token_malformed, "aud"},
           row{R"({"aud":{"https://mcp.example.com/mcp":1}})", errc::token_malformed, "aud"},
           row{R"({"aud":"https://mcp.example.com/mcp/"})", errc::token_audience_mismatch, "slash"},
           row{R"({"aud":"https://mcp.example.com"})", errc::token_audience_mismatch, "resource"},
           row{R"({"aud":"inspector"})", errc::token_audience_mismatch, "client's own id"},
           row{R"({"aud":"other","resource":"https://mcp.example.com/mcp"})", errc::token_audience_mismatch,
               "other"},
           row{R"({"aud":"other","azp":"https://mcp.example.com/mcp"})", errc::token_audience_mismatch,
               "other"},
       }) {
    expect_refused(mint_with(changes), code, words);
  }
}

TEST_F(IssuerToken, IsForNobodyWithoutAnAudienceToHoldItTo) {
  held_to.audiences.clear();
  expect_refused(mint(claims()), errc::token_audience_mismatch, "no audience is configured");
  held_to.audiences = {""};
  expect_refused(mint_with(R"({"aud":["",""]})"), errc::token_audience_absent);
  expect_refused(mint(claims()), errc::token_audience_mismatch);
  held_to.audiences.clear();
  held_to.danger_any_audience = true;
  EXPECT_EQ(verify(mint_with(R"({"aud":"other"})"))->claims().audience, "other");
  EXPECT_EQ(verify(mint_with(R"({"aud":null})"))->claims().audience, "");
}

TEST_F(IssuerToken, IsOfATypeThatIsTolerated) {
  for (auto typ : {"at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", "application/jwt", ""}) {
    EXPECT_TRUE(verify(mint(claims(), typ))) << typ;
  }
  for (auto typ :
       {"dpop+jwt", "oauth-id-jag+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "id+jwt",
        "application/dpop+jwt", "JOSE", "JWE", "at+jwt ", "at+jwt; x", "a", "entity-statement+jwt",
        "oauth-authz-req+jwt", "client-authentication+jwt", "vc+sd-jwt", "refresh+jwt"}) {
    expect_refused(mint(claims(), typ), errc::token_type_wrong, "typ");
  }
  held_to.type = token_type_rule::at_jwt;
  EXPECT_TRUE(verify(mint(claims(), "application/AT+jwt")));
  for (auto typ : {"JWT", "", "dpop+jwt"})
    expect_refused(mint(claims(), typ), errc::token_type_wrong, "at+jwt");
}

TEST_F(IssuerToken, IsNoIdTokenAndNothingElseThatSaysItIsAnother) {
  for (auto changes :
       {R"({"nonce":"n","scope":null,"client_id":null})",
        R"({"at_hash":"h","scope":null,"client_id":null,"azp":"c"})",
        R"({"c_hash":"h","scope":null,"client_id":null})",
        R"({"auth_time":1790000000,"scope":null,"client_id":null})",
        R"({"sid":"s","scope":null,"client_id":null,"azp":"c"})", R"({"token_use":"id"})", R"({"typ":"ID"})",
        R"({"typ":"Refresh"})", R"({"typ":"Offline"})", R"({"typ":"Logout"})",
        R"({"token_type":"refresh_token"})", R"({"token_use":"refresh_token"})", R"({"typ":"Serialized-ID"})",
        R"({"events":{"http://schemas.openid.net/event/backchannel-logout":{}}})"}) {
    expect_refused(mint_with(changes, "JWT"), errc::token_type_wrong);
  }
  expect_refused(mint_with(R"({"typ":1})", "JWT"), errc::token_malformed, "typ");
  for (auto changes : {R"({"nonce":"n"})", R"({"at_hash":"h","scope":null,"scp":"a"})", R"({"sid":"s"})",
                       R"({"auth_time":1790000000,"scope":null,"cid":"c"})", R"({"token_use":"access"})",
                       R"({"typ":"Bearer"})", R"({"token_type":"Bearer"})",
                       R"({"nonce":"n","scope":null,"client_id":null,"appid":"c"})"}) {
    EXPECT_TRUE(verify(mint_with(changes, "JWT"))) << changes;
  }
  EXPECT_TRUE(verify(mint_with(R"({"sid":"s","scope":null,"client_id":null})", "at+jwt"))) << "it says so";
  held_to.danger_id_tokens = true;
  EXPECT_TRUE(verify(mint_with(R"({"nonce":"n","scope":null,"client_id":null})", "JWT")));
  EXPECT_TRUE(verify(mint_with(R"({"sid":"s","scope":null,"client_id":null})", "JWT")));
  EXPECT_TRUE(verify(mint_with(R"({"typ":"ID","nonce":"n"})", "JWT")));
  expect_refused(mint_with(R"({"typ":"Refresh"})", "JWT"), errc::token_type_wrong);
}

TEST_F(IssuerToken, SaysWhatATextIsThatIsNoJwt) {
  auto genuine = mint(claims());
  struct row {
    std::string token;
    errc code;
    const char* words;
  };
  for (const auto& [token, code, words] : {
           row{"2YotnFZFEjr1zCsicMWpAA", errc::token_opaque, "opaque string"},
           row{"gho_abc", errc::token_opaque, "GitHub"},
           row{"a.b.c", errc::token_opaque, "opaque"},
           row{base64url_encode(R"({"alg":"dir","enc":"A256GCM"})") + ".a.b.c.d", errc::token_opaque,
               "encrypted"},
           row{genuine.substr(0, genuine.rfind('.')), errc::token_malformed, "cut off"},
           row{genuine.substr(0, genuine.rfind('.') + 1), errc::token_malformed, "no signature"},
           row{"\"" + genuine + "\"", errc::token_malformed, "quotes"},
           row{"Bearer " + genuine, errc::token_malformed, "twice"},
           row{genuine + "\n", errc::token_malformed, "line breaks"},
           row{sign("[1]"), errc::token_malformed, "no JSON object"},
           row{sign(R"({"iss":"a","iss":"b"})"), errc::token_malformed, "twice"},
           row{base64url_encode(R"({"alg":"none"})") + "." + base64url_encode(json::serialize(claims())) +
                   ".",
               errc::token_algorithm_refused, "none"},
           row{base64url_encode(R"({"alg":"none"})") + "." + base64url_encode(json::serialize(claims())) +
                   ".c2ln",
               errc::token_algorithm_refused, "none"},
       }) {
    expect_refused(token, code, words);
  }
}

TEST_F(IssuerToken, IsSignedByAKeyAndAnAlgorithmThatAreExpected) {
  expect_refused(mint(claims(), "at+jwt", "other"), errc::token_key_unknown, "known are k1");
  auto forged = mint(claims());
  forged.back() = forged.back() == 'A' ? 'B' : 'A';
  forged[forged.size() - 5] = forged[forged.size() - 5] == 'A' ? 'B' : 'A';
  expect_refused(forged.substr(0, forged.size() - 1) + "A", errc::token_signature_invalid);
  held_to.algorithms = {algorithm::rs256};
  expect_refused(mint(claims()), errc::token_algorithm_refused, "ES256");
  held_to.algorithms = {algorithm::es256, algorithm::hs256};
  expect_refused(mint(claims()), errc::token_algorithm_refused, "both configured");
}

TEST_F(IssuerToken, MayBeSignedByAnyKeyThatTheOperatorNamedWithoutAnId) {
  auto stranger = signing_key::generate_es256();
  trusted = key_set::of({stranger.public_part().with_kid(""), key().public_part().with_kid("")});
  EXPECT_TRUE(verify(mint(claims(), "at+jwt", "whatever")));
  EXPECT_TRUE(verify(mint(claims(), "at+jwt", "")));
  trusted = key_set::of({stranger.public_part().with_kid("")});
  expect_refused(mint(claims()), errc::token_signature_invalid);
  trusted = key_set::of({public_key::hmac(secret(std::string(32, 'k')), algorithm::hs256).value()});
  expect_refused(mint(claims()), errc::token_algorithm_refused);
  held_to.algorithms = {algorithm::hs256};
  auto input = base64url_encode(R"({"alg":"HS256"})") + "." + base64url_encode(json::serialize(claims()));
  EXPECT_TRUE(verify(input + "." + base64url_encode(hmac_sha256(std::string(32, 'k'), input))));
  expect_refused(input + "." + base64url_encode(hmac_sha256(std::string(32, 'k') + "\n", input)),
                 errc::token_signature_invalid, "line break");
  held_to.algorithms.clear();
  expect_refused(input + "." + base64url_encode(hmac_sha256(std::string(32, 'k'), input)),
                 errc::token_algorithm_refused);
  // With names, an unknown one stays unknown.
  trusted = key_set::of({key().public_part().with_kid(""), stranger.public_part().with_kid("k2")});
  expect_refused(mint(claims(), "at+jwt", "k1"), errc::token_key_unknown);
}

TEST_F(IssuerToken, IsJudgedByTheClock) {
  struct row {
    const char* changes;
    std::int64_t later;
    errc code;
    const char* words;
  };
  for (auto [changes, later, code, words] : {
           row{"{}", 659, errc::count_, ""},
           row{"{}", 660, errc::token_expired, "60 s ago"},
           row{"{}", 3600 * 3, errc::token_expired, "2 h ago"},
           row{R"({"nbf":1790000060})", 0, errc::count_, ""},
           row{R"({"nbf":1790000061})", 0, errc::token_not_yet_valid, "in 61 s"},
           row{R"({"iat":1790000060})", 0, errc::count_, ""},
           row{R"({"iat":1790000061})", 0, errc::token_not_yet_valid, "clocks"},
           row{R"({"iat":null})", 0, errc::count_, ""},
           row{R"({"exp":null})", 0, errc::token_claim_missing, "no exp"},
           row{R"({"exp":"1790000600"})", 0, errc::token_malformed, "exp"},
           row{R"({"iat":"x"})", 0, errc::token_malformed, "iat"},
           row{R"({"exp":1790000600.75})", 0, errc::count_, ""},
       }) {
    auto at = test_issuer::now + seconds(later);
    if (code == errc::count_) {
      EXPECT_TRUE(verify(mint_with(changes), at)) << changes;
    } else {
      expect_refused(mint_with(changes), code, words, at);
    }
  }
  held_to.max_age = seconds(300);
  EXPECT_TRUE(verify(mint(claims()), test_issuer::now + seconds(360)));
  expect_refused(mint(claims()), errc::token_expired, "max_age", test_issuer::now + seconds(361));
  expect_refused(mint_with(R"({"iat":null})"), errc::token_claim_missing, "max_age");
}

TEST_F(IssuerToken, AnAddressThatItTakesBackNamesNobodyAndOpensNothing) {
  const char* denied[] = {R"({"email":"boss@corp.example","email_verified":false})",
                          R"({"email":"boss@corp.example","email_verified":"false"})",
                          R"({"email":"boss@corp.example","email_verified":0})"};
  const char* stands[] = {R"({"email":"boss@corp.example","email_verified":true})",
                          R"({"email":"boss@corp.example","email_verified":"true"})",
                          R"({"email":"boss@corp.example","email_verified":null})",
                          R"({"email":"boss@corp.example"})"};
  held_to.claims.subject = {"email"};
  for (auto changes : denied)
    expect_refused(mint_with(changes), errc::token_claim_missing, "no email, as email_verified denies");
  for (auto changes : stands) {
    auto verified = verify(mint_with(changes));
    ASSERT_TRUE(verified) << changes;
    EXPECT_EQ(verified->claims().subject, "boss@corp.example");
  }
  held_to.claims.subject = {"email", "sub"};
  EXPECT_EQ(verify(mint_with(denied[0]))->claims().subject, "ada") << "the next place";
  held_to.claims.subject = {"sub"};
  for (const auto& required : {required_claim{"email", {}}, required_claim{"email", {"boss@corp.example"}}}) {
    held_to.required = {required};
    for (auto changes : denied)
      expect_refused(mint_with(changes), errc::token_claim_missing, "no email that email_verified confirms");
    for (auto changes : stands) EXPECT_TRUE(verify(mint_with(changes))) << changes;
  }
  held_to.claims.email = held_to.claims.subject = {"mail"};
  held_to.required = {{"mail", {}}};
  expect_refused(mint_with(R"({"mail":"boss@corp.example","email_verified":false})"),
                 errc::token_claim_missing);
}

TEST_F(IssuerToken, HasItsScopesWhereverTheIssuerPutsThem) {
  struct row {
    const char* changes;
    std::vector<std::string> places;
    std::vector<std::string> scopes;
  };
  for (const auto& [changes, places, scopes] : {
           row{R"({"scope":"a b"})", {"scope", "scp"}, {"a", "b"}},
           row{R"({"scope":["a","b","a"]})", {"scope", "scp"}, {"a", "b"}},
           row{R"({"scope":null,"scp":"a  b"})", {"scope", "scp"}, {"a", "b"}},
           row{R"({"scope":"a","scp":["b","a"]})", {"scope", "scp"}, {"a", "b"}},
           row{R"({"scope":"a","roles":["admin"]})", {"scope"}, {"a"}},
           row{R"({"scope":"a","roles":["admin"]})", {"scope", "roles"}, {"a", "admin"}},
           row{R"({"scope":"a","realm_access":{"roles":["x"]}})",
               {"scope", "realm_access.roles"},
               {"a", "x"}},
           row{R"({"scope":"a","https://x.example/roles":["x"]})", {"https://x.example/roles"}, {"x"}},
           row{R"({"scope":"a","resource_access":{"my.api":{"roles":["x"]}}})",
               {"resource_access.my.api.roles"},
               {"x"}},
           row{R"({"scope":"a","realm_access":"roles"})", {"realm_access.roles"}, {}},
           row{R"({"scope":"a","roles":["two words","q\"uote",""]})", {"roles"}, {}},
           row{R"({"scope":""})", {"scope"}, {}},
           row{R"({"scope":null})", {"scope"}, {}},
       }) {
    held_to.claims.scopes = places;
    auto verified = verify(mint_with(changes));
    ASSERT_TRUE(verified) << changes;
    EXPECT_EQ(verified->claims().scopes, scopes) << changes;
  }
  held_to.claims.scopes = {"scope"};
  expect_refused(mint_with(R"({"scope":7})"), errc::token_malformed, "scope");
  expect_refused(mint_with(R"({"scope":["a",7]})"), errc::token_malformed, "scope");
}

TEST_F(IssuerToken, NamesItsClientAndPersonInTheWaysIssuersDo) {
  for (auto name : {"azp", "appid", "cid"}) {
    auto changed = claims();
    changed.erase("client_id");
    changed[name] = "c";
    EXPECT_EQ(verify(mint(changed))->claims().client_id, "c") << name;
  }
  EXPECT_EQ(verify(mint_with(R"({"client_id":null})"))->claims().client_id, "");
  EXPECT_EQ(verify(mint_with(R"({"name":null,"preferred_username":"ada1"})"))->claims().name, "ada1");
  for (auto unverified :
       {R"({"email_verified":false})", R"({"email_verified":"false"})", R"({"email_verified":1})"}) {
    EXPECT_EQ(verify(mint_with(unverified))->claims().email, "") << unverified;
  }
  EXPECT_EQ(verify(mint_with(R"({"email_verified":true})"))->claims().email, "ada@example.com");
  held_to.claims.subject = {"oid", "sub"};
  EXPECT_EQ(verify(mint_with(R"({"oid":"o"})"))->claims().subject, "o");
  EXPECT_EQ(verify(mint(claims()))->claims().subject, "ada");
  expect_refused(mint_with(R"({"sub":null})"), errc::token_claim_missing, "no oid and no sub");
  expect_refused(mint_with(R"({"sub":""})"), errc::token_claim_missing);
  expect_refused(mint_with(R"({"sub":7})"), errc::token_malformed, "sub");
  expect_refused(mint_with(R"({"sub":"a\nX-User-Id: root"})"), errc::token_malformed, "plain text");
  expect_refused(mint_with(R"({"sub":"a\u0000b"})"), errc::token_malformed, "plain text");
  expect_refused(mint_with(R"({"sub":")" + std::string(1025, 'a') + "\"}"), errc::token_malformed,
                 "plain text");
}

TEST_F(IssuerToken, HasTheClaimsThatAreRequired) {
  struct row {
    const char* changes;
    required_claim wanted;
    bool good;
  };
  for (const auto& [changes, wanted, good] : {
           row{R"({"org":"a"})", {"org", {}}, true},
           row{R"({"org":false})", {"org", {}}, true},
           row{"{}", {"org", {}}, false},
           row{R"({"org":""})", {"org", {}}, false},
           row{R"({"org":[]})", {"org", {}}, false},
           row{R"({"org":"a"})", {"org", {"b", "a"}}, true},
           row{R"({"org":"A"})", {"org", {"a"}}, false},
           row{R"({"org":["x","a"]})", {"org", {"a"}}, true},
           row{R"({"org":[["a"]]})", {"org", {"a"}}, false},
           row{R"({"org":{"a":"a"}})", {"org", {"a"}}, false},
           row{R"({"level":3})", {"level", {"3"}}, true},
           row{R"({"level":"3"})", {"level", {"3"}}, true},
           row{R"({"mfa":true})", {"mfa", {"true"}}, true},
           row{R"({"realm":{"id":"a"}})", {"realm.id", {"a"}}, true},
           row{R"({"realm.id":"b","realm":{"id":"a"}})", {"realm.id", {"a"}}, false},
       }) {
    held_to.required = {wanted};
    auto verified = verify(mint_with(changes));
    EXPECT_EQ(verified.has_value(), good) << changes;
    EXPECT_TRUE(good || verified.error().code == errc::token_claim_missing) << changes;
  }
}

TEST_F(IssuerToken, SaysWhatItIsBoundTo) {
  auto bound = verify(mint_with(R"({"cnf":{"jkt":"thumb","x5t#S256":"cert"}})"));
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->details()->key_thumbprint, "thumb");
  EXPECT_EQ(bound->details()->certificate_thumbprint, "cert");
  for (auto [changes, code] : {std::pair{R"({"cnf":{}})", errc::token_binding_missing},
                               {R"({"cnf":{"jwk":{"kty":"EC"}}})", errc::token_binding_missing},
                               {R"({"cnf":{"jkt":""}})", errc::token_binding_missing},
                               {R"({"cnf":"jkt"})", errc::token_malformed},
                               {R"({"cnf":{"jkt":7}})", errc::token_malformed}}) {
    expect_refused(mint_with(changes), code);
  }
}

TEST(ClaimedIssuer, IsReadWithoutBeingBelieved) {
  auto unsigned_word = base64url_encode(R"({"alg":"ES256"})") + "." +
                       base64url_encode(R"({"iss":"https://a.example"})") + ".c2ln";
  EXPECT_EQ(claimed_issuer(unsigned_word).value_or("none"), "https://a.example");
  struct row {
    std::string token;
    errc code;
  };
  auto with_payload = [](std::string_view payload) {
    return base64url_encode(R"({"alg":"ES256"})") + "." + base64url_encode(payload) + ".c2ln";
  };
  for (const auto& [token, code] :
       {row{"opaque", errc::token_opaque}, row{"", errc::token_opaque},
        row{with_payload("{}"), errc::token_claim_missing},
        row{with_payload(R"({"iss":7})"), errc::token_malformed},
        row{with_payload(""), errc::token_malformed}, row{with_payload("[]"), errc::token_malformed},
        row{unsigned_word + "\"", errc::token_malformed},
        row{base64url_encode(R"({"alg":"x"})") + ".e30.c2ln", errc::token_algorithm_refused}}) {
    auto claimed = claimed_issuer(token);
    ASSERT_FALSE(claimed) << token;
    EXPECT_EQ(claimed.error().code, code) << token;
  }
}

TEST(IssuerRules, AreCheckedBeforeTheyHoldAnything) {
  EXPECT_TRUE(check_issuer_rules(test_issuer::rules()));
  auto refused = [](auto change) {
    auto changed = test_issuer::rules();
    change(changed);
    auto checked = check_issuer_rules(changed);
    return !checked && checked.error().code == errc::config_invalid;
  };
  EXPECT_TRUE(refused([](auto& r) { r.issuer = ""; }));
  EXPECT_TRUE(refused([](auto& r) { r.issuer = "https://a.example/x{tenantid}"; }));
  EXPECT_TRUE(refused([](auto& r) { r.issuer = "https://{tenantid}/a"; }));
  EXPECT_TRUE(refused([](auto& r) { r.issuer = "https://{tenantid}.example/a"; }));
  EXPECT_TRUE(refused([](auto& r) { r.issuer = "https://a.example/{tenantid}/{tenantid}"; }));
  EXPECT_TRUE(refused([](auto& r) { r.issuer = "https://a.example/{tenant}/"; }));
  EXPECT_TRUE(refused([](auto& r) { r.algorithms = {algorithm::rs256, algorithm::hs256}; }));
  EXPECT_TRUE(refused([](auto& r) { r.leeway = seconds(-1); }));
  EXPECT_TRUE(refused([](auto& r) { r.leeway = seconds(601); }));
  EXPECT_TRUE(refused([](auto& r) { r.claims.subject.clear(); }));
  EXPECT_FALSE(refused([](auto& r) { r.issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"; }));
  EXPECT_FALSE(refused([](auto& r) { r.issuer = "https://sts.windows.net/{tenantid}/"; }));
  EXPECT_FALSE(refused([](auto& r) { r.audiences.clear(); }));
}

}  // namespace
}  // namespace mcp_oauth
