#pragma once

#include "base/error.h"
#include "config/config_error.h"
#include "config/settings.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

enum class config_file { required, optional };

// Everything a configuration can come from; nothing else is looked at.
struct config_input {
  std::string file_name;            // as it was named, for messages
  std::optional<std::string> text;  // of the file; nothing when it does not exist
  std::function<std::optional<std::string>(std::string_view)> environment = {};
  std::function<result<std::string>(const std::string& path)> read_file =
      {};                                                       // for `NAME_FILE` in the environment
  std::vector<std::string> variables = {};                      // names of all that is set; one that looks
                                                                // like ours and is no setting is warned about
  std::vector<std::pair<std::string, std::string>> flags = {};  // key path, '-' may stand for '_'; and value
  std::string absolute_path = {};                               // of the file, for the message that it is
                                                                // missing; file_name unless given
  config_file file = config_file::required;  // optional: nobody named it, so it may be missing
  bool standalone_ok = false;                // no MCP server need be configured: the demo brings its own
};

struct loaded {
  settings value;
  std::vector<std::string> warnings;
};

// Flags over environment over file over defaults. Every error of every source
// is reported, in the order: file, environment, command line, checks between
// keys. A file that is missing or no YAML is the only error then.
//
// In the environment a key is MCP_OAUTH_ and its path in capitals (see keys.h),
// or the same with _FILE for the name of a file that holds the value; an empty
// variable counts as unset. `providers.*` and the like are looked up for the
// items that the file names.
//
// Not checked: that files exist, that names resolve, that anything answers.
//
// `beside_errors` gets what was doubtful in the sources themselves, where there are errors as well: a
// variable that sets nothing may be what an error is about.
tl::expected<loaded, std::vector<config_error>> load(const config_input& input,
                                                     std::vector<std::string>* beside_errors = nullptr);

// The same settings after a listener on port 0 got `bound`: addresses of our
// own that were made from host and port follow. Settings with another port are
// returned as they are.
settings with_port(settings s, std::uint16_t bound);

}  // namespace mcp_oauth
