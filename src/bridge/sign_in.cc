#include "bridge/sign_in.h"

#include "base/form.h"
#include "base/text.h"
#include "bridge/attempt.h"
#include "oauth/scope.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

void add_new(std::vector<std::string>& to, const std::vector<std::string>& from) {
  for (const auto& one : from) {
    if (is_scope_token(one) && !holds(to, one)) to.push_back(one);
  }
}

bool is_of_person(bridge_grant grant) {
  return grant == bridge_grant::authorization_code || grant == bridge_grant::device_code;
}

}  // namespace

sign_in_step begin_sign_in(std::shared_ptr<const sign_in_world> world, kept_sign_in kept,
                           sign_in_purpose purpose, time_point now) {
  auto made = std::make_shared<attempt>();
  made->world = std::move(world);
  made->kept = std::move(kept);
  made->kept.server = made->world->settings.upstream.url;
  if (made->kept.tokens) made->known_issuer = made->kept.tokens->issuer;
  made->purpose = std::move(purpose);
  return made->begin(now);
}

result<std::vector<std::string>> wanted_scopes(const bridge_settings& settings,
                                               const sign_in_purpose& purpose, const kept_tokens* before,
                                               const std::optional<resource_facts>& resource,
                                               const server_facts& server) {
  const auto& configured = settings.sign_in.scope;
  std::vector<std::string> scopes;
  if (purpose.step_up) {
    if (before != nullptr) add_new(scopes, split_words(before->scope));
    if (configured) add_new(scopes, split_words(*configured));
    auto had = scopes.size();
    if (purpose.demand.scope) {
      add_new(scopes, split_words(*purpose.demand.scope));
    } else if (resource) {
      add_new(scopes, resource->scopes);
    }
    if (scopes.size() == had) {
      auto named = purpose.demand.scope.value_or("no scope that it would name");
      return fail(errc::sign_in_scope_in_vain,
                  "the server asks for " + named + ", and that was asked for already");
    }
  } else if (configured) {
    add_new(scopes, split_words(*configured));
    return scopes;
  } else if (purpose.demand.scope) {
    add_new(scopes, split_words(*purpose.demand.scope));
  } else if (resource) {
    add_new(scopes, resource->scopes);
  }
  bool offered = holds(server.scopes, "offline_access");
  if (!scopes.empty() && offered && is_of_person(settings.sign_in.grant)) add_new(scopes, {"offline_access"});
  return scopes;
}

result<void> check_iss(const server_facts& server, const std::optional<std::string>& iss) {
  if (server.issuer.empty()) return {};
  if (!iss) {
    if (!server.sends_iss) return {};
    return fail(errc::sign_in_issuer_mismatch,
                "the answer to the sign-in has no iss, and " + server.issuer + " says that it sends it");
  }
  if (*iss == server.issuer) return {};
  return fail(errc::sign_in_issuer_mismatch,
              "the answer to the sign-in is of another issuer than " + server.issuer);
}

bool is_reserved_parameter(std::string_view name) {
  constexpr auto reserved = std::to_array<std::string_view>(
      {"response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method",
       "grant_type", "code", "code_verifier", "refresh_token", "client_secret", "client_assertion",
       "client_assertion_type", "assertion", "device_code", "subject_token", "subject_token_type"});
  return std::find(reserved.begin(), reserved.end(), name) != reserved.end();
}

std::string with_parameters(std::string_view endpoint,
                            const std::vector<std::pair<std::string, std::string>>& ours,
                            const std::vector<std::pair<std::string, std::string>>& others) {
  form query;
  std::vector<std::string> named;
  for (const auto& [name, value] : ours) {
    query.add(name, value);
    named.push_back(name);
  }
  for (const auto& [name, value] : others) {
    if (holds(named, name) || is_reserved_parameter(name)) continue;
    query.add(name, value);
    named.push_back(name);
  }
  auto mark = endpoint.find('?');
  auto address = std::string(endpoint.substr(0, mark));
  std::string kept;
  if (mark != std::string_view::npos) {
    for (const auto& part : split_words(endpoint.substr(mark + 1), '&')) {
      if (!holds(named, part.substr(0, part.find('=')))) kept += part + '&';
    }
  }
  return address + '?' + kept + query.encode();
}

