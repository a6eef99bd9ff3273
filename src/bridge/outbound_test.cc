#include "bridge/outbound.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;

TEST(Outbound, TakesWhatIsHttpsLoopbackOrExplicitlyAllowed) {
  outbound_rules strict, loose;
  loose.allow_insecure_http = true;
  for (const char* good : {"https://as.example/x", "https://as.example:8443", "http://127.0.0.1:1/x",
                           "http://localhost/x", "http://[::1]:8080/", "https://[2001:db8::1]/x"}) {
    EXPECT_TRUE(usable_url(good, "it", strict)) << good;
  }
  auto refused = usable_url("http://as.example/x", "oauth2.tokenUrl", strict);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().detail,
      "oauth2.tokenUrl uses cleartext http to a non-loopback host (as.example), which would leak OAuth2 "
      "credentials/tokens. Use https, target a loopback address, or set allowInsecureHttp / "
      "ALLOW_INSECURE_HTTP=true to override. As a flag: --allow-http.");
  EXPECT_TRUE(usable_url("http://as.example/x", "it", loose));
  EXPECT_EQ(usable_url("ftp://as.example", "upstream.url", strict).error().detail,
            "upstream.url must use http or https, got \"ftp:\"");
}

// What a hostile server put into authorization_endpoint to run a program through the opener, and its kin.
TEST(AdvisoryBridge, CVE_2025_6514_OnlyPlainWebAddressesReachTheBrowser) {
  outbound_rules loose;
  loose.allow_insecure_http = true;
  const std::string hostile[] = {"file:/c:/windows/system32/calc.exe",
                                 "file:///etc/passwd",
                                 "javascript:alert(1)",
                                 "data:text/html,x",
                                 "vbscript:x",
                                 "ms-msdt:/id",
                                 "search-ms:query=x",
                                 "a:$(cmd.exe /c whoami > c:\\temp\\pwned.txt)?response_type=code",
                                 "http://www.example$(calc).com/",
                                 "https://as.example/$(calc)",
                                 "https://as.example/?x=$(id)",
                                 "https://as.example/`id`",
                                 "https://as.example/%USERPROFILE%",
                                 "https://as.example/x y",
                                 "https://as.example/\"&calc&\"",
                                 "https://as.example/'&calc'",
                                 "https://as.example/x|calc",
                                 "https://as.example/x;calc",
                                 "https://as.example/x<y",
                                 "https://as.example\\@evil.example/",
                                 "https://user:pass@as.example/",
                                 "https://as.example/\r\nx",
                                 std::string("https://as.example/\0x", 22),
                                 "https://as.example/\xC3\xA4",
                                 "//as.example/x",
                                 "as.example/x",
                                 "",
                                 " https://as.example/",
                                 "https://",
                                 "https://0x7f000001/",
                                 "https://127.1/",
                                 "https://as.example/" + std::string(64 * 1024, 'a'),
                                 "https://as.example/#x",
                                 "https://as.example/(x)",
                                 "-https://as.example",
                                 "--help"};
  for (const auto& one : hostile) {
    auto usable = openable_url(one, "authorization_endpoint", loose);
    ASSERT_FALSE(usable) << one;
    EXPECT_EQ(usable.error().code, errc::sign_in_url_refused);
    // What is told of it is one line that no terminal acts on, and of bounded length.
    EXPECT_LT(usable.error().detail.size(), 500U);
    for (char c : usable.error().detail) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20) << one;
  }
  EXPECT_TRUE(openable_url("https://as.example/authorize?tenant=a&p=b_1", "it", loose));
}

// A public server that names a page of the machine or of the house: a debugger, a router.
TEST(AdvisoryBridge, APublicServerOpensNoInnerPage) {
  auto rules_of = [](const char* server, bool inner = false) {
    bridge_settings s;
    s.upstream.url = server;
    s.sign_in.allow_inner_addresses = inner;
    return outbound_rules::of(s);
  };
  auto outside = rules_of("https://mcp.example/mcp");
  for (const char* page :
       {"http://127.0.0.1:9229/", "http://localhost:3000/", "http://[::1]:8080/", "https://router.lan/",
        "https://192.168.1.1/apply?x=1", "https://10.0.0.1/", "https://169.254.169.254/", "https://router/",
        "https://nas.local/",
        // The dot of the root leads nowhere else.
        "https://localhost./", "https://nas.lan./x", "https://wiki./", "https://printer.local./",
        "https://host.docker.internal./", "https://foo.localhost./"}) {
    auto refused = openable_url(page, "authorization_endpoint", outside);
    ASSERT_FALSE(refused) << page;
    EXPECT_EQ(refused.error().code, errc::sign_in_url_refused);
    EXPECT_THAT(refused.error().detail, HasSubstr("oauth2.allowInnerAddresses"));
    EXPECT_TRUE(openable_url(page, "it", outside, named_by::user)) << page;
    EXPECT_TRUE(openable_url(page, "it", rules_of("https://mcp.example/mcp", true))) << page;
    EXPECT_TRUE(openable_url(page, "it", rules_of("http://localhost:3000/mcp"))) << page;
  }
  EXPECT_TRUE(openable_url("https://as.example/authorize", "it", outside));
}

