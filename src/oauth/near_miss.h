#pragma once

#include "base/time.h"

#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Why two things that should be equal are not, for people: in the details of errors and in the words of the
// doctor. None of this decides anything. Each gives one sentence without its full stop, or "" when it sees
// nothing telling.

// Two issuers or URLs: a slash at the end, case, http and https, blanks, a port, a host or a path more or
// less, the two versions of Entra's issuers.
std::string how_issuers_differ(std::string_view seen, std::string_view expected);

// The `aud` of a token and those accepted: the above for the nearest pair; a client id as audience; the
// audience of Microsoft Graph.
std::string how_audiences_differ(std::span<const std::string> seen, std::string_view client_id,
                                 std::span<const std::string> accepted);

// Scopes that were granted and one that is missing: case, another separator, a prefix more or less.
std::string how_scopes_differ(std::span<const std::string> granted, std::string_view missing);

enum class token_shape {
  jwt,     // three parts whose first is a JOSE header
  jwe,     // five such parts: encrypted (RFC 7516 §7.1)
  opaque,  // a string that says nothing
  broken,  // meant as a JWT and damaged: cut off, quoted, with blanks, its header unreadable
};
// Told by form alone.
token_shape shape_of(std::string_view token);

// What a text that is no JWT looks like: quoted, "Bearer" inside, a line break, cut off, the tokens of
// GitHub, Google and others by their prefixes. Quotes nothing of the token but such a prefix.
std::string what_token_looks_like(std::string_view token);

// Whether an answer that should be JSON is a page for people.
bool looks_like_a_page(std::string_view body);

// "31 s ago", "in 5 min": with `then` before or after `now`.
std::string how_long_from(time_point now, time_point then);

}  // namespace mcp_oauth
