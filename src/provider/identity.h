#pragma once

#include <string>
#include <vector>

namespace mcp_oauth {

// Who signed in, as an identity provider says. Only `provider` and `subject` together name a person;
// everything else may change or be reused.
struct identity {
  std::string provider;  // the name it is configured under
  std::string subject;   // `sub`
  std::string email;
  bool email_verified = false;
  std::string name;
  std::string preferred_username;  // chosen by the user at many providers: never decide anything by it
  std::vector<std::string> groups;
  std::vector<std::string> organizations = {};  // "org" and "org/team", of those the provider was asked about

  friend bool operator==(const identity&, const identity&) = default;
};

}  // namespace mcp_oauth
