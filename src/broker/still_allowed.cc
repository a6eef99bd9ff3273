#include "broker/still_allowed.h"

#include "broker/users.h"
#include "config/provider_kind.h"
#include "provider/allowed.h"

#include <algorithm>

namespace mcp_oauth {

result<void> check_still_allowed(const broker_world& world, const person& who, time_point now) {
  for (const auto& p : world.conf.providers) {
    if (p.name != who.provider) continue;
    identity id;
    id.provider = p.name;
    id.subject = who.subject.substr(std::min(p.name.size() + 1, who.subject.size()));
    id.email = who.email;
    id.email_verified = !who.email.empty();
    id.groups = who.groups;
    id.organizations = who.organizations;
    if (!check_allowed(allowed_at(p), id)) {
      return fail(errc::refresh_invalid, who.subject + " is no longer allowed");
    }
    if (p.type != "local") return {};
    auto known = find_user(world.store, id.subject, now);
    if (!known) return tl::unexpected(known.error());
    if (*known && (*known)->account == who.account) return {};
    return fail(errc::refresh_invalid, who.subject + " was removed, or given a new password");
  }
  return fail(errc::refresh_invalid, "provider " + who.provider + " is no longer configured");
}

}  // namespace mcp_oauth
