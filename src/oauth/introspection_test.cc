#include "oauth/introspection.h"

#include "base/base64url.h"
#include "base/form.h"
#include "oauth/certificate_binding.h"
#include "oauth/test_issuer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace test_issuer;

std::string counter(std::size_t size) { return std::string(size, 'r'); }

http_answer answer_of(std::string body, int status = 200) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

std::string active_with(std::string_view changes_json) {
  auto members = claims();
  members["active"] = true;
  auto changes = parse_json_object(changes_json).value();
  for (const auto& [name, value] : changes) {
    if (value.is_null()) {
      members.erase(name);
    } else {
      members[name] = value;
    }
  }
  return json::serialize(members);
}

TEST(IntrospectionRequest, ProvesWhoAsksInTheBodyOrTheHeader) {
  introspection_client client;
  client.client_id = "mcp:server";
  client.client_secret = secret("s3cr:et/&");
  auto basic = introspection_request("https://idp.example.com/introspect", client, "tok+en", now, counter);
  EXPECT_EQ(basic.method, "POST");
  EXPECT_EQ(basic.url, "https://idp.example.com/introspect");
  EXPECT_EQ(basic.fields.first("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(basic.fields.first("authorization"), "Basic " + base64_encode("mcp%3Aserver:s3cr%3Aet%2F%26"));
  auto body = form::parse(basic.body).value();
  EXPECT_EQ(body.find("token"), "tok+en");
  EXPECT_EQ(body.find("token_type_hint"), "access_token");
  EXPECT_FALSE(body.find("client_secret"));

  client.method = endpoint_authentication::client_secret_post;
  auto post = introspection_request("https://idp.example.com/introspect", client, "t", now, counter);
  body = form::parse(post.body).value();
  EXPECT_EQ(body.find("client_id"), "mcp:server");
  EXPECT_EQ(body.find("client_secret"), "s3cr:et/&");
  EXPECT_EQ(post.fields.count("authorization"), 0u);
}

TEST(IntrospectionRequest, MaySignAnAssertion) {
  introspection_client client;
  client.client_id = "mcp";
  client.method = endpoint_authentication::private_key_jwt;
  client.key = key();
  client.key_id = "k1";
  auto call = introspection_request("https://idp.example.com/introspect", client, "t", now, counter);
  auto body = form::parse(call.body).value();
  EXPECT_EQ(body.find("client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  auto assertion = parse_jws(body.find("client_assertion").value());
  ASSERT_TRUE(assertion);
  constexpr algorithm es256[] = {algorithm::es256};
  auto verified = verify_jws(*assertion, keys(), es256);
  ASSERT_TRUE(verified);
  auto said = parse_json_object(verified->payload()).value();
  EXPECT_EQ(said["iss"], "mcp");
  EXPECT_EQ(said["sub"], "mcp");
  EXPECT_EQ(said["aud"], "https://idp.example.com/introspect");
  EXPECT_EQ(said["exp"], issued_at + 60);
  EXPECT_EQ(text_member(said, "jti"), base64url_encode(counter(16)));
  client.audience = "https://idp.example.com";
  client.key_id = "";
  auto again = introspection_request("https://idp.example.com/introspect", client, "t", now, counter);
  auto second = parse_jws(form::parse(again.body)->find("client_assertion").value());
  EXPECT_EQ(second->header().kid, key().public_part().kid());
}

TEST(Introspection, SaysWhoComesAndWhatFor) {
  auto verified = process_introspection_answer(answer_of(active_with("{}")), rules(), {}, now);
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_EQ(verified->claims().subject, "ada");
  EXPECT_EQ(verified->claims().audience, "https://mcp.example.com/mcp");
  EXPECT_THAT(verified->claims().scopes, ElementsAre("tools:read", "tools:write"));
  EXPECT_EQ(to_unix(verified->claims().expires), issued_at + 600);
  auto without_issuer =
      process_introspection_answer(answer_of(active_with(R"({"iss":null})")), rules(), {}, now);
  ASSERT_TRUE(without_issuer);
  EXPECT_EQ(without_issuer->claims().issuer, "https://idp.example.com");
}

TEST(Introspection, AcceptsNothingButAClearYes) {
  struct row {
    std::string body;
    int status;
    errc code;
    const char* words;
  };
  for (const auto& [body, status, code, words] : {
           row{R"({"active":false})", 200, errc::token_inactive, ""},
           row{active_with(R"({"active":false})"), 200, errc::token_inactive, ""},
           row{active_with(R"({"active":null})"), 200, errc::introspection_failed, "active"},
           row{active_with(R"({"active":"true"})"), 200, errc::introspection_failed, "active"},
           row{active_with(R"({"active":1})"), 200, errc::introspection_failed, "active"},
           row{R"({"active":true,"active":false})", 200, errc::introspection_failed, "twice"},
           row{"[" + active_with("{}") + "]", 200, errc::introspection_failed, "not an object"},
           row{"true", 200, errc::introspection_failed, ""},
           row{"", 200, errc::introspection_failed, ""},
           row{"<!DOCTYPE html><title>Sign in</title>", 200, errc::introspection_failed, "web page"},
           row{active_with("{}") + "x", 200, errc::introspection_failed, ""},
           row{active_with("{}"), 201, errc::introspection_failed, "status 201"},
           row{active_with("{}"), 302, errc::introspection_failed, "redirect"},
           row{active_with("{}"), 401, errc::introspection_failed, "credentials"},
           row{active_with("{}"), 403, errc::introspection_failed, "credentials"},
           row{active_with("{}"), 404, errc::introspection_failed, "nothing is introspected"},
           row{active_with("{}"), 429, errc::introspection_failed, "too often"},
           row{active_with("{}"), 503, errc::introspection_failed, "status 503"},
           row{active_with(R"({"iss":"https://idp.example.com/"})"), 200, errc::token_issuer_mismatch,
               "slash"},
           row{active_with(R"({"iss":7})"), 200, errc::token_malformed, "iss"},
           row{active_with(R"({"aud":null})"), 200, errc::token_audience_absent, ""},
           row{active_with(R"({"aud":"other"})"), 200, errc::token_audience_mismatch, ""},
           row{active_with(R"({"exp":null})"), 200, errc::token_claim_missing, "exp"},
           row{active_with(R"({"exp":1789999940})"), 200, errc::token_expired, ""},
           row{active_with(R"({"exp":"soon"})"), 200, errc::token_malformed, "exp"},
           row{active_with(R"({"nbf":1790000061})"), 200, errc::token_not_yet_valid, ""},
           row{active_with(R"({"sub":null})"), 200, errc::token_claim_missing, "sub"},
           row{active_with(R"({"token_use":"refresh_token"})"), 200, errc::token_type_wrong, ""},
           row{active_with(R"({"typ":"Refresh"})"), 200, errc::token_type_wrong, ""},
           row{active_with(R"({"scope":1})"), 200, errc::token_malformed, "scope"},
           row{active_with(R"({"cnf":{"kid":"x"}})"), 200, errc::token_binding_missing, "cnf"},
       }) {
    auto verified = process_introspection_answer(answer_of(body, status), rules(), {}, now);
    ASSERT_FALSE(verified) << body;
    EXPECT_EQ(static_cast<int>(verified.error().code), static_cast<int>(code))
        << body << verified.error().detail;
    EXPECT_THAT(verified.error().detail, HasSubstr(words)) << body;
  }
}

TEST(Introspection, MayDoWithoutAnEndWhereThatIsConfigured) {
  auto endless = answer_of(active_with(R"({"exp":null})"));
  auto verified = process_introspection_answer(endless, rules(), {seconds(300)}, now);
  ASSERT_TRUE(verified);
  EXPECT_EQ(to_unix(verified->claims().expires), issued_at + 300);
  auto over =
      process_introspection_answer(answer_of(active_with(R"({"exp":1})")), rules(), {seconds(300)}, now);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, errc::token_expired);
}

TEST(Introspection, DecidesAboutScopesAlsoWhenItNamesNone) {
  auto jwt = verify_issuer_token(mint(claims()), keys(), rules(), now).value();
  struct row {
    const char* changes;
    std::vector<std::string> scopes;
  };
  for (const auto& [changes, scopes] :
       {row{R"({"active":true,"scope":"tools:read"})", {"tools:read"}},
        row{R"({"active":true,"scope":""})", {}}, row{R"({"active":true})", {}},
        row{R"({"active":true,"scope":[]})", {}},
        row{R"({"active":true,"scope":"more","sub":"ada"})", {"more"}}}) {
    auto both = process_introspection_answer(jwt, answer_of(changes), rules(), now);
    ASSERT_TRUE(both) << both.error().detail;
    EXPECT_EQ(both->claims().scopes, scopes) << changes;
    EXPECT_EQ(both->claims().subject, "ada");
    EXPECT_EQ(both->claims().audience, "https://mcp.example.com/mcp");
  }
}

TEST(Introspection, OfAJwtCanOnlyTakeAway) {
  auto jwt = verify_issuer_token(mint(claims()), keys(), rules(), now).value();
  auto bound = verify_issuer_token(mint_with(R"({"cnf":{"jkt":"a"}})"), keys(), rules(), now).value();
  auto judged = [&](const verified_token& token, const char* body, int status = 200) {
    return process_introspection_answer(token, answer_of(body, status), rules(), now);
  };
  EXPECT_EQ(to_unix(judged(jwt, R"({"active":true,"exp":1790000100})")->claims().expires), issued_at + 100);
  EXPECT_EQ(to_unix(judged(jwt, R"({"active":true,"exp":1790009999})")->claims().expires), issued_at + 600);
  EXPECT_EQ(judged(jwt, R"({"active":true,"cnf":{"jkt":"b"}})")->details()->key_thumbprint, "b");
  EXPECT_EQ(judged(bound, R"({"active":true})")->details()->key_thumbprint, "a");
  struct row {
    const char* body;
    errc code;
  };
  for (auto [body, code] :
       {row{R"({"active":false})", errc::token_inactive},
        row{R"({"active":true,"sub":"eve"})", errc::token_subject_mismatch},
        row{R"({"active":true,"iss":"https://evil.example"})", errc::token_issuer_mismatch},
        row{R"({"active":true,"aud":"other"})", errc::token_audience_mismatch},
        row{R"({"active":true,"aud":[]})", errc::token_audience_absent},
        row{R"({"active":true,"exp":1789999000})", errc::token_expired},
        row{R"({"active":true,"token_use":"refresh"})", errc::token_type_wrong},
        row{R"({"active":true,"scope":7})", errc::token_malformed},
        row{R"({"active":true,"cnf":{"jkt":"b"}})", errc::introspection_failed},
        row{R"({"active":true,"cnf":7})", errc::token_malformed}, row{"[]", errc::introspection_failed}}) {
    auto refused = judged(bound, body);
    ASSERT_FALSE(refused) << body;
    EXPECT_EQ(static_cast<int>(refused.error().code), static_cast<int>(code)) << body;
  }
  EXPECT_EQ(judged(jwt, R"({"active":true})", 500).error().code, errc::introspection_failed);
}

TEST(CertificateBinding, HoldsATokenToTheCertificateOfTheConnection) {
  auto thumbprint = certificate_thumbprint("DER");
  EXPECT_EQ(thumbprint.size(), 43u);
  auto bound =
      verify_issuer_token(mint_with(R"({"cnf":{"x5t#S256":")" + thumbprint + "\"}}"), keys(), rules(), now)
          .value();
  EXPECT_TRUE(check_certificate_binding(bound, thumbprint));
  EXPECT_EQ(check_certificate_binding(bound, "").error().code, errc::token_certificate_missing);
  EXPECT_EQ(check_certificate_binding(bound, certificate_thumbprint("other")).error().code,
            errc::certificate_mismatch);
  auto free = verify_issuer_token(mint(claims()), keys(), rules(), now).value();
  EXPECT_TRUE(check_certificate_binding(free, ""));
  EXPECT_TRUE(check_certificate_binding(free, thumbprint));
}

}  // namespace
}  // namespace mcp_oauth
