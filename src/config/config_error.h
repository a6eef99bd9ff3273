#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// One thing that is wrong with the configuration. A load reports all of them
// together.
struct config_error {
  std::string file;   // as it was named; "environment" or "command line" for
                      // values from there
  int line = 0;       // 1-based; 0: no line to point at
  std::string key;    // dotted path in a file, the variable in the environment,
                      // "--flag" on the command line
  std::string value;  // as seen, fit for display; "" where there is none or it
                      // may not be shown
  std::string rule;   // what must hold
  std::string hint;   // what to write instead; may be ""
  errc code = errc::config_invalid;
};

// `config.yaml:7: port: value "80800": must be a whole number from 0 to 65535
// (hint)`; the parts that are empty are left out. A missing file reads `Config
// file not found: /absolute/path (hint)`.
std::string to_string(const config_error& e);

// The text, with everything between "://" and the last '@' replaced by "***": a
// URL may carry a password there.
std::string without_credentials(std::string_view text);

// A value as a message may show it: one line, at most 80 bytes, control
// characters escaped, and "***" where a URL may carry a password or a key:
// between "://" and the last '@', and of http(s) behind the '?'.
std::string displayed(std::string_view value);

}  // namespace mcp_oauth
