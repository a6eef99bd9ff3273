#include "oauth/registration_request.h"

#include "base/base64url.h"
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

http_request post(std::string body) {
  http_request request;
  request.method = "POST";
  request.fields.add("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

server_rules rules() {
  server_rules r;
  r.scopes_supported = {"tools:read", "tools:write"};
  return r;
}

result<registration_request> parse(std::string body) {
  return parse_registration_request(post(std::move(body)), rules());
}

// An acceptable registration with more members.
std::string with(const std::string& members) {
  return R"({"redirect_uris":["https://client.example/cb"])" + (members.empty() ? "" : "," + members) + "}";
}

TEST(Registration, TakesWhatVsCodeSends) {
  auto parsed = parse(R"({"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com",
    "grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],
    "response_types":["code"],"redirect_uris":["https://insiders.vscode.dev/redirect","https://vscode.dev/redirect",
    "http://127.0.0.1/","http://127.0.0.1:33418/"],"scope":"tools:read x","token_endpoint_auth_method":"none",
    "application_type":"native"})");
  ASSERT_TRUE(parsed);
  const auto& client = parsed->client;
  EXPECT_EQ(client.client_name, "Visual Studio Code");
  EXPECT_EQ(client.client_uri, "https://code.visualstudio.com");
  EXPECT_THAT(client.grant_types, ElementsAre("authorization_code", "refresh_token"));
  EXPECT_THAT(client.response_types, ElementsAre("code"));
  EXPECT_EQ(client.redirect_uris.size(), 4u);
  EXPECT_EQ(client.scope, "tools:read");
  EXPECT_EQ(client.token_endpoint_auth_method, "none");
  EXPECT_EQ(client.application_type, "native");
  EXPECT_EQ(client.client_id, "");
  EXPECT_THAT(parsed->dropped, ElementsAre(HasSubstr("grant_types"), HasSubstr("scope")));
}

TEST(Registration, TakesWhatCursorSends) {
  auto parsed = parse(R"({"redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"]})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->client.redirect_uris.size(), 3u);
  EXPECT_THAT(parsed->dropped, IsEmpty());
}

TEST(Registration, FillsInWhatIsAbsent) {
  for (auto members :
       {"",
        R"("grant_types":null,"response_types":[],"token_endpoint_auth_method":null,"client_name":null)"}) {
    auto parsed = parse(with(members));
    ASSERT_TRUE(parsed) << members;
    EXPECT_THAT(parsed->client.grant_types, ElementsAre("authorization_code", "refresh_token"));
    EXPECT_THAT(parsed->client.response_types, ElementsAre("code"));
    EXPECT_EQ(parsed->client.token_endpoint_auth_method, "client_secret_basic");
    EXPECT_EQ(parsed->client.client_name, "");
    EXPECT_EQ(parsed->client.scope, "");
  }
}

TEST(Registration, KeepsTheGrantsThatWereChosen) {
  EXPECT_THAT(parse(with(R"("grant_types":["authorization_code"])"))->client.grant_types,
              ElementsAre("authorization_code"));
}

TEST(Registration, DropsRedirectUrisAsLongAsOneRemains) {
  auto parsed = parse(
      R"({"redirect_uris":["javascript:alert","https://client.example/cb","myapp://cb","http://x.example/",
    "https://client.example/cb"]})");
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed->client.redirect_uris, ElementsAre("https://client.example/cb"));
  EXPECT_THAT(parsed->dropped, ElementsAre(HasSubstr("redirect_uris[0]"), HasSubstr("redirect_uris[2]"),
                                           HasSubstr("redirect_uris[3]")));
}

