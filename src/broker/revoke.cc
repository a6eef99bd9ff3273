#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/grants.h"
#include "broker/issued_token.h"
#include "oauth/endpoint_form.h"
#include "oauth/revocation_request.h"

namespace mcp_oauth {
namespace {

http_response done() {
  http_response answer;
  answer.fields = {{"Cache-Control", "no-store"}};
  return answer;
}

// The grant behind a token of either kind, and whose it is; the hint is not needed to tell them apart.
struct owner {
  std::string grant;
  std::string client_id;
};
result<std::optional<owner>> owner_of(broker_parts& parts, const exchange& x, std::string_view token) {
  if (token.find('.') == std::string_view::npos) {
    auto refresh = look_at_refresh(parts.world, token, x.now);
    if (!refresh) return tl::unexpected(refresh.error());
    if (!*refresh) return std::optional<owner>{};
    return std::optional(owner{(*refresh)->grant, (*refresh)->client_id});
  }
  auto claims = read_access_token(parts.world, *parts.keys()->all, token, x.now);
  if (!claims) return std::optional<owner>{};
  return std::optional(owner{claims->grant_id, claims->client_id});
}

step end_grant(broker_parts& parts, const exchange& x, const known_client& client, const secret& token) {
  const auto& conf = parts.world.conf;
  const auto& client_id = client.metadata.client_id;
  if (auto wait = parts.counts->is_spent(rate_limit::client_requests, client_id, conf, x.now))
    return limit_answer(x, conf, rate_limit::client_requests, client_id, *wait);
  auto found = owner_of(parts, x, token.reveal());
  if (!found) return error_answer(x, found.error());
  x.log->note("event", "revoke");
  if (!*found) {
    x.log->note("result", "ok");
    x.log->note("detail", "no such token");
    return done();
  }
  if ((*found)->client_id != client.metadata.client_id) {
    return error_answer(x, {errc::refresh_invalid, "the token is of client " + (*found)->client_id});
  }
  auto ended = revoke_grant(parts.world, (*found)->grant, x.now);
  if (!ended) return error_answer(x, ended.error());
  (void)parts.counts->refuse(rate_limit::client_requests, client_id, conf, x.now);
  x.log->note("result", "ok");
  x.log->note("grant", (*found)->grant);
  return done();
}

}  // namespace

// RFC 7009. A token of either kind ends its whole grant. 200 as well for a token that is not known (§2.2); a
// token of another client is refused and left alone (§2.1).
step revoke(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"POST"})) return *refused;
  auto body = parse_endpoint_form(*x.request);
  if (!body) return error_answer(x, body.error());
  auto request = parse_revocation_request(x.request->fields, *body);
  if (!request) return error_answer(x, request.error());
  return with_authenticated_client(
      parts, x, std::move(request->client),
      [&parts, token = request->token](const exchange& later, const known_client& client) {
        return end_grant(parts, later, client, token);
      });
}

}  // namespace mcp_oauth