// A proxy leads past itself to loopback and to NO_PROXY hosts: that there is one is no reason to go inside.
TEST(Outbound, AProxyOfTheEnvironmentIsNoWayInside) {
  ::setenv("https_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  bridge_settings s;
  s.upstream.url = "https://mcp.example/mcp";
  s.use_proxy = true;
  auto rules = outbound_rules::of(s);
  EXPECT_FALSE(rules.allow_inner);
  EXPECT_FALSE(openable_url("http://127.0.0.1:9229/", "authorization_endpoint", rules));
  fetch_rules strangers, any;
  strangers.allowed = addresses::public_only;
  for (const char* inner :
       {"http://127.0.0.1:8080/token", "http://localhost/token", "https://[::1]/", "https://10.0.0.1/",
        "https://wiki/", "https://nas.lan/", "https://a.internal/"}) {
    auto to = *url::parse(inner);
    EXPECT_EQ(rules_for(to, named_by::server, rules).allowed, addresses::public_only) << inner;
    auto refused = check_destination(to, strangers);
    ASSERT_FALSE(refused) << inner;
    EXPECT_EQ(refused.error().code, errc::address_refused);
    EXPECT_THAT(refused.error().detail, HasSubstr(to.host));
    EXPECT_TRUE(check_destination(to, any)) << inner;
  }
  EXPECT_TRUE(check_destination(*url::parse("https://as.example/token"), strangers));
  // Where a public name leads is the affair of the proxy that is asked for it, and of no cleartext one.
  auto by_proxy = [&](const char* text) { return rules_by_proxy(*url::parse(text), strangers).allowed; };
  EXPECT_EQ(by_proxy("https://as.example/token"), addresses::any);
  for (const char* other : {"http://as.example/token", "https://127.0.0.1/token", "https://wiki/token"})
    EXPECT_EQ(by_proxy(other), addresses::public_only) << other;
  ::unsetenv("https_proxy");
  ::unsetenv("ALL_PROXY");
}

TEST(Outbound, ADotAtTheEndMakesNoHostPublic) {
  for (const char* inner :
       {"localhost", "wiki", "nas.lan", "a.internal", "127.0.0.1", "10.0.0.1", "", "x.test"}) {
    EXPECT_TRUE(is_inner_host(inner)) << inner;
    EXPECT_TRUE(is_inner_host(inner + std::string("."))) << inner;
    EXPECT_TRUE(is_inner_host(inner + std::string(".."))) << inner;
  }
  for (const char* outside : {"as.example", "as.example.", "93.184.216.34", "lan.example."})
    EXPECT_FALSE(is_inner_host(outside)) << outside;
}

TEST(Outbound, OnlyWhoeverIsInsideIsSentInside) {
  auto rules_of = [](const char* server, bool inner = false) {
    bridge_settings s;
    s.upstream.url = server;
    s.sign_in.allow_inner_addresses = inner;
    return outbound_rules::of(s);
  };
  auto to = *url::parse("https://as.example/token");
  auto allowed = [&](const outbound_rules& rules, named_by whom) {
    return rules_for(to, whom, rules).allowed;
  };
  EXPECT_EQ(allowed(rules_of("https://mcp.example/mcp"), named_by::server), addresses::public_only);
  EXPECT_EQ(allowed(rules_of("https://as.example/mcp"), named_by::server), addresses::any);
  EXPECT_EQ(allowed(rules_of("https://mcp.example/mcp"), named_by::user), addresses::any);
  for (const char* inside : {"http://localhost:3000/mcp", "http://10.1.2.3/mcp", "https://mcp/",
                             "https://a.internal/", "https://[fd00::1]/", "https://192.168.1.1/"}) {
    EXPECT_EQ(allowed(rules_of(inside), named_by::server), addresses::any) << inside;
  }
  EXPECT_EQ(allowed(rules_of("https://mcp.example/mcp", true), named_by::server), addresses::any);
}

}  // namespace
}  // namespace mcp_oauth
