#include "base/url.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Url, KeepsAHostTogetherThatBeginsLikeAnAddress) {
  struct row {
    std::string_view text, host, path;
    std::uint16_t port;
  };
  for (auto [text, host, path, port] : {
           row{"https://127.0.0.1/x", "127.0.0.1", "/x", 0},
           row{"https://127.0.0.1.evil.example/x", "127.0.0.1.evil.example", "/x", 0},
           row{"https://127.0.0.1.evil.example", "127.0.0.1.evil.example", "", 0},
           row{"http://127.0.0.1evil.example:8080/x?y#z", "127.0.0.1evil.example", "/x", 8080},
           row{"http://127.0.0.1.Evil.example?/y", "127.0.0.1.evil.example", "", 0},
           row{"https://127.0.0.1./x", "127.0.0.1.", "/x", 0},
           row{"https://1.2.3.4.5/x", "1.2.3.4.5", "/x", 0},
           row{"https://10.0.0.5.nip.example:443/", "10.0.0.5.nip.example", "/", 443},
       }) {
    auto parsed = url::parse(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().detail;
    EXPECT_EQ(parsed->host, host) << text;
    EXPECT_EQ(parsed->path, path) << text;
    EXPECT_EQ(parsed->port, port) << text;
    EXPECT_EQ(parsed->is_loopback(), host == "127.0.0.1") << text;
  }
}

TEST(Url, RefusesWhatStandsBetweenHostAndPath) {
  for (auto text :
       {"http://[::1]evil.example/", "http://[::1].evil.example/", "http://127.0.0.1%2eevil.example/",
        "http://127.0.0.1:80x/", "http://127.0.0.1:80:81/", "http://127.0.0.1.x:/", "http://127.0.0.1.x:0/",
        "http://127.0.0.1.x:65536/", "http://127.0.0.1.x:a/", "http://127.0.0.1,x/", "http://127.0.0.1;x/",
        "http://[::1]:80x/", "http://127.0.0.1.x@evil.example/"}) {
    auto parsed = url::parse(text);
    EXPECT_FALSE(parsed) << text << " as " << parsed->host << " " << parsed->path;
  }
}

TEST(Url, RefusesHostsThatAreNeitherNameNorAddress) {
  for (auto text : {"http://a,b/", "http://a;b/", "http://a!b/", "http://a$b/", "http://a=b/", "http://a*b/",
                    "http://a+b/", "http://a'b/", "http://a(b)/", "http://a~b/", "http://[v1.x]/",
                    "http://[v1.x:y]/", "custom://a,b/"}) {
    EXPECT_FALSE(url::parse(text)) << text;
  }
  for (auto text : {"http://a_b.example/", "http://xn--bcher-kva.example/",
                    "cursor://anysphere.cursor-mcp/oauth/callback"}) {
    EXPECT_TRUE(url::parse(text)) << text;
  }
}

TEST(Url, WritesAnEmptyAuthorityAsItWasRead) {
  // Without its "//" the path would become a host.
  auto u = url::parse("app:////evil.example/x");
  ASSERT_TRUE(u);
  EXPECT_EQ(u->host, "");
  EXPECT_EQ(u->to_string(), "app:////evil.example/x");
}

}  // namespace
}  // namespace mcp_oauth
