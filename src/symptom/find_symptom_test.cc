#include "symptom/find_symptom.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::string first_of(std::string_view text) {
  auto found = find_symptoms(text, 5);
  return found.empty() ? "" : std::string(found[0].row->name);
}

std::vector<std::string> names_of(std::string_view text) {
  std::vector<std::string> names;
  for (const auto& one : find_symptoms(text, 5)) names.emplace_back(one.row->name);
  return names;
}

struct met {
  std::string_view text, name;
};

// As the five guides print them.
TEST(FindSymptom, LeadsFromTheTextsOfTheGuidesToTheRow) {
  for (auto [text, name] : std::initializer_list<met>{
           {"Authentication required: missing OAuth token", "token_missing"},
           {"Authentication failed: invalid token", "token_expired"},
           {"invalid config: provider is required", "config_invalid"},
           {"invalid config: JWTSecret is required for HMAC provider", "config_invalid"},
           {"invalid config: Issuer is required for OIDC provider", "config_invalid"},
           {"invalid config: proxy mode requires ClientID", "config_invalid"},
           {"must be 'native' or 'proxy', got: both", "config_invalid"},
           {"Failed to initialize OIDC provider", "issuer_metadata_invalid"},
           {"Invalid redirect URI", "redirect_uri_refused"},
           {"redirect_uri_mismatch", "provider_redirect_uri_mismatch"},
           {"Panic: \"invalid memory address or nil pointer dereference\"", "internal"},
           {"Token exchange failed", "code_invalid"},
           {"OAuth redirect URI mismatch", "provider_redirect_uri_mismatch"},
           {"Error: redirect_uri_mismatch\nThe redirect URI in the request does not match the one registered",
            "provider_redirect_uri_mismatch"},
           {"Invalid state parameter", "state_invalid"},
           {"Error: invalid_state\nState parameter mismatch or missing", "state_invalid"},
           {"Error: token_expired\nAccess token has expired and refresh failed", "refresh_expired"},
           {"Invalid token signature", "token_signature_invalid"},
           {"Error: invalid_signature\nToken signature verification failed", "token_signature_invalid"},
           {"Error: malformed_token\nToken does not match expected format", "token_malformed"},
           {"Error: ECONNREFUSED 127.0.0.1:5432\nCould not connect to PostgreSQL database",
            "store_unreachable"},
           {"Error: SQLITE_BUSY: database is locked", "store_busy"},
           {"Error: relation \"tokens\" does not exist", "store_tables_missing"},
           {"Error: no such table: sessions", "store_tables_missing"},
           {"Error: connect ECONNREFUSED 127.0.0.1:3000\nFailed to proxy request to MCP server",
            "upstream_refused"},
           {"Error: timeout of 30000ms exceeded\nMCP server did not respond in time", "upstream_timeout"},
           {"Error: invalid_protocol\nMCP server response does not match expected format",
            "upstream_not_mcp"},
           {"Error 403: access_not_configured\nThe API is not enabled for your project",
            "provider_setup_incomplete"},
           {"AADSTS50011: The reply URL specified in the request does not match",
            "provider_redirect_uri_mismatch"},
           {"AADSTS65001: User consent required", "provider_consent_missing"},
           {"The redirect_uri MUST match the registered callback URL", "provider_redirect_uri_mismatch"},
           {"Error: refresh_token missing\nGitHub did not provide a refresh token", "refresh_token_missing"},
           {"PKCE code_verifier validation failed", "pkce_mismatch"},
           {"Error: invalid_grant\ncode_verifier does not match code_challenge", "pkce_mismatch"},
           {"Error: invalid_request\nPKCE is required for this client", "pkce_missing"},
           {"Error: invalid_request\ncode_challenge_method 'plain' is not supported", "pkce_method_plain"},
           {"MCP server returns 401 Unauthorized\nBut OAuth flow completed successfully", "upstream_not_mcp"},
           {"Access to fetch at 'http://localhost:8080' from origin 'http://localhost:3000'\nhas been "
            "blocked by CORS policy",
            "origin_refused"},
           {"Config file not found", "config_not_found"},
           {"Permission denied", "listen_denied"},
           {"Token is not a valid JWT format", "token_opaque"},
           {"Failed to fetch OIDC discovery document", "issuer_metadata_invalid"},
           {"Failed to fetch JWKS", "issuer_keys_unavailable"},
           {"Token validation failed: issuer mismatch", "token_issuer_mismatch"},
           {"Token validation failed: audience mismatch", "token_audience_mismatch"},
           {"Token expired", "token_expired"},
           {"401 invalid_token with \"audience mismatch\"", "token_audience_mismatch"},
           {"401 invalid_token with \"expired\"", "token_expired"},
           {"{\"error\":\"invalid_token\",\"error_description\":\"audience mismatch\"}",
            "token_audience_mismatch"},
           {"403 insufficient_scope", "scope_insufficient"},
           {"active = false from introspection", "token_inactive"},
           {"Service Unavailable: policy backend unavailable", "policy_unavailable"},
           {"OAuth2 token endpoint is not set; provide tokenUrl or enable discovery",
            "sign_in_metadata_missing"},
           {"UPSTREAM_TIMEOUT_MS must be an integer, got \"abc\"", "config_invalid"},
           {"oauth2.tokenUrl uses cleartext http to a non-loopback host (idp.example.com)",
            "sign_in_url_refused"},
           {"failed to acquire initial oauth2 token: Unknown client", "sign_in_token_refused"},
           {"mcp-oauth2-proxy: upstream timed out: 700 ms", "upstream_timeout"},
           {"mcp-oauth2-proxy: upstream returned 500", "upstream_status"}}) {
    EXPECT_EQ(first_of(text), name) << text << ": " << testing::PrintToString(names_of(text));
  }
}

