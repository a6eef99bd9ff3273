#pragma once

#include "base/json.h"
#include "base/time.h"

#include <optional>
#include <string>
#include <vector>

#include <boost/json/value_from.hpp>

namespace mcp_oauth {

// Who signed in, as tokens tell it.
struct person {
  std::string provider;
  std::string subject;  // PROVIDER:SUBJECT, so that two providers never mean one person
  std::string email;    // verified, or ""
  std::string name;
  std::string account;  // of a built-in user, see user::account
  // Of allowed_groups and allowed_organizations, those that the provider confirmed at the sign-in.
  std::vector<std::string> groups = {};
  std::vector<std::string> organizations = {};
  std::optional<time_point> until = {};  // then they have to sign in again
};

inline json::object to_json(const person& p) {
  json::object o{{"provider", p.provider},
                 {"subject", p.subject},
                 {"email", p.email},
                 {"name", p.name},
                 {"account", p.account}};
  if (!p.groups.empty()) o["groups"] = json::value_from(p.groups);
  if (!p.organizations.empty()) o["organizations"] = json::value_from(p.organizations);
  if (p.until) o["until"] = to_unix(*p.until);
  return o;
}
inline person person_from(const json::object& o) {
  person p{text_member(o, "provider"), text_member(o, "subject"), text_member(o, "email"),
           text_member(o, "name"), text_member(o, "account")};
  read(o, "groups", p.groups);
  read(o, "organizations", p.organizations);
  std::int64_t until = 0;
  if (read(o, "until", until) == member::present) p.until = from_unix(until);
  return p;
}
// For pages: the most telling word there is.
inline std::string displayed(const person& p) {
  return !p.email.empty() ? p.email : !p.name.empty() ? p.name : p.subject;
}

}  // namespace mcp_oauth
