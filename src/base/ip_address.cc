#include "base/ip_address.h"

#include "base/text.h"

#include <algorithm>
#include <span>

#include <arpa/inet.h>

namespace mcp_oauth {
namespace {

struct block {
  std::array<std::uint8_t, 16> first;
  unsigned prefix;
};

constexpr std::array special_v4 = std::to_array<block>({
    {{0}, 8},              // this network
    {{10}, 8},             // private
    {{100, 64}, 10},       // carrier-grade NAT
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local: the metadata services of clouds
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // protocol assignments
    {{192, 0, 2}, 24},     // documentation
    {{192, 31, 196}, 24},  // AS112
    {{192, 52, 193}, 24},  // AMT
    {{192, 88, 99}, 24},   // 6to4 relays
    {{192, 168}, 16},      // private
    {{192, 175, 48}, 24},  // AS112
    {{198, 18}, 15},       // benchmarks
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved, and broadcast
});

// Those within 2000::/3; everything outside of it is refused at once.
constexpr std::array special_v6 = std::to_array<block>({
    {{0x20, 0x01}, 23},                          // protocol assignments: Teredo, ORCHID, …
    {{0x20, 0x01, 0x0d, 0xb8}, 32},              // documentation
    {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48},  // AS112
    {{0x3f, 0xff}, 20},                          // documentation
});

constexpr block global_unicast{{0x20}, 3};
constexpr block mapped{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
constexpr block nat64{{0x00, 0x64, 0xff, 0x9b}, 96};
constexpr block six_to_four{{0x20, 0x02}, 16};

// RFC 5214 §6.1: an interface identifier, below any prefix, that holds an IPv4 address. The first byte may
// have the bits "universal" and "group" set.
bool is_isatap(const ip_address& address) {
  const auto& b = address.bytes;
  return (b[8] & 0xFC) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe;
}

bool same_prefix(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& b,
                 unsigned bits) {
  std::size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  unsigned rest = bits % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool in(const ip_address& address, const block& b) { return same_prefix(address.bytes, b.first, b.prefix); }

bool in_any(const ip_address& address, std::span<const block> blocks) {
  return std::any_of(blocks.begin(), blocks.end(), [&](const block& b) { return in(address, b); });
}

ip_address embedded_v4(const ip_address& address, std::size_t offset) {
  ip_address v4;
  std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(offset), 4, v4.bytes.begin());
  return v4;
}

ip_address masked(ip_address address, unsigned prefix) {
  for (unsigned bit = prefix; bit < 128; ++bit) {
    address.bytes[bit / 8] = static_cast<std::uint8_t>(address.bytes[bit / 8] & ~(0x80U >> (bit % 8)));
  }
  return address;
}

unsigned width(const ip_address& address) { return address.kind == ip_address::family::v4 ? 32 : 128; }

}  // namespace

std::optional<ip_address> ip_address::parse(std::string_view text) {
  // The longest literal has 45 characters; inet_pton would stop at a NUL.
  if (text.empty() || text.size() > 45 || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::string terminated(text);
  ip_address address;
  address.kind = text.find(':') == std::string_view::npos ? family::v4 : family::v6;
  int family_number = address.kind == family::v4 ? AF_INET : AF_INET6;
  if (inet_pton(family_number, terminated.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

ip_address ip_address::unmapped() const {
  return kind == family::v6 && in(*this, mapped) ? embedded_v4(*this, 12) : *this;
}

std::string ip_address::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(kind == family::v4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

bool is_public(const ip_address& address) {
  if (address.kind == ip_address::family::v4) return !in_any(address, special_v4);
  if (in(address, nat64)) return is_public(embedded_v4(address, 12));
  if (in(address, six_to_four)) return is_public(embedded_v4(address, 2));
  if (is_isatap(address) && !is_public(embedded_v4(address, 12))) return false;
  return in(address, global_unicast) && !in_any(address, special_v6);
}

bool is_disguised_address(std::string_view host) {
  if (ip_address::parse(host)) return false;
  if (host.ends_with('.')) host.remove_suffix(1);
  auto dot = host.rfind('.');
  auto last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  if (last.empty()) return false;
  auto all = [&](std::string_view text, std::string_view allowed) {
    return text.find_first_not_of(allowed) == std::string_view::npos;
  };
  if (all(last, "0123456789")) return true;
  return starts_with_ignoring_case(last, "0x") && all(last.substr(2), "0123456789abcdefABCDEF");
}

result<address_range> address_range::parse(std::string_view text) {
  auto slash = text.find('/');
  auto address = ip_address::parse(text.substr(0, slash));
  if (!address) return fail(errc::config_invalid, "not an IP address: " + std::string(text.substr(0, slash)));

  address_range range{*address, width(*address)};
  if (slash != std::string_view::npos) {
    auto prefix = parse_decimal(text.substr(slash + 1));
    if (!prefix || *prefix > range.prefix) {
      return fail(errc::config_invalid, "the prefix of " + std::string(text) + " is not a number from 0 to " +
                                            std::to_string(range.prefix));
    }
    range.prefix = static_cast<unsigned>(*prefix);
  }
  auto first = masked(range.first, range.prefix);
  if (first != range.first) {
    return fail(errc::config_invalid, std::string(text) + " has bits beyond its prefix; the block is " +
                                          first.to_string() + "/" + std::to_string(range.prefix));
  }
  if (range.prefix >= 96 && range.first.unmapped() != range.first) {
    range = {range.first.unmapped(), range.prefix - 96};
  }
  return range;
}

bool address_range::contains(const ip_address& address) const {
  auto plain = address.unmapped();
  return plain.kind == first.kind && same_prefix(plain.bytes, first.bytes, prefix);
}

}  // namespace mcp_oauth
