#pragma once

#include "base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_oauth {

// An absolute URL in its parts, as strict as RFC 3986 with the characters that browsers "repair" refused:
// no backslash, no control, no space, nothing above 0x7E, no userinfo.
struct url {
  std::string scheme;          // lower case
  std::string host;            // lower case; an IPv6 literal without its brackets; "" for private-use schemes
  bool has_authority = false;  // "//" stood behind the scheme, though the host may be empty
  bool host_is_ipv6 = false;
  std::uint16_t port = 0;  // 0: none given
  std::string path;        // as written; "" when absent
  std::string query;       // without '?'
  bool has_query = false;
  std::string fragment;  // without '#'
  bool has_fragment = false;

  // Errors: url_malformed, with the reason in `detail`.
  static result<url> parse(std::string_view text);

  // The port that is meant: the given one, or that of http(s).
  std::uint16_t effective_port() const;
  // scheme://host[:port], the default port left out (RFC 6454 §6.2).
  std::string origin() const;
  // host[:port], as a Host header has it.
  std::string authority() const;
  std::string to_string() const;
  bool is_http() const { return scheme == "http" || scheme == "https"; }
  // 127.0.0.0/8, ::1 or localhost (RFC 8252 §7.3, §8.3).
  bool is_loopback() const;
};

// Whether the text is an IPv4 literal in 127.0.0.0/8, "::1", or "localhost" in any case.
bool is_loopback_host(std::string_view host);

}  // namespace mcp_oauth
