#pragma once

#include "base/error.h"
#include "provider/identity.h"

#include <string>
#include <vector>

namespace mcp_oauth {

// Who may sign in. All lists empty: everyone whom the provider signs in. Otherwise one entry has to match.
struct allowed_people {
  std::vector<std::string> users = {};  // a subject, exactly; or an e-mail address, without regard to case
  std::vector<std::string> domains =
      {};  // of a plain e-mail address, "example.com" or "@example.com"; no subdomains
  std::vector<std::string> groups = {};         // a group that the provider names, exactly
  std::vector<std::string> organizations = {};  // "org" or "org/team", without regard to case

  bool everyone() const {
    return users.empty() && domains.empty() && groups.empty() && organizations.empty();
  }
};

// An e-mail address counts only when the provider says that it is verified.
// Errors: user_not_allowed.
result<void> check_allowed(const allowed_people& allowed, const identity& who);

}  // namespace mcp_oauth
