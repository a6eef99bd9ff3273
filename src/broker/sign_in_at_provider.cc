#include "broker/sign_in_at_provider.h"

#include "base/base64url.h"
#include "base/text.h"
#include "broker/answers.h"
#include "broker/browser.h"
#include "broker/watched_flow.h"
#include "config/provider_kind.h"
#include "oauth/pkce.h"
#include "oauth/redirect_uri.h"
#include "provider/oidc.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

error unreachable(const error& why) {
  bool ours = why.code == errc::provider_metadata_invalid || why.code == errc::provider_issuer_mismatch;
  return ours ? why : error{errc::provider_unreachable, why.detail};
}

// The provider failed before anything was begun. A person gets a page from which the same approval can be
// repeated, or the client be told; whoever shows no pages is told at once.
step offer_again(broker_parts& parts, const exchange& x, const provider_settings& provider,
                 const approved_access& access, sign_in_mode mode, const error& why) {
  if (!accepts_html(*x.request)) return answer_with_error(parts, x, access, why);
  error_page page;
  page.provider = title_of(provider);
  page.again_provider = provider.name;
  page.return_to = error_location(access.redirect_uri, why, access.state, parts.world.conf.public_url);
  page.return_host = describe_redirect_uri(access.redirect_uri).where;
  const auto& r = *x.request;
  if (r.method == "GET") {
    page.again_at = r.path + (r.query.empty() ? "" : "?" + r.query);
  } else if (auto form_sent = form::parse(r.body)) {
    page.again_request = form_sent->find("request").value_or("");
    page.again_button = mode == sign_in_mode::fresh && form_sent->find("switch") ? "switch" : "approve";
  }
  return error_answer_for_people(x, why, std::move(page));
}

// A refresh token comes to those who ask for it in the provider's own way (OpenID Connect Core §11).
void ask_for_refresh_token(const known_provider& kind, sign_in_request& ask) {
  auto lacks = [](const auto& list, std::string_view word) {
    return !word.empty() && std::find(list.begin(), list.end(), word) == list.end();
  };
  if (lacks(ask.scopes, kind.offline_scope)) ask.scopes.emplace_back(kind.offline_scope);
  auto equals = kind.offline_parameter.find('=');
  if (equals != std::string_view::npos) {
    ask.also.emplace_back(kind.offline_parameter.substr(0, equals),
                          kind.offline_parameter.substr(equals + 1));
  }
  if (ask.prompt != "none" && lacks(split_words(ask.prompt), kind.offline_prompt)) {
    ask.prompt += (ask.prompt.empty() ? "" : " ") + std::string(kind.offline_prompt);
  }
}

}  // namespace

step with_provider_metadata(broker_parts& parts, exchange x, const provider_settings& provider,
                            metadata_step then) {
  if (kind_of(provider).speaks == sign_in_protocol::oauth2) {
    return then(std::move(x), std::make_shared<const provider_metadata>(fixed_metadata(provider)));
  }
  if (auto known = parts.providers.fresh_metadata(provider.name, x.now)) return then(x, known);
  outbound fetch;
  fetch.call = discovery_request(provider.issuer);
  fetch.then = [&parts, x, &provider, then = std::move(then)](result<http_answer> answer,
                                                              time_point now) -> step {
    auto metadata = answer.and_then([&](const auto& a) {
      return process_discovery_answer(provider.issuer, a, kind_of(provider).stated_issuer);
    });
    if (metadata) {
      override_endpoints(*metadata, provider);
      auto kept = std::make_shared<const provider_metadata>(std::move(*metadata));
      parts.providers.keep(provider.name, kept, now);
      return then(x.at(now), kept);
    }
    parts.providers.metadata_failed(provider.name, now);
    if (auto last = parts.providers.last_metadata(provider.name)) {
      x.log->note("provider_detail", "its metadata of before is used: " + metadata.error().detail);
      return then(x.at(now), last);
    }
    return then(x.at(now), tl::unexpected(unreachable(metadata.error())));
  };
  return fetch;
}

