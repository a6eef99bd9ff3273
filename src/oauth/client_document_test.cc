#include "oauth/client_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view id = "https://client.example/oauth/metadata.json";

http_answer answer_with(std::string body, std::string content_type = "application/json") {
  return {200, {{"Content-Type", std::move(content_type)}}, std::move(body)};
}

// The smallest valid document, with more members.
std::string document(std::string_view more = "") {
  return R"({"client_id":"https://client.example/oauth/metadata.json","client_name":"Example",)"
         R"("redirect_uris":["http://127.0.0.1/callback"])" +
         std::string(more) + "}";
}

result<client_metadata> parse(const http_answer& answer) { return parse_client_document(id, answer); }

TEST(ClientDocumentUrl, IsAnHttpsUrlWithAPath) {
  for (auto text : {"https://client.example/metadata.json", "https://client.example/a/b/",
                    "https://client.example:8443/x", "https://client.example/x?v=1",
                    "https://client.example/a..b/.well-known/..c", "HTTPS://Client.Example/x",
                    "https://client.example/a%20b", "https://client.example/%252e%252e/x"}) {
    auto parsed = client_document_url(text);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().detail);
    EXPECT_TRUE(is_client_document_id(text));
  }
}

TEST(ClientDocumentUrl, IsRefusedByTheFirstRuleItBreaks) {
  struct row {
    std::string text;
    std::string_view why;
  };
  for (const auto& [text, why] : {
           row{"", "empty"},
           row{"abc", "absolute"},
           row{"http://client.example/x", "https"},
           row{"ftp://client.example/x", "https"},
           row{"https:/client.example/x", "no host"},
           row{"https:///x", "no host"},
           row{"https://client.example", "no path"},
           row{"https://client.example/", "no path"},
           row{"https://client.example?x=/y", "no path"},
           row{"https://client.example/x#y", "fragment"},
           row{"https://client.example/x#", "fragment"},
           row{"https://user@client.example/x", "user information"},
           row{"https://user:pass@client.example/x", "user information"},
           row{"https://@client.example/x", "user information"},
           row{"https://client.example/../x", "dot segment"},
           row{"https://client.example/a/./x", "dot segment"},
           row{"https://client.example/a/..", "dot segment"},
           row{"https://client.example/.", "dot segment"},
           row{"https://client.example/%2e%2e/x", "dot segment"},
           row{"https://client.example/.%2E/x", "dot segment"},
           row{"https://client.example/a%2f..%2fx", "dot segment"},
           row{"https://client.example/a%5c..%5cx", "escape"},
           row{"https://client.example/a%00", "escape"},
           row{"https://client.example/a%0d%0aX:y", "escape"},
           row{"https://client.example/a\\b", "character"},
           row{"https://client.example/a b", "character"},
           row{"https://client.example/\xC3\xA9", "character"},
           row{"https://client.example/%", "absolute"},
           row{"https://127.1/x", "disguised"},
           row{"https://0x7f000001/x", "disguised"},
           row{"https://2130706433/x", "disguised"},
           row{"https://0177.0.0.1/x", "disguised"},
           row{"https://127.0.0.1./x", "disguised"},
           row{"https://client.example/" + std::string(2048, 'a'), "2048"},
       }) {
    auto parsed = client_document_url(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, errc::client_document_refused) << text;
    EXPECT_THAT(parsed.error().detail, HasSubstr(why)) << text;
  }
}

TEST(ClientDocumentUrl, MayBeExactlyAsLongAsAllowed) {
  std::string prefix = "https://client.example/";
  EXPECT_TRUE(client_document_url(prefix + std::string(longest_client_document_url - prefix.size(), 'a')));
  EXPECT_FALSE(
      client_document_url(prefix + std::string(longest_client_document_url - prefix.size() + 1, 'a')));
}

