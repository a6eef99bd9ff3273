#pragma once

#include "base/json.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What stands around a token that was copied out of a header, a document or a shell.
struct unwrapped_token {
  std::string text;     // without it
  std::string wrapped;  // in words; "" when there was nothing but the line break of a pipe
};
unwrapped_token unwrap_token(std::string_view given);

// A string as this program makes refresh tokens and codes: 32 random bytes in base64url. Whether it made this
// one, only its database says.
bool looks_like_our_refresh_token(std::string_view token);

// The JOSE header, as far as it may be shown; nothing where there is none.
std::optional<json::object> shown_header(std::string_view token);

// Whether the token ends before its end, in words: "it is cut off after 512 characters, …"; "" when nothing
// speaks for that.
std::string how_it_is_cut(std::string_view token);

}  // namespace mcp_oauth
