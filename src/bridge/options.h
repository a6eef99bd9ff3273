#pragma once

#include "bridge/settings.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// One setting of a bridge, by its names in the file, the environment and on the command line.
struct bridge_option {
  enum class kind { text, number, boolean, list, map };

  std::string_view key;       // in the JSON file: "upstream.timeoutMs"
  std::string_view variable;  // "UPSTREAM_TIMEOUT_MS"; the same with _FILE names a file that holds a secret
  std::string_view flag;      // "--timeout-ms"; "": none
  kind of;
  std::string_view fallback;  // as the documentation shows it
  std::string_view about;
  bool is_secret;
  // Takes the value as text (a map as JSON). What is wrong with it, to stand behind its name:
  // ` must be an integer, got "abc"`; nothing when it was taken.
  std::optional<std::string> (*take)(bridge_settings& into, std::string_view value);
};

// Those of the guide first, in its order; then ours.
std::span<const bridge_option> bridge_options();

// Flags that only the command line has, with the names of mcp-remote; a value where `has_value`.
struct bridge_flag {
  std::string_view name;  // "--allow-http"
  bool has_value;
  bool may_repeat;
  std::string_view about;
  std::optional<std::string> (*take)(bridge_settings& into, std::string_view value);
};
std::span<const bridge_flag> bridge_flags();

// "Name: value" as one header for the MCP server. What is wrong with it; nothing when it was taken.
std::optional<std::string> take_header(bridge_settings& into, std::string_view line);

}  // namespace mcp_oauth
