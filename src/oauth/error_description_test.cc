#include "oauth/error_description.h"

#include "symptom/catalogue.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(ErrorDescription, NamesWhatIsOurs) {
  struct {
    errc code;
    const char* detail;
    const char* says;
  } cases[] = {
      {errc::parameter_missing, "client_id", "A required parameter is missing: client_id"},
      {errc::parameter_repeated, "scope", "A parameter stands more than once: scope"},
      {errc::parameter_malformed, "state", "A parameter is malformed: state"},
      {errc::parameter_malformed, "prompt: none beside another word", "A parameter is malformed: prompt"},
      {errc::parameter_malformed, "code stands in the query",
       "A parameter is malformed: code belongs into the body, not into the query"},
      {errc::parameter_too_long, "redirect_uri", "A parameter is too long: redirect_uri"},
      {errc::http_media_type_unsupported, "not a form in UTF-8",
       "The Content-Type is not supported: send application/x-www-form-urlencoded"},
      {errc::http_media_type_unsupported, "not application/json",
       "The Content-Type is not supported: send application/json"},
      {errc::registration_malformed, "grant_types: of another type",
       "The client metadata is malformed: grant_types"},
      {errc::redirect_uri_refused, "a fragment", "The redirect URI is not acceptable: it has a fragment"},
      {errc::registration_redirect_refused, "redirect_uris is missing or empty",
       "No redirect URI is acceptable: redirect_uris is missing or empty"},
      {errc::registration_redirect_refused,
       "redirect_uris[0]: plain http to a host that is not loopback; redirect_uris[1]: a fragment",
       "No redirect URI is acceptable: redirect_uris[0]: plain http to a host that is not loopback"},
      {errc::registration_redirect_refused, "redirect_uris[3]: its query: broken percent-encoding",
       "No redirect URI is acceptable: redirect_uris[3]"},
      {errc::state_invalid, "the callback has no state parameter",
       "Invalid state: State parameter mismatch or missing: the callback has no state parameter; in a shell, "
       "quote the URL, & ends the command"},
  };
  for (const auto& c : cases) EXPECT_EQ(error_description({c.code, c.detail}), c.says);
}

TEST(ErrorDescription, ShowsNothingOfARequest) {
  struct {
    errc code;
    const char* detail;
  } cases[] = {
      {errc::parameter_missing, "client_id2"},
      {errc::parameter_repeated, "made_up"},
      {errc::parameter_repeated, ""},
      {errc::parameter_malformed, "broken percent-encoding"},
      {errc::parameter_malformed, "Client_id"},
      {errc::registration_malformed, "line 1: made_up"},
      {errc::redirect_uri_refused, "made up"},
      {errc::registration_redirect_refused, "redirect_uris[x]: a fragment"},
      {errc::registration_redirect_refused, "redirect_uris[99999999999999999999]: a fragment"},
      {errc::state_invalid, "the login was already finished"},
      {errc::code_invalid, "client_id"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(error_description({c.code, c.detail}), explain(c.code).description);
  }
  for (auto code : {errc::redirect_uri_refused, errc::registration_redirect_refused}) {
    auto detail = code == errc::redirect_uri_refused ? "scheme evil" : "redirect_uris[0]: scheme evil";
    EXPECT_THAT(error_description({code, detail}), testing::Not(testing::HasSubstr("evil")));
  }
}

TEST(ErrorDescription, HoldsOnlyWhatTheStandardLetsItHold) {
  for (const auto& row : catalogue()) {
    for (auto detail : {"client_id", "a fragment", "redirect_uris[1]: a fragment", "not application/json",
                        "the callback has no state parameter"}) {
      auto words = error_description({row.code, detail});
      EXPECT_TRUE(std::all_of(words.begin(), words.end(), [](char c) {
        return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
      })) << words;
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
