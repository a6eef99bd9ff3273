#include "gateway/metrics_access.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

bool is_this_machine(std::string_view peer) {
  static const auto loopback = ranges_of({"127.0.0.0/8", "::1"});
  // What has no address at all came over a socket of this machine.
  if (peer == "local") return true;
  auto address = ip_address::parse(peer);
  return address && std::any_of(loopback.begin(), loopback.end(),
                                [&](const address_range& r) { return r.contains(*address); });
}

}  // namespace

metrics_access::metrics_access(const settings& conf)
    : clients_(conf), allowed_(ranges_of(conf.metrics.allow)), token_(conf.metrics.token) {}

bool metrics_access::allows(const std::string& peer, std::span<const field> fields) const {
  if (!token_.empty() && presents_token(fields)) return true;
  // A proxy that nobody said to trust hides who asks.
  if (!clients_.is_known(peer, fields)) return false;
  if (token_.empty() && !was_forwarded(fields) && is_this_machine(peer)) return true;
  auto address = ip_address::parse(clients_.of(peer, fields));
  return address && std::any_of(allowed_.begin(), allowed_.end(),
                                [&](const address_range& r) { return r.contains(*address); });
}

bool metrics_access::presents_token(std::span<const field> fields) const {
  constexpr std::string_view scheme = "Bearer ";
  std::size_t times = 0;
  std::string_view given;
  for (const auto& f : fields) {
    if (!equal_ignoring_case(f.name, "authorization")) continue;
    ++times;
    given = f.value;
  }
  return times == 1 && starts_with_ignoring_case(given, scheme) &&
         token_.equals(trim(given.substr(scheme.size())));
}

}  // namespace mcp_oauth
