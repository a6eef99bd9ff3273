#pragma once

#include "base/json.h"

#include <string>

namespace mcp_oauth {

// Who signed in, as tokens tell it.
struct person {
  std::string provider;
  std::string subject;  // PROVIDER:SUBJECT, so that two providers never mean one person
  std::string email;    // verified, or ""
  std::string name;
  std::string account;  // of a built-in user, see user::account
};

inline json::object to_json(const person& p) {
  return {{"provider", p.provider},
          {"subject", p.subject},
          {"email", p.email},
          {"name", p.name},
          {"account", p.account}};
}
inline person person_from(const json::object& o) {
  return {text_member(o, "provider"), text_member(o, "subject"), text_member(o, "email"),
          text_member(o, "name"), text_member(o, "account")};
}
// For pages: the most telling word there is.
inline std::string displayed(const person& p) {
  return !p.email.empty() ? p.email : !p.name.empty() ? p.name : p.subject;
}

}  // namespace mcp_oauth
