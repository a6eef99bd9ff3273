// The checks that a line of a policy needs, without the tables that the others are held to.

#include "base/text.h"
#include "config/check.h"

#include <algorithm>

namespace mcp_oauth::checks {

std::optional<config_flaw> clean_text(std::string_view value) {
  if (!is_valid_utf8(value)) return config_flaw{"must be UTF-8"};
  if (!std::all_of(value.begin(), value.end(),
                   [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; })) {
    return config_flaw{"must not have line breaks or other control characters"};
  }
  return std::nullopt;
}

std::optional<config_flaw> scope(std::string_view value) {
  bool ok = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > 0x20 && c < 0x7F && c != '"' && c != '\\';
  });
  if (!ok) return config_flaw{"must be a scope: printable ASCII without blank, quote and backslash"};
  return std::nullopt;
}

}  // namespace mcp_oauth::checks
