#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/grants.h"
#include "broker/issued_token.h"
#include "broker/provider_access.h"
#include "oauth/bearer.h"
#include "oauth/challenge.h"
#include "oauth/metadata.h"

#include <span>

namespace mcp_oauth {
namespace {

// 401 with a Bearer challenge (RFC 6750 §3): what is asked for here is an access token.
http_response refuse(const exchange& x, const error& why) {
  auto answer = error_answer(x, why);
  if (answer.status == 401) answer.fields.set("WWW-Authenticate", bearer_challenge(why.code, "", {}));
  return answer;
}

// No token is in it: whoever holds an access token that has leaked gets nothing that lives longer.
http_response describe(const exchange& x, const provider_access& access) {
  json::object body{
      {"refreshed", access.renewed}, {"provider", access.provider}, {"renewable", access.renewable}};
  if (access.expires) {
    body["expires_in"] = std::chrono::duration_cast<seconds>(*access.expires - x.now).count();
    body["expires_at"] = to_iso8601(*access.expires);
  }
  x.log->note("result", "ok");
  return json_answer(200, body);
}

}  // namespace

// Renews the provider's token behind an access token of ours, which may have expired itself as long as its
// grant lives. A form is a token request (RFC 6749 §6), as at the token endpoint. Cookies count for nothing
// here, so no page can make a browser ask.
step refresh(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"POST"})) return *refused;
  if (!x.request->body.empty()) return token(parts, std::move(x));
  std::vector<field> fields;
  for (const auto& [name, value] : x.request->fields) fields.push_back({name, value});
  auto given = bearer_token(fields, x.request->query);
  if (!given) return refuse(x, given.error());
  auto claims = read_access_token(parts.world, *parts.keys()->all, *given, x.now,
                                  parts.world.conf.refresh_token_lifetime);
  if (!claims) return refuse(x, claims.error());
  x.log->note("user", claims->subject);
  x.log->note("client_id", claims->client_id);
  x.log->note("grant", claims->grant_id);
  auto live = is_live_grant(parts.world, claims->grant_id, x.now);
  if (!live) return refuse(x, live.error());
  if (!*live) return refuse(x, {errc::token_revoked, "grant " + claims->grant_id});
  return with_provider_access(
      parts, std::move(x), claims->grant_id, refresh_when::at_once,
      [claims = *claims](const exchange& later, const result<provider_access>& access) -> step {
        if (access) return describe(later, *access);
        bool kept = access.error().code != errc::provider_token_absent;
        if (kept) return refuse(later, access.error());
        // Nothing to renew at the provider. The client renews its own token with its refresh token.
        if (claims.expires <= later.now)
          return refuse(later, {errc::token_expired, "and nothing is kept of the provider"});
        provider_access none;
        none.provider = claims.provider;
        return describe(later, none);
      });
}

}  // namespace mcp_oauth
