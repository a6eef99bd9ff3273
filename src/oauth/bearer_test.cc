#include "oauth/bearer.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

result<std::string_view> token_of(std::string_view authorization, std::string_view query = "") {
  field fields[] = {{"Host", "mcp.example.com"}, {"Authorization", authorization}};
  return bearer_token(fields, query);
}

TEST(BearerToken, IsFoundWhateverTheCaseOfNameAndScheme) {
  for (std::string_view value : {"Bearer abc", "bearer abc", "bEaReR abc", "BEARER    abc", "Bearer abc  "}) {
    for (std::string_view name : {"Authorization", "authorization", "AUTHORIZATION"}) {
      field fields[] = {{name, value}};
      EXPECT_EQ(bearer_token(fields, "").value_or("refused"), "abc") << name << ": " << value;
    }
  }
}

TEST(BearerToken, MayHoldEveryCharacterOfToken68) {
  std::string_view token = "AZaz09-._~+/==";
  EXPECT_EQ(token_of("Bearer " + std::string(token)).value_or("refused"), token);
}

TEST(BearerToken, IsRefusedByTheKindOfMistake) {
  struct row {
    std::string_view value;
    errc code;
  };
  for (auto [value, code] : {
           row{"", errc::token_missing},
           row{"eyJhbGciOiJFUzI1NiJ9.e30.c2ln", errc::token_malformed},
           row{"Basic dXNlcjpwYXNz", errc::authorization_scheme_unsupported},
           row{"DPoP abc", errc::authorization_scheme_unsupported},
           row{"Token abc", errc::authorization_scheme_unsupported},
           row{"Bearerabc", errc::token_malformed},
           row{"Bearer\tabc", errc::token_malformed},
           row{"Bearer:abc", errc::token_malformed},
           row{"\"Bearer abc\"", errc::authorization_scheme_unsupported},
           row{"Bearer", errc::token_malformed},
           row{"Bearer ", errc::token_malformed},
           row{"Bearer =", errc::token_malformed},
           row{"Bearer a b", errc::token_malformed},
           row{"Bearer Bearer abc", errc::token_malformed},
           row{"Bearer \"abc\"", errc::token_malformed},
           row{"Bearer 'abc'", errc::token_malformed},
           row{"Bearer <abc>", errc::token_malformed},
           row{"Bearer abc, Bearer def", errc::token_malformed},
           row{"Bearer a=b", errc::token_malformed},
           row{"Bearer abc%3D", errc::token_malformed},
           row{"Bearer a\xC3\xA9", errc::token_malformed},
           row{"Bearer \tabc", errc::token_malformed},
       }) {
    auto token = token_of(value);
    ASSERT_FALSE(token) << value;
    EXPECT_EQ(token.error().code, code) << value;
  }
  auto with_nul = token_of(std::string_view("Bearer a\0b", 10));
  ASSERT_FALSE(with_nul);
  EXPECT_EQ(with_nul.error().code, errc::token_malformed);
}

TEST(BearerToken, IsMissingWithoutTheField) {
  field fields[] = {{"Host", "mcp.example.com"}, {"X-Authorization", "Bearer abc"}};
  EXPECT_EQ(bearer_token(fields, "").error().code, errc::token_missing);
  EXPECT_EQ(bearer_token({}, "").error().code, errc::token_missing);
}

TEST(BearerToken, MayStandOnlyOnce) {
  field same[] = {{"Authorization", "Bearer abc"}, {"authorization", "Bearer abc"}};
  EXPECT_EQ(bearer_token(same, "").error().code, errc::credentials_repeated);
  field mixed[] = {{"Authorization", "Basic dTpw"}, {"Authorization", "Bearer abc"}};
  EXPECT_EQ(bearer_token(mixed, "").error().code, errc::credentials_repeated);
}

TEST(BearerToken, InTheQueryNeverCounts) {
  for (auto query : {"access_token=abc", "a=1&access_token=abc", "access%5Ftoken=abc", "%61ccess_token",
                     "bad=%&access_token=x"}) {
    EXPECT_EQ(bearer_token({}, query).error().code, errc::token_missing) << query;
    EXPECT_EQ(token_of("Bearer abc", query).error().code, errc::credentials_repeated) << query;
  }
  for (auto query : {"", "access_tokens=1", "x=access_token", "ACCESS_TOKEN=1", "bad=%"}) {
    EXPECT_EQ(token_of("Bearer abc", query).value_or("refused"), "abc") << query;
  }
}

TEST(BearerToken, DoesNotEndUpInTheDetail) {
  for (auto value : {"sekret", "Basic sekret", "Bearer sekret sekret", "Bearer \"sekret\""}) {
    EXPECT_EQ(token_of(value).error().detail.find("sekret"), std::string::npos) << value;
  }
}

TEST(BearerOrDpopToken, KnowsBothSchemesAndSaysWhich) {
  for (auto [value, scheme] : {std::pair{"Bearer abc", token_scheme::bearer},
                               {"DPoP abc", token_scheme::dpop},
                               {"dpop abc", token_scheme::dpop}}) {
    field fields[] = {{"Authorization", value}};
    auto found = bearer_or_dpop_token(fields, "");
    ASSERT_TRUE(found) << value;
    EXPECT_EQ(found->token, "abc");
    EXPECT_EQ(found->scheme, scheme) << value;
  }
  for (auto [value, code] : {std::pair{"DPoP", errc::token_malformed},
                             {"DPoP a b", errc::token_malformed},
                             {"Basic abc", errc::authorization_scheme_unsupported},
                             {"", errc::token_missing}}) {
    field fields[] = {{"Authorization", value}};
    EXPECT_EQ(bearer_or_dpop_token(fields, "").error().code, code) << value;
  }
  field both[] = {{"Authorization", "DPoP abc"}, {"Authorization", "Bearer abc"}};
  EXPECT_EQ(bearer_or_dpop_token(both, "").error().code, errc::credentials_repeated);
}

}  // namespace
}  // namespace mcp_oauth
