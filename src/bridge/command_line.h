#pragma once

#include "bridge/settings.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Arguments of a bridge as they may be shown: the value of whatever may hold a secret is ***. A value that is
// only a reference (${VARIABLE}, @FILE) stays.
std::vector<std::string> without_secrets(const std::vector<std::string>& arguments);

// "mcp-oauth-proxy bridge login https://… --client-id x": what does that with the very sign-in of these
// settings, in the words in which they were given. Variables that count are named behind it.
std::string bridge_command_line(std::string_view verb, const bridge_settings& settings);

// The text of the catalogue with these commands in place of "mcp-oauth-proxy bridge login URL" and the like.
std::string with_command_lines(std::string_view text, const bridge_settings& settings);

// What says, besides the URL, which sign-in is meant (`kept_name`), as flags and variables; secrets are ***.
// "": nothing is set.
std::string kept_settings(const bridge_settings& settings);

}  // namespace mcp_oauth
