#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/time.h"
#include "jose/key_set.h"
#include "oauth/issuer_token.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What an issuer publishes, as far as its tokens' validation needs it: requests and judgements.

// Where the metadata of an issuer may be, in the order to try: OpenID Connect Discovery §4, RFC 8414 §3.1,
// and the form between them. For an issuer with a path these are three, otherwise two.
std::vector<std::string> metadata_urls(std::string_view issuer);

http_call metadata_request(std::string_view url);
http_call keys_request(std::string_view jwks_uri);

struct issuer_metadata {
  std::string issuer;
  std::string jwks_uri;                // "" when none is stated
  std::string introspection_endpoint;  // "" when none is stated
  std::string document;                // as it came, for whoever publishes it again
};

// Whether it is a 200 with a JSON object, whatever that says.
bool is_json_document(const http_answer& answer);

// The document must state the very issuer that is configured (RFC 8414 §3.3), `{tenantid}` as it stands;
// endpoints as in `is_usable_endpoint`. Errors: issuer_unreachable for 5xx and 429, issuer_metadata_invalid
// for everything else, in words: another status, a redirect and where it leads, HTML, what differs between
// the issuers and what to configure.
result<issuer_metadata> process_metadata_answer(const issuer_rules& rules, std::string_view url,
                                                const http_answer& answer);

// Errors: issuer_keys_unavailable, in words like those above.
result<key_set> process_keys_answer(std::string_view url, const http_answer& answer);

// Whether it is a key set all right, and has no key that can be used: the issuer has taken them all back.
bool withdraws_every_key(const http_answer& answer);

// How long an answer may be kept: its max-age within 5 minutes and a day, an hour without one; 5 minutes for
// no-store and no-cache.
seconds time_to_keep(const http_answer& answer);

}  // namespace mcp_oauth
