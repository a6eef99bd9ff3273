#include "doctor/explain_token.h"

#include "doctor/print_explanation.h"
#include "oauth/test_issuer.h"
#include "symptom/catalogue.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using test_issuer::mint_with;
using test_issuer::now;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string resource = "https://mcp.example.com/mcp";

policy_rules some_rules() {
  policy_rules rules;
  rules.tools.given = true;
  rules.tools.rules = {{"echo", {"tools:read"}}, {"delete_*", {"tools:Write"}}, {"never", {}}};
  rules.tools.rules[2].denied = true;
  return rules;
}

// A guard before one server, for the tokens of one issuer.
token_question a_guard() {
  token_question q;
  q.server = "mcp";
  q.resource = resource;
  token_authority corp{"the issuer corp", test_issuer::rules()};
  corp.keys = std::make_shared<const key_set>(test_issuer::keys());
  q.authorities = {std::move(corp)};
  q.rules = some_rules();
  return q;
}

token_question a_gateway() {
  auto q = a_guard();
  token_rules rules;
  rules.issuer = test_issuer::rules().issuer;
  rules.audience = resource;
  q.authorities[0].name = "this gateway";
  q.authorities[0].rules = rules;
  return q;
}

// As the server judges it: by the checks that its requests go through.
result<verified_token> judge(const std::string& token, const token_question& q, time_point at) {
  const auto& by = q.authorities[authority_of(token, q.authorities, at)];
  if (const auto* ours = std::get_if<token_rules>(&by.rules))
    return verify_access_token(token, *by.keys, *ours, at);
  return verify_issuer_token(token, *by.keys, std::get<issuer_rules>(by.rules), at);
}

token_explanation told(const std::string& token, token_question q = a_guard(), time_point at = now) {
  if (!q.judged) q.judged = judge(token, q, at);
  return explain_token(token, q, at);
}

const explained_check& check(const token_explanation& of, const std::string& name) {
  for (const auto& one : of.checks) {
    if (one.name == name) return one;
  }
  static const explained_check none{"none"};
  ADD_FAILURE() << "no check " << name;
  return none;
}

std::string cause(const token_explanation& of) {
  if (!of.first_cause) return "";
  const auto& first = of.checks[*of.first_cause];
  return first.name + " " + std::string(first.code ? explain(*first.code).id : "-");
}

std::string claims_without_scope_and_client() {
  return R"({"nonce":"n","scope":null,"client_id":null,"aud":"inspector","azp":"inspector"})";
}

std::string of_512_characters() {
  auto token = mint_with(R"({"filler":")" + std::string(900, 'x') + "\"}");
  return token.substr(0, 512);
}

struct broken {
  const char* what;
  std::string token;
  const char* cause;  // of a guard
  const char* why;    // a part of it
};

