#include "symptom/catalogue.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Catalogue, EveryCodeExplainsItself) {
  for (int i = 0; i < static_cast<int>(errc::count_); ++i) {
    const auto& row = explain(static_cast<errc>(i));
    EXPECT_EQ(static_cast<int>(row.code), i);
    EXPECT_FALSE(row.cause.empty()) << row.name;
    EXPECT_FALSE(row.fix.empty()) << row.name;
  }
}

TEST(Catalogue, IdsAreUnique) {
  std::set<std::string_view> ids;
  for (const auto& row : catalogue()) EXPECT_TRUE(ids.insert(row.id).second) << row.id;
}

// RFC 6750 §3 and RFC 6749 §5.2 allow these characters in error and error_description.
TEST(Catalogue, WireWordsNeedNoEscaping) {
  for (const auto& row : catalogue()) {
    for (char c : std::string(row.oauth_error) + std::string(row.description)) {
      EXPECT_TRUE(c >= 0x20 && c <= 0x7E && c != '"' && c != '\\') << row.name;
    }
  }
}

// RFC 6750 §3.1: a request without credentials gets no error code.
TEST(Catalogue, MissingTokenHasNoErrorCode) {
  EXPECT_EQ(explain(errc::token_missing).status, 401);
  EXPECT_EQ(explain(errc::token_missing).oauth_error, "");
}

TEST(Catalogue, TheGuidesWordsStand) {
  EXPECT_NE(explain(errc::state_invalid).description.find("Invalid state"), std::string_view::npos);
  EXPECT_EQ(explain(errc::pkce_method_plain).description, "code_challenge_method 'plain' is not supported");
  EXPECT_EQ(explain(errc::pkce_missing).description, "PKCE is required for this client");
  EXPECT_EQ(explain(errc::pkce_mismatch).description, "code_verifier does not match code_challenge");
  EXPECT_EQ(explain(errc::token_issuer_mismatch).description, "issuer mismatch");
  EXPECT_EQ(explain(errc::token_audience_mismatch).description, "audience mismatch");
}

}  // namespace
}  // namespace mcp_oauth
