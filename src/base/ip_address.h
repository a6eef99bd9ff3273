#pragma once

#include "base/error.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// An IPv4 or IPv6 address, in network byte order. IPv4 uses the first four bytes.
struct ip_address {
  enum class family { v4, v6 };

  family kind = family::v4;
  std::array<std::uint8_t, 16> bytes{};

  // Four decimal numbers without leading zeros, or an IPv6 literal (RFC 4291 §2.2) without brackets and zone.
  // Nothing for every other spelling, also for those that a resolver would still read as an address.
  static std::optional<ip_address> parse(std::string_view text);

  // The IPv4 address that an IPv4-mapped one (::ffff:a.b.c.d) stands for; every other address as it is.
  ip_address unmapped() const;
  std::string to_string() const;

  friend bool operator==(const ip_address&, const ip_address&) = default;
};

// False for every block of the IANA special-purpose registries (RFC 6890), for multicast, and for what is
// outside the global unicast space. NAT64 (64:ff9b::/96) and 6to4 addresses are as public as the IPv4 address
// they lead to.
bool is_public(const ip_address& address);

// Whether a resolver would read the host as an IPv4 address although it is not written as one: "127.1",
// "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.". Such a host is never a name: it ends in a number.
bool is_disguised_address(std::string_view host);

// A block of addresses.
struct address_range {
  ip_address first;
  unsigned prefix = 0;  // leading bits that count

  // "10.0.0.0/8", "fd00::/8", or one address. Errors: config_invalid, also for bits set beyond the prefix.
  static result<address_range> parse(std::string_view text);

  // An IPv4-mapped address counts as the IPv4 address that it stands for.
  bool contains(const ip_address& address) const;
};

}  // namespace mcp_oauth