std::vector<broken> broken_tokens() {
  return {
      {"a slash at the end of the audience", mint_with(R"({"aud":"https://mcp.example.com/mcp/"})"),
       "audience MOP-AUD-001", "the slash at its end"},
      {"another case", mint_with(R"({"aud":"https://mcp.example.com/MCP"})"), "audience MOP-AUD-001",
       "upper and lower case only"},
      {"the client's id as audience", mint_with(R"({"aud":"inspector"})"), "audience MOP-AUD-001",
       "the client's own id"},
      {"Microsoft Graph", mint_with(R"({"aud":"00000003-0000-0000-c000-000000000000"})"),
       "audience MOP-AUD-001", "Microsoft Graph"},
      {"no audience", mint_with(R"({"aud":null})"), "audience MOP-AUD-003", "no aud"},
      {"another server", mint_with(R"({"aud":["https://a.example","https://b.example"]})"),
       "audience MOP-AUD-001", "resource set to"},
      {"a slash at the end of the issuer", mint_with(R"({"iss":"https://idp.example.com/"})"),
       "issuer MOP-ISS-001", "slash"},
      {"an issuer over http", mint_with(R"({"iss":"http://idp.example.com"})"), "issuer MOP-ISS-001",
       "http and https only"},
      {"nobody's issuer", mint_with(R"({"iss":"https://other.example"})"), "issuer MOP-ISS-001",
       "another authorization server"},
      {"another deployment of ours",
       mint_with(R"({"iss":"https://mcp.other.example","gid":"g","provider":"corp"})"), "issuer MOP-ISS-001",
       "another deployment of mcp-oauth-proxy"},
      {"an id token", mint_with(claims_without_scope_and_client(), "JWT"), "kind MOP-TOK-005", "id token"},
      {"a refresh token", mint_with(R"({"typ":"Refresh"})", "JWT"), "kind MOP-TOK-005", "refresh"},
      {"another type", mint_with("{}", "logout+jwt"), "type MOP-TOK-005", "no access token"},
      {"an unknown key", mint_with("{}", "at+jwt", "k9"), "signature MOP-SIG-001", "k9"},
      {"ended long ago", mint_with(R"({"exp":1789990000})"), "times MOP-TIM-001", "exp"},
      {"not yet", mint_with(R"({"nbf":1790000400})"), "times MOP-TIM-002", "nbf"},
      {"no end", mint_with(R"({"exp":null})"), "times MOP-TOK-007", "exp"},
      {"no subject", mint_with(R"({"sub":null})"), "claims MOP-TOK-007", "sub"},
      {"an opaque token", "bm90IGEgand0IGF0IGFsbA", "form MOP-TOK-012", "opaque"},
      {"one of GitHub", "gho_16C7e42F292c6912E7710c838347Ae178B4a", "form MOP-TOK-012", "GitHub"},
      {"cut off at 512", of_512_characters(), "form MOP-TOK-004", "limit of a field"},
      {"cut off in its signature", mint_with("{}").substr(0, mint_with("{}").size() - 42),
       "signature MOP-TOK-004", "cut off"},
      {"the word Bearer", "Bearer " + mint_with("{}"), "form MOP-TOK-004", "Bearer"},
      {"a whole header", "Authorization: Bearer " + mint_with("{}"), "form MOP-TOK-004", "header field"},
      {"quotes", "\"" + mint_with("{}") + "\"", "form MOP-TOK-004", "quotes"},
      {"blanks", "  " + mint_with("{}"), "form MOP-TOK-004", "blanks"},
      {"a break in the middle", mint_with("{}").insert(70, "\n"), "form MOP-TOK-004", "in the middle"},
      {"nothing", "", "form MOP-TOK-012", "empty"},
      {"no algorithm", "eyJhbGciOiJub25lIn0.e30.e30", "form MOP-TOK-006", "none"},
      {"a binding nobody knows", mint_with(R"({"cnf":{"jwk":{}}})"), "binding MOP-DPO-001",
       "cannot be checked"},
  };
}

TEST(ExplainToken, NamesTheFirstCauseOfWhatIsBroken) {
  for (const auto& one : broken_tokens()) {
    auto explained = told(one.token);
    EXPECT_EQ(explained.outcome, token_outcome::refused) << one.what;
    EXPECT_EQ(cause(explained), one.cause) << one.what;
    if (!explained.first_cause) continue;
    const auto& first = explained.checks[*explained.first_cause];
    EXPECT_THAT(first.seen + ": " + first.why, HasSubstr(one.why)) << one.what;
    EXPECT_FALSE(first.seen.empty()) << one.what;
    EXPECT_FALSE(first.expected.empty()) << one.what;
  }
}

TEST(ExplainToken, TheFirstCauseIsWhatTheServerItselfSays) {
  for (const auto& q : {a_guard(), a_gateway()}) {
    for (const auto& one : broken_tokens()) {
      auto real = judge(one.token, q, now);
      auto explained = told(one.token, q);
      // Of our own tokens nobody asks what they are bound to.
      EXPECT_EQ(real.has_value(), explained.outcome == token_outcome::opens) << one.what;
      if (real) continue;
      bool is_wrapped = std::string_view(one.cause) == "form MOP-TOK-004";
      if (is_wrapped || real.error().code == errc::token_issuer_mismatch) continue;
      if (explained.first_cause && explained.checks[*explained.first_cause].name == "issuer") continue;
      ASSERT_TRUE(explained.first_cause) << one.what;
      EXPECT_EQ(explained.checks[*explained.first_cause].code, real.error().code) << one.what;
    }
  }
}

TEST(ExplainToken, NeverShowsTheTokenOrItsSignature) {
  for (const auto& one : broken_tokens()) {
    if (one.token.size() < 20) continue;
    auto explained = told(one.token);
    auto pages = to_text(explained, true) + to_text(explained, false) + json::serialize(to_json(explained));
    std::string_view token = one.token;
    for (std::size_t at = 0; at + 20 <= token.size(); at += 10) {
      EXPECT_THAT(pages, Not(HasSubstr(std::string(token.substr(at, 20))))) << one.what;
    }
  }
}

TEST(ExplainToken, AGoodOneOpensTheServerAndSaysWhatElseIsNeeded) {
  for (const auto& q : {a_guard(), a_gateway()}) {
    auto explained = told(mint_with("{}"), q);
    EXPECT_EQ(explained.outcome, token_outcome::opens) << to_text(explained, false);
    EXPECT_FALSE(explained.first_cause);
    ASSERT_EQ(explained.access.size(), 4U);
    const auto& tools = explained.access[0].items;
    ASSERT_EQ(tools.size(), 3U);
    EXPECT_TRUE(tools[0].open);
    EXPECT_FALSE(tools[1].open);
    EXPECT_THAT(tools[1].missing_scopes, ElementsAre("tools:Write"));
    EXPECT_THAT(tools[1].why, HasSubstr("differs in upper and lower case only"));
    EXPECT_THAT(tools[2].why, HasSubstr("denied"));
    EXPECT_FALSE(explained.access[1].restricted);
    auto text = to_text(explained, false);
    EXPECT_THAT(text,
                AllOf(HasSubstr("✓ The token opens mcp (https://mcp.example.com/mcp)"), HasSubstr("✓ echo"),
                      HasSubstr("✗ delete_*  lacks tools:Write"), HasSubstr("prompts     all"),
                      HasSubstr("ada@example.com"), Not(HasSubstr("\033["))));
    EXPECT_THAT(to_text(explained, true), HasSubstr("\033[32m✓"));
  }
}

TEST(ExplainToken, GoesOnBehindTheFirstCause) {
  auto explained = told(mint_with(R"({"aud":"x","exp":1789990000})"));
  EXPECT_EQ(cause(explained), "audience MOP-AUD-001");
  EXPECT_EQ(check(explained, "times").verdict, finding::fails);
  EXPECT_EQ(check(explained, "signature").verdict, finding::ok);
  EXPECT_THAT(to_text(explained, false),
              AllOf(HasSubstr("MOP-AUD-001  audience mismatch"), HasSubstr("✗ times"),
                    HasSubstr("expected exp ahead"), HasSubstr("MOP-TIM-001"),
                    HasSubstr("What it says, signed"), HasSubstr("What its claims would unlock")));
}

TEST(ExplainToken, SaysWhenTheClocksOfTheTwoAreApart) {
  auto q = a_guard();
  // Ended 100 s ago by this machine, whose clock is 60 s too far.
  q.authorities[0].clock_ahead = seconds(-60);
  auto explained = told(mint_with(R"({"exp":1789999900})"), q);
  EXPECT_EQ(cause(explained), "times MOP-TIM-001");
  EXPECT_THAT(check(explained, "times").why, AllOf(HasSubstr("60 s behind this machine's"),
                                                   HasSubstr("by that clock the token is good now")));
  // Not yet good here, as the issuer is ahead.
  q.authorities[0].clock_ahead = seconds(120);
  explained = told(mint_with(R"({"nbf":1790000100})"), q);
  EXPECT_EQ(cause(explained), "times MOP-TIM-002");
  EXPECT_THAT(check(explained, "times").why, AllOf(HasSubstr("120 s ahead of"), HasSubstr("good now")));
  // Ended 43 s ago: good by the leeway, and not for long.
  q.authorities[0].clock_ahead = seconds(60);
  explained = told(mint_with(R"({"exp":1789999957})"), q);
  EXPECT_EQ(explained.outcome, token_outcome::opens);
  EXPECT_THAT(check(explained, "times").seen, HasSubstr("(43 s ago)"));
  EXPECT_THAT(check(explained, "times").why,
              AllOf(HasSubstr("good for 17 s more by the leeway"), HasSubstr("60 s ahead of"),
                    HasSubstr("by that clock the token is not good now")));
  q.authorities[0].clock_ahead = seconds(2);
  EXPECT_THAT(check(told(mint_with("{}"), q), "times").why, IsEmpty());
}

TEST(ExplainToken, OfEntraNamesTheTwoVersions) {
  auto q = a_guard();
  auto rules = test_issuer::rules();
  const std::string directory = "72f988bf-86f1-41af-91ab-2d7cd011db47";
  rules.issuer = "https://login.microsoftonline.com/" + directory + "/v2.0";
  q.authorities[0].rules = rules;
  auto explained = told(mint_with(R"({"iss":"https://sts.windows.net/)" + directory + R"(/"})"), q);
  EXPECT_EQ(cause(explained), "issuer MOP-ISS-001");
  EXPECT_THAT(check(explained, "issuer").why, HasSubstr("version 1"));
}

TEST(ExplainToken, ChoosesTheIssuerThatTheTokenWasProbablyMeantFor) {
  auto q = a_guard();
  token_authority other{"the issuer other", test_issuer::rules()};
  std::get<issuer_rules>(other.rules).issuer = "https://other.example";
  q.authorities.insert(q.authorities.begin(), other);
  EXPECT_EQ(told(mint_with("{}"), q).authority, "the issuer corp");
  q.judged = fail(errc::token_issuer_mismatch, "iss");
  EXPECT_EQ(told(mint_with(R"({"iss":"https://idp.example.com/"})"), q).authority, "the issuer corp");
  EXPECT_EQ(told(mint_with(R"({"iss":"https://third.example"})"), q).authority, "the issuer corp")
      << "its keys signed it";
}

TEST(ExplainToken, OfAGatewayWhoseTestsSignTheAlgorithmDecides) {
  auto q = a_gateway();
  auto key = public_key::hmac(secret(std::string(32, 's')), algorithm::hs256);
  ASSERT_TRUE(key);
  token_authority tests{"the provider tests (hmac)", test_issuer::rules()};
  std::get<issuer_rules>(tests.rules).algorithms = {algorithm::hs256};
  tests.keys = std::make_shared<const key_set>(key_set::of({*key}));
  q.authorities.push_back(tests);
  EXPECT_EQ(told(mint_with("{}"), q).authority, "this gateway");
  const std::string hs256 = "eyJhbGciOiJIUzI1NiJ9";
  auto payload = mint_with("{}");
  payload = payload.substr(payload.find('.'), payload.rfind('.') - payload.find('.'));
  auto explained = told(hs256 + payload + "." + std::string(43, 'A'), q);
  EXPECT_EQ(explained.authority, "the provider tests (hmac)");
  EXPECT_EQ(cause(explained), "signature MOP-SIG-002");
  EXPECT_THAT(check(explained, "signature").why, HasSubstr("another secret"));
}

TEST(ExplainToken, ARevokedGrantIsACause) {
  auto q = a_gateway();
  q.revoked = true;
  auto explained = told(mint_with(R"({"gid":"g1"})"), q);
  EXPECT_EQ(cause(explained), "revocation MOP-TOK-008");
  EXPECT_EQ(check(explained, "revocation").seen, "grant g1 was revoked");
  q.revoked = false;
  EXPECT_EQ(told(mint_with(R"({"gid":"g1"})"), q).outcome, token_outcome::opens);
  q.revoked = fail(errc::store_unreachable, "no database");
  explained = told(mint_with(R"({"gid":"g1"})"), q);
  EXPECT_EQ(explained.outcome, token_outcome::unclear);
  EXPECT_EQ(check(explained, "revocation").verdict, finding::cannot_be_told);
}

TEST(ExplainToken, WithoutKeysNothingIsSaidOfTheSignature) {
  auto q = a_guard();
  q.authorities[0].keys = nullptr;
  q.authorities[0].keys_missing = error{errc::issuer_keys_unavailable, "connection refused"};
  q.judged = fail(errc::issuer_keys_unavailable, "connection refused");
  auto explained = told(mint_with("{}"), q);
  EXPECT_EQ(explained.outcome, token_outcome::unclear);
  EXPECT_EQ(check(explained, "signature").verdict, finding::cannot_be_told);
  EXPECT_THAT(check(explained, "signature").why, HasSubstr("connection refused"));
  EXPECT_THAT(to_text(explained, false),
              AllOf(HasSubstr("cannot be told"), HasSubstr("which nobody has verified")));
}

TEST(ExplainToken, OurOwnRefreshTokenIsKnown) {
  auto q = a_gateway();
  q.known_as = "a refresh token of this gateway";
  auto explained = told("bm90IGEgand0IGF0IGFsbA", q);
  EXPECT_EQ(cause(explained).substr(0, 4), "form");
  EXPECT_THAT(check(explained, "form").why, HasSubstr("a refresh token of this gateway"));
}

TEST(ExplainToken, AStringOfOurMakingIsSuspectedToBeARefreshToken) {
  const auto token = std::string(42, 'r') + "A";
  auto why = check(told(token, a_gateway()), "form").why;
  EXPECT_THAT(why, AllOf(HasSubstr("form of a refresh token"), HasSubstr("this gateway knows none like it"),
                         HasSubstr("access_token that comes beside it")));
  auto elsewhere = a_gateway();
  elsewhere.authorities[0].keys = nullptr;
  elsewhere.authorities[0].keys_missing = error{errc::store_unavailable, "no database"};
  elsewhere.judged = fail(errc::token_malformed, "opaque");
  why = check(told(token, elsewhere), "form").why;
  EXPECT_THAT(why, AllOf(HasSubstr("form of a refresh token"), Not(HasSubstr("knows none like it"))));
  EXPECT_THAT(check(told(token + "r", a_gateway()), "form").why, Not(HasSubstr("refresh token")));
}

TEST(ExplainToken, OfAGrantThatNobodyGaveItIsNotSaidThatItLasts) {
  auto q = a_gateway();
  q.revoked = false;
  q.grant_is_known = false;
  auto explained = told(mint_with(R"({"gid":"g1"})", "at+jwt", "old"), q);
  EXPECT_EQ(check(explained, "revocation").verdict, finding::not_asked);
  EXPECT_THAT(check(explained, "revocation").seen, HasSubstr("g1, which this gateway does not know"));
  q.grant_is_known = true;
  EXPECT_EQ(check(told(mint_with(R"({"gid":"g1"})"), q), "revocation").seen, "grant g1 lasts");
}

TEST(ExplainToken, TheAnswerOfATokenEndpointIsKnownAsOne) {
  auto explained = told(R"({"access_token":")" + mint_with("{}") + R"(","token_type":"Bearer"})");
  EXPECT_EQ(cause(explained), "form MOP-TOK-004");
  EXPECT_THAT(check(explained, "form").why, HasSubstr("the JSON answer of a token endpoint"));
  EXPECT_EQ(check(explained, "signature").verdict, finding::ok) << "the token inside is looked at";
  EXPECT_THAT(check(told(R"({"refresh_token":"x"})"), "form").why, HasSubstr("has no access_token"));
  EXPECT_THAT(check(told(R"({"access_token":"x)"), "form").why, HasSubstr("beginning of a JSON document"));
}

TEST(ExplainToken, BeforeItWasIssuedThereWasNoToken) {
  auto explained = told(mint_with("{}"), a_guard(), now - seconds(4 * 3600));
  EXPECT_THAT(check(explained, "times").why, HasSubstr("it was issued only in "));
  EXPECT_THAT(explained.notes, ::testing::Contains(HasSubstr("there was no such token yet")));
  EXPECT_THAT(told(mint_with("{}")).notes, IsEmpty());
}

TEST(ExplainToken, ATimeThatTheClockCannotSayIsToldAsOne) {
  auto explained = told(mint_with(R"({"exp":10800000600,"iat":10800000000})"), a_guard());
  const auto& times = check(explained, "times");
  EXPECT_THAT(times.seen, HasSubstr("exp 10800000600 (after the year 2262)"));
  EXPECT_THAT(times.why, HasSubstr("it was issued only after the year 2262"));
}

TEST(ExplainToken, AnotherDatabaseUnderTheSameAddressIsSuspected) {
  auto explained = told(mint_with(R"({"gid":"g"})", "at+jwt", "old"), a_gateway());
  EXPECT_EQ(cause(explained), "signature MOP-SIG-001");
  EXPECT_THAT(check(explained, "signature").why, HasSubstr("with another database"));
}

TEST(ExplainToken, OfAGatewayNamesWhoseTheTokenIsInTheFirstCause) {
  auto q = a_gateway();
  q.sign_in_at = {{"corp", "https://login.corp.example"}};
  auto explained = told(mint_with(R"({"iss":"https://login.corp.example"})", "JWT", "k9"), q);
  EXPECT_EQ(cause(explained), "type MOP-TOK-005");
  EXPECT_THAT(check(explained, "type").why, HasSubstr("a token of corp, where people sign in"));
  explained = told(mint_with(R"({"iss":"https://other.example","gid":"g"})", "at+jwt", "k9"), q);
  EXPECT_EQ(cause(explained), "signature MOP-SIG-001");
  EXPECT_THAT(check(explained, "signature").why,
              HasSubstr("another deployment of mcp-oauth-proxy, https://other.example"));
  explained = told(mint_with(R"({"iss":"https://other.example"})", "JWT"), q);
  EXPECT_THAT(check(explained, "type").why, HasSubstr("another authorization server gave it"));
  explained = told(mint_with("{}", "JWT"), q);
  EXPECT_THAT(check(explained, "type").why, HasSubstr("every access token of this gateway has it"));
}

TEST(ExplainToken, AsksTheIssuerOnlyWhereThatIsWanted) {
  auto q = a_guard();
  q.authorities[0].takes_opaque = true;
  auto asked = explain_token("an-opaque-string-of-some-length", q, now);
  EXPECT_EQ(asked.outcome, token_outcome::unclear);
  EXPECT_EQ(check(asked, "form").verdict, finding::ok);
  EXPECT_THAT(check(asked, "introspection").why, HasSubstr("--introspect"));
  q.judged = fail(errc::token_inactive, "active is false");
  asked = explain_token("an-opaque-string-of-some-length", q, now);
  EXPECT_EQ(cause(asked), "introspection " + std::string(explain(errc::token_inactive).id));
  q.judged = fail(errc::introspection_failed, "status 500");
  asked = explain_token("an-opaque-string-of-some-length", q, now);
  EXPECT_EQ(asked.outcome, token_outcome::unclear);
  q.judged = judge(mint_with("{}"), a_guard(), now);  // as if its answer said all that
  asked = explain_token("an-opaque-string-of-some-length", q, now);
  EXPECT_EQ(asked.outcome, token_outcome::opens);
  EXPECT_EQ(check(asked, "introspection").seen, "active");
  EXPECT_EQ(asked.access.size(), 4U);
}

TEST(ExplainToken, WhereTheIssuerDecidesAloneOurOwnChecksRefuseNothing) {
  auto q = a_guard();
  q.authorities[0].introspected = q.authorities[0].by_introspection_alone = true;
  q.judged = judge(mint_with("{}"), a_guard(), now);
  auto explained = explain_token(mint_with("{}", "odd+jwt", "k9"), q, now);
  EXPECT_EQ(explained.outcome, token_outcome::opens) << to_text(explained, false);
  EXPECT_EQ(check(explained, "signature").verdict, finding::not_asked);
  q.judged.reset();
  explained = explain_token(mint_with("{}", "odd+jwt", "k9"), q, now);
  EXPECT_EQ(explained.outcome, token_outcome::unclear);
  q.authorities[0].by_introspection_alone = false;
  q.judged = fail(errc::token_audience_mismatch, "aud");
  explained = explain_token(mint_with(R"({"aud":"x"})"), q, now);
  EXPECT_EQ(check(explained, "introspection").verdict, finding::not_asked);
}

TEST(ExplainToken, ABoundOneCannotBeToldWithoutItsKey) {
  auto token = mint_with(R"({"cnf":{"jkt":"abc"}})");
  auto q = a_guard();
  q.judged = fail(errc::token_binding_missing, "bound to a key (cnf.jkt), and sent as Bearer");
  auto explained = told(token, q);
  EXPECT_EQ(explained.outcome, token_outcome::unclear);
  EXPECT_EQ(check(explained, "binding").verdict, finding::cannot_be_told);
  q.binding_is_proved = false;
  explained = told(token, q);
  EXPECT_EQ(cause(explained), "binding MOP-DPO-001");
  auto certificate = told(mint_with(R"({"cnf":{"x5t#S256":"abc"}})"));
  EXPECT_THAT(check(certificate, "binding").seen, HasSubstr("certificate"));
}

TEST(ExplainToken, WhatOnlyTheServerSawIsToldToo) {
  auto q = a_guard();
  q.judged = fail(errc::token_binding_missing, "not bound to a key, which dpop: required demands");
  auto explained = told(mint_with("{}"), q);
  EXPECT_EQ(cause(explained), "verdict MOP-DPO-001");
  EXPECT_THAT(check(explained, "verdict").why, HasSubstr("dpop: required"));
}

TEST(ExplainToken, ScopesThatTheServerAsSuchNeedsAreACause) {
  auto q = a_guard();
  q.rules.base_scopes = {"mcp:Use"};
  auto explained = told(mint_with(R"({"scope":"mcp:use"})"), q);
  EXPECT_EQ(explained.outcome, token_outcome::refused);
  EXPECT_EQ(cause(explained), "scopes " + std::string(explain(errc::scope_insufficient).id));
  EXPECT_THAT(check(explained, "scopes").why, HasSubstr("case only"));
  explained = told(mint_with(R"({"scope":"other"})"), q);
  EXPECT_THAT(check(explained, "scopes").why, HasSubstr("missing"));
}

TEST(ExplainToken, WithoutAPolicyNobodyKnowsWhatItUnlocks) {
  auto q = a_guard();
  q.no_rules = error{errc::policy_unavailable, "policy.url does not answer"};
  auto explained = told(mint_with("{}"), q);
  EXPECT_EQ(explained.outcome, token_outcome::unclear);
  EXPECT_THAT(explained.access, IsEmpty());
  q.no_rules = error{errc::policy_incomplete, "needs_setup"};
  explained = told(mint_with("{}"), q);
  EXPECT_EQ(cause(explained), "scopes " + std::string(explain(errc::policy_incomplete).id));
}

TEST(ExplainToken, APublicServerOpensWithAnything) {
  auto q = a_guard();
  q.is_public = true;
  auto explained = told("nonsense", q);
  EXPECT_EQ(explained.outcome, token_outcome::opens);
  EXPECT_THAT(explained.notes, ElementsAre(HasSubstr("require_auth: false")));
}

TEST(ExplainToken, ShowsWhoItIsAndNoSecret) {
  auto explained = told(mint_with(
      R"({"password":"hunter2","sid":"s3ss10n","groups":["a\u001b[2Jb"],"name":"Ada\u202eLovelace"})"));
  auto text = to_text(explained, false) + json::serialize(to_json(explained));
  EXPECT_THAT(text, AllOf(HasSubstr("ada@example.com"), Not(HasSubstr("hunter2")), Not(HasSubstr("s3ss10n")),
                          Not(HasSubstr("\x1b")), Not(HasSubstr("\u202e"))));
  EXPECT_THAT(explained.claims_not_shown, ElementsAre("password", "sid"));
  auto endless = told(mint_with(R"({"name":")" + std::string(499, 'n') + R"(ää"})"));
  EXPECT_EQ(text_member(endless.claims, "name"), std::string(499, 'n') + "…");
}

TEST(ExplainToken, TheJsonHasTheShapeThatIsDocumented) {
  auto q = a_guard();
  q.notes = {"a note"};
  auto all = to_json(told(mint_with(R"({"aud":"https://mcp.example.com/mcp/"})"), q));
  EXPECT_EQ(all.at("version"), 1);
  EXPECT_EQ(all.at("outcome"), "refused");
  EXPECT_EQ(all.at("server").at("resource"), json::string(resource));
  EXPECT_EQ(all.at("authority"), "the issuer corp");
  EXPECT_EQ(all.at("at"), "2026-09-21T14:13:20.000Z");
  const auto& first = all.at("first_cause");
  EXPECT_EQ(first.at("check"), "audience");
  EXPECT_EQ(first.at("code"), "MOP-AUD-001");
  EXPECT_EQ(first.at("symptom"), "token_audience_mismatch");
  EXPECT_EQ(first.at("seen"), "https://mcp.example.com/mcp/");
  EXPECT_EQ(first.at("expected"), json::string(resource));
  EXPECT_FALSE(first.at("fix").as_string().empty());
  std::vector<std::string> names;
  for (const auto& one : all.at("checks").as_array()) names.emplace_back(one.at("name").as_string().c_str());
  EXPECT_THAT(names, ElementsAre("form", "issuer", "type", "signature", "kind", "audience", "times", "claims",
                                 "binding", "scopes"));
  EXPECT_EQ(all.at("header").at("alg"), "ES256");
  EXPECT_EQ(all.at("claims").at("sub"), "ada");
  const auto& item = all.at("access").at("tools").at("items").at(1);
  EXPECT_EQ(item.at("pattern"), "delete_*");
  EXPECT_EQ(item.at("open"), false);
  EXPECT_EQ(item.at("missing_scopes").at(0), "tools:Write");
  EXPECT_EQ(all.at("notes").at(0), "a note");
  EXPECT_TRUE(to_json(told(mint_with("{}"))).at("first_cause").is_null());
}

}  // namespace
}  // namespace mcp_oauth
