// What went wrong in relying parties of others, done to ours: docs/past-mistakes.md has the whole list.

#include "provider/allowed.h"
#include "provider/oidc.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

identity person_with(std::string email) {
  identity who;
  who.provider = "corp";
  who.subject = "mallory-1";
  who.email = std::move(email);
  who.email_verified = true;
  return who;
}

// oauth2-proxy: what stands behind the last @ was the domain, or what stands behind the first.
TEST(AdvisoryAllowedPeople, GHSA_c5c4_8r6x_56w3_AnAddressHasOneAtAndOneDomain) {
  const allowed_people lists[] = {
      {{}, {"corp.example"}}, {{"ada@corp.example"}, {}}, {{"ada@corp.example"}, {"corp.example"}}};
  for (const char* email : {"\"mallory\"@corp.example",
                            "mallory evil@corp.example",
                            "<mallory@corp.example",
                            "evil.example:mallory@corp.example",
                            "mallory,ada@corp.example",
                            "mallory\n@corp.example",
                            "user@evil.example@corp.example",
                            "user@corp.example@evil.example",
                            "ada@corp.example@evil.example",
                            "\"user@evil.example\"@corp.example",
                            "\"ada@corp.example\"@evil.example",
                            "ada@corp.example,mallory@evil.example",
                            "mallory@evil.example,ada@corp.example",
                            "mallory@evil.example ada@corp.example",
                            "<ada@corp.example>",
                            "Ada <ada@corp.example>",
                            "mallory@evil.example<ada@corp.example>",
                            "ada@corp.example\n",
                            "ada@corp.example\r\nBcc: x",
                            "ada@corp.example;x",
                            "mallory@evil.example;@corp.example",
                            "mallory@evil.example%40corp.example",
                            "mallory%40evil.example@corp.example.",
                            "ada@corp.example.",
                            "ada@corp.example.evil.example",
                            "ada@evilcorp.example",
                            "ada@sub.corp.example",
                            "ada@.corp.example",
                            "ada@corp..example",
                            "@corp.example",
                            "corp.example",
                            "@",
                            "ada@",
                            "",
                            "ada(comment)@corp.example(comment)",
                            "mallory@[127.0.0.1]@corp.example",
                            "mallory@evil.example\tada@corp.example",
                            "ada\xEF\xBC\xA0"
                            "corp.example",
                            "ada@corp\xE3\x80\x82"
                            "example",
                            "ada@c\xD0\xBErp.example",
                            "ada@corp.example\xE2\x80\x8B",
                            "\xE2\x80\xAE"
                            "elpmaxe.proc@ada"}) {
    for (const auto& allowed : lists) {
      auto checked = check_allowed(allowed, person_with(email));
      EXPECT_FALSE(checked) << email;
    }
  }
  EXPECT_FALSE(check_allowed(lists[0], person_with(std::string("ada@corp.example\0", 17))));
  for (const auto& allowed : lists) EXPECT_TRUE(check_allowed(allowed, person_with("Ada@Corp.Example")));
}

// oauth2-proxy 7.0: a rule that was set did nothing. What is on a list is compared as it stands: what cannot
// be an address or a subject admits nobody, and a list with only such entries is still a list.
TEST(AdvisoryAllowedPeople, GHSA_652x_m2gr_hppm_AListThatMatchesNobodyAdmitsNobody) {
  for (const allowed_people& allowed :
       {allowed_people{{""}, {}}, allowed_people{{}, {""}}, allowed_people{{"*"}, {"*"}},
        allowed_people{{" "}, {" "}}, allowed_people{{"admins"}, {}}, allowed_people{{"group:admins"}, {}},
        allowed_people{{"*@corp.example"}, {}}, allowed_people{{}, {"*.example"}},
        allowed_people{{".*"}, {".*"}}, allowed_people{{"@corp.example"}, {}}}) {
    EXPECT_FALSE(check_allowed(allowed, person_with("ada@corp.example")));
    EXPECT_FALSE(check_allowed(allowed, person_with("")));
  }
}

http_answer json_answer(std::string body, int status = 200) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

