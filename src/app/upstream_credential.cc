// With what credentials an MCP server is called.

#include "app/gateway_service.h"
#include "base/text.h"
#include "net/http_write.h"
#include "oauth/access_token.h"
#include "oauth/bearer.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::chrono::minutes minted_lifetime{5};

}  // namespace

// What `upstream_authorization` says. The token that came is sent only where that says verified, and only
// after it was verified for this very resource.
void gateway_service::append_authorization(std::string& out, const net::exchange& x, const upstream& to,
                                           const snapshot& rules, credential& who) {
  const auto& conf = to.where.conf();
  if (conf.authorization == "static") {
    net::append_field(out, "Authorization", conf.credential.reveal());
    return;
  }
  if (!who.token) return;
  std::string token;
  if (conf.authorization == "verified") {
    auto came = bearer_token(x.head().fields, x.head().query);
    if (!came) return;
    token = std::string(*came);
  } else if (conf.authorization == "minted") {
    token = minted_for(x, to, rules, who);
  } else if (conf.authorization == "provider") {
    token = std::string(who.provider_token.reveal());
  } else {
    return;
  }
  net::append_field(out, "Authorization", "Bearer " + token);
  for (const auto& name : conf.inject_headers) {
    if (equal_ignoring_case(name, "X-Forwarded-Token")) net::append_field(out, "X-Forwarded-Token", token);
  }
}

std::string gateway_service::minted_for(const net::exchange& x, const upstream& to, const snapshot& rules,
                                        credential& who) {
  auto now = std::chrono::system_clock::now();
  if (!who.minted.empty() && now < who.minted_until) return who.minted;
  access_claims claims = who.claims();
  // For that server alone: at our door it opens nothing.
  claims.audience = to.where.conf().url;
  claims.grant_id.clear();
  claims.token_id = x.request_id();
  claims.issued = now;
  claims.expires = std::min(claims.expires, now + minted_lifetime);
  who.minted = mint_access_token(claims, rules.authorization_server->keys()->current);
  who.minted_until = claims.expires - minted_lifetime / 2;
  return who.minted;
}

}  // namespace mcp_oauth
