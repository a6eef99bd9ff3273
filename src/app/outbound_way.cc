#include "app/outbound_way.h"

#include "base/url.h"
#include "bridge/outbound.h"

#include <cstdlib>

namespace mcp_oauth {

result<net::proxies> way_to(const http_call& call, const fetch_rules& rules) {
  auto to = url::parse(call.url);
  if (!to) return tl::unexpected<error>(to.error());
  if (auto fine = check_destination(*to, rules); !fine) return tl::unexpected<error>(fine.error());
  return net::way_of(call, rules);
}

void apply_use_proxy(const bridge_settings& settings) {
  if (settings.use_proxy) return;
  for (const char* name :
       {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"})
    ::unsetenv(name);
}

result<http_answer> fetch_for_sign_in(const http_call& call, fetch_rules rules,
                                      const bridge_settings& settings) {
  auto by = way_to(call, rules);
  if (!by) return tl::unexpected<error>(by.error());
  auto to = url::parse(call.url), server = url::parse(settings.upstream.url);
  if (*by == net::proxies::always) rules = rules_by_proxy(*to, rules);
  // Who we are by certificate is for the server that the user named, and for nobody whom that one names.
  net::client_certificate ours;
  if (server && to->origin() == server->origin())
    ours = {settings.tls.certificate_file, settings.tls.key_file};
  return net::fetch(call, rules, settings.tls.ca_file, ours, *by);
}

}  // namespace mcp_oauth
