#include "base/text.h"
#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "oauth/registration_request.h"

namespace mcp_oauth {

// Dynamic client registration (RFC 7591), open to everybody: bounded per registrant, and forgotten unless
// used.
step register_client(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"POST"})) return *refused;
  const auto& world = parts.world;
  if (!world.conf.registration.dynamic) return error_answer(x, {errc::registration_disabled, ""});
  auto who = limiter_key(x.request->peer);
  if (auto wait = parts.counts->refuse(rate_limit::registrations, who, world.conf, x.now))
    return limit_answer(x, world.conf, rate_limit::registrations, who, *wait);
  auto request = parse_registration_request(*x.request, parts.clients.rules_for({}));
  if (!request) return error_answer(x, request.error());
  if (!request->dropped.empty()) x.log->note("dropped", join(request->dropped, "; "));
  auto registered = register_client(std::move(*request), world.random, x.now);
  auto kept = parts.clients.add(registered, x.now);
  if (!kept) return error_answer(x, kept.error());
  x.log->note("result", "ok");
  x.log->note("event", "client_registered");
  x.log->note("client_id", registered.client.client_id);
  return registration_response(registered);
}

}  // namespace mcp_oauth