TEST(Registration, AllowsTheSchemesOfTheFile) {
  auto r = rules();
  r.private_use_schemes = {"myapp"};
  EXPECT_TRUE(parse_registration_request(post(R"({"redirect_uris":["myapp://cb"]})"), r));
}

TEST(Registration, NeedsARedirectUri) {
  for (auto body : {"{}", R"({"redirect_uris":null})", R"({"redirect_uris":[]})", R"({"redirect_uris":[""]})",
                    R"({"redirect_uris":["javascript:alert","data:text/html,x"]})"}) {
    auto parsed = parse(body);
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().code, errc::registration_redirect_refused) << body;
  }
}

TEST(Registration, IsBounded) {
  auto uris = [](int n) {
    std::string list;
    for (int i = 0; i < n; ++i)
      list += (i ? ",\"https://client.example/" : "\"https://client.example/") + std::to_string(i) + "\"";
    return "{\"redirect_uris\":[" + list + "]}";
  };
  EXPECT_TRUE(parse(uris(20)));
  EXPECT_EQ(parse(uris(21)).error().code, errc::registration_malformed);
  for (std::string name : {"client_name", "software_id", "software_version"}) {
    EXPECT_TRUE(parse(with("\"" + name + "\":\"" + std::string(256, 'a') + "\""))) << name;
    EXPECT_EQ(parse(with("\"" + name + "\":\"" + std::string(257, 'a') + "\"")).error().code,
              errc::registration_malformed)
        << name;
  }
  EXPECT_EQ(parse(with("\"contacts\":[\"" + std::string(257, 'a') + "\"]")).error().code,
            errc::registration_malformed);
  EXPECT_EQ(parse(with("\"scope\":\"" + std::string(4097, 'a') + "\"")).error().code,
            errc::registration_malformed);
  std::string many = "\"x\"";
  for (int i = 0; i < 20; ++i) many += ",\"x\"";
  EXPECT_EQ(parse(with("\"contacts\":[" + many + "]")).error().code, errc::registration_malformed);
  EXPECT_EQ(parse(with("\"grant_types\":[\"authorization_code\"," + many + "]")).error().code,
            errc::registration_malformed);
  EXPECT_EQ(parse(std::string(64 * 1024 + 1, ' ')).error().code, errc::body_too_large);
  EXPECT_TRUE(parse(with("\"x\":\"" + std::string(60 * 1024, 'a') + "\"")));
}

TEST(Registration, RefusesMembersOfAnotherType) {
  for (std::string name :
       {"client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri", "scope", "software_id",
        "software_version", "token_endpoint_auth_method", "application_type"}) {
    for (std::string value : {"1", "true", "[]", "{}", "[\"x\"]"}) {
      auto parsed = parse(with("\"" + name + "\":" + value));
      ASSERT_FALSE(parsed) << name << " " << value;
      EXPECT_EQ(parsed.error().code, errc::registration_malformed) << name;
      EXPECT_THAT(parsed.error().detail, HasSubstr(name));
    }
  }
  for (std::string name : {"grant_types", "response_types", "contacts"}) {
    for (std::string value : {"1", "\"code\"", "{}", "[1]", "[null]", "[[\"code\"]]"}) {
      EXPECT_EQ(parse(with("\"" + name + "\":" + value)).error().code, errc::registration_malformed)
          << name << " " << value;
    }
  }
  for (std::string value :
       {"1", "\"https://client.example/cb\"", "{}", "[1]", "[\"https://client.example/cb\",null]"}) {
    EXPECT_EQ(parse("{\"redirect_uris\":" + value + "}").error().code, errc::registration_malformed) << value;
  }
}

TEST(Registration, RefusesImpossibleValues) {
  for (auto members :
       {R"("token_endpoint_auth_method":"private_key_jwt")", R"("token_endpoint_auth_method":"")",
        R"("grant_types":["client_credentials"])", R"("grant_types":["refresh_token"])",
        R"("response_types":["token"])", R"("scope":"a\"b")", R"("scope":"a\tb")"}) {
    EXPECT_EQ(parse(with(members)).error().code, errc::registration_malformed) << members;
  }
}

TEST(Registration, RefusesWhatIsNoJsonObject) {
  for (std::string body :
       {std::string(), std::string("[]"), std::string("null"), std::string("\"x\""), std::string("{"),
        with("") + "x", std::string("redirect_uris=https://client.example/cb"),
        std::string(R"({"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]})"),
        std::string("{\"redirect_uris\":[\"https://a.example/\xFF\"]}"), std::string(5000, '[')}) {
    auto parsed = parse(body);
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().code, errc::registration_malformed) << body;
  }
}

TEST(Registration, IsAPostOfJson) {
  auto request = post(with(""));
  request.method = "GET";
  EXPECT_EQ(parse_registration_request(request, rules()).error().code, errc::http_method_refused);
  for (auto type : {"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"}) {
    request = post(with(""));
    request.fields.set("content-type", type);
    EXPECT_EQ(parse_registration_request(request, rules()).error().code, errc::http_media_type_unsupported)
        << type;
  }
  request = post(with(""));
  request.fields.set("content-type", "Application/JSON; charset=utf-8");
  EXPECT_TRUE(parse_registration_request(request, rules()));
}

