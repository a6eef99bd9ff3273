#pragma once

#include "library/names.h"

MCP_OAUTH_BEGIN

// With libcurl.so.4, which is loaded when it is first needed. Certificates are verified, redirects not
// followed.
fetch_answer fetch_by_curl(const fetch_request& request);

// What a host is asked to fetch, and what the core makes of its answer: a lie is at worst an error of the
// issuer. More than was asked for is fetch_too_large, whatever was fetched.
fetch_request to_host(const http_call& call, const fetch_rules& rules);
result<http_answer> from_host(fetch_answer answer, const fetch_request& asked);
// A whole fetch by the host's function; what it throws is caught.
result<http_answer> fetch_by(const fetch_function& fetch, const fetch_request& asked);

MCP_OAUTH_END
