#pragma once

#include "base/text.h"

#include <string_view>

namespace mcp_oauth {

// Whether a lenient reader takes `theirs` for `ours`, which is ASCII: equal when case is ignored by Unicode's
// simple folding, in which U+017F is an s and U+212A a k.
inline bool equal_folded(std::string_view ours, std::string_view theirs) {
  std::size_t at = 0;
  for (char c : ours) {
    auto rest = theirs.substr(at);
    if (rest.empty()) return false;
    char lower = to_lower(c);
    if (to_lower(rest[0]) == lower) {
      at += 1;
    } else if (lower == 's' && rest.starts_with("\xC5\xBF")) {
      at += 2;
    } else if (lower == 'k' && rest.starts_with("\xE2\x84\xAA")) {
      at += 3;
    } else {
      return false;
    }
  }
  return at == theirs.size();
}

}  // namespace mcp_oauth
