#pragma once

#include "base/http.h"
#include "base/ip_address.h"
#include "config/settings.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Where requests come from, behind the reverse proxies that the operator trusts.
class client_address final {
 public:
  explicit client_address(const settings& conf);

  // The peer; behind a trusted proxy the last address in `trusted_proxy_header` that is not one itself. What
  // stands left of that a client may have written, and so may all of the other header; neither is looked at.
  // The peer as well when the header is absent, names trusted proxies only, or cannot be read that far: of
  // Forwarded each element is held to its grammar, and one with two `for` is none.
  std::string of(const std::string& peer, std::span<const field> fields) const;

  // Whether `of` may be believed to be the client's: no proxy came between, or a trusted one.
  bool is_known(std::string_view peer, std::span<const field> fields) const;

  // Whether that is one of the proxies that the operator trusts.
  bool is_trusted(std::string_view address) const;

 private:
  std::vector<address_range> trusted_;
  bool standard_;  // RFC 7239 in place of X-Forwarded-For
};

// Whether a proxy on the way said that it is one.
bool was_forwarded(std::span<const field> fields);

// Blocks of addresses as the configuration writes them; what cannot be read is left out.
std::vector<address_range> ranges_of(const std::vector<std::string>& written);

}  // namespace mcp_oauth
