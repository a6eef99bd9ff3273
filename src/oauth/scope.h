#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

inline constexpr std::size_t longest_scope = 4096;

// scope-token of RFC 6749 §3.3: printable ASCII without space, '"' and '\'.
bool is_scope_token(std::string_view text);

// The tokens of a `scope` value, in order, each once. Several spaces count as one.
// Errors: parameter_too_long over 4096 characters; scope_unknown for a character that no token may hold, as
// `invalid_scope` is also for what is malformed (RFC 6749 §5.2).
result<std::vector<std::string>> parse_scope(std::string_view value);

// Those of `asked` that are in `known`, in the order asked. A client may ask for more than there is (many ask
// for all that any document lists): what is unknown is left out, not refused.
// - `asked` empty, or only words of OpenID Connect that are not known here (openid, profile, email,
// offline_access…):
//   those of `otherwise` that are known.
// - `known` empty: the server has no scopes, nothing is granted.
// - something asked and nothing of it known: scope_unknown.
result<std::vector<std::string>> narrow_scopes(const std::vector<std::string>& asked,
                                               const std::vector<std::string>& known,
                                               const std::vector<std::string>& otherwise);

// The scopes of a refresh (RFC 6749 §6): `granted` when none are asked for; otherwise those asked, each of
// which must have been granted, else refresh_scope_exceeded.
result<std::vector<std::string>> refresh_scopes(const std::optional<std::vector<std::string>>& asked,
                                                const std::vector<std::string>& granted);

bool holds_every_scope(const std::vector<std::string>& granted, const std::vector<std::string>& needed);

}  // namespace mcp_oauth
