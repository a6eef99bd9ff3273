#include "provider/allowed.h"

#include "base/text.h"

#include <algorithm>
#include <string_view>

namespace mcp_oauth {
namespace {

// What follows the last '@': a quoted local part may hold others.
std::string_view domain_of(std::string_view email) {
  auto at = email.rfind('@');
  return at == std::string_view::npos || at == 0 ? std::string_view() : email.substr(at + 1);
}

bool is_same_domain(std::string_view entry, std::string_view domain) {
  if (entry.starts_with('@')) entry.remove_prefix(1);
  return !entry.empty() && equal_ignoring_case(entry, domain);
}

}  // namespace

result<void> check_allowed(const allowed_people& allowed, const identity& who) {
  if (allowed.users.empty() && allowed.domains.empty()) return {};

  std::string_view email = who.email_verified ? std::string_view(who.email) : std::string_view();
  bool listed = std::any_of(allowed.users.begin(), allowed.users.end(), [&](const std::string& entry) {
    return !entry.empty() && (entry == who.subject || equal_ignoring_case(entry, email));
  });
  if (listed) return {};

  auto domain = domain_of(email);
  bool in_domain = std::any_of(allowed.domains.begin(), allowed.domains.end(),
                               [&](const std::string& entry) { return is_same_domain(entry, domain); });
  if (in_domain) return {};

  std::string seen = "subject '" + who.subject + "' of " + who.provider;
  if (!who.email.empty()) seen += ", e-mail '" + who.email + (who.email_verified ? "'" : "' (not verified)");
  return fail(errc::user_not_allowed, seen + " is in neither allowed_users nor allowed_domains");
}

}  // namespace mcp_oauth
