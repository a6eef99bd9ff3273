#include "oauth/challenge.h"

#include "symptom/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr std::string_view metadata_url = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

TEST(BearerChallenge, HoldsNoErrorWhenNoUsableCredentialCame) {
  EXPECT_EQ(bearer_challenge(errc::token_missing, metadata_url, {"tools:read", "tools:write"}),
            "Bearer scope=\"tools:read tools:write\", "
            "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"");
  EXPECT_EQ(bearer_challenge(errc::authorization_scheme_unsupported, metadata_url, {}),
            "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"");
}

TEST(BearerChallenge, NamesTheErrorInTheWordsOfTheCatalogue) {
  EXPECT_EQ(bearer_challenge(errc::token_audience_mismatch, metadata_url, {}),
            "Bearer error=\"invalid_token\", error_description=\"audience mismatch\", "
            "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"");
}

TEST(BearerChallenge, HasAtLeastOneParameter) {
  EXPECT_EQ(bearer_challenge(errc::token_missing, "", {}), "Bearer realm=\"mcp\"");
}

TEST(BearerChallenge, NamesOnlyErrorsOfTheBearerStandard) {
  for (const auto& row : catalogue()) {
    auto read = parse_challenges(bearer_challenge(row.code, metadata_url, {"a"}));
    ASSERT_EQ(read.size(), 1U) << row.name;
    EXPECT_EQ(read[0].scheme, "Bearer");
    EXPECT_EQ(read[0].find("resource_metadata"), metadata_url) << row.name;
    auto error = read[0].find("error");
    EXPECT_EQ(error.has_value(), read[0].find("error_description").has_value()) << row.name;
    EXPECT_THAT(error.value_or("none"),
                testing::AnyOf("none", "invalid_request", "invalid_token", "insufficient_scope"))
        << row.name;
  }
}

TEST(BearerChallenge, StaysWellFormedWhateverItIsGiven) {
  auto field =
      bearer_challenge(errc::scope_insufficient, "https://h/\r\nX: \"y\"\\\xC3\xA9 z",
                       {"ok", "", "a b", "q\"", "b\\", "\xC3\xA9", "line\nbreak", "offline_access", "ok:2"});
  for (char c : field) EXPECT_TRUE(c >= ' ' && c < 0x7F) << static_cast<int>(c);
  auto read = parse_challenges(field);
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].find("scope"), "ok ok:2");
  EXPECT_EQ(read[0].find("resource_metadata"), "https://h/%0D%0AX:%20%22y%22%5C%C3%A9%20z");
  EXPECT_EQ(read[0].find("error"), "insufficient_scope");
}

TEST(DpopChallenge, NamesItsErrorsAndTheAlgorithms) {
  constexpr algorithm algorithms[] = {algorithm::es256, algorithm::eddsa};
  EXPECT_EQ(dpop_challenge(errc::token_missing, "https://a.example/m", {"mcp"}, algorithms),
            R"(DPoP scope="mcp", resource_metadata="https://a.example/m", algs="ES256 EdDSA")");
  for (auto [code, name] : {std::pair{errc::dpop_proof_invalid, "invalid_dpop_proof"},
                            {errc::dpop_proof_replayed, "invalid_dpop_proof"},
                            {errc::dpop_nonce_needed, "use_dpop_nonce"},
                            {errc::token_binding_missing, "invalid_token"},
                            {errc::token_expired, "invalid_token"}}) {
    auto challenges = parse_challenges(dpop_challenge(code, "", {}, algorithms));
    ASSERT_EQ(challenges.size(), 1u);
    EXPECT_EQ(challenges[0].scheme, "DPoP");
    EXPECT_EQ(challenges[0].find("error"), name);
    EXPECT_EQ(challenges[0].find("algs"), "ES256 EdDSA");
  }
  // A Bearer challenge has no word for them.
  EXPECT_EQ(bearer_challenge(errc::dpop_nonce_needed, "", {}), "Bearer realm=\"mcp\"");
}

TEST(ErrorBody, SaysWhatTheChallengeSays) {
  EXPECT_EQ(
      json::serialize(error_body(errc::scope_insufficient, {"tools:write"})),
      R"({"error":"insufficient_scope","error_description":"The token lacks a scope that this call needs",)"
      R"("required_scopes":["tools:write"]})");
  EXPECT_EQ(json::serialize(error_body(errc::token_expired, {})),
            R"({"error":"invalid_token","error_description":"expired"})");
}

TEST(ErrorBody, NamesTheSymptomWhereNoOAuthErrorFits) {
  EXPECT_EQ(json::serialize(error_body(errc::token_missing, {})),
            R"({"error":"token_missing","error_description":"Authorization required"})");
}

std::string shown(const std::vector<challenge>& challenges) {
  std::string text;
  for (const auto& c : challenges) {
    text += c.scheme;
    if (!c.token68.empty()) text += "<" + c.token68 + ">";
    for (const auto& [name, value] : c.parameters) text += "[" + name + "=" + value + "]";
    text += ";";
  }
  return text;
}

TEST(ParseChallenges, ReadsWhatServersSend) {
  struct row {
    std::string_view value, read;
  };
  for (auto [value, read] : {
           row{R"(Bearer)", "Bearer;"},
           row{R"(Bearer resource_metadata="https://h/x?a=1,2")",
               "Bearer[resource_metadata=https://h/x?a=1,2];"},
           row{R"(bearer REALM = "a" , Error=invalid_token)", "bearer[realm=a][error=invalid_token];"},
           row{R"(Basic realm="one", Bearer realm="two", scope="a b")",
               "Basic[realm=one];Bearer[realm=two][scope=a b];"},
           row{R"(Negotiate, Bearer scope=a)", "Negotiate;Bearer[scope=a];"},
           row{R"(Negotiate YIIab+/==, NTLM)", "Negotiate<YIIab+/==>;NTLM;"},
           row{R"(Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple")",
               R"(Newauth[realm=apps][type=1][title=Login to "apps"];Basic[realm=simple];)"},
           row{R"(, ,Bearer ,realm="a",, error="b",)", "Bearer[realm=a][error=b];"},
           row{R"(Bearer realm="")", "Bearer[realm=];"},
           row{R"(Bearer realm=)", "Bearer<realm=>;"},
           row{R"(DPoP algs="ES256 PS256", error="use_dpop_nonce")",
               "DPoP[algs=ES256 PS256][error=use_dpop_nonce];"},
           row{"Bearer  realm=\"tab\there\"", "Bearer[realm=tab\there];"},
           row{"Bearer realm=\"caf\xC3\xA9\"", "Bearer[realm=caf\xC3\xA9];"},
       }) {
    EXPECT_EQ(shown(parse_challenges(value)), read) << value;
  }
}

TEST(ParseChallenges, EndsWhereTheSyntaxBreaks) {
  struct row {
    std::string_view value, read;
  };
  for (auto [value, read] : {
           row{"", ""},
           row{" , ,", ""},
           row{"=", ""},
           row{"\"Bearer\"", ""},
           row{R"(resource_metadata="https://h/x")", ""},  // a field without a scheme
           row{R"(Basic realm="x", Bearer realm="open)", "Basic[realm=x];Bearer;"},
           row{R"(Bearer realm="open\)", "Bearer;"},
           row{R"(Bearer realm="a" error="b")", "Bearer[realm=a];"},
           row{R"(Bearer abc def)", "Bearer;"},
           row{R"(Bearer abc, realm="x")", "Bearer<abc>;"},
           row{R"(Bearer realm="a"; error=b)", "Bearer[realm=a];"},
           row{"Bearer realm=\"a\nb\"", "Bearer;"},
           row{"Bearer realm=\"a\\\x01\"", "Bearer;"},
           row{"Bearer\trealm=x", "Bearer;"},
           row{R"(Bearer ="x")", ""},
           row{R"(Bearer realm=="x")", "Bearer;"},
       }) {
    EXPECT_EQ(shown(parse_challenges(value)), read) << value;
  }
}

TEST(ParsedChallenge, GivesNoValueForARepeatedParameter) {
  auto read =
      parse_challenges(R"(Bearer resource_metadata="https://a/", Resource_Metadata="https://b/", scope=a)");
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].find("resource_metadata"), std::nullopt);
  EXPECT_EQ(read[0].find("SCOPE"), "a");
  EXPECT_EQ(read[0].find("error"), std::nullopt);
}

}  // namespace
}  // namespace mcp_oauth
