#pragma once

#include "config/settings.h"

#include <string>

namespace mcp_oauth {

// The settings as a file that would give them, every default written out.
// Secrets read "***", and so does a password in a URL; without any, `load` of
// the text gives the same settings again.
std::string to_yaml(const settings& s);

// Every key with type, default, environment name and meaning, as the page of
// the documentation.
std::string reference_markdown();

// JSON Schema (2020-12) of the file, for editors. It knows types, ranges and
// names; the rules between keys are `load`'s.
std::string json_schema();

}  // namespace mcp_oauth
