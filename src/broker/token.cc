#include "base/text.h"
#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/browser.h"
#include "broker/grants.h"
#include "broker/provider_access.h"
#include "broker/watched_flow.h"
#include "oauth/endpoint_form.h"
#include "oauth/token_request.h"

namespace mcp_oauth {
namespace {

json::string_view view(std::string_view s) { return {s.data(), s.size()}; }

// RFC 6749 §5.1
http_response to_response(const issued_tokens& t) {
  json::object body;
  body["access_token"] = view(t.access_token.reveal());
  body["token_type"] = "Bearer";
  body["expires_in"] = t.expires_in.count();
  if (!t.refresh_token.empty()) body["refresh_token"] = view(t.refresh_token.reveal());
  body["scope"] = join(t.scopes, " ");
  return json_answer(200, body);
}

// Whose grant it is, as far as the store knows; "" otherwise.
std::string person_behind(const broker_world& world, const token_grant& grant, time_point now) {
  bool code = std::holds_alternative<code_grant>(grant);
  const auto& token = code ? std::get<code_grant>(grant).code : std::get<refresh_grant>(grant).refresh_token;
  auto found = world.store.get(code ? "code" : "refresh", digest_of(token.reveal()), now);
  return found && *found ? (*found)->user : "";
}

// What was given counts, not what was asked for: nobody can use up what is another's.
std::optional<http_response> refuse_spent(broker_parts& parts, const exchange& x, const std::string& client,
                                          const token_grant& grant) {
  const auto& conf = parts.world.conf;
  if (auto wait = parts.counts->is_spent(rate_limit::client_requests, client, conf, x.now))
    return limit_answer(x, conf, rate_limit::client_requests, client, *wait);
  if (conf.rates.user_tokens_per_minute == 0) return std::nullopt;
  auto user = person_behind(parts.world, grant, x.now);
  if (user.empty()) return std::nullopt;
  if (auto wait = parts.counts->is_spent(rate_limit::user_tokens, user, conf, x.now))
    return limit_answer(x, conf, rate_limit::user_tokens, user, *wait);
  return std::nullopt;
}

step exchange_grant(broker_parts& parts, const exchange& x, const known_client& client,
                    const token_grant& grant) {
  auto allowed = check_grant_type(grant, client.metadata);
  if (!allowed) return error_answer(x, allowed.error());
  if (auto refused = refuse_spent(parts, x, client.metadata.client_id, grant)) return std::move(*refused);
  auto keys = parts.keys();
  auto tokens =
      std::holds_alternative<code_grant>(grant)
          ? redeem_code(parts.world, keys->current, client, std::get<code_grant>(grant), x.now)
          : redeem_refresh(parts.world, keys->current, client, std::get<refresh_grant>(grant), x.now);
  watch_grant(x, client.metadata.client_id, grant, tokens ? nullptr : &tokens.error());
  if (!tokens) return error_answer(x, tokens.error());
  const auto& conf = parts.world.conf;
  (void)parts.counts->refuse(rate_limit::client_requests, client.metadata.client_id, conf, x.now);
  (void)parts.counts->refuse(rate_limit::user_tokens, tokens->who.subject, conf, x.now);
  parts.clients.renew(client.metadata.client_id, x.now);
  x.log->note("result", "ok");
  x.log->note("event", tokens->event);
  x.log->note("user", tokens->who.subject);
  x.log->note("grant", tokens->grant);
  return to_response(*tokens);
}

// The provider has a say first, where its tokens are kept: who it does not know any more has no refresh here.
// While it does not answer, nobody is signed out.
step with_the_providers_word(broker_parts& parts, const exchange& x, const known_client& client,
                             const refresh_grant& asked) {
  if (!keeps_provider_tokens(parts.world.conf)) return exchange_grant(parts, x, client, asked);
  auto facts = look_at_refresh(parts.world, asked.refresh_token.reveal(), x.now);
  if (!facts) return error_answer(x, facts.error());
  bool counts = *facts && (*facts)->active && (*facts)->client_id == client.metadata.client_id;
  if (!counts) return exchange_grant(parts, x, client, asked);
  auto renews = renews_for_grant(parts, (*facts)->grant, x.now);
  if (!renews) return error_answer(x, renews.error());
  if (!*renews) return exchange_grant(parts, x, client, asked);
  return with_provider_access(
      parts, x, (*facts)->grant, refresh_when::due,
      [&parts, client, asked](const exchange& later, const result<provider_access>& access) -> step {
        bool ended = !access && (access.error().code == errc::provider_session_ended ||
                                 access.error().code == errc::refresh_token_missing);
        if (ended) return error_answer(later, {errc::refresh_ended_by_provider, access.error().detail});
        return exchange_grant(parts, later, client, asked);
      });
}

}  // namespace

step token(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"POST"})) return *refused;
  auto body = parse_endpoint_form(*x.request);
  if (!body) return error_answer(x, body.error());
  auto request = parse_token_request(x.request->fields, *body);
  if (!request) {
    watch_unread_grant(x, request.error());
    return error_answer(x, request.error());
  }
  return with_authenticated_client(
      parts, x, std::move(request->client),
      [&parts, grant = request->grant](const exchange& later, const known_client& client) -> step {
        if (const auto* asked = std::get_if<refresh_grant>(&grant)) {
          return with_the_providers_word(parts, later, client, *asked);
        }
        return exchange_grant(parts, later, client, grant);
      });
}

}  // namespace mcp_oauth
