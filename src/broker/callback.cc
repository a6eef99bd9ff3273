#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/browser.h"
#include "broker/login_trail.h"
#include "broker/provider_failure.h"
#include "broker/sign_in_at_provider.h"
#include "broker/watched_flow.h"
#include "config/check.h"
#include "config/provider_kind.h"
#include "oauth/displayable.h"
#include "oauth/endpoint_form.h"
#include "oauth/error_description.h"
#include "provider/allowed.h"
#include "provider/oidc.h"

#include <algorithm>
#include <array>
#include <memory>

namespace mcp_oauth {
namespace {

// What the provider sent back, and the login that it belongs to. Shared by the steps that follow.
struct arrival {
  pending_login login;
  const provider_settings* provider = nullptr;
  std::string code;
  std::optional<std::string> iss;
  std::string error;
  std::string error_description;
  std::shared_ptr<const provider_metadata> metadata;
  token_answer tokens;
};
using arrival_ptr = std::shared_ptr<arrival>;

// RFC 9700 §4.4.2: a provider with a callback of its own answers there and nowhere else, and nobody else
// does. The aliases of the common one are equal.
bool is_way_back(const settings& conf, const provider_settings& p, std::string_view path) {
  if (path.starts_with(provider_callback_path))
    return path.substr(provider_callback_path.size()) == p.name && !p.callback_url.empty();
  return callback_of(conf, p) == conf.callback_url;
}

result<arrival_ptr> read_arrival(broker_parts& parts, const exchange& x) {
  auto parameters = form::parse(x.request->query);
  if (!parameters) return tl::unexpected(parameters.error());
  auto a = std::make_shared<arrival>();
  std::string state;
  auto read_one = [&](std::string_view name, std::string& into) -> result<void> {
    auto value = optional_parameter(*parameters, name, 8192);
    if (!value) return tl::unexpected(value.error());
    into = value->value_or("");
    return {};
  };
  for (auto [name, into] : {std::pair{"state", &state},
                            {"code", &a->code},
                            {"error", &a->error},
                            {"error_description", &a->error_description}}) {
    auto read = read_one(name, *into);
    if (!read) return tl::unexpected(read.error());
  }
  auto iss = optional_parameter(*parameters, "iss", 2048);
  if (!iss) return tl::unexpected(iss.error());
  a->iss = *iss;

  if (state.empty()) return fail(errc::state_invalid, std::string(callback_without_state));
  auto b = known_browser(parts.world, *x.request);
  auto login = find_login(parts.world, state, b ? b->digest : "", x.now, x.log);
  if (!login) return tl::unexpected(login.error());
  walk(x, login->access, "callback");
  for (const auto& p : parts.world.conf.providers) {
    if (p.name == login->provider && p.type != "local") a->provider = &p;
  }
  if (a->provider == nullptr) return fail(errc::state_invalid, "the login is not at an identity provider");
  if (!is_way_back(parts.world.conf, *a->provider, x.request->path)) {
    return fail(errc::state_invalid,
                "the login is at " + login->provider + ", and the callback is another's");
  }
  a->login = std::move(*login);
  return a;
}

// The provider's `error`, with its own words for the log.
error refusal_of(const arrival& a) {
  auto words = displayable(a.error + (a.error_description.empty() ? "" : ": " + a.error_description));
  return {errc::provider_refused, words};
}

// What let the person in, and no more: a token tells it at the next refresh.
std::vector<std::string> common(const std::vector<std::string>& listed,
                                const std::vector<std::string>& seen) {
  std::vector<std::string> both;
  for (const auto& one : listed) {
    if (std::find(seen.begin(), seen.end(), one) != seen.end()) both.push_back(one);
  }
  return both;
}

step finish(broker_parts& parts, const exchange& x, const arrival& a, const identity& who) {
  auto allowed = check_allowed(allowed_at(*a.provider), who);
  if (!allowed) return answer_with_error(parts, x, a.login.access, allowed.error());
  person p;
  p.provider = a.provider->name;
  p.subject = a.provider->name + ":" + who.subject;
  p.email = who.email_verified ? who.email : "";
  p.name = displayable(!who.name.empty() ? who.name : who.preferred_username);
  p.groups = common(a.provider->allowed_groups, who.groups);
  p.organizations = who.organizations;
  auto plan = token_plan_of(parts.world.conf, *a.provider);
  if (plan.ends_with_it && a.tokens.expires_in) p.until = x.now + *a.tokens.expires_in;
  auto kept = kept_of(plan, *a.provider, a.tokens, x.now);
  if (plan.renews && a.tokens.expires_in && a.tokens.refresh_token.empty()) {
    x.log->note("warning",
                "refresh_token missing: " + title_of(*a.provider) + " did not provide a refresh token");
  }
  return answer_with_code(parts, x, a.login, p, {}, std::move(kept));
}

step judge_id_token(broker_parts& parts, const exchange& x, const arrival_ptr& a, const token_answer& tokens,
                    const key_set& keys) {
  id_token_rules rules;
  rules.provider = a->provider->name;
  rules.client_id = a->provider->client_id;
  rules.nonce = a->login.nonce.reveal();
  rules.leeway = parts.world.conf.leeway;
  rules.claims = claim_names_of(*a->provider);
  auto who = process_id_token(tokens.id_token.reveal(), keys, *a->metadata, rules, x.now);
  if (!who) return answer_with_error(parts, x, a->login.access, who.error());
  return with_userinfo(x, *a->provider, *a->metadata, tokens.access_token, std::move(*who),
                       [&parts, a](const exchange& later, const identity& completed) {
                         return finish(parts, later, *a, completed);
                       });
}

step judge_tokens(broker_parts& parts, const exchange& x, const arrival_ptr& a,
                  const result<http_answer>& answer) {
  if (!answer) {
    return answer_with_error(parts, x, a->login.access, {errc::provider_unreachable, answer.error().detail});
  }
  std::array sent = {std::string_view(a->code), a->provider->client_secret.reveal(),
                     a->login.code_verifier.reveal()};
  auto tokens = process_token_answer(*answer, a->metadata->speaks, sent);
  if (!tokens) {
    return answer_with_provider_failure(parts, x, *a->provider, a->login.access, tokens.error());
  }
  a->tokens = *tokens;
  if (a->metadata->speaks == sign_in_protocol::oauth2) {
    return with_user(x, *a->provider, *a->metadata, tokens->access_token,
                     [&parts, a](const exchange& later, const result<identity>& who) -> step {
                       if (!who) {
                         return answer_with_provider_failure(parts, later, *a->provider, a->login.access,
                                                             who.error());
                       }
                       return finish(parts, later, *a, *who);
                     });
  }
  auto token_text = std::string(tokens->id_token.reveal());
  return with_provider_keys(
      parts, x, *a->provider, a->metadata, token_text,
      [&parts, a, tokens = std::move(*tokens)](const exchange& later,
                                               const result<std::shared_ptr<const key_set>>& keys) -> step {
        if (!keys) return answer_with_error(parts, later, a->login.access, keys.error());
        return judge_id_token(parts, later, a, tokens, **keys);
      });
}

step redeem(broker_parts& parts, const exchange& x, const arrival_ptr& a) {
  auto from_provider = check_callback_iss(*a->metadata, a->iss);
  if (!from_provider) return answer_with_error(parts, x, a->login.access, from_provider.error());
  if (!a->error.empty()) {
    return answer_with_provider_failure(parts, x, *a->provider, a->login.access, refusal_of(*a));
  }
  if (a->code.empty()) {
    return answer_with_error(parts, x, a->login.access, {errc::provider_refused, "neither code nor error"});
  }
  outbound fetch;
  fetch.call = code_exchange_request(*a->metadata,
                                     {a->provider->client_id, a->provider->client_secret, a->code,
                                      callback_of(parts.world.conf, *a->provider), a->login.code_verifier});
  fetch.then = [&parts, x, a](result<http_answer> answer, time_point now) {
    return judge_tokens(parts, x.at(now), a, answer);
  };
  return fetch;
}

}  // namespace

// Where identity providers send the browser back to. What cannot be tied to a login of this browser goes to a
// page; everything after that goes to the client.
step callback(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"GET"})) return *refused;
  auto arrived = read_arrival(parts, x);
  if (!arrived) {
    watch_refused_return(x, arrived.error());
    return error_answer_for_people(x, arrived.error());
  }
  auto a = *arrived;
  watch_return(x, a->login);
  x.log->note("client_id", a->login.access.client_id);
  x.log->note("provider", a->provider->name);

  // Used up before anything is fetched: a second arrival finds nothing to continue.
  change used;
  finish_login(used, a->login, x.now);
  auto first = parts.world.store.commit(used, x.now);
  if (!first) return error_answer_for_people(x, first.error());
  if (!*first)
    return error_answer_for_people(x, {errc::state_invalid, "another request finished the login first"});

  return with_provider_metadata(
      parts, std::move(x), *a->provider,
      [&parts, a](const exchange& later,
                  const result<std::shared_ptr<const provider_metadata>>& metadata) -> step {
        if (!metadata) return answer_with_error(parts, later, a->login.access, metadata.error());
        a->metadata = *metadata;
        return redeem(parts, later, a);
      });
}

}  // namespace mcp_oauth