TEST(FindSymptom, GivesEveryRowThatHasTheWords) {
  EXPECT_THAT(names_of("Authentication failed: invalid token"),
              testing::IsSupersetOf({"token_expired", "token_issuer_mismatch", "token_audience_mismatch",
                                     "token_signature_invalid"}));
  EXPECT_THAT(names_of("redirect_uri_mismatch"),
              testing::IsSupersetOf({"provider_redirect_uri_mismatch", "redirect_uri_mismatch"}));
}

TEST(FindSymptom, FindsTheDescriptionOfEveryRow) {
  for (const auto& row : catalogue()) {
    if (row.description.empty()) continue;
    auto found = find_symptoms(row.description, 10);
    EXPECT_TRUE(std::any_of(found.begin(), found.end(), [&](const auto& f) { return f.row == &row; }))
        << row.description;
    ASSERT_FALSE(found.empty());
    EXPECT_TRUE(found[0].exact) << row.description;
  }
}

TEST(FindSymptom, ReadsTheCodeOutOfALineOfTheLog) {
  EXPECT_EQ(first_of(R"({"level":"warn","symptom":"MOP-STA-001","reason":"state_invalid","path":"/x"})"),
            "state_invalid");
  EXPECT_EQ(first_of("see mop-aud-001, please"), "token_audience_mismatch");
}

TEST(FindSymptom, KnowsIdsAndNames) {
  ASSERT_NE(find_by_id("MOP-AUD-001"), nullptr);
  EXPECT_EQ(find_by_id("mop-aud-001"), find_by_id("token_audience_mismatch"));
  EXPECT_EQ(find_by_id("MOP-AUD-999"), nullptr);
  EXPECT_EQ(find_by_id(""), nullptr);
}

// A log says at its end what is wrong.
TEST(FindSymptom, ReadsTheEndOfALongText) {
  std::string line = "2026-11-29T19:00:00Z info request served in 3 ms\n", log;
  while (log.size() < 20'000) log += line;
  EXPECT_TRUE(find_symptoms(log, 5).empty());
  EXPECT_EQ(first_of(log + "audience mismatch\n"), "token_audience_mismatch");
  // An id is found wherever it stands, and of many the last ones.
  EXPECT_EQ(first_of("MOP-STA-001\n" + log), "state_invalid");
  std::string ids;
  for (const auto& row : catalogue()) ids += std::string(row.id) + "\n";
  EXPECT_EQ(names_of(ids).back(), catalogue().back().name);
}

// A word that is everywhere is no message.
TEST(FindSymptom, SaysNothingOfWordsThatSayNothing) {
  for (std::string_view word : {"a", "the", "of", "is", "not", "it is", "The"})
    EXPECT_TRUE(find_symptoms(word, 5).empty()) << word << ": " << first_of(word);
  for (std::string_view word : {"ECONNREFUSED", "audience", "token_audience_mismatch", "AADSTS50011"})
    EXPECT_FALSE(find_symptoms(word, 5).empty()) << word;
}

// A wrong answer is worse than none.
TEST(FindSymptom, SaysNothingOfWhatItDoesNotKnow) {
  for (std::string_view text : {"", "   ", "127.0.0.1:8080", "segmentation fault in libfoo",
                                "the quick brown fox jumps over the lazy dog", "\xFF\xFE\x00"}) {
    EXPECT_TRUE(find_symptoms(text, 5).empty()) << text << ": " << first_of(text);
  }
}

TEST(FindSymptom, IsBoundedWhateverIsPasted) {
  std::string much(5'000'000, 'x');
  EXPECT_TRUE(find_symptoms(much, 5).empty());
  std::string words;
  for (int i = 0; i < 100'000; ++i) words += "token expired ";
  EXPECT_LE(find_symptoms(words, 3).size(), 3U);
}

TEST(KnownWords, EachNamesItsGuideAndLeadsHome) {
  for (const auto& known : all_known_words()) {
    if (known.from != guide::none) {
      EXPECT_FALSE(title_of(known.from).empty());
    }
    auto found = find_symptoms(known.text, 10);
    EXPECT_TRUE(std::any_of(found.begin(), found.end(), [&](const auto& f) {
      return f.row->code == known.code && f.exact;
    })) << known.text;
  }
  EXPECT_FALSE(known_words_of(errc::state_invalid).empty());
}

}  // namespace
}  // namespace mcp_oauth
