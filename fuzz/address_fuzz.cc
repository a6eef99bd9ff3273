// rooms: base
// An address is read as the system's resolver reads it, or refused; what only the resolver would take for one
// is seen to be disguised.

#include "base/ip_address.h"
#include "base/url.h"
#include "require.h"

#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>

using namespace mcp_oauth;

namespace {

void agrees_with_the_resolver(const std::string& text) {
  auto ours = ip_address::parse(text);
  std::uint8_t bytes[16] = {};
  bool v4 = inet_pton(AF_INET, text.c_str(), bytes) == 1;
  bool v6 = !v4 && inet_pton(AF_INET6, text.c_str(), bytes) == 1;
  require(ours.has_value() == (v4 || v6));
  if (ours) {
    require(ours->kind == (v4 ? ip_address::family::v4 : ip_address::family::v6));
    require(std::memcmp(ours->bytes.data(), bytes, v4 ? 4 : 16) == 0);
    auto again = ip_address::parse(ours->to_string());
    require(again && *again == *ours);
    if (is_public(*ours)) require(is_public(ours->unmapped()));
    return;
  }
  // The forms of before RFC 6943: what a resolver still takes for an address is none of a name.
  in_addr lenient{};
  bool has_space = text.find_first_of(" \t\n\v\f\r") != std::string::npos;
  if (!has_space && inet_aton(text.c_str(), &lenient) == 1) require(is_disguised_address(text));
}

void url_with_that_host(const std::string& text) {
  auto u = url::parse("https://" + text + "/");
  if (!u) return;
  in_addr lenient{};
  if (inet_aton(u->host.c_str(), &lenient) != 1) return;
  require(ip_address::parse(u->host).has_value() || is_disguised_address(u->host));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(text_of(data, size));
  if (text.find('\0') == std::string::npos) {
    agrees_with_the_resolver(text);
    url_with_that_host(text);
  }
  auto range = address_range::parse(text);
  if (!range) return 0;
  require(range->contains(range->first));
  require(range->prefix <= (range->first.kind == ip_address::family::v4 ? 32U : 128U));
  auto whole = address_range::parse(range->first.to_string() + "/" + std::to_string(range->prefix));
  require(whole && whole->first == range->first && whole->prefix == range->prefix);
  return 0;
}
