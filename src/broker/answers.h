#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/json.h"
#include "broker/exchange.h"
#include "broker/pages.h"
#include "config/settings.h"

#include <string>

namespace mcp_oauth {

// A JSON body that nothing may cache.
http_response json_answer(int status, const json::object& body);

// 303: the browser asks with GET, whatever it sent (OAuth 2.1 §7.5.3). `location` must come from a check of
// ours.
http_response redirect_answer(std::string location);

// The OAuth error of a failure: status and error from the catalogue, its error_description, Retry-After where
// a later attempt may succeed, and `WWW-Authenticate: Basic` on a 401 to a request that had an Authorization
// field (RFC 6749 §5.2). Notes the failure with its detail, which the answer does not have.
http_response error_answer(const exchange& x, const error& why);

// The same as a page for those who accept HTML. `page` holds what the page offers besides; what went wrong
// and the request's id are filled in here.
http_response error_answer_for_people(const exchange& x, const error& why, error_page page = {});

// Whether the Accept field names text/html.
bool accepts_html(const http_request& request);

// 429 with Retry-After and, in the body, the key of the configuration and by what is counted; a page for
// those who accept HTML. `counted`: whom it was counted under, for the log.
http_response limit_answer(const exchange& x, const settings& conf, rate_limit which,
                           std::string_view counted, seconds wait);

void note_failure(const exchange& x, const error& why);

}  // namespace mcp_oauth
