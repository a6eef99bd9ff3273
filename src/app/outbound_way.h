#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "bridge/settings.h"
#include "net/http_client.h"

namespace mcp_oauth {

// The way of a request of the bridge or of the doctor: what a server named goes by the proxy of the
// environment where there is one for that very URL. Errors: address_refused, see check_destination.
result<net::proxies> way_to(const http_call& call, const fetch_rules& rules);

// Takes the proxies out of the environment of this process where the settings say that they do not count.
// Before the first request.
void apply_use_proxy(const bridge_settings& settings);

// One request of a sign-in, or of its end, by that way and with what the settings say of TLS. Blocks. Errors:
// those of net::fetch with a client certificate.
result<http_answer> fetch_for_sign_in(const http_call& call, fetch_rules rules,
                                      const bridge_settings& settings);

}  // namespace mcp_oauth
