#include "base/text.h"
#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/browser.h"
#include "broker/grants.h"
#include "broker/login_trail.h"
#include "broker/provider_access.h"
#include "broker/read_ahead.h"
#include "broker/watched_flow.h"
#include "oauth/endpoint_form.h"
#include "oauth/pkce.h"
#include "oauth/token_request.h"

#include <algorithm>
#include <array>

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

// The record that the request is about.
record_name name_of(const token_grant& grant) {
  if (const auto* code = std::get_if<code_grant>(&grant)) return {"code", digest_of(code->code.reveal())};
  return {"refresh", digest_of(std::get<refresh_grant>(grant).refresh_token.reveal())};
}

// What a refresh reads once it knows whose token it is: the grant, a built-in user, what is kept of the
// provider. Whoever cannot be had now is asked for, and missed, where it is needed.
void fetch_the_rest(const settings& conf, read_ahead& store, const record& refresh, time_point now) {
  std::vector<record_name> names{{"grant", refresh.grant}};
  for (const auto& p : conf.providers) {
    if (p.name != refresh.provider || p.type != "local") continue;
    names.push_back({"user", refresh.user.substr(std::min(p.name.size() + 1, refresh.user.size()))});
  }
  if (keeps_provider_tokens(conf)) names.push_back({"provider_token", refresh.grant});
  (void)store.fetch(names, now);
}

// What was given counts, not what was asked for: nobody can use up what is another's.
std::optional<http_response> refuse_spent(broker_parts& parts, const exchange& x, const std::string& client,
                                          const std::string& user) {
  const auto& conf = parts.world.conf;
  if (auto wait = parts.counts->is_spent(rate_limit::client_requests, client, conf, x.now))
    return limit_answer(x, conf, rate_limit::client_requests, client, *wait);
  if (user.empty() || conf.rates.user_tokens_per_minute == 0) return std::nullopt;
  if (auto wait = parts.counts->is_spent(rate_limit::user_tokens, user, conf, x.now))
    return limit_answer(x, conf, rate_limit::user_tokens, user, *wait);
  return std::nullopt;
}

// What the record of a code says of it.
std::optional<approved_access> access_of(const std::optional<record>& code) {
  if (!code) return std::nullopt;
  auto data = parse_json_object(code->data);
  const auto* terms = data ? data->if_contains("access") : nullptr;
  if (terms == nullptr || !terms->is_object()) return std::nullopt;
  auto access = access_from(terms->get_object());
  return access ? std::make_optional(std::move(*access)) : std::nullopt;
}

// Which sign-in the code is of, for the story of a failure: as its record says, or as the verifier does.
void tell_of_login(const exchange& x, const known_client& client, const code_grant& asked,
                   const std::optional<approved_access>& of_code) {
  x.log->login = login_key(client.metadata.client_id, code_challenge_of(asked.code_verifier.reveal()));
  if (of_code) tell_log(*x.log, *of_code);
}

void tell_cause(const exchange& x, std::string_view cause, std::string_view fix) {
  x.log->note("cause", cause);
  x.log->note("fix", fix);
}

// One row of the catalogue is for both, and what to do is not the same.
void tell_of_mismatch(const exchange& x, const known_client& client, const approved_access& of_code) {
  if (of_code.client_id == client.metadata.client_id)
    tell_cause(x, "The redirect_uri of the token request is not the one of the authorization request.",
               "Send the same redirect_uri in both requests, to the letter.");
  else
    tell_cause(x, "The code was given to another client than the one that brings it.",
               "Ask for the tokens with the client_id that started the login.");
}

// A request that cannot be read names its code all the same, and the catalogue speaks of the authorization
// request as well.
void tell_of_unread(const broker_parts& parts, const exchange& x, const form& body, const error& why) {
  if (why.code != errc::pkce_missing && why.code != errc::pkce_malformed) return;
  if (why.code == errc::pkce_missing)
    tell_cause(x, "The token request has no code_verifier.",
               "Keep the code_verifier whose SHA-256 was sent as code_challenge, and send it with the code.");
  else
    tell_cause(x, "The code_verifier of the token request is not 43 to 128 of A-Z a-z 0-9 - . _ ~.",
               "Send the code_verifier as it was before it was hashed for code_challenge.");
  auto code = body.find("code");
  if (!code) return;
  auto found = parts.world.store.get("code", digest_of(*code), x.now);
  if (!found) return;
  if (auto access = access_of(*found)) tell_log(*x.log, *access);
}

