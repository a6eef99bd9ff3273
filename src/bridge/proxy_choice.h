#pragma once

#include "base/error.h"
#include "base/url.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The HTTP proxy through which a server is reached.
struct proxy_choice {
  std::string host;
  std::uint16_t port = 80;
  std::string authorization;  // of its URL's user and password, as Proxy-Authorization has it; "": none
};

// The one that the environment names for this URL: HTTPS_PROXY for https, HTTP_PROXY for http, ALL_PROXY for
// both, also in small letters, which count first; nothing for loopback and for hosts in NO_PROXY (names, also
// for what is below them, addresses, host:port, *). Errors: config_invalid, a value that is no http:// URL.
result<std::optional<proxy_choice>> choose_proxy(
    const url& to, const std::function<std::optional<std::string>(std::string_view)>& environment);

}  // namespace mcp_oauth