// ---- where to

sign_in_step attempt::begin(time_point now) {
  if (!settings().discovery) {
    located = true;
    return found(now);
  }
  bool known = kept.tokens && !kept.tokens->token_endpoint.empty();
  if (!purpose.challenged && purpose.may_refresh && known && has_refresh_token()) return refresh(now);
  return locate(now);
}

sign_in_step attempt::locate(time_point now) {
  located = true;
  auto server = url::parse(world->settings.upstream.url);
  if (!server) return end(errc::sign_in_url_refused, "upstream.url: " + server.error().detail);
  const auto& configured = settings().issuer;
  discovery_wish wish{*server, purpose.demand.resource_metadata,
                      configured.empty() ? known_issuer : configured, false, ""};
  return discover(
      std::move(wish), world->rules,
      [self = shared_from_this()](result<discovered> what, time_point later) -> sign_in_step {
        if (what) {
          self->facts = std::move(*what);
          const auto& server_found = self->facts.server;
          self->note(bridge_log_level::info,
                     "the authorization server is " + server_found.issuer +
                         (server_found.assumed ? ", by the paths of MCP 2025-03-26" : ""));
          for (const auto& refused : server_found.refused) self->note(bridge_log_level::warn, refused);
          for (const auto& one : self->facts.tried) self->note(bridge_log_level::debug, "discovery: " + one);
          return self->found(later);
        }
        const auto& s = self->settings();
        bool enough = !s.token_url.empty() &&
                      (s.grant != bridge_grant::authorization_code || !s.authorization_url.empty());
        if (!enough) return end(what.error());
        self->note(bridge_log_level::warn,
                   "discovery failed, the configured endpoints are used: " + what.error().detail);
        return self->found(later);
      },
      now);
}

void attempt::lay_settings_over() {
  auto& server = facts.server;
  const auto& s = settings();
  // Who names the endpoint himself answers for it: what the metadata says of it does not bind.
  if (!s.authorization_url.empty()) {
    server.authorization_endpoint = s.authorization_url;
    server.s256 = true;
  }
  if (server.issuer.empty()) server.issuer = s.issuer;
  if (!s.token_url.empty()) server.token_endpoint = s.token_url;
  if (!s.device_authorization_url.empty()) server.device_authorization_endpoint = s.device_authorization_url;
}

void attempt::choose_resource() {
  const auto& s = settings();
  if (!s.send_resource) return;
  if (s.resource) {
    resource = *s.resource;
  } else if (facts.resource) {
    resource = facts.resource->resource;
  } else if (s.discovery) {
    auto server = url::parse(world->settings.upstream.url);
    server->fragment.clear();
    server->has_fragment = false;
    resource = server->to_string();
    if (server->path == "/" && !server->has_query) resource.pop_back();
  }
}

sign_in_step attempt::found(time_point now) {
  lay_settings_over();
  choose_resource();
  const auto& server = facts.server;
  if (server.token_endpoint.empty()) {
    auto why = std::string("OAuth2 token endpoint is not set; provide tokenUrl or enable discovery");
    if (!server.refused.empty()) return end(errc::sign_in_url_refused, join(server.refused, "; "));
    if (!server.issuer.empty() && settings().discovery)
      return end(errc::sign_in_metadata_invalid,
                 "no token_endpoint in the metadata of " + server.issuer + "; set oauth2.tokenUrl");
    return end(errc::sign_in_metadata_missing, why);
  }
  if (auto fine = check_issuer(); !fine) return end(fine.error());
  if (auto fine = check_configured_client(); !fine) return end(fine.error());
  // Credentials are for one issuer (MCP, authorization server binding): what another gave is not shown here.
  if (kept.tokens && kept.tokens->issuer != server.issuer) {
    note(bridge_log_level::warn, "the server has another authorization server now: " + server.issuer +
                                     " in place of " + kept.tokens->issuer);
    kept.tokens.reset();
  }
  // Nor is the key by which that one knew this machine.
  if (!known_issuer.empty() && known_issuer != server.issuer) {
    dpop_key.reset();
    dpop_nonce.clear();
  }
  auto chosen =
      wanted_scopes(world->settings, purpose, kept.tokens ? &*kept.tokens : nullptr, facts.resource, server);
  if (!chosen) return end(chosen.error());
  scopes = std::move(*chosen);
  prepare_dpop();
  if (purpose.may_refresh && !purpose.step_up && has_refresh_token()) {
    auto ours = kept.tokens ? result<void>() : check_configured_refresh();
    return ours ? refresh(now) : end(ours.error());
  }
  return grant(now);
}

