#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

ip_address address(std::string_view text) {
  auto parsed = ip_address::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(ip_address{});
}

TEST(IpAddress, ReadsBothFamiliesAndWritesThemShortest) {
  struct row {
    std::string_view text, written;
  };
  for (auto [text, written] : {row{"203.0.113.9", "203.0.113.9"}, row{"0.0.0.0", "0.0.0.0"},
                               row{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"}, row{"::", "::"},
                               row{"::ffff:192.0.2.1", "::ffff:192.0.2.1"}}) {
    EXPECT_EQ(address(text).to_string(), written);
  }
}

TEST(IpAddress, RefusesEverySpellingThatTwoReadersCouldReadDifferently) {
  for (std::string_view text : {"",
                                " ",
                                "127.1",
                                "127.0.1",
                                "2130706433",
                                "0x7f000001",
                                "0x7f.0.0.1",
                                "0177.0.0.1",
                                "127.0.0.01",
                                "127.0.0.1.",
                                " 127.0.0.1",
                                "127.0.0.1 ",
                                "256.0.0.1",
                                "1.2.3.4.5",
                                "1.2.3",
                                "1..2.3",
                                "-1.2.3.4",
                                "+1.2.3.4",
                                "1.2.3.4/32",
                                "[::1]",
                                "::1%eth0",
                                "fe80::1%25eth0",
                                "1:2:3:4:5:6:7",
                                "1:2:3:4:5:6:7:8:9",
                                "::1::",
                                ":::",
                                "12345::",
                                "::g",
                                "::ffff:127.0.0.01",
                                "::ffff:1.2.3",
                                "localhost",
                                "\xEF\xBC\x91.2.3.4"}) {
    EXPECT_FALSE(ip_address::parse(text)) << text;
  }
  EXPECT_FALSE(ip_address::parse(std::string_view("127.0.0.1\0.example", 18)));
}

TEST(IpAddress, IsPublicOnlyOutsideTheSpecialBlocks) {
  for (auto text :
       {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
        "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1",
        "192.0.0.255", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.0",
        "192.168.255.255", "192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        // IPv6
        "::", "::1", "::7f00:1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8",
        "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:1ff::1",
        "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "2620:4f:8000::1", "3fff::1",
        "3fff:fff::1", "5f00::1", "4000::1", "fc00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1",
        "ff02::1",
        // ISATAP
        "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:127.0.0.1", "2606:4700::100:5efe:169.254.169.254",
        "2606:4700::300:5efe:192.168.0.1"}) {
    EXPECT_FALSE(is_public(address(text))) << text;
  }
}

TEST(IpAddress, IsPublicRightNextToTheSpecialBlocks) {
  for (auto text :
       {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1",
        "192.0.3.1", "192.88.98.1", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "198.51.99.1", "198.51.101.1", "203.0.112.1", "203.0.114.1", "223.255.255.255", "8.8.8.8",
        // IPv6
        "2001:200::1", "2001:db7::1", "2001:db9::1", "2001:4860:4860::8888", "2002:808:808::1", "2003::1",
        "2606:4700::1111", "2620:4f:8001::1", "3ffe:ffff::1", "3fff:1000::1", "64:ff9b::8.8.8.8",
        "2606:4700::5efe:8.8.8.8", "2606:4700::400:5efe:10.0.0.1", "2606:4700::5eff:10.0.0.1"}) {
    EXPECT_TRUE(is_public(address(text))) << text;
  }
}

TEST(DisguisedAddress, IsEveryHostThatEndsInANumber) {
  for (auto host : {"127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "127.0.0.1.",
                    "1.2.3.4.5", "256.256.256.256", "example.0x", "example.7", "0x"}) {
    EXPECT_TRUE(is_disguised_address(host)) << host;
  }
  for (auto host : {"127.0.0.1", "::1", "example.com", "example.com.", "7.example", "0x7f.example", "a1",
                    "1a", "", ".", "localhost", "0xg"}) {
    EXPECT_FALSE(is_disguised_address(host)) << host;
  }
}

TEST(AddressRange, ContainsItsAddressesAndNotTheirNeighbours) {
  struct row {
    std::string_view range, inside, outside;
  };
  for (auto [range, inside, outside] :
       {row{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"}, row{"192.0.2.128/25", "192.0.2.255", "192.0.2.127"},
        row{"192.0.2.7", "192.0.2.7", "192.0.2.6"}, row{"0.0.0.0/0", "255.1.2.3", "::1"},
        row{"::/0", "2001:db8::1", "10.0.0.1"}, row{"fd00::/8", "fdff::1", "fe00::1"},
        row{"2001:db8::1", "2001:db8::1", "2001:db8::2"},
        row{"10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"},
        row{"::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"}}) {
    auto parsed = address_range::parse(range);
    ASSERT_TRUE(parsed) << range;
    EXPECT_TRUE(parsed->contains(address(inside))) << range << " " << inside;
    EXPECT_FALSE(parsed->contains(address(outside))) << range << " " << outside;
  }
}

TEST(AddressRange, RefusesWhatIsNoBlock) {
  for (auto text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/ 8",
                    "10/8", "::/129", "10.0.0.1/8", "fd00::1/8", "example.com/8", "10.0.0.0/255.0.0.0"}) {
    auto parsed = address_range::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, errc::config_invalid);
  }
  EXPECT_EQ(address_range::parse("10.0.0.1/8").error().detail,
            "10.0.0.1/8 has bits beyond its prefix; the block is 10.0.0.0/8");
}

}  // namespace
}  // namespace mcp_oauth