TEST(Registration, IgnoresUnknownMembers) {
  EXPECT_TRUE(parse(with(
      R"("client_id":"mine","client_secret":"mine","jwks":{},"x":[1],"client_name#de":7,"software_statement":"a.b.c")")));
  EXPECT_EQ(parse(with(R"("client_id":"mine")"))->client.client_id, "");
  EXPECT_EQ(parse(with(R"("application_type":"desktop")"))->client.application_type, "");
}

TEST(Registration, StripsNamesOfWhatAPageMustNotShow) {
  auto parsed = parse(with(
      R"("client_name":" Cl\u0000a\u202eu\u200bde\n ","contacts":["a\u202eb","\u200b"],"software_id":"x\u0007")"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->client.client_name, "Claude");
  EXPECT_THAT(parsed->client.contacts, ElementsAre("ab"));
  EXPECT_EQ(parsed->client.software_id, "x");
}

TEST(Registration, DropsUrisThatAPageMustNotLinkTo) {
  for (std::string name : {"client_uri", "logo_uri", "tos_uri", "policy_uri"}) {
    for (std::string uri : {"javascript:alert(1)", "data:image/png;base64,AA", "http://client.example/",
                            "client.example", "https://u@client.example/", "ftp://client.example/"}) {
      auto parsed = parse(with("\"" + name + "\":\"" + uri + "\""));
      ASSERT_TRUE(parsed) << uri;
      EXPECT_THAT(parsed->dropped, ElementsAre(HasSubstr(name))) << uri;
      EXPECT_EQ(parsed->client.client_uri + parsed->client.logo_uri + parsed->client.tos_uri +
                    parsed->client.policy_uri,
                "")
          << uri;
    }
    EXPECT_THAT(parse(with("\"" + name + "\":\"http://localhost:1/\""))->dropped, IsEmpty());
    EXPECT_THAT(parse(with("\"" + name + "\":\"https://c.example/" + std::string(2048, 'a') + "\""))->dropped,
                ElementsAre(HasSubstr(name)));
  }
}

registered_client registered(const std::string& members) {
  int calls = 0;
  auto random = [&](std::size_t n) { return std::string(n, static_cast<char>(++calls)); };
  return register_client(*parse(with(members)), random, from_unix(1'800'000'000));
}

TEST(Registration, GivesASecretOnlyToThoseWhoWillProveIt) {
  auto confidential = registered("");
  EXPECT_EQ(confidential.client.client_id, base64url_encode(std::string(16, '\1')));
  EXPECT_TRUE(confidential.client_secret.equals(base64url_encode(std::string(32, '\2'))));
  EXPECT_FALSE(registered(R"("token_endpoint_auth_method":"client_secret_post")").client_secret.empty());
  EXPECT_TRUE(registered(R"("token_endpoint_auth_method":"none")").client_secret.empty());
}

TEST(Registration, AnswersWithEverythingRegistered) {
  auto response = registration_response(registered(
      R"("client_name":"C","client_uri":"https://c.example","logo_uri":"https://c.example/l","tos_uri":"https://c.example/t",
      "policy_uri":"https://c.example/p","contacts":["a@c.example"],"scope":"tools:read","application_type":"web",
      "software_id":"i","software_version":"v")"));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.fields.only("content-type"), "application/json");
  EXPECT_EQ(response.fields.only("cache-control"), "no-store");
  auto expected = parse_json(R"({"client_id":"AQEBAQEBAQEBAQEBAQEBAQ","client_id_issued_at":1800000000,
      "client_secret":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI","client_secret_expires_at":0,"client_name":"C",
      "redirect_uris":["https://client.example/cb"],"grant_types":["authorization_code","refresh_token"],
      "response_types":["code"],"token_endpoint_auth_method":"client_secret_basic","scope":"tools:read",
      "client_uri":"https://c.example","logo_uri":"https://c.example/l","tos_uri":"https://c.example/t",
      "policy_uri":"https://c.example/p","contacts":["a@c.example"],"application_type":"web","software_id":"i",
      "software_version":"v"})");
  EXPECT_EQ(parse_json(response.body).value(), expected.value());
}

TEST(Registration, AnswersAPublicClientWithoutASecret) {
  auto body =
      *parse_json_object(registration_response(registered(R"("token_endpoint_auth_method":"none")")).body);
  EXPECT_FALSE(body.contains("client_secret"));
  EXPECT_FALSE(body.contains("client_secret_expires_at"));
  EXPECT_FALSE(body.contains("client_name"));
  EXPECT_TRUE(body.contains("client_id"));
}

}  // namespace
}  // namespace mcp_oauth
