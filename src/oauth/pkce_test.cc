#include "oauth/pkce.h"

#include "base/base64url.h"
#include "jose/digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

// RFC 7636 appendix B
constexpr std::string_view verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::string_view challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

TEST(Pkce, AgreesWithTheExampleOfTheStandard) {
  EXPECT_EQ(code_challenge_of(verifier), challenge);
  EXPECT_TRUE(check_code_verifier(verifier, challenge));
}

TEST(Pkce, TakesEveryVerifierOfTheGrammar) {
  for (std::string good :
       {std::string(43, 'a'), std::string(128, '~'), std::string(42, '.') + "_", std::string(50, '-')}) {
    EXPECT_TRUE(is_code_verifier(good)) << good;
    EXPECT_TRUE(check_code_verifier(good, code_challenge_of(good))) << good;
  }
}

TEST(Pkce, RefusesVerifiersOutsideTheGrammar) {
  std::string ok(43, 'a');
  for (std::string bad :
       {std::string(), std::string(42, 'a'), std::string(129, 'a'), ok + "=", ok + "+", ok + "/", ok + " ",
        ok + "%", ok + "\n", ok + "\xC3\xA9", ok + std::string(1, '\0')}) {
    EXPECT_FALSE(is_code_verifier(bad)) << bad;
    auto outcome = check_code_verifier(bad, code_challenge_of(bad));
    ASSERT_FALSE(outcome) << bad;
    EXPECT_EQ(outcome.error().code, errc::pkce_malformed) << bad;
  }
}

TEST(Pkce, RefusesChallengesThatS256CannotYield) {
  EXPECT_TRUE(is_code_challenge(challenge));
  std::string c(challenge);
  for (std::string bad :
       {std::string(), c.substr(1), c + "a", c + "=", "+" + c.substr(1), "/" + c.substr(1), "." + c.substr(1),
        "~" + c.substr(1), std::string(64, 'a'), std::string(128, 'a')}) {
    EXPECT_FALSE(is_code_challenge(bad)) << bad;
  }
}

TEST(Pkce, RefusesAnotherVerifierInEveryPosition) {
  for (std::size_t i = 0; i < verifier.size(); ++i) {
    std::string other(verifier);
    other[i] = other[i] == 'A' ? 'B' : 'A';
    auto outcome = check_code_verifier(other, challenge);
    ASSERT_FALSE(outcome) << i;
    EXPECT_EQ(outcome.error().code, errc::pkce_mismatch);
  }
}

TEST(Pkce, RefusesAnEmptyOrCutChallenge) {
  EXPECT_FALSE(check_code_verifier(verifier, ""));
  EXPECT_FALSE(check_code_verifier(verifier, challenge.substr(0, 42)));
}

TEST(Pkce, NamesTheKnownMistakesOfAChallenge) {
  std::string c(challenge);
  struct {
    std::string malformed, says;
  } const table[] = {
      {c + "=", "base64url with padding"},
      {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM=", "standard base64 with padding"},
      {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", "standard base64 instead"},
      {hex_encode(sha256_bytes(verifier)), "digest in hexadecimal"},
      {base64url_encode(hex_encode(sha256_bytes(verifier))), "base64url of the hexadecimal digest"},
      {c + "%3D", "percent-encoded twice"},
      {c.substr(0, 32), "shorter"},
      {std::string(90, 'a'), "longer"},
  };
  for (const auto& row : table)
    EXPECT_THAT(diagnose_code_challenge(row.malformed), HasSubstr(row.says)) << row.malformed;
}

TEST(Pkce, NamesTheKnownMistakesOfAVerifier) {
  std::string v(verifier);
  std::string standard = v;
  standard[standard.find('-')] = '+';
  standard[standard.find('_')] = '/';
  struct {
    std::string sent, challenge_of_client, says;
  } const table[] = {
      {v + "=", std::string(challenge), "padding"},
      {standard, std::string(challenge), "standard base64"},
      {v + "%3D", std::string(challenge), "percent-encoded twice"},
      {v.substr(0, 32), std::string(challenge), "shorter"},
      {std::string(200, 'a'), std::string(challenge), "longer"},
      {v + "!", std::string(challenge), "a character outside"},
      {v, v, "plain"},
      {v, code_challenge_of(v + "="), "with padding"},
      {v, code_challenge_of(v + "\n"), "line feed"},
      {v, code_challenge_of(standard), "hashed in standard base64"},
      {v, base64url_encode(sha256_bytes(*base64url_decode(v))), "decoded bytes"},
      {v + "~.", hex_encode(sha256_bytes(v + "~.")).substr(0, 43), "beginning of the digest in hexadecimal"},
  };
  for (const auto& row : table) {
    EXPECT_THAT(diagnose_code_verifier(row.sent, row.challenge_of_client), HasSubstr(row.says)) << row.says;
    auto outcome = check_code_verifier(row.sent, row.challenge_of_client);
    ASSERT_FALSE(outcome) << row.says;
    EXPECT_THAT(outcome.error().detail, HasSubstr(row.says));
    EXPECT_EQ(outcome.error().detail.find(row.sent), std::string::npos) << "a secret in the detail";
  }
  EXPECT_EQ(diagnose_code_verifier(v, code_challenge_of(v + "x")), "");
}

TEST(Pkce, MakesPairsThatPass) {
  int calls = 0;
  auto random = [&](std::size_t n) { return std::string(n, static_cast<char>(++calls)); };
  auto first = make_pkce(random), second = make_pkce(random);
  EXPECT_TRUE(check_code_verifier(first.verifier.reveal(), first.challenge));
  EXPECT_TRUE(is_code_challenge(first.challenge));
  EXPECT_EQ(base64url_decode(first.verifier.reveal()), std::string(32, '\1'));
  EXPECT_NE(first.challenge, second.challenge);
}

}  // namespace
}  // namespace mcp_oauth
