#include "oauth/examine.h"

#include "oauth/test_issuer.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using test_issuer::mint_with;
using test_issuer::now;

std::optional<error> first_failure(const token_examination& of) {
  for (const auto& f : of.findings) {
    if (f.said && !*f.said) return f.said->error();
  }
  return std::nullopt;
}

std::size_t failures(const token_examination& of) {
  std::size_t count = 0;
  for (const auto& f : of.findings) count += f.said && !*f.said ? 1 : 0;
  return count;
}

const std::vector<std::pair<std::string, std::string>>& broken_tokens() {
  static const std::vector<std::pair<std::string, std::string>> all = {
      {"nothing", ""},
      {"an opaque token", "gho_16C7e42F292c6912E7710c838347Ae178B4a"},
      {"a word before it", "Bearer " + mint_with("{}")},
      {"cut off", mint_with("{}").substr(0, 60)},
      {"cut off in the signature", mint_with("{}").substr(0, mint_with("{}").size() - 40)},
      {"no algorithm", "eyJhbGciOiJub25lIn0.e30.e30"},
      {"a payload that is no object", test_issuer::sign("[]")},
      {"another type", mint_with("{}", "logout+jwt")},
      {"an unknown key", mint_with("{}", "at+jwt", "k2")},
      {"another key",
       [] {
         json::object claims = test_issuer::claims();
         return sign_jws(signing_key::generate_es256(), "at+jwt", "k1", json::serialize(claims));
       }()},
      {"another issuer", mint_with(R"({"iss":"https://other.example"})")},
      {"no issuer", mint_with(R"({"iss":null})")},
      {"a refresh token", mint_with(R"({"token_use":"refresh"})")},
      {"another audience", mint_with(R"({"aud":"https://mcp.example.com/mcp/"})")},
      {"expired", mint_with(R"({"exp":1789990000})")},
      {"no end", mint_with(R"({"exp":null})")},
      {"no subject", mint_with(R"({"sub":null})")},
      {"a binding nobody knows", mint_with(R"({"cnf":{"jwk":{}}})")},
      {"much at once", mint_with(R"({"iss":"https://other.example","aud":"x","exp":1})", "at+jwt", "k2")},
  };
  return all;
}

TEST(Examine, TheFirstFailureIsThatOfTheRealCheckOfOtherIssuersTokens) {
  auto keys = test_issuer::keys();
  for (const auto& [what, token] : broken_tokens()) {
    auto real = verify_issuer_token(token, keys, test_issuer::rules(), now);
    auto first = first_failure(examine_issuer_token(token, &keys, test_issuer::rules(), now));
    ASSERT_EQ(real.has_value(), !first.has_value()) << what;
    if (real) continue;
    EXPECT_EQ(first->code, real.error().code) << what;
    EXPECT_EQ(first->detail, real.error().detail) << what;
  }
  auto good = examine_issuer_token(mint_with("{}"), &keys, test_issuer::rules(), now);
  EXPECT_EQ(failures(good), 0U);
  EXPECT_EQ(good.findings.size(), 9U);
}

TEST(Examine, TheFirstFailureIsThatOfTheRealCheckOfOurOwnTokens) {
  auto keys = test_issuer::keys();
  token_rules rules;
  rules.issuer = test_issuer::rules().issuer;
  rules.audience = test_issuer::rules().audiences.front();
  for (const auto& [what, token] : broken_tokens()) {
    auto real = verify_access_token(token, keys, rules, now);
    auto first = first_failure(examine_access_token(token, &keys, rules, now));
    ASSERT_EQ(real.has_value(), !first.has_value()) << what;
    if (!real) {
      EXPECT_EQ(first->code, real.error().code) << what;
    }
  }
  auto good = examine_access_token(mint_with("{}"), &keys, rules, now);
  EXPECT_EQ(failures(good), 0U);
  auto who = read_unverified(*good.unverified, rules);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->subject, "ada");
  EXPECT_EQ(who->audience, rules.audience);
}

TEST(Examine, GoesOnBehindWhatFailed) {
  auto keys = test_issuer::keys();
  auto all = mint_with(R"({"iss":"https://other.example","aud":"x","exp":1})", "logout+jwt", "k2");
  EXPECT_EQ(failures(examine_issuer_token(all, &keys, test_issuer::rules(), now)), 5U);
  token_rules rules;
  rules.issuer = test_issuer::rules().issuer;
  rules.audience = test_issuer::rules().audiences.front();
  EXPECT_EQ(failures(examine_access_token(all, &keys, rules, now)), 5U);
}

TEST(Examine, AsksNothingThatHasNoAnswer) {
  auto no_keys = examine_issuer_token(mint_with("{}"), nullptr, test_issuer::rules(), now);
  for (const auto& f : no_keys.findings) EXPECT_EQ(f.said.has_value(), f.what != token_check::signature);
  auto opaque = examine_issuer_token("abc", nullptr, test_issuer::rules(), now);
  for (const auto& f : opaque.findings) EXPECT_EQ(f.said.has_value(), f.what == token_check::form);
  EXPECT_FALSE(opaque.unverified);
  EXPECT_FALSE(unverified_claims("a.!.c"));
  EXPECT_FALSE(unverified_claims("a.W10.c"));
  auto own = examine_access_token("abc", nullptr, {}, now);
  for (const auto& f : own.findings) EXPECT_EQ(f.said.has_value(), f.what == token_check::form);
}

TEST(Examine, WhoTheClaimsNameIsReadWithoutBeingBelieved) {
  auto who = read_unverified(test_issuer::claims(), test_issuer::rules());
  ASSERT_TRUE(who);
  EXPECT_EQ(who->subject, "ada");
  EXPECT_EQ(who->audience, test_issuer::rules().audiences.front());
  EXPECT_EQ(read_unverified(json::object(), test_issuer::rules()).error().code, errc::token_claim_missing);
}

}  // namespace
}  // namespace mcp_oauth
