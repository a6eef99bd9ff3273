#include "bridge/metadata.h"

#include "bridge/sign_in_fixture.h"

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Demand, IsReadOfTheBearerAndDpopChallenges) {
  auto demand = read_demand(
      R"(Basic realm="x", Bearer realm="mcp", error="invalid_token", resource_metadata="https://m/x", scope=" a b ", DPoP algs="ES256")");
  EXPECT_EQ(demand.resource_metadata, "https://m/x");
  EXPECT_EQ(demand.scope, "a b");
  EXPECT_EQ(demand.error, "invalid_token");
  EXPECT_TRUE(demand.dpop);
  auto none = read_demand("");
  EXPECT_EQ(none.resource_metadata, "");
  EXPECT_FALSE(none.scope);
  EXPECT_FALSE(read_demand(R"(Bearer scope="")").scope);
  // A name that stands there twice is nobody's choice.
  EXPECT_EQ(
      read_demand(R"(Bearer resource_metadata="https://a", resource_metadata="https://b")").resource_metadata,
      "");
}

TEST(ResourceMetadata, IsLookedForInOrder) {
  auto server = *url::parse("https://m.example/a/mcp?x=1");
  EXPECT_THAT(resource_metadata_urls(server, ""),
              ElementsAre("https://m.example/.well-known/oauth-protected-resource/a/mcp",
                          "https://m.example/.well-known/oauth-protected-resource"));
  EXPECT_THAT(resource_metadata_urls(server, "https://m.example/else").front(), "https://m.example/else");
  EXPECT_THAT(resource_metadata_urls(*url::parse("https://m.example/"), ""),
              ElementsAre("https://m.example/.well-known/oauth-protected-resource"));
}

TEST(ServerMetadata, IsLookedForInOrder) {
  EXPECT_THAT(server_metadata_urls(*url::parse("https://as.example")),
              ElementsAre("https://as.example/.well-known/oauth-authorization-server",
                          "https://as.example/.well-known/openid-configuration"));
  EXPECT_THAT(server_metadata_urls(*url::parse("https://as.example/")).size(), 2U);
  EXPECT_THAT(server_metadata_urls(*url::parse("https://as.example/t/1/")),
              ElementsAre("https://as.example/.well-known/oauth-authorization-server/t/1",
                          "https://as.example/.well-known/openid-configuration/t/1",
                          "https://as.example/t/1/.well-known/openid-configuration"));
}

TEST(ServerMetadata, NeedsNothingThatOnlyOpenIdRequires) {
  auto facts = read_server_metadata(
      "https://as.example", "x",
      json_answer(200, R"({"issuer":"https://as.example","token_endpoint":"https://as.example/t"})"), {});
  ASSERT_TRUE(facts);
  EXPECT_FALSE(facts->s256);
  EXPECT_FALSE(facts->auth_methods_named);
}

TEST(ServerMetadata, AnEndpointThatMayNotBeUsedIsLeftOutWithItsReason) {
  auto facts = read_server_metadata(
      "https://as.example", "the document",
      json_answer(200, R"({"issuer":"https://as.example","token_endpoint":"http://as.example/t",
        "authorization_endpoint":"javascript:x","registration_endpoint":"https://as.example/r"})"),
      {});
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->token_endpoint, "");
  EXPECT_EQ(facts->authorization_endpoint, "");
  EXPECT_EQ(facts->registration_endpoint, "https://as.example/r");
  ASSERT_EQ(facts->refused.size(), 2U);
  EXPECT_THAT(facts->refused[0], HasSubstr("authorization_endpoint of the document"));
}

TEST(AdvisoryBridge, AnAddressOfAServerDoesNotFillTheLog) {
  auto server = *url::parse("https://m.example/mcp");
  const auto from = "https://m.example/" + std::string(8000, 'a');
  for (const auto& body :
       {std::string("{"), R"({"resource":"https://other.example/)" + std::string(8000, 'b') + "\"}",
        std::string(R"({"resource":7})")}) {
    auto facts = read_resource_metadata(server, from, json_answer(200, body));
    ASSERT_FALSE(facts);
    EXPECT_LT(facts.error().detail.size(), 1200U) << facts.error().detail;
  }
  auto facts = read_server_metadata(
      "https://as.example", from, json_answer(200, R"({"issuer":"https://)" + std::string(8000, 'c') + "\"}"),
      outbound_rules());
  ASSERT_FALSE(facts);
  EXPECT_LT(facts.error().detail.size(), 1200U) << facts.error().detail;
}

TEST(Metadata, WhatIsNoDocumentIsRefusedAndDescribed) {
  auto server = *url::parse("https://m.example/mcp");
  const std::string hostile[] = {
      "",
      "[]",
      "null",
      "{",
      R"({"resource":7})",
      R"({"resource":""})",
      R"({"resource":"https://m.example/mcp","authorization_servers":"https://as"})",
      R"({"resource":"https://m.example/mcp","authorization_servers":[1]})",
      R"({"resource":"https://m.example/mcp","scopes_supported":{}})",
      R"({"resource":"https://m.example/mcp","resource":"https://evil"})",
      "\xEF\xBB\xBF{}",
      std::string(40, '[')};
  for (const auto& body : hostile) {
    auto facts = read_resource_metadata(server, "it", json_answer(200, body));
    ASSERT_FALSE(facts) << body;
    EXPECT_EQ(facts.error().code, errc::sign_in_metadata_invalid) << body;
  }
  http_answer page;
  page.status = 200;
  page.fields.add("Content-Type", "text/html");
  page.body = "<!doctype html><html>";
  auto facts = read_resource_metadata(server, "https://m.example/x", page);
  ASSERT_FALSE(facts);
  EXPECT_THAT(facts.error().detail,
              HasSubstr("https://m.example/x: status 200, text/html, a page for people"));
  http_answer moved;
  moved.status = 302;
  moved.fields.add("Location", "https://login.example/in?secret=1");
  EXPECT_EQ(told_of_answer(moved), "status 302, a redirect to https://login.example/in");
}

}  // namespace
}  // namespace mcp_oauth
