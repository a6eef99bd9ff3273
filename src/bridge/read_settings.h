#pragma once

#include "base/error.h"
#include "bridge/settings.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

enum class bridge_verb { serve, login, logout, status, help, print_version };

// Everything a bridge's settings come from; nothing else is looked at.
struct bridge_input {
  std::vector<std::string> arguments;  // behind `bridge`, or behind the name of the drop-in
  std::function<std::optional<std::string>(std::string_view)> environment = {};
  std::vector<std::string> variables = {};  // the names of all that is set, for warnings about typos
  std::function<result<std::string>(const std::string& path)> read_file = {};
  bool drop_in = false;  // called as mcp-oauth2-proxy
};

struct bridge_command {
  bridge_verb verb = bridge_verb::serve;
  bridge_settings settings;
  bool as_json = false;  // status
  std::vector<std::string> warnings;
};

// Flags over environment over the JSON file (MCP_PROXY_CONFIG, or --config) over defaults; an empty variable
// counts as unset. Arguments: [login|logout|status] [URL [CALLBACK-PORT]] [flags], a flag's value behind it
// or after '='. Every error of every source is reported, a line each, as "failed to load config: …" in the
// words of the guide or "failed to build oauth2 grant: …"; unknown keys, flags and words are errors with the
// nearest name, unknown variables are warnings: the environment is not ours alone. No line holds the value of
// a secret.
tl::expected<bridge_command, std::vector<std::string>> read_bridge_settings(const bridge_input& input);

// What `--help` prints.
std::string bridge_help(bool drop_in = false);

}  // namespace mcp_oauth
