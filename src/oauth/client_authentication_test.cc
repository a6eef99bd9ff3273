#include "oauth/client_authentication.h"

#include "base/base64url.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

form body(std::initializer_list<std::pair<const char*, std::string>> pairs) {
  form f;
  for (const auto& [name, value] : pairs) f.add(name, value);
  return f;
}

http_fields basic(const std::string& pair) { return {{"Authorization", "Basic " + base64_encode(pair)}}; }

errc refused(const http_fields& fields, const form& parameters) {
  auto parsed = parse_client_credentials(fields, parameters);
  EXPECT_FALSE(parsed);
  if (parsed) return errc::count_;
  EXPECT_EQ(parsed.error().detail.find("hush"), std::string::npos) << "a secret in the detail";
  return parsed.error().code;
}

TEST(ClientAuthentication, OfAPublicClientIsItsIdAlone) {
  auto given = parse_client_credentials({}, body({{"client_id", "c"}}));
  ASSERT_TRUE(given);
  EXPECT_EQ(given->client_id, "c");
  EXPECT_EQ(given->method, client_authentication::none);
  EXPECT_TRUE(given->client_secret.empty());
  EXPECT_EQ(parse_client_credentials({}, body({{"client_id", "c"}, {"client_secret", ""}}))->method,
            client_authentication::none);
}

TEST(ClientAuthentication, StandsInTheBody) {
  auto given = parse_client_credentials({}, body({{"client_id", "c"}, {"client_secret", "hush"}}));
  ASSERT_TRUE(given);
  EXPECT_EQ(given->method, client_authentication::client_secret_post);
  EXPECT_TRUE(given->client_secret.equals("hush"));
}

TEST(ClientAuthentication, StandsInTheHeaderFormEncoded) {
  for (auto scheme : {"Basic ", "basic ", "BASIC  "}) {
    http_fields fields{{"authorization", scheme + base64_encode("a%3Ab+c:hush%25%3A:+x")}};
    auto given = parse_client_credentials(fields, {});
    ASSERT_TRUE(given) << scheme;
    EXPECT_EQ(given->client_id, "a:b c");
    EXPECT_EQ(given->method, client_authentication::client_secret_basic);
    EXPECT_TRUE(given->client_secret.equals("hush%:: x"));
  }
  EXPECT_TRUE(parse_client_credentials(basic("c:hush"), body({{"client_id", "c"}})));
}

TEST(ClientAuthentication, ByMoreThanOneMethodIsRefused) {
  auto posted = body({{"client_id", "c"}, {"client_secret", "hush"}});
  EXPECT_EQ(refused(basic("c:hush"), posted), errc::client_authentication_repeated);
  EXPECT_EQ(refused(basic("c:hush"), body({{"client_id", "d"}})), errc::client_authentication_repeated);
  EXPECT_EQ(refused(basic("c:hush"), body({{"client_assertion", "x"}})),
            errc::client_authentication_repeated);
  posted.add("client_assertion", "x");
  EXPECT_EQ(refused({}, posted), errc::client_authentication_repeated);
  auto twice = basic("c:hush");
  twice.add("Authorization", "Basic eDp5");
  EXPECT_EQ(refused(twice, {}), errc::client_authentication_repeated);
}

TEST(ClientAuthentication, ThatCannotBeReadIsRefused) {
  struct {
    std::string header;
    errc code;
  } const table[] = {
      {"", errc::client_authentication_failed},
      {"Basic", errc::client_authentication_failed},
      {"Basic ", errc::client_authentication_failed},
      {"Basic !!!!", errc::client_authentication_failed},
      {"Basic " + base64_encode("no colon"), errc::client_authentication_failed},
      {"Basic " + base64_encode("c:%zz"), errc::client_authentication_failed},
      {"Basic " + base64_encode("c%:hush"), errc::client_authentication_failed},
      {"Basic" + base64_encode("c:hush"), errc::client_authentication_failed},
      {"Bearer abc", errc::client_authentication_failed},
      {"Digest username=c", errc::client_authentication_failed},
      {"Basic " + base64_encode(":hush"), errc::parameter_malformed},
      {"Basic " + base64_encode("\xC3\xA9:hush"), errc::parameter_malformed},
      {"Basic " + base64_encode("c%00d:hush"), errc::parameter_malformed},
      {"Basic " + base64_encode(std::string(2049, 'c') + ":hush"), errc::parameter_too_long},
      {"Basic " + base64_encode("c:" + std::string(1025, 's')), errc::parameter_too_long},
  };
  for (const auto& row : table)
    EXPECT_EQ(refused({{"Authorization", row.header}}, {}), row.code) << row.header;
}

