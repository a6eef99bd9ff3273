#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mcp_oauth {

inline constexpr std::size_t longest_redacted = 512;

// Without what looks like a credential, however it got there: JWTs, what follows Bearer, Basic and DPoP, the
// values of code, state, token, password and the like, queries of URLs, and the user in them; percent-encoded
// or not.
std::string without_secrets(std::string_view text);

// The same of the path of a request, which ends where a query begins, an encoded one too.
std::string path_without_secrets(std::string_view path);

// The same as `without_secrets`, at most `longest_redacted` bytes, UTF-8, without anything that a terminal
// would obey.
std::string redact(std::string_view text);

}  // namespace mcp_oauth
