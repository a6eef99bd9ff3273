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

// The proxy of the environment for as long as it lives.
class proxy_variable {
 public:
  explicit proxy_variable(const std::string& value) { ::setenv("http_proxy", value.c_str(), 1); }
  ~proxy_variable() {
    ::unsetenv("http_proxy");
    ::unsetenv("no_proxy");
  }
  proxy_variable(const proxy_variable&) = delete;
  proxy_variable& operator=(const proxy_variable&) = delete;
};
std::string origin_of(const one_answer& server) {
  auto address = server.call().url;
  return address.substr(0, address.find("/document"));
}

TEST(Proxies, WhatAServerNamedGoesByTheProxyAndNeverPastIt) {
  one_answer proxy(with_fields(0));
  proxy_variable named(origin_of(proxy));
  http_call call;
  call.url = "http://nobody.invalid/document";
  fetch_rules rules;
  rules.allowed = addresses::public_only;
  EXPECT_EQ(way_of(call, rules), proxies::always);
  auto got = fetch(call, rules, "", way_of(call, rules));
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_TRUE(proxy.request().starts_with("GET http://nobody.invalid/document ")) << proxy.request();
  // What the user named is curl's affair.
  EXPECT_EQ(way_of(call, {}), proxies::of_environment);
}

TEST(Proxies, NoneLeadsToAnInnerAddressThatAServerNamed) {
  one_answer proxy(with_fields(0));
  proxy_variable named(origin_of(proxy));
  fetch_rules rules;
  rules.allowed = addresses::public_only;
  for (const char* host :
       {"127.0.0.1", "localhost", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254", "127.1", "2130706433",
        "0x7f000001", "0", "127.0.0.1.", "169.254.169.254.", "10.0.0.5.", "0x7f000001.", "localhost."}) {
    http_call call;
    call.url = std::string("http://") + host + "/document";
    auto got = fetch(call, rules, "", proxies::always);
    ASSERT_FALSE(got) << host;
    EXPECT_EQ(got.error().code, errc::address_refused) << host << got.error().detail;
  }
  EXPECT_FALSE(proxy.asked());
}

TEST(Proxies, WhoHasACertificateGoesByTheWayThatIsNamed) {
  one_answer proxy(with_fields(0));
  proxy_variable named(origin_of(proxy));
  fetch_rules rules;
  rules.allowed = addresses::public_only;
  http_call call;
  call.url = "HTTP://nobody.invalid/document";
  auto got = fetch(call, rules, "", client_certificate(), way_of(call, rules));
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_TRUE(proxy.request().starts_with("GET http://nobody.invalid/document ")) << proxy.request();
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  auto away = fetch(call, rules, "", client_certificate(), way_of(call, rules));
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, errc::upstream_proxy_refused) << away.error().detail;
}

TEST(Proxies, NoneIsTheWayToThisMachineItself) {
  one_answer listener(with_fields(0));
  proxy_variable named("http://127.0.0.1:1");
  auto seen = look(listener.call(), {}, "", proxies::none);
  ASSERT_TRUE(seen) << seen.error().detail;
  EXPECT_TRUE(listener.request().starts_with("GET /document")) << listener.request();
  EXPECT_FALSE(look(listener.call(), {}, "", proxies::of_environment));
}

TEST(Proxies, AreExceptedByName) {
  proxy_variable named("http://127.0.0.1:1");
  ::setenv("no_proxy", "other.example, .inside.example,Exact.Example", 1);
  struct row {
    const char* url;
    bool has;
  };
  for (const auto& [address, has] :
       {row{"http://as.example/", true}, row{"http://inside.example/", false},
        row{"http://as.inside.example/", false}, row{"http://notinside.example/", true},
        row{"http://exact.example/", false}, row{"https://as.example/", false}})
    EXPECT_EQ(has_proxy_for(*url::parse(address)), has) << address;
  ::setenv("no_proxy", "*", 1);
  EXPECT_FALSE(has_proxy_for(*url::parse("http://as.example/")));
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
