#include "gateway/client_address.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

client_address behind(std::vector<std::string> trusted, std::string header = "X-Forwarded-For") {
  settings conf;
  conf.trusted_proxies = std::move(trusted);
  conf.trusted_proxy_header = std::move(header);
  return client_address(conf);
}

std::string common(const client_address& clients, std::string_view list,
                   const std::string& peer = "10.0.0.1") {
  const field fields[] = {{"X-Forwarded-For", list}};
  return clients.of(peer, fields);
}

std::string standard(const client_address& clients, std::string_view list,
                     const std::string& peer = "10.0.0.1") {
  const field fields[] = {{"Forwarded", list}};
  return clients.of(peer, fields);
}

TEST(ClientAddress, BelievesTrustedProxiesOnly) {
  EXPECT_EQ(common(behind({}), "1.2.3.4"), "10.0.0.1");
  auto clients = behind({"10.0.0.0/8"});
  EXPECT_EQ(common(clients, "1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(common(clients, "1.2.3.4, 10.0.0.2"), "1.2.3.4") << "two proxies of ours";
  EXPECT_EQ(common(clients, "1.2.3.4", "9.9.9.9"), "9.9.9.9") << "the peer is no proxy of ours";
  EXPECT_EQ(clients.of("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(clients.of("local", {}), "local");
}

TEST(ClientAddress, NothingThatAClientWritesIsBelieved) {
  auto clients = behind({"10.0.0.0/8"});
  for (auto spoofed :
       {"6.6.6.6", "127.0.0.1", "10.0.0.9", "6.6.6.6, 7.7.7.7", "junk", "", " ", ",", ",,,", "6.6.6.6,", "\"",
        "for=6.6.6.6", "::1", "[::1", "6.6.6.6:", "unknown", "1.2.3.4.5", "0x7f000001", "2130706433"}) {
    EXPECT_EQ(common(clients, std::string(spoofed) + ", 1.2.3.4"), "1.2.3.4") << spoofed;
    const field lines[] = {{"x-forwarded-for", spoofed}, {"Accept", "x"}, {"X-Forwarded-For", "1.2.3.4"}};
    EXPECT_EQ(clients.of("10.0.0.1", lines), "1.2.3.4") << spoofed;
    const field others[] = {{"Forwarded", "for=6.6.6.6"},
                            {"X-Real-IP", spoofed},
                            {"X-Client-IP", spoofed},
                            {"X_Forwarded_For", spoofed},
                            {"X-Forwarded-For", "1.2.3.4"}};
    EXPECT_EQ(clients.of("10.0.0.1", others), "1.2.3.4") << spoofed;
  }
}

TEST(ClientAddress, IsThePeerWhereTheHeaderCannotBeRead) {
  auto clients = behind({"10.0.0.0/8"});
  for (auto list : {"junk", "unknown", "1.2.3.4, junk", "1.2.3.4, junk, 10.0.0.2", "1.2.3", "1.2.3.4:x",
                    "1.2.3.4:123456", "[1.2.3.4]", "[::1]x", "fe80::1%eth0", "10.0.0.2, 10.0.0.3"}) {
    EXPECT_EQ(common(clients, list), "10.0.0.1") << list;
  }
}

TEST(ClientAddress, ReadsPortsAndBracketsAndWritesOneSpelling) {
  auto clients = behind({"10.0.0.0/8"});
  EXPECT_EQ(common(clients, "1.2.3.4:5678"), "1.2.3.4");
  EXPECT_EQ(common(clients, "[2001:db8::1]:443"), "2001:db8::1");
  EXPECT_EQ(common(clients, "[2001:DB8:0:0::1]"), "2001:db8::1");
  EXPECT_EQ(common(clients, "2001:db8:0::1"), "2001:db8::1");
  EXPECT_EQ(common(clients, "::ffff:1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(common(clients, "\t1.2.3.4 "), "1.2.3.4");
}

TEST(ClientAddress, TrustsAProxyInEverySpellingOfItsAddress) {
  auto clients = behind({"10.0.0.0/8", "::1"});
  EXPECT_EQ(common(clients, "1.2.3.4", "::ffff:10.0.0.1"), "1.2.3.4");
  EXPECT_EQ(common(clients, "1.2.3.4", "::1"), "1.2.3.4");
  EXPECT_EQ(common(clients, "1.2.3.4, ::ffff:10.1.1.1"), "1.2.3.4");
}

TEST(ClientAddress, ReadsTheStandardHeaderInstead) {
  auto clients = behind({"10.0.0.0/8"}, "Forwarded");
  EXPECT_EQ(standard(clients, "for=1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(standard(clients, "For=\"[2001:db8::1]:4711\";proto=https"), "2001:db8::1");
  EXPECT_EQ(standard(clients, "by=10.0.0.1; FOR=1.2.3.4 ;host=x"), "1.2.3.4");
  EXPECT_EQ(standard(clients, "for=6.6.6.6, for=1.2.3.4, for=10.0.0.2"), "1.2.3.4");
  for (auto unreadable : {"for=unknown", "for=_hidden", "proto=https", "for=", "for=\"", "1.2.3.4"})
    EXPECT_EQ(standard(clients, unreadable), "10.0.0.1") << unreadable;
  EXPECT_EQ(common(clients, "6.6.6.6"), "10.0.0.1") << "a proxy that speaks of one lets the other pass";
}

TEST(ClientAddress, AnOpenQuoteSwallowsNoProxysWord) {
  auto clients = behind({"10.0.0.0/8"}, "Forwarded");
  for (auto spoofed :
       {"for=\"6.6.6.6", "for=6.6.6.6;x=\"", "\"", "for=\"6.6.6.6, for=\"", "for=6.6.6.6;\\"}) {
    EXPECT_EQ(standard(clients, std::string(spoofed) + ", for=1.2.3.4"), "1.2.3.4") << spoofed;
    EXPECT_EQ(standard(clients, std::string(spoofed) + ", for=\"[2001:db8::1]:9\""), "2001:db8::1")
        << spoofed;
  }
}

TEST(ClientAddress, WhatAProxyQuotesChoosesNoAddress) {
  auto clients = behind({"10.0.0.0/8"}, "Forwarded");
  struct row {
    std::string_view list, wanted;
  };
  constexpr std::string_view peer = "10.0.0.1";
  for (const auto& r : {
           // The client's Host between quotes: separators in them are none.
           row{R"(proto=http;host="a;for=10.20.0.5;b";for=1.2.3.4)", "1.2.3.4"},
           row{R"(for=1.2.3.4;host="a;for=6.6.6.6;b")", "1.2.3.4"},
           row{R"(for=1.2.3.4;host="a, for=6.6.6.6")", "1.2.3.4"},
           row{R"(host="a, for=6.6.6.6, b";for=1.2.3.4)", "1.2.3.4"},
           row{R"(host=";for=6.6.6.6;")", peer},
           row{R"(for=1.2.3.4;host="a\", for=6.6.6.6;b=\"")", "1.2.3.4"},
           row{R"(for=1.2.3.4;host="a\\", for=1.2.3.5;host="\\\"")", "1.2.3.5"},
           row{R"(for=6.6.6.6, for=1.2.3.4;host="\"", for=10.0.0.2;host="x,\\")", "1.2.3.4"},
           // Quotes of the client's own, which the proxy did not escape.
           row{R"(host="a";for=6.6.6.6;b="";for=1.2.3.4)", peer},
           row{R"(for=1.2.3.4;host="a";for=6.6.6.6;b="")", peer},
           row{R"(host="a"b";for=1.2.3.4)", peer},
           row{R"(host="a", for=6.6.6.6;b";for=1.2.3.4)", peer},
           row{R"(host="a", for=6.6.6.6;b="";for=1.2.3.4)", peer},
           row{R"(host="a\";for=1.2.3.4)", peer},
           row{R"(for=1.2.3.4;host=")", peer},
           row{R"(for=1.2.3.4;host="a)", peer},
           // No element of the grammar.
           row{"for=1.2.3.4;for=1.2.3.4", peer},
           row{R"(for=1.2.3.4;FOR="6.6.6.6")", peer},
           row{R"(for=1.2.3.4\)", peer},
           row{R"(for=\1.2.3.4)", peer},
           row{R"(for=1.2.3.4;x=\")", peer},
           row{R"(for="1.2.3.4\)", peer},
           row{"for=\"1.2.3.4\";x=\"\\\x01\"", peer},
           row{"for=1.2.3.4;x=\"\x7f\"", peer},
           row{R"(for="1.2.3.4"x)", peer},
           row{R"(for="1.2.3.4" x=1)", peer},
           row{R"(for=x"1.2.3.4")", peer},
           row{"for=1.2.3.4 x=1", peer},
           row{"for=1.2.3.4;secret", peer},
           row{"for=1.2.3.4;=x", peer},
           row{"for =1.2.3.4", peer},
           row{"for= 1.2.3.4;x y=1", peer},
           row{"f(or=1.2.3.4", peer},
           row{";", peer},
           // What is odd and means one thing.
           row{R"(for="1\.2.3.4")", "1.2.3.4"},
           row{R"(;;for="1.2.3.4";;)", "1.2.3.4"},
           row{"for=1.2.3.4;x=\"\t \xC3\xA4\"", "1.2.3.4"},
           row{"for=[2001:db8::1]:443;host=h:8080;proto=http", "2001:db8::1"},
           row{R"(junk", for=1.2.3.4)", "1.2.3.4"},
           row{R"(for="6.6.6.6, for=1.2.3.4;host="h")", "1.2.3.4"},
           row{R"(x="\, for=1.2.3.4;host="h")", "1.2.3.4"},
       }) {
    EXPECT_EQ(standard(clients, r.list), r.wanted) << r.list;
  }
}

TEST(ClientAddress, IsKnownUnlessAStrangerForwarded) {
  auto clients = behind({"10.0.0.0/8"});
  EXPECT_TRUE(clients.is_known("9.9.9.9", {}));
  for (auto name : {"X-Forwarded-For", "x-forwarded-host", "Forwarded", "X-Real-IP", "Via"}) {
    const field fields[] = {{name, "x"}};
    EXPECT_FALSE(clients.is_known("9.9.9.9", fields)) << name;
    EXPECT_TRUE(clients.is_known("10.0.0.1", fields)) << name;
  }
}

}  // namespace
}  // namespace mcp_oauth
