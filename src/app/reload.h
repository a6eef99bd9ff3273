#pragma once

#include "base/error.h"
#include "config/load.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

using config_flags = std::vector<std::pair<std::string, std::string>>;

// Reads the configuration as at the start, with more flags on the command line. Errors: every mistake, a line
// each.
using settings_source =
    std::function<tl::expected<loaded, std::vector<std::string>>(const config_flags& more)>;

// What became of a reload. Texts hold no secret.
struct reload_report {
  std::vector<std::string> warnings;
  std::vector<std::string> errors;  // of the file; then nothing changed
  std::optional<error> failure;     // of what the file names, such as a certificate; then nothing changed

  bool adopted() const { return errors.empty() && !failure; }
};

// A setting that a running gateway keeps, since a listener, a store or a key hangs on it.
struct fixed_setting {
  std::string key;
  std::string running, wanted;  // "" where they may not be shown
};

// What differs between the settings in use and others, and would need a restart.
std::vector<fixed_setting> cannot_change(const settings& running, const settings& wanted);

// "port: 9090 needs a restart; until then 8080 stays"
std::string to_string(const fixed_setting& s);

// The flags under which those of them that others follow from keep their running values.
config_flags flags_of(const std::vector<fixed_setting>& pinned, const settings& running);

// Gives all of them their running values.
void keep_fixed(const settings& running, settings& wanted);

}  // namespace mcp_oauth