// The MCP server says whom a secret or an assertion goes to. Who is pinned stays; and where no person looks
// at whom he signs in to, whoever had it first stays as well.
result<void> attempt::check_issuer() const {
  const auto& s = settings();
  const auto& now_named = facts.server.issuer;
  if (!s.issuer.empty() && now_named != s.issuer) {
    return fail(errc::sign_in_issuer_mismatch,
                "oauth2.issuer is " + s.issuer + ", and the server names " + now_named);
  }
  bool may_move = is_of_person(s.grant) || !s.issuer.empty() || !s.token_url.empty();
  if (may_move || known_issuer.empty() || now_named == known_issuer) return {};
  return fail(errc::sign_in_issuer_mismatch,
              "the server names " + now_named + " now, and it was " + known_issuer + " before");
}

result<void> attempt::check_configured_client() const {
  const auto& id = settings().client_id;
  if (id.empty() || facts.server.issuer.empty()) return {};
  for (const auto& known : kept.clients) {
    if (known.registered || known.client_id != id || known.issuer == facts.server.issuer) continue;
    return fail(errc::sign_in_issuer_mismatch, "oauth2.clientId was for " + known.issuer +
                                                   ", and the server names " + facts.server.issuer + " now");
  }
  return {};
}

// A refresh token of the configuration is of whoever had it first, unless the configuration says whose it is.
result<void> attempt::check_configured_refresh() const {
  const auto& s = settings();
  const auto& now_named = facts.server.issuer;
  bool pinned = !s.issuer.empty() || !s.token_url.empty();
  if (pinned || known_issuer.empty() || now_named == known_issuer) return {};
  return fail(errc::sign_in_issuer_mismatch, "oauth2.refreshToken was for " + known_issuer +
                                                 ", and the server names " + now_named +
                                                 " now; if it is that one's, set oauth2.issuer");
}

// Errors: sign_in_client_unknown, when there is none yet.
result<void> attempt::choose_client(time_point now) {
  const auto& s = settings();
  const auto& server = facts.server;
  client = {};
  client.issuer = server.issuer;
  client.since = now;
  if (!s.client_id.empty()) {
    client.client_id = s.client_id;
    client.client_secret = s.client_secret;
    // The guide's program sends secrets in the body unless told otherwise.
    auto fallback = world->settings.drop_in ? bridge_client_auth::body : bridge_client_auth::header;
    // What was found out when the token was given, where nothing was asked now.
    const auto* before = server.auth_methods.empty() ? kept.client_of(server.issuer) : nullptr;
    bool as_before = before != nullptr && before->client_id == s.client_id &&
                     (before->auth == bridge_client_auth::body || before->auth == bridge_client_auth::header);
    if (as_before) fallback = before->auth;
    client.auth = choose_client_auth(s.client_auth, !s.client_secret.empty(), world->client_key.has_value(),
                                     server.auth_methods, fallback);
    return {};
  }
  if (!s.client_metadata_url.empty() && (server.client_documents || server.registration_endpoint.empty())) {
    client.client_id = s.client_metadata_url;
    return {};
  }
  const auto* known = kept.client_of(server.issuer);
  if (known != nullptr && known->registered && (!known->until || now < *known->until)) {
    client = *known;
    return {};
  }
  return fail(errc::sign_in_client_unknown, "");
}

sign_in_step attempt::grant(time_point now) {
  switch (settings().grant) {
    case bridge_grant::client_credentials: return client_credentials(now);
    case bridge_grant::jwt_bearer: return by_assertion(purpose.assertion, now);
    case bridge_grant::enterprise: return enterprise(now);
    case bridge_grant::given:
      return end(errc::sign_in_tokens_in_vain, "the server refuses the token that was given");
    case bridge_grant::authorization_code:
    case bridge_grant::device_code: break;
  }
  return with_person(now);
}

}  // namespace mcp_oauth