TEST(ClientDocumentId, IsToldFromAnIssuedOne) {
  for (auto text : {"", "c_abc", "http://client.example/x", "https:", "xhttps://h/x"}) {
    EXPECT_FALSE(is_client_document_id(text)) << text;
  }
}

TEST(ClientDocument, GivesTheClientWithTheDefaultsOfTheStandard) {
  auto client = parse(answer_with(document()));
  ASSERT_TRUE(client) << client.error().detail;
  client_metadata expected;
  expected.client_id = id;
  expected.client_name = "Example";
  expected.redirect_uris = {"http://127.0.0.1/callback"};
  expected.grant_types = {"authorization_code"};
  expected.response_types = {"code"};
  expected.token_endpoint_auth_method = "none";
  EXPECT_EQ(*client, expected);
}

TEST(ClientDocument, GivesEveryMemberThatWeUse) {
  auto client = parse(answer_with(document(
      R"(,"client_uri":"https://client.example","logo_uri":"https://client.example/logo.png",)"
      R"("tos_uri":"https://client.example/tos","policy_uri":"https://client.example/privacy",)"
      R"("grant_types":["authorization_code","refresh_token"],"response_types":["code"],)"
      R"("token_endpoint_auth_method":"none","scope":"tools:read","application_type":"native",)"
      R"("contacts":["a@client.example"],"software_id":"x","software_version":"2","unknown":{"a":[1]})")));
  ASSERT_TRUE(client) << client.error().detail;
  EXPECT_EQ(client->client_uri, "https://client.example");
  EXPECT_EQ(client->logo_uri, "https://client.example/logo.png");
  EXPECT_EQ(client->tos_uri, "https://client.example/tos");
  EXPECT_EQ(client->policy_uri, "https://client.example/privacy");
  EXPECT_THAT(client->grant_types, ElementsAre("authorization_code", "refresh_token"));
  EXPECT_THAT(client->response_types, ElementsAre("code"));
  EXPECT_EQ(client->scope, "tools:read");
  EXPECT_EQ(client->application_type, "native");
  EXPECT_THAT(client->contacts, ElementsAre("a@client.example"));
  EXPECT_EQ(client->software_id, "x");
  EXPECT_EQ(client->software_version, "2");
}

TEST(ClientDocument, OfClientsInUseIsAccepted) {
  struct row {
    std::string_view id, body;
    std::size_t redirect_uris;
  };
  for (
      auto [client_id, body, redirect_uris] : {
          row{"https://claude.ai/oauth/claude-code-client-metadata",
              R"({"client_id":"https://claude.ai/oauth/claude-code-client-metadata","client_name":"Claude Code",
                   "client_uri":"https://claude.ai","redirect_uris":["http://localhost/callback","http://127.0.0.1/callback"],
                   "grant_types":["authorization_code","refresh_token"],"response_types":["code"],
                   "token_endpoint_auth_method":"none"})",
              2},
          row{"https://vscode.dev/oauth/client-metadata.json",
              R"({"client_id":"https://vscode.dev/oauth/client-metadata.json","client_name":"Visual Studio Code",
                   "client_uri":"https://vscode.dev/product","grant_types":["authorization_code","refresh_token",
                   "urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code"],"application_type":"native",
                   "redirect_uris":["http://127.0.0.1:33418/","https://vscode.dev/redirect"],
                   "token_endpoint_auth_method":"none"})",
              2},
      }) {
    ASSERT_TRUE(client_document_url(client_id));
    auto client = parse_client_document(client_id, answer_with(std::string(body)));
    ASSERT_TRUE(client) << client.error().detail;
    EXPECT_EQ(client->redirect_uris.size(), redirect_uris);
    EXPECT_THAT(client->grant_types, testing::Contains("refresh_token"));
  }
}

