#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/time.h"
#include "base/url.h"

#include <string>
#include <vector>

namespace mcp_oauth::net {

// Sends one request to somebody else's server and waits for the whole answer: certificates verified,
// redirects not followed, http and https only, HTTP(S)_PROXY and NO_PROXY honoured. Blocks: call it on a
// blocking pool. With addresses::public_only the address actually connected to is judged, so that no name can
// hide a private one; the request then goes to it directly, past any configured proxy. `ca_file`: authorities
// besides the system's. The heads of an answer may take 64 KiB. Errors: fetch_failed, fetch_timeout,
// fetch_too_large, address_refused.
result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file = {});

// By which way a request goes. Of public_only rules none but `always` goes by a proxy.
enum class proxies {
  of_environment,
  none,
  // By the one of the environment, whatever NO_PROXY says, and never directly: without one it is
  // fetch_failed. With public_only a host that this machine knows to be no public one is refused; where a
  // name leads that the proxy alone knows is the proxy's affair.
  always,
};

// What was seen of an answer, and why it is not all of it, for people; "" where it is.
struct glimpse {
  http_answer answer;
  std::string cut;
  std::vector<milliseconds> events;  // when each event with data had come, counted from the first byte sent
};

// The same for somebody who wants to see what comes rather than have it: an answer that is not over in time,
// or is too large, counts as far as it came; of an event stream the first `events` events with data are
// enough. Compression is asked for where the call does, and read where it comes all the same.
result<glimpse> look(const http_call& call, const fetch_rules& rules, const std::string& ca_file,
                     proxies by = proxies::of_environment, std::size_t events = 1);

// As `fetch`, by that way.
result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file,
                          proxies by);

// A certificate with which we show who we are, and its key: PEM files.
struct client_certificate {
  std::string certificate_file, key_file;
};
// As `fetch` with such a certificate, by that way, and by `of_environment` past any proxy where the URL is on
// this machine. A file that cannot be used is fetch_failed. What kept the request from an answer is told more
// finely: upstream_refused, upstream_tls_failed, upstream_proxy_refused (it is not there, or refuses the
// tunnel) and upstream_malformed (something else than HTTP) in place of fetch_failed.
result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file,
                          const client_certificate& ours, proxies by = proxies::of_environment);

// How to send what a server named, where the environment names a proxy: by that, since this machine may
// reach nobody without.
proxies way_of(const http_call& call, const fetch_rules& rules);

// Whether the environment names a proxy for that URL that NO_PROXY does not except. Of NO_PROXY names, ends
// of names and "*" count.
bool has_proxy_for(const url& to);

}  // namespace mcp_oauth::net
