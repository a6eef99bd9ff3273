#include "net/http_client.h"

#include "net/one_answer.h"

#include <string>

#include <gtest/gtest.h>

namespace mcp_oauth::net {
namespace {

std::string with_fields(int count) {
  std::string answer = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < count; ++i) answer += "X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n";
  return answer + "Content-Length: 2\r\n\r\n{}";
}

TEST(HttpClient, GivesStatusFieldsAndBody) {
  one_answer server(with_fields(3));
  auto got = fetch(server.call(), {});
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "{}");
  EXPECT_EQ(got->fields.first("x-2"), std::string(1000, 'x'));
}

TEST(HttpClient, BoundsTheHeadOfAnAnswer) {
  one_answer server(with_fields(70));
  auto got = fetch(server.call(), {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::fetch_too_large);
  EXPECT_EQ(got.error().detail.find("secret"), std::string::npos);
}

TEST(HttpClient, BoundsAllHeadsTogether) {
  std::string interim;
  for (int i = 0; i < 70; ++i)
    interim += "HTTP/1.1 103 Early Hints\r\nX: " + std::string(1000, 'x') + "\r\n\r\n";
  one_answer server(interim + with_fields(0));
  auto got = fetch(server.call(), {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::fetch_too_large);
}

TEST(HttpClient, BoundsTheBody) {
  one_answer server("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789");
  fetch_rules rules;
  rules.most_bytes = 10;
  auto got = fetch(server.call(), rules);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::fetch_too_large);
}

TEST(HttpClient, JudgesTheAddressItConnectsTo) {
  one_answer server(with_fields(0));
  fetch_rules rules;
  rules.allowed = addresses::public_only;
  auto got = fetch(server.call(), rules);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::address_refused);
}

TEST(Fetch, SendsNoFieldThatHoldsAnother) {
  for (const auto& value : {std::string("a\r\nX-Admin: 1"), std::string("a\nb"), std::string("a\0b", 3)}) {
    http_call call;
    call.url = "http://127.0.0.1:9/";
    call.fields.add("Authorization", value);
    auto refused = fetch(call, fetch_rules());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().detail.find("line end or NUL"), std::string::npos) << refused.error().detail;
  }
}

}  // namespace
}  // namespace mcp_oauth::net
