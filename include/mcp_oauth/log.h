#pragma once

#include "mcp_oauth/abi.h"

#include <functional>
#include <span>
#include <string_view>

MCP_OAUTH_BEGIN

enum class level { debug, info, warning, error };

// One thing that is worth a line. Nothing in it is a secret: a token, a client secret or a key never is.
struct log_field {
  std::string_view name;   // "reason", "subject", "tool", …
  std::string_view value;  // UTF-8; control characters are replaced
};
struct log_entry {
  mcp_oauth::level level;
  std::string_view message;  // "call refused"
  std::span<const log_field> fields;
};

// Your own log. Called on the thread at hand, from several threads at once, with no lock of ours held;
// borrowed values last for the call. What it throws is caught and dropped. Levels: debug for each call that
// was allowed, info for each that was refused and for news of an issuer, warning for what needs a person,
// error for what is broken.
using log_function = std::function<void(const log_entry&)>;

MCP_OAUTH_END