// spring-ai-community mcp-security and ToolHive: a document named endpoints of another, and inherited its
// trust.
TEST(AdvisoryDiscovery, CVE_2026_45609_ADocumentSpeaksForItsIssuerOnly) {
  const std::string issuer = "https://idp.example.com";
  auto document = [](const std::string& named, const std::string& token_endpoint, const std::string& jwks) {
    return json_answer(R"({"issuer":")" + named +
                       R"(","authorization_endpoint":"https://idp.example.com/a",)" +
                       R"("token_endpoint":")" + token_endpoint + R"(","jwks_uri":")" + jwks +
                       R"(","response_types_supported":["code"],"subject_types_supported":["public"],)" +
                       R"("id_token_signing_alg_values_supported":["RS256"]})");
  };
  const std::string token_endpoint = issuer + "/token", jwks = issuer + "/jwks";
  ASSERT_TRUE(process_discovery_answer(issuer, document(issuer, token_endpoint, jwks)));
  for (const char* named :
       {"https://idp.example.com/", "https://IDP.example.com", "https://idp.example.com:443",
        "http://idp.example.com", "https://idp.example.com.evil.example", "https://evil.example", "",
        "https://idp.example.com#", "https://idp.example.com?x", "https://idp.example.com\\u0000"}) {
    auto refused = process_discovery_answer(issuer, document(named, token_endpoint, jwks));
    ASSERT_FALSE(refused) << named;
  }
  // The secret and the code would go there, and the keys come from there: never in clear, never out of a
  // file.
  for (const char* elsewhere : {"http://169.254.169.254/token",
                                "http://idp.example.com/token",
                                "http://10.0.0.1/token",
                                "http://[fd00::1]/token",
                                "http://2130706433/token",
                                "http://127.0.0.1.evil.example/token",
                                "http://localhost.evil.example/token",
                                "file:///etc/passwd",
                                "ftp://idp.example.com/token",
                                "//idp.example.com/token",
                                "/token",
                                "",
                                "javascript:alert(1)",
                                "https:///token",
                                "https://user:secret@idp.example.com/token",
                                "https://idp.example.com\\\\@evil.example/token",
                                "https://169.254.169.254/token",
                                "https://10.0.0.1/token",
                                "https://[fd00::1]/token",
                                "https://[::ffff:10.0.0.1]/token",
                                "https://2130706433/token",
                                "https://0x7f.1/token",
                                "https://127.0.0.1/token",
                                "http://127.0.0.1/token",
                                "http://localhost/token",
                                "http://[::1]/token"}) {
    EXPECT_FALSE(process_discovery_answer(issuer, document(issuer, elsewhere, jwks))) << elsewhere;
    EXPECT_FALSE(process_discovery_answer(issuer, document(issuer, token_endpoint, elsewhere))) << elsewhere;
  }
  for (int status : {201, 204, 301, 302, 307, 404, 500}) {
    auto moved = document(issuer, token_endpoint, jwks);
    moved.status = status;
    EXPECT_FALSE(process_discovery_answer(issuer, moved)) << status;
    moved.body = R"({"keys":[]})";
    EXPECT_FALSE(process_jwks_answer(moved)) << status;
  }
}

// mod_auth_openidc, 2026-08: an answer that was an array.
TEST(AdvisoryDiscovery, ModAuthOpenidc_2026_08_NoAnswerButAnObjectIsRead) {
  for (const char* body : {"[]", "[{}]", "null", "true", "7", "\"x\"", "", "{", "{}{}", "{}x", "<html>",
                           "\xEF\xBB\xBF{}", R"([["issuer","https://idp.example.com"]])"}) {
    EXPECT_FALSE(process_discovery_answer("https://idp.example.com", json_answer(body))) << body;
    EXPECT_FALSE(process_token_answer(json_answer(body))) << body;
    EXPECT_FALSE(process_jwks_answer(json_answer(body))) << body;
    EXPECT_FALSE(process_userinfo_answer(person_with(""), json_answer(body))) << body;
  }
}

}  // namespace
}  // namespace mcp_oauth
