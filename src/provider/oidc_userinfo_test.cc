#include "base/json.h"
#include "provider/oidc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

http_answer json_answer(std::string body, int status = 200) {
  return {status, {{"Content-Type", "application/json; charset=UTF-8"}}, std::move(body)};
}

// What a provider says with every claim it has, one replaced; an empty text removes it.
std::string claims_with(std::string_view name = "x", std::string_view value_json = "") {
  auto claims = parse_json_object(R"({"sub":"248289761001","email":"ada@example.com","email_verified":true,
      "name":"Ada","preferred_username":"ada","groups":["staff"]})")
                    .value();
  claims.erase({name.data(), name.size()});
  if (!value_json.empty()) claims[{name.data(), name.size()}] = parse_json(value_json).value();
  return json::serialize(claims);
}

identity nameless() { return {"corp", "248289761001", "", false, "", "", {}}; }

TEST(OidcUserinfoRequest, CarriesTheAccessTokenInItsHeaderOnly) {
  provider_metadata idp;
  idp.userinfo_endpoint = "https://idp.example.com/userinfo?tenant=1";
  auto call = userinfo_request(idp, secret("at-1"));
  EXPECT_EQ(call.method, "GET");
  EXPECT_EQ(call.url, "https://idp.example.com/userinfo?tenant=1");
  EXPECT_EQ(call.fields.only("authorization"), "Bearer at-1");
  EXPECT_EQ(call.fields.only("accept"), "application/json");
  EXPECT_EQ(call.body, "");
}

TEST(OidcUserinfo, FillsWhatTheIdTokenLeftEmpty) {
  auto who = process_userinfo_answer(nameless(), json_answer(claims_with()));
  ASSERT_TRUE(who) << who.error().detail;
  EXPECT_EQ(*who, (identity{"corp", "248289761001", "ada@example.com", true, "Ada", "ada", {"staff"}}));
}

TEST(OidcUserinfo, ReplacesNothingThatTheIdTokenSays) {
  identity said{"corp", "248289761001", "eve@example.net", true, "Eve", "eve", {"guests"}};
  EXPECT_EQ(process_userinfo_answer(said, json_answer(claims_with())), said);
  auto partly = said;
  partly.name = "";
  partly.groups = {};
  auto completed = said;
  completed.name = "Ada";
  completed.groups = {"staff"};
  EXPECT_EQ(process_userinfo_answer(partly, json_answer(claims_with())), completed);
}

TEST(OidcUserinfo, NeverVerifiesAnAddressThatAnotherSourceNamed) {
  struct row {
    std::string_view why;
    std::string email;
    bool verified;
    std::string body;
    std::string expected_email;
    bool expected_verified;
  };
  for (const auto& [why, email, verified, body, expected_email, expected_verified] : {
           row{"the token's address, verified by userinfo", "ada@example.com", false, claims_with(),
               "ada@example.com", false},
           row{"another address, verified by userinfo", "eve@example.net", false, claims_with(),
               "eve@example.net", false},
           row{"userinfo's address, verified by the token", "", true, claims_with("email_verified"),
               "ada@example.com", false},
           row{"userinfo's address, which it calls unverified", "", true,
               claims_with("email_verified", "false"), "ada@example.com", false},
           row{"the token's address, which userinfo calls unverified", "ada@example.com", true,
               claims_with("email_verified", "false"), "ada@example.com", true},
           row{"no address in userinfo", "", false, claims_with("email"), "", false},
           row{"an empty address in userinfo", "", false, claims_with("email", R"("")"), "", false},
           row{"both from userinfo", "", false, claims_with(), "ada@example.com", true},
       }) {
    auto said = nameless();
    said.email = email;
    said.email_verified = verified;
    auto who = process_userinfo_answer(said, json_answer(body));
    ASSERT_TRUE(who) << why;
    EXPECT_EQ(who->email, expected_email) << why;
    EXPECT_EQ(who->email_verified, expected_verified) << why;
  }
}

