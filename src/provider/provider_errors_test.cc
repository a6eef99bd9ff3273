#include "provider/provider_errors.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What the providers send, as their documentation shows it.
TEST(ProviderErrors, AreRecognised) {
  struct row {
    const char* words;
    errc code;
    const char* fix;
  };
  for (const auto& [words, code, fix] : {
           row{"redirect_uri_mismatch", errc::provider_redirect_uri_mismatch,
               "register exactly this: https://mcp.example.com/auth/callback"},
           row{"access_not_configured: The API is not enabled for your project",
               errc::provider_setup_incomplete, "apis/library"},
           row{"org_internal", errc::provider_account_refused, "External"},
           row{"admin_policy_enforced", errc::provider_account_refused, "client id the-client"},
           row{"invalid_client: AADSTS50011: The redirect URI 'x' specified in the request does not match",
               errc::provider_redirect_uri_mismatch, "add exactly https://mcp.example.com/auth/callback."},
           row{"invalid_client: AADSTS500113: No reply address is registered for the application.",
               errc::provider_redirect_uri_mismatch, "https://mcp.example.com/auth/callback"},
           row{"access_denied: AADSTS65001: The user or administrator has not consented",
               errc::provider_consent_missing, "/common/adminconsent?client_id=the-client"},
           row{"consent_required: AADSTS90094: Admin consent is required", errc::provider_consent_missing,
               "/common/adminconsent?client_id=the-client"},
           row{"unauthorized_client: AADSTS700016: Application with identifier",
               errc::provider_client_refused, "the-client"},
           row{"invalid_client: AADSTS7000215: Invalid client secret provided.",
               errc::provider_client_refused, "providers.work.client_secret to its Value"},
           row{"invalid_client: AADSTS7000222: The provided client secret keys are expired.",
               errc::provider_client_refused, "Create a new one"},
           row{"invalid_request: AADSTS900144: The request body must contain",
               errc::provider_setup_incomplete, "client_id and scopes"},
           row{"invalid_target: AADSTS9010010: The resource parameter doesn't match",
               errc::provider_setup_incomplete, "scopes"},
           row{"invalid_request: AADSTS50020: User account from identity provider does not exist in tenant",
               errc::provider_account_refused, "guest"},
           row{"invalid_request: AADSTS50194: Application is not configured as a multi-tenant application.",
               errc::provider_setup_incomplete, "providers.work.tenant_id"},
           row{"invalid_grant: AADSTS70008: The provided authorization code has expired",
               errc::provider_sign_in_needed, "clocks"},
           row{"invalid_grant: AADSTS700082: The refresh token has expired due to inactivity.",
               errc::provider_sign_in_needed, "Sign in again"},
           row{"invalid_grant: AADSTS50173: The provided grant has expired due to it being revoked",
               errc::provider_sign_in_needed, "Sign in again"},
           row{"redirect_uri_mismatch: The redirect_uri MUST match the registered callback URL for this "
               "application.",
               errc::provider_redirect_uri_mismatch, "https://mcp.example.com/auth/callback"},
           row{"The redirect_uri MUST match the registered callback URL",
               errc::provider_redirect_uri_mismatch,
               "Authorization callback URL to exactly https://mcp.example.com/auth/callback"},
           row{"bad_verification_code: The code passed is incorrect or expired.",
               errc::provider_sign_in_needed, "Sign in again"},
           row{"incorrect_client_credentials: The client_id and/or client_secret passed are incorrect.",
               errc::provider_client_refused, "providers.work.client_secret"},
           row{"bad_refresh_token", errc::provider_sign_in_needed, "Sign in again"},
           row{"invalid_grant", errc::provider_code_lost, "Sign in again"},
           row{"access_denied", errc::provider_refused, "allow it"},
           row{"login_required", errc::provider_sign_in_needed, "prompt: none"},
           row{"consent_required", errc::provider_consent_missing, "prompt: none"},
           row{"interaction_required", errc::provider_sign_in_needed, "prompt: none"},
           row{"temporarily_unavailable", errc::provider_unreachable, "minute"},
           row{"INVALID_CLIENT", errc::provider_client_refused, "the-client"},
       }) {
    const auto* known = explain_provider_error(words);
    ASSERT_NE(known, nullptr) << words;
    EXPECT_EQ(known->code, code) << words;
    deployment_values here{"https://mcp.example.com/auth/callback", "the-client", "work", "common",
                           "the console"};
    EXPECT_THAT(with_values(known->fix, here), HasSubstr(fix)) << words;
  }
}

TEST(ProviderErrors, AreNotSeenInLongerOnes) {
  for (const char* words : {"", "AADSTS5001", "AADSTS500110", "XAADSTS50011", "invalid_client_metadata",
                            "my_access_denied", "something else", "redirect_uri MUST match"}) {
    EXPECT_EQ(explain_provider_error(words), nullptr) << words;
  }
}

TEST(ProviderErrors, HaveWordsWithoutGapsForEveryRow) {
  std::set<std::string_view> seen;
  deployment_values here{"CALLBACK", "CLIENT", "NAME", "TENANT", "CONSOLE"};
  for (const auto& row : provider_explanations()) {
    EXPECT_TRUE(seen.insert(row.pattern).second) << row.pattern << " stands twice";
    EXPECT_EQ(explain_provider_error(row.pattern), &row) << row.pattern << " is hidden by another";
    for (auto text : {row.cause, row.fix}) {
      EXPECT_FALSE(text.empty()) << row.pattern;
      EXPECT_THAT(with_values(text, here), Not(HasSubstr("{"))) << row.pattern;
      EXPECT_THAT(with_values(text, {}), Not(HasSubstr("{"))) << row.pattern;
    }
  }
}

TEST(ProviderErrors, TakeAValueAsItIs) {
  EXPECT_EQ(with_values("{name} {callback_url}", {"https://a/{name}", "", "x{client_id}", "", ""}),
            "x{client_id} https://a/{name}")
      << "what a value holds is not looked at again";
}

}  // namespace
}  // namespace mcp_oauth