step with_provider_keys(broker_parts& parts, exchange x, const provider_settings& provider,
                        std::shared_ptr<const provider_metadata> metadata, std::string_view id_token,
                        keys_step then) {
  auto known = parts.providers.fresh_keys(provider.name, x.now);
  if (known) {
    bool enough =
        !names_unknown_key(id_token, *known) || !parts.providers.may_refetch_keys(provider.name, x.now);
    if (enough) return then(x, known);
  }
  outbound fetch;
  fetch.call = jwks_request(*metadata);
  fetch.rules.most_bytes = 512 * 1024;
  fetch.then = [&parts, x, &provider, then = std::move(then)](result<http_answer> answer,
                                                              time_point now) -> step {
    auto keys = answer.and_then([](const auto& a) { return process_jwks_answer(a); });
    if (keys) {
      auto kept = std::make_shared<const key_set>(std::move(*keys));
      parts.providers.keep(provider.name, kept, now);
      return then(x.at(now), kept);
    }
    parts.providers.keys_failed(provider.name, now);
    if (auto last = parts.providers.last_keys(provider.name)) {
      x.log->note("provider_detail", "its keys of before are used: " + keys.error().detail);
      return then(x.at(now), last);
    }
    return then(x.at(now), tl::unexpected(unreachable(keys.error())));
  };
  return fetch;
}

step with_userinfo(exchange x, const provider_settings& provider, const provider_metadata& metadata,
                   const secret& access_token, identity who, person_step then) {
  bool complete =
      !who.email.empty() && !who.name.empty() && (provider.allowed_groups.empty() || !who.groups.empty());
  if (complete || metadata.userinfo_endpoint.empty() || access_token.empty()) return then(std::move(x), who);
  outbound fetch;
  fetch.call = userinfo_request(metadata, access_token);
  fetch.then = [x, names = claim_names_of(provider), who = std::move(who), then = std::move(then)](
                   result<http_answer> answer, time_point now) -> step {
    auto completed = answer.and_then([&](const auto& a) { return process_userinfo_answer(who, a, names); });
    if (!completed) x.log->note("userinfo", completed.error().detail);
    return then(x.at(now), completed.value_or(who));
  };
  return fetch;
}

step sign_in_at_provider(broker_parts& parts, exchange x, const provider_settings& provider,
                         pending_login login, sign_in_mode mode) {
  return with_provider_metadata(
      parts, std::move(x), provider,
      [&parts, &provider, login = std::move(login), mode](
          const exchange& later, const result<std::shared_ptr<const provider_metadata>>& metadata) -> step {
        if (!metadata) return offer_again(parts, later, provider, login.access, mode, metadata.error());
        const auto& world = parts.world;
        auto pkce = make_pkce(world.random);
        auto begun = login;
        begun.nonce = secret(base64url_encode(world.random(32)));
        begun.code_verifier = pkce.verifier;
        sign_in_request ask;
        ask.nonce = begun.nonce.reveal();
        auto state = begin_login(world, std::move(begun), later.now);
        if (!state) return answer_with_error(parts, later, login.access, state.error());
        ask.client_id = provider.client_id;
        const auto& kind = kind_of(provider);
        ask.redirect_uri = callback_of(world.conf, provider);
        ask.scopes = provider.scopes;
        ask.prompt = mode == sign_in_mode::fresh ? std::string(kind.prompt_for_another) : provider.prompt;
        if (!provider.audience.empty() && !kind.audience_parameter.empty()) {
          ask.also.emplace_back(kind.audience_parameter, provider.audience);
        }
        if (token_plan_of(world.conf, provider).renews) ask_for_refresh_token(kind, ask);
        ask.state = *state;
        ask.code_challenge = pkce.challenge;
        later.log->note("result", "ok");
        watch_departure(later, provider.name, pkce.challenge);
        return redirect_answer(authorization_url(**metadata, ask));
      });
}

}  // namespace mcp_oauth