TEST(OidcUserinfo, IsAboutThePersonOfTheIdToken) {
  for (auto sub :
       {"", "null", R"("")", R"("248289761002")", R"("248289761001 ")", R"("24828976100")", "248289761001",
        R"(["248289761001"])", R"({"a":"248289761001"})", R"("248289761001\u0000")", "true"}) {
    auto who = process_userinfo_answer(nameless(), json_answer(claims_with("sub", sub)));
    ASSERT_FALSE(who) << sub;
    EXPECT_EQ(who.error().code, errc::provider_token_invalid) << sub;
    EXPECT_THAT(who.error().detail, HasSubstr("sub")) << sub;
  }
  auto lower = nameless();
  lower.subject = "ada";
  EXPECT_FALSE(process_userinfo_answer(lower, json_answer(claims_with("sub", R"("Ada")"))));
  auto nobody = nameless();
  nobody.subject = "";
  EXPECT_FALSE(process_userinfo_answer(nobody, json_answer(claims_with("sub", R"("")"))))
      << "two empty subjects are nobody";
}

TEST(OidcUserinfo, IgnoresClaimsOfAnotherType) {
  for (auto name : {"email", "name", "preferred_username", "groups"}) {
    for (auto value : {"7", "null", "true", R"({"a":"b"})", R"([7])"}) {
      auto who = process_userinfo_answer(nameless(), json_answer(claims_with(name, value)));
      auto expected = process_userinfo_answer(nameless(), json_answer(claims_with(name)));
      ASSERT_TRUE(who && expected) << name << value;
      EXPECT_EQ(*who, *expected) << name << value;
    }
  }
}

TEST(OidcUserinfo, SaysWhyAnAnswerIsNotUsedWithoutQuotingIt) {
  struct row {
    int status;
    std::string content_type;
    std::string body;
    errc code;
    std::string_view detail;
  };
  const std::string json = "application/json", good = claims_with();
  for (const auto& [status, content_type, body, code, detail] : {
           row{401, json, R"({"error":"invalid_token","sub":"secret words"})", errc::provider_refused,
               "status 401"},
           row{403, json, good, errc::provider_refused, "status 403"},
           row{302, json, good, errc::provider_refused, "status 302"},
           row{201, json, good, errc::provider_refused, "status 201"},
           row{429, json, good, errc::provider_unreachable, "status 429"},
           row{503, json, good, errc::provider_unreachable, "status 503"},
           row{200, "application/jwt", "e30.e30.secret", errc::provider_token_invalid, "JWT"},
           row{200, "Application/JWT; x=1", good, errc::provider_token_invalid, "JWT"},
           row{200, "", good, errc::provider_token_invalid, "not application/json"},
           row{200, "text/html", good, errc::provider_token_invalid, "not application/json"},
           row{200, "text/html; application/json", good, errc::provider_token_invalid,
               "not application/json"},
           row{200, "application/jsonp", good, errc::provider_token_invalid, "not application/json"},
           row{200, json, "", errc::provider_token_invalid, "no JSON object"},
           row{200, json, "[" + good + "]", errc::provider_token_invalid, "no JSON object"},
           row{200, json, "\"secret\"", errc::provider_token_invalid, "no JSON object"},
           row{200, json, good + good, errc::provider_token_invalid, "no JSON object"},
           row{200, json, good.substr(0, good.size() - 1), errc::provider_token_invalid, "no JSON object"},
           row{200, json, R"({"sub":"248289761001","sub":"secret"})", errc::provider_token_invalid,
               "no JSON object"},
           row{200, json, "{\"sub\":\"248289761001\",\"name\":\"\xFF\"}", errc::provider_token_invalid,
               "no JSON object"},
           row{200, json, R"({"sub":"secret"})", errc::provider_token_invalid, "sub"},
       }) {
    http_answer answer{status, {}, body};
    if (!content_type.empty()) answer.fields.add("Content-Type", content_type);
    auto who = process_userinfo_answer(nameless(), answer);
    ASSERT_FALSE(who) << status << content_type << body;
    EXPECT_EQ(who.error().code, code) << status << content_type << body;
    EXPECT_THAT(who.error().detail, HasSubstr(detail)) << status << content_type << body;
    EXPECT_THAT(who.error().detail, Not(HasSubstr("secret")));
  }
  http_answer two{200, {{"Content-Type", json}, {"Content-Type", "text/html"}}, good};
  EXPECT_FALSE(process_userinfo_answer(nameless(), two)) << "two media types are none";
}

}  // namespace
}  // namespace mcp_oauth
