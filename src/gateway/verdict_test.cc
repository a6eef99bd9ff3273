#include "gateway/verdict.h"

#include "gateway/headers.h"
#include "gateway/media_type.h"
#include "gateway/refusal.h"

#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

access_claims ada() {
  access_claims who;
  who.subject = "local:ada";
  who.email = "ada@example.com";
  who.client_id = "client";
  return who;
}

TEST(Verdict, NamesEveryIdentityHeaderAlsoWhereNothingIsKnown) {
  std::vector<std::string> inject = {"x-forwarded-user", "X-Forwarded-Name", "X-Forwarded-Token"};
  auto allowed = allowing_verdict(ada(), "", inject);
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.fields.only("X-User-Id"), "local:ada");
  EXPECT_EQ(allowed.fields.only("X-User-Email"), "ada@example.com");
  EXPECT_EQ(allowed.fields.only("X-User-Name"), "") << "a client's own would stay";
  EXPECT_EQ(allowed.fields.only("X-User-Provider"), "");
  EXPECT_EQ(allowed.fields.only("X-Client-Id"), "client");
  EXPECT_EQ(allowed.fields.only("X-Auth-Request-User"), "local:ada");
  EXPECT_EQ(allowed.fields.only("X-Auth-Request-Email"), "ada@example.com");
  EXPECT_EQ(allowed.fields.only("X-Forwarded-User"), "local:ada");
  EXPECT_EQ(allowed.fields.only("X-Forwarded-Name"), "");
  EXPECT_EQ(allowed.fields.count("X-Forwarded-Token"), 0U) << "a verdict gives no token away";
  EXPECT_EQ(allowed.fields.only("Cache-Control"), "no-store");
  auto nobody = allowing_verdict({}, "", {});
  for (auto name : verdict_headers) EXPECT_EQ(nobody.fields.only(name), "") << name;
}

TEST(Verdict, SaysTheSameAsTheHeadersThatTheGatewaySends) {
  auto who = ada();
  who.name = "Ad\xC3\xA4\r\nX-Evil: 1";
  who.provider = "corp";
  auto allowed = allowing_verdict(who, who.issuer, {});
  std::string lines;
  for (auto name : {"X-User-Id", "X-User-Email", "X-User-Name", "X-User-Provider", "X-Client-Id"})
    lines += std::string(name) + ": " + std::string(*allowed.fields.only(name)) + "\r\n";
  EXPECT_EQ(lines, identity_lines(who));
}

TEST(Verdict, SaysTheIssuerOfATokenOfOthersAndEmptiesThatOfAnyOther) {
  auto who = ada();
  who.issuer = "https://idp.example.com/\xC3\xA4";
  auto theirs = allowing_verdict(who, who.issuer, {});
  EXPECT_EQ("X-User-Issuer: " + std::string(*theirs.fields.only("X-User-Issuer")) + "\r\n", issuer_line(who));
  auto own = allowing_verdict(who, "", {});
  EXPECT_EQ(own.fields.only("X-User-Issuer"), "") << "a client's own would stay";
}

TEST(Verdict, ForNginxHasOnlyStatusesThatItPassesOn) {
  struct row {
    errc code;
    int status;
    const char* was;
  } rows[] = {
      {errc::token_missing, 401, "401"},     {errc::scope_insufficient, 403, "403"},
      {errc::header_mismatch, 403, "400"},   {errc::http_method_refused, 403, "405"},
      {errc::http_not_found, 403, "404"},    {errc::original_request_unclear, 403, "400"},
      {errc::too_many_requests, 500, "429"}, {errc::issuer_unreachable, 500, "503"},
      {errc::call_unseen, 403, "403"},       {errc::verify_peer_refused, 403, "403"},
  };
  for (const auto& r : rows) {
    auto plain =
        refuse_call({r.code, "detail"}, "http://h/.well-known/oauth-protected-resource/mcp", {"mcp"}, "");
    auto answer = for_nginx(plain);
    EXPECT_EQ(answer.status, r.status) << r.was;
    EXPECT_EQ(answer.fields.only("X-Auth-Status"), r.was);
    EXPECT_EQ(answer.fields.only("X-Auth-Body"), plain.body);
    EXPECT_EQ(answer.fields.first("WWW-Authenticate"), plain.fields.first("WWW-Authenticate"));
  }
  auto allowed = for_nginx(allowing_verdict(ada(), "", {}));
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.fields.only("X-Auth-Status"), "200");
  EXPECT_EQ(allowed.fields.count("X-Auth-Body"), 0U);
}

TEST(Verdict, ForNginxKeepsABodyBackThatNoHeaderMayHold) {
  http_response refusal{403, {}, "{\"id\":\"\xC3\xA4\"}"};
  EXPECT_EQ(for_nginx(refusal).fields.count("X-Auth-Body"), 0U);
  refusal.body = "{}\r\nX-Evil: 1";
  EXPECT_EQ(for_nginx(refusal).fields.count("X-Auth-Body"), 0U);
}

TEST(MediaType, IsPlainJsonAndNothingToBeDecoded) {
  auto ok = [](const std::vector<field>& fields) { return check_media_type(fields).has_value(); };
  EXPECT_TRUE(ok({{"content-type", "application/json"}}));
  EXPECT_TRUE(
      ok({{"Content-Type", "Application/JSON; charset=\"UTF-8\""}, {"Content-Encoding", "identity"}}));
  EXPECT_FALSE(ok({}));
  EXPECT_FALSE(ok({{"Content-Type", "text/plain"}}));
  EXPECT_FALSE(ok({{"Content-Type", "application/json; charset=utf-16"}}));
  EXPECT_FALSE(ok({{"Content-Type", "application/json"}, {"Content_Type", "application/json"}}));
  EXPECT_FALSE(ok({{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}));
}

}  // namespace
}  // namespace mcp_oauth