step exchange_grant(broker_parts& parts, const exchange& x, const known_client& client,
                    const token_grant& grant, read_ahead& store) {
  auto allowed = check_grant_type(grant, client.metadata);
  if (!allowed) return error_answer(x, allowed.error());
  auto name = name_of(grant);
  auto about = store.get(name.kind, name.id, x.now);
  auto user = about && *about ? (*about)->user : "";
  if (auto refused = refuse_spent(parts, x, client.metadata.client_id, user)) return std::move(*refused);
  auto keys = parts.keys();
  auto world = parts.world.through(store);
  if (about && *about && name.kind == "refresh") fetch_the_rest(world.conf, store, **about, x.now);
  auto tokens = std::holds_alternative<code_grant>(grant)
                    ? redeem_code(world, keys->current, client, std::get<code_grant>(grant), x.now,
                                  x.request->request_id)
                    : redeem_refresh(world, keys->current, client, std::get<refresh_grant>(grant), x.now);
  watch_grant(x, client.metadata.client_id, grant, tokens ? nullptr : &tokens.error());
  if (!tokens) {
    if (const auto* code = std::get_if<code_grant>(&grant)) {
      auto of_code = about ? access_of(*about) : std::nullopt;
      tell_of_login(x, client, *code, of_code);
      if (of_code && tokens.error().code == errc::code_client_mismatch) tell_of_mismatch(x, client, *of_code);
    }
    return error_answer(x, tokens.error());
  }
  const auto& conf = parts.world.conf;
  (void)parts.counts->refuse(rate_limit::client_requests, client.metadata.client_id, conf, x.now);
  (void)parts.counts->refuse(rate_limit::user_tokens, tokens->who.subject, conf, x.now);
  if (client.renewal_due) parts.clients.renew(client.metadata.client_id, x.now);
  if (const auto* code = std::get_if<code_grant>(&grant)) tell_of_login(x, client, *code, std::nullopt);
  x.log->note("result", "ok");
  x.log->note("event", tokens->event);
  x.log->note("user", tokens->who.subject);
  x.log->note("grant", tokens->grant);
  return to_response(*tokens);
}

// The provider has a say first, where its tokens are kept: who it does not know any more has no refresh here.
// While it does not answer, nobody is signed out.
step with_the_providers_word(broker_parts& parts, const exchange& x, const known_client& client,
                             const refresh_grant& asked, const std::shared_ptr<read_ahead>& store) {
  if (!keeps_provider_tokens(parts.world.conf)) return exchange_grant(parts, x, client, asked, *store);
  auto facts = look_at_refresh(parts.world.through(*store), asked.refresh_token.reveal(), x.now);
  if (!facts) return error_answer(x, facts.error());
  bool counts = *facts && (*facts)->active && (*facts)->client_id == client.metadata.client_id;
  if (!counts) return exchange_grant(parts, x, client, asked, *store);
  auto renews = renews_for_grant(parts, (*facts)->grant, x.now);
  if (!renews) return error_answer(x, renews.error());
  if (!*renews) return exchange_grant(parts, x, client, asked, *store);
  return with_provider_access(
      parts, x, (*facts)->grant, refresh_when::due,
      [&parts, client, asked, store](const exchange& later, const result<provider_access>& access) -> step {
        bool ended = !access && (access.error().code == errc::provider_session_ended ||
                                 access.error().code == errc::refresh_token_missing);
        if (ended) return error_answer(later, {errc::refresh_ended_by_provider, access.error().detail});
        store->forget();  // the provider may have been asked in between
        return exchange_grant(parts, later, client, asked, *store);
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
    tell_of_unread(parts, x, *body, request.error());
    return error_answer(x, request.error());
  }
  auto store = std::make_shared<read_ahead>(parts.world.store);
  auto named = parts.clients.record_of(request->client.client_id);
  if (named && check_client_id(named->id)) {
    // What fails here fails again where it is needed.
    (void)store->fetch(std::array{std::move(*named), name_of(request->grant)}, x.now);
  }
  return with_authenticated_client(
      parts, x, std::move(request->client),
      [&parts, store, grant = request->grant](const exchange& later, const known_client& client) -> step {
        if (const auto* asked = std::get_if<refresh_grant>(&grant)) {
          return with_the_providers_word(parts, later, client, *asked, store);
        }
        return exchange_grant(parts, later, client, grant, *store);
      },
      store.get());
}

}  // namespace mcp_oauth
