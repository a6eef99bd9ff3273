#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"

namespace mcp_oauth::net {

// Sends one request to somebody else's server and waits for the whole answer: certificates verified,
// redirects not followed, http and https only, HTTP(S)_PROXY and NO_PROXY honoured. Blocks: call it on a
// blocking pool. With addresses::public_only the address actually connected to is judged, so that no name can
// hide a private one; the request then goes to it directly, past any configured proxy. `ca_file`: authorities
// besides the system's. The heads of an answer may take 64 KiB. Errors: fetch_failed, fetch_timeout,
// fetch_too_large, address_refused.
result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file = {});

// A certificate with which we show who we are, and its key: PEM files.
struct client_certificate {
  std::string certificate_file, key_file;
};
// The same with such a certificate. A file that cannot be used is fetch_failed.
result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file,
                          const client_certificate& ours);

// The same for somebody who wants to see what comes rather than have it: an answer that is not over in time,
// or is too large, counts as far as it came; of an event stream the first event is enough.
result<http_answer> look(const http_call& call, const fetch_rules& rules, const std::string& ca_file);

}  // namespace mcp_oauth::net
