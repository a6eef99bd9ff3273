#include "broker/broker.h"

#include "base/text.h"
#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/grants.h"
#include "broker/provider_access.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {

namespace {

// By address, before anything is looked at.
std::optional<http_response> refuse_too_many(broker_parts& parts, endpoint at, const exchange& x) {
  const auto& conf = parts.world.conf;
  auto who = limiter_key(x.request->peer);
  bool signs_in = (at == endpoint::sign_in && x.request->method == "POST") || at == endpoint::callback;
  for (auto which : {rate_limit::requests, rate_limit::sign_ins}) {
    if (which == rate_limit::sign_ins && !signs_in) continue;
    if (auto wait = parts.counts->refuse(which, who, conf, x.now))
      return limit_answer(x, conf, which, who, *wait);
  }
  return std::nullopt;
}

}  // namespace

result<std::unique_ptr<broker>> broker::start(broker_world world, time_point now) {
  std::unique_ptr<broker> made(new broker(std::move(world)));
  auto keys = made->refresh_keys(now);
  if (!keys) return tl::unexpected(keys.error());
  return made;
}

broker::broker(broker_world world) : parts_(std::make_unique<broker_parts>(std::move(world))) {
  parts_->keys = [this] { return keys(); };
}

broker::~broker() = default;

std::shared_ptr<const key_state> broker::keys() const {
  std::lock_guard lock(keys_mutex_);
  return keys_;
}

result<void> broker::refresh_keys(time_point now) {
  const auto& w = parts_->world;
  key_rules rules{w.conf.signing_key_lifetime, w.conf.access_token_lifetime + w.conf.leeway};
  auto state = load_or_create_keys(w.store, w.seal, w.random, rules, now);
  if (!state) return tl::unexpected(state.error());
  auto next = std::make_shared<const key_state>(std::move(*state));
  std::lock_guard lock(keys_mutex_);
  keys_ = std::move(next);
  return {};
}

result<std::vector<std::pair<std::string, time_point>>> broker::revoked(time_point now) {
  return revoked_grants(parts_->world.store, now);
}

step broker::handle(endpoint at, const http_request& request, time_point now, broker_log& log) {
  exchange x{std::make_shared<const http_request>(request), now, &log};
  log.note("endpoint", to_name(at));
  if (at != endpoint::jwks) {
    if (auto refused = refuse_too_many(*parts_, at, x)) return std::move(*refused);
  }
  return route(at, std::move(x));
}

step broker::provider_token(std::string grant, refresh_when when, time_point now, broker_log& log,
                            std::shared_ptr<result<provider_access>> into) {
  exchange x{std::make_shared<const http_request>(), now, &log};
  auto owner = grant;
  return with_provider_access(
      *parts_, std::move(x), std::move(grant), when,
      [this, into, owner](const exchange& later, result<provider_access> access) -> step {
        // Nothing was kept: only a new sign-in can bring it.
        if (!access && access.error().code == errc::provider_token_absent) {
          auto ended = revoke_grant(parts_->world, owner, later.now);
          if (!ended) access = tl::unexpected(ended.error());
        }
        *into = std::move(access);
        return http_response{};
      });
}

step broker::route(endpoint at, exchange x) {
  switch (at) {
    case endpoint::authorize: return authorize(*parts_, std::move(x));
    case endpoint::consent: return consent(*parts_, std::move(x));
    case endpoint::sign_in: return sign_in(*parts_, std::move(x));
    case endpoint::callback: return callback(*parts_, std::move(x));
    case endpoint::token: return token(*parts_, std::move(x));
    case endpoint::refresh: return refresh(*parts_, std::move(x));
    case endpoint::register_client: return register_client(*parts_, std::move(x));
    case endpoint::revoke: return revoke(*parts_, std::move(x));
    case endpoint::introspect: return introspect(*parts_, std::move(x));
    case endpoint::sign_out: return sign_out(*parts_, std::move(x));
    case endpoint::jwks: return publish_keys(*parts_, std::move(x));
  }
  return error_answer(x, {errc::http_not_found, ""});
}

// RFC 7517 §5. Public, and may be cached for less than a key is published before it signs.
step publish_keys(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"GET", "HEAD"})) return *refused;
  auto answer = json_answer(200, parts.keys()->all->to_json());
  answer.fields.set("Cache-Control", "public, max-age=600");
  x.log->note("result", "ok");
  return answer;
}

std::optional<http_response> refuse_other_methods(const exchange& x,
                                                  std::initializer_list<std::string_view> allowed) {
  std::vector<std::string> names;
  for (auto m : allowed) {
    if (m == x.request->method) return std::nullopt;
    names.emplace_back(m);
  }
  auto answer = error_answer(x, {errc::http_method_refused, ""});
  answer.fields.set("Allow", join(names, ", "));
  return answer;
}

}  // namespace mcp_oauth
