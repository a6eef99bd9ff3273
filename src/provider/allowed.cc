#include "provider/allowed.h"

#include "base/text.h"

#include <algorithm>
#include <string_view>

namespace mcp_oauth {
namespace {

constexpr std::string_view specials = "()<>[]:;@\\,\"";

// What follows the '@' of a plain address. A quoted local part may hold others (RFC 5322 §3.4.1), and two
// readers then see two domains: it has none here.
std::string_view domain_of(std::string_view email) {
  auto at = email.find('@');
  if (at == std::string_view::npos || at == 0) return {};
  auto is_special = [](char c) {
    return (c >= 0 && c <= ' ') || c == 0x7F || specials.find(c) != std::string_view::npos;
  };
  auto local = email.substr(0, at), domain = email.substr(at + 1);
  bool plain = std::none_of(local.begin(), local.end(), is_special) &&
               std::none_of(domain.begin(), domain.end(), is_special);
  return plain ? domain : std::string_view();
}

bool is_same_domain(std::string_view entry, std::string_view domain) {
  if (entry.starts_with('@')) entry.remove_prefix(1);
  return !entry.empty() && equal_ignoring_case(entry, domain);
}

template <class Same>
bool has_common(const std::vector<std::string>& entries, const std::vector<std::string>& seen, Same same) {
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    return !entry.empty() && std::any_of(seen.begin(), seen.end(), [&](const std::string& one) {
      return same(std::string_view(entry), std::string_view(one));
    });
  });
}

std::string lists_of(const allowed_people& allowed) {
  std::vector<std::string> names;
  if (!allowed.users.empty()) names.emplace_back("allowed_users");
  if (!allowed.domains.empty()) names.emplace_back("allowed_domains");
  if (!allowed.groups.empty()) names.emplace_back("allowed_groups");
  if (!allowed.organizations.empty()) names.emplace_back("allowed_organizations");
  return join(names, ", ");
}

}  // namespace

result<void> check_allowed(const allowed_people& allowed, const identity& who) {
  if (allowed.everyone()) return {};

  std::string_view email = who.email_verified ? std::string_view(who.email) : std::string_view();
  bool listed = std::any_of(allowed.users.begin(), allowed.users.end(), [&](const std::string& entry) {
    return !entry.empty() && (entry == who.subject || equal_ignoring_case(entry, email));
  });
  if (listed) return {};

  auto domain = domain_of(email);
  bool in_domain = std::any_of(allowed.domains.begin(), allowed.domains.end(),
                               [&](const std::string& entry) { return is_same_domain(entry, domain); });
  if (in_domain) return {};

  if (has_common(allowed.groups, who.groups, [](auto a, auto b) { return a == b; })) return {};
  if (has_common(allowed.organizations, who.organizations, equal_ignoring_case)) return {};

  std::string seen = "subject '" + who.subject + "' of " + who.provider;
  if (!who.email.empty()) seen += ", e-mail '" + who.email + (who.email_verified ? "'" : "' (not verified)");
  return fail(errc::user_not_allowed, seen + " is on no list of those who may sign in: " + lists_of(allowed));
}

}  // namespace mcp_oauth
