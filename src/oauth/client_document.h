#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/time.h"
#include "base/url.h"
#include "oauth/client_metadata.h"

#include <cstddef>
#include <string_view>

namespace mcp_oauth {

// Client id metadata documents (draft-ietf-oauth-client-id-metadata-document): a client id that is the URL of
// what the client says about itself.

inline constexpr std::size_t longest_client_document_url = 2048;
inline constexpr std::size_t largest_client_document = 5 * 1024;

// Whether a client id is meant as such a URL; ids that we issue never begin so.
bool is_client_document_id(std::string_view client_id);

// The URL to fetch: https, a path beyond "/", no `.` or `..` segment however it is escaped, no fragment, no
// user information, no address in disguise for a host. Its text as fetched is the client id, byte for byte.
// NOT checked: what the host resolves to; the fetch must refuse addresses that are not public, and redirects.
// Errors: client_document_refused.
result<url> client_document_url(std::string_view client_id);

// Judges what came from that URL. Redirect URIs of a form that no client may use are left out; that one of
// the rest is asked for is checked when it is. URLs for people are left out unless they are http(s). Only
// public clients can come this way: a shared secret would be public, and we know no other method. Errors:
// client_document_unreachable (status or content type), fetch_too_large, client_document_invalid. None of
// them may be cached.
result<client_metadata> parse_client_document(std::string_view client_id, const http_answer& answer,
                                              std::size_t most_bytes = largest_client_document);

// For how long a valid document may be used without asking again: max-age of Cache-Control (s-maxage before
// it, as we serve many), within 5 minutes and 24 hours; an hour when the server says nothing.
seconds client_document_lifetime(const http_answer& answer);

}  // namespace mcp_oauth