TEST(ClientAuthentication, JudgesEveryParameterOfTheBody) {
  std::string longest_id(2048, 'c'), longest_hush(1024, 's');
  EXPECT_TRUE(
      parse_client_credentials({}, body({{"client_id", longest_id}, {"client_secret", longest_hush}})));
  EXPECT_EQ(refused({}, {}), errc::parameter_missing);
  EXPECT_EQ(refused({}, body({{"client_id", ""}})), errc::parameter_missing);
  EXPECT_EQ(refused({}, body({{"client_secret", "hush"}})), errc::parameter_missing);
  EXPECT_EQ(refused({}, body({{"client_id", "c"}, {"client_id", "c"}})), errc::parameter_repeated);
  EXPECT_EQ(refused({}, body({{"client_id", "c"}, {"client_secret", "hush"}, {"client_secret", "hush"}})),
            errc::parameter_repeated);
  EXPECT_EQ(refused({}, body({{"client_id", longest_id + "c"}})), errc::parameter_too_long);
  EXPECT_EQ(refused({}, body({{"client_id", "c"}, {"client_secret", longest_hush + "s"}})),
            errc::parameter_too_long);
  for (auto bad : {"c\n", "c\x7F", "\xC3\xA9", "\x01"}) {
    EXPECT_EQ(refused({}, body({{"client_id", bad}})), errc::parameter_malformed);
  }
  EXPECT_EQ(refused({}, body({{"client_id", "c"}, {"client_assertion", "x"}})),
            errc::client_authentication_failed);
}

TEST(ClientAuthentication, ProvesTheSecretByEitherMethod) {
  client_metadata client;
  auto digest = client_secret_digest(secret("hush"));
  client_credentials right{"c", client_authentication::client_secret_basic, secret("hush")};
  client_credentials wrong{"c", client_authentication::client_secret_basic, secret("husH")};
  client_credentials none{"c", client_authentication::none, secret()};
  for (auto registered : {"client_secret_basic", "client_secret_post"}) {
    client.token_endpoint_auth_method = registered;
    for (auto method :
         {client_authentication::client_secret_basic, client_authentication::client_secret_post}) {
      right.method = method;
      EXPECT_TRUE(check_client_authentication(right, client, digest));
    }
    EXPECT_EQ(check_client_authentication(wrong, client, digest).error().code,
              errc::client_authentication_failed);
    EXPECT_EQ(check_client_authentication(none, client, digest).error().code,
              errc::client_authentication_failed);
    EXPECT_FALSE(check_client_authentication(right, client, "")) << "no digest is no proof";
    EXPECT_FALSE(check_client_authentication(none, client, "")) << "nothing against nothing is no proof";
    EXPECT_FALSE(check_client_authentication(none, client, client_secret_digest(secret())))
        << "an empty secret is none";
  }
}

TEST(ClientAuthentication, OfAPublicClientHasNoSecret) {
  client_metadata client;
  client.token_endpoint_auth_method = "none";
  EXPECT_TRUE(check_client_authentication({"c", client_authentication::none, secret()}, client, ""));
  auto outcome = check_client_authentication({"c", client_authentication::client_secret_post, secret("hush")},
                                             client, "");
  EXPECT_EQ(outcome.error().code, errc::client_authentication_failed);
}

TEST(ClientAuthentication, StoresADigestThatIsNotTheSecret) {
  // SHA-256("abc"), FIPS 180-4
  EXPECT_EQ(client_secret_digest(secret("abc")), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

}  // namespace
}  // namespace mcp_oauth