TEST(ClientDocument, TakesNullForAbsent) {
  auto client = parse(answer_with(document(
      R"(,"scope":null,"grant_types":null,"token_endpoint_auth_method":null,"client_secret":null)")));
  ASSERT_TRUE(client) << client.error().detail;
  EXPECT_THAT(client->grant_types, ElementsAre("authorization_code"));
  EXPECT_EQ(client->token_endpoint_auth_method, "none");
}

TEST(ClientDocument, LeavesOutUrlsThatNobodyMayBeSentTo) {
  auto client = parse(answer_with(
      R"({"client_id":"https://client.example/oauth/metadata.json","client_name":"Example",)"
      R"("redirect_uris":["javascript:alert","http://example.com/cb","https://client.example/cb#f","cursor://cb/x",)"
      R"("https://client.example/cb",""],"client_uri":"javascript:alert","logo_uri":"data:image/png;base64,AA"})"));
  ASSERT_TRUE(client) << client.error().detail;
  EXPECT_THAT(client->redirect_uris, ElementsAre("cursor://cb/x", "https://client.example/cb"));
  EXPECT_EQ(client->client_uri, "");
  EXPECT_EQ(client->logo_uri, "");
}  // namespace

TEST(ClientDocument, ComesAsJsonWithStatus200) {
  for (auto type : {"application/json", "application/json; charset=utf-8", "Application/JSON",
                    "application/oauth-client+json", "application/cimd+json;x=y"}) {
    EXPECT_TRUE(parse(answer_with(document(), type))) << type;
  }
  for (auto type : {"", "text/html", "text/plain", "text/json", "application/jsonp", "application/json+xml",
                    "json", "application/", "text/x+json"}) {
    auto client = parse(answer_with(document(), type));
    ASSERT_FALSE(client) << type;
    EXPECT_EQ(client.error().code, errc::client_document_unreachable) << type;
  }
  for (int status : {0, 201, 204, 206, 301, 302, 304, 307, 308, 401, 404, 500}) {
    auto answer = answer_with(document());
    answer.status = status;
    auto client = parse(answer);
    ASSERT_FALSE(client) << status;
    EXPECT_EQ(client.error().code, errc::client_document_unreachable) << status;
    EXPECT_THAT(client.error().detail,
                HasSubstr("status " + std::to_string(status) + " from " + std::string(id)));
  }
  EXPECT_FALSE(parse({200, {}, document()}));
  EXPECT_FALSE(
      parse({200, {{"Content-Type", "application/json"}, {"Content-Type", "text/html"}}, document()}));
}

TEST(ClientDocument, IsBoundInSize) {
  auto padded = document();
  padded.resize(largest_client_document, ' ');
  EXPECT_TRUE(parse(answer_with(padded)));
  auto larger = parse(answer_with(padded + " "));
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().code, errc::fetch_too_large);
  EXPECT_TRUE(parse_client_document(id, answer_with(padded + " "), 64 * 1024));
}

TEST(ClientDocument, IsRefusedWhereItBreaksARule) {
  struct row {
    std::string body;
    std::string_view why;
  };
  auto with = [](std::string_view client_id, std::string_view name, std::string_view redirects) {
    std::string body = "{\"x\":1";
    if (!client_id.empty()) body += ",\"client_id\":" + std::string(client_id);
    if (!name.empty()) body += ",\"client_name\":" + std::string(name);
    if (!redirects.empty()) body += ",\"redirect_uris\":" + std::string(redirects);
    return body + "}";
  };
  constexpr auto own = R"("https://client.example/oauth/metadata.json")";
  constexpr auto uris = R"(["https://client.example/cb"])";
  for (const auto& [body, why] : {
           row{"", "not a JSON object"},
           row{"[]", "not a JSON object"},
           row{"<html></html>", "not a JSON object"},
           row{document() + "x", "not a JSON object"},
           row{document(R"(,"client_id":"https://client.example/oauth/metadata.json")"), "not a JSON object"},
           row{with("", R"("n")", uris), "client_id"},
           row{with("7", R"("n")", uris), "client_id"},
           row{with(R"("https://client.example/oauth/metadata.json/")", R"("n")", uris), "expected"},
           row{with(R"("https://CLIENT.example/oauth/metadata.json")", R"("n")", uris), "expected"},
           row{with(R"("https://client.example:443/oauth/metadata.json")", R"("n")", uris), "expected"},
           row{with(own, "", uris), "client_name"},
           row{with(own, "[]", uris), "client_name"},
           row{with(own, R"("  ")", uris), "client_name"},
           row{with(own, R"("a\u0000b")", uris), "client_name"},
           row{with(own, R"("a\nb")", uris), "client_name"},
           row{with(own, "\"" + std::string(201, 'n') + "\"", uris), "client_name"},
           row{with(own, R"("n")", ""), "redirect_uris"},
           row{with(own, R"("n")", "[]"), "redirect_uris"},
           row{with(own, R"("n")", R"("https://client.example/cb")"), "redirect_uris"},
           row{with(own, R"("n")", R"([7])"), "redirect_uris"},
           row{with(own, R"("n")", R"(["javascript:alert"])"), "redirect_uris"},
           row{document(R"(,"client_secret":"s3cret")"), "secret"},
           row{document(R"(,"client_secret_expires_at":0)"), "secret"},
           row{document(R"(,"token_endpoint_auth_method":"client_secret_basic")"),
               "token_endpoint_auth_method"},
           row{document(R"(,"token_endpoint_auth_method":"client_secret_post")"),
               "token_endpoint_auth_method"},
           row{document(R"(,"token_endpoint_auth_method":"client_secret_jwt")"),
               "token_endpoint_auth_method"},
           row{document(R"(,"token_endpoint_auth_method":"private_key_jwt")"), "token_endpoint_auth_method"},
           row{document(R"(,"token_endpoint_auth_method":["none"])"), "token_endpoint_auth_method"},
           row{document(R"(,"grant_types":"authorization_code")"), "grant_types"},
           row{document(R"(,"response_types":[1])"), "response_types"},
           row{document(R"(,"scope":["a"])"), "scope"},
           row{document(R"(,"logo_uri":7)"), "logo_uri"},
       }) {
    auto client = parse(answer_with(body));
    ASSERT_FALSE(client) << body;
    EXPECT_EQ(client.error().code, errc::client_document_invalid) << body;
    EXPECT_THAT(client.error().detail, HasSubstr(why)) << body;
    EXPECT_EQ(client.error().detail.find("s3cret"), std::string::npos);
  }
}

TEST(ClientDocumentLifetime, FollowsTheServerWithinBounds) {
  struct row {
    std::string_view cache_control;
    int seconds_expected;
  };
  for (auto [cache_control, expected] : {
           row{"max-age=600", 600},
           row{"public, max-age=7200", 7200},
           row{"Public , MAX-AGE=7200", 7200},
           row{"max-age=1", 300},
           row{"max-age=0", 300},
           row{"max-age=86401", 86400},
           row{"max-age=18446744073709551615", 86400},
           row{"max-age=99999999999999999999999", 300},
           row{"max-age=-1", 300},
           row{"max-age=", 300},
           row{"max-age=\"7200\"", 300},
           row{"max-age=600, s-maxage=1200", 1200},
           row{"no-store, max-age=7200", 300},
           row{"no-cache", 300},
           row{"public", 3600},
           row{"", 3600},
       }) {
    http_answer answer{200, {{"cache-control", std::string(cache_control)}}, ""};
    EXPECT_EQ(client_document_lifetime(answer).count(), expected) << cache_control;
  }
  EXPECT_EQ(client_document_lifetime({200, {}, ""}), seconds(3600));
  EXPECT_EQ(
      client_document_lifetime({200, {{"Cache-Control", "max-age=7200"}, {"Cache-Control", "no-store"}}, ""}),
      seconds(300));
}

}  // namespace
}  // namespace mcp_oauth
