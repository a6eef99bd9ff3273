// Requests to the token endpoint.

#include "base/json.h"
#include "base/text.h"
#include "bridge/attempt.h"
#include "bridge/registration.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view jwt_bearer_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";

form without(const form& parameters, std::string_view name) {
  form out;
  for (const auto& [key, value] : parameters) {
    if (key != name) out.add(key, value);
  }
  return out;
}

}  // namespace

bool attempt::has_refresh_token() const {
  if (kept.tokens) return !kept.tokens->refresh_token.empty();
  bool of_person =
      settings().grant == bridge_grant::authorization_code || settings().grant == bridge_grant::device_code;
  return of_person && !settings().refresh_token.empty();
}

// Bound to a key where the server takes such tokens; RFC 9449 §5.
void attempt::prepare_dpop() {
  bool wanted =
      purpose.demand.dpop || (facts.resource && (facts.resource->dpop || facts.resource->dpop_required));
  dpop = settings().dpop.value_or(wanted && holds(facts.server.dpop_algorithms, "ES256"));
  if (!dpop) return;
  if (!dpop_key && kept.tokens && !kept.tokens->dpop_key.empty()) {
    if (auto key = signing_key::from_pem(kept.tokens->dpop_key)) dpop_key = std::move(*key);
  }
  if (!dpop_key) dpop_key = signing_key::generate_es256();
}

// What the configuration adds to every request for a token; nothing of ours is replaced.
void attempt::add_common(form& parameters) const {
  if (!resource.empty() && !parameters.find("resource")) parameters.add("resource", resource);
  if (!settings().audience.empty()) parameters.add("audience", settings().audience);
  for (const auto& [name, value] : settings().extra_params) {
    if (!is_reserved_parameter(name) && !parameters.find(name)) parameters.add(name, value);
  }
}

sign_in_step attempt::ask_token(std::string endpoint, form parameters, bool repeatable, token_then then,
                                time_point now, bool again) {
  auto usable = usable_url(endpoint, "the token endpoint", world->rules);
  if (!usable) return end(usable.error());
  client_proof proof{client.client_id,          client.auth,
                     client.client_secret,      world->client_key ? &*world->client_key : nullptr,
                     settings().private_key_id, facts.server.issuer.empty() ? endpoint : facts.server.issuer};
  sign_in_fetch fetch;
  fetch.call = token_request(endpoint, parameters, proof, world->random, now);
  if (dpop)
    fetch.call.fields.add("DPoP",
                          dpop_proof(*dpop_key, "POST", endpoint, "", dpop_nonce, world->random, now));
  auto whom = endpoint == settings().token_url || endpoint == settings().identity_token_url
                  ? named_by::user
                  : named_by::server;
  fetch.rules = rules_for(*usable, whom, world->rules);
  fetch.purpose = "the token endpoint";
  fetch.repeatable = repeatable;
  fetch.then = [self = shared_from_this(), endpoint, parameters, repeatable, then = std::move(then), again](
                   const result<http_answer>& answer, time_point later) mutable -> sign_in_step {
    if (!answer) {
      error why{errc::sign_in_token_unreachable, answer.error().detail};
      if (answer.error().code == errc::address_refused) {
        why.code = errc::sign_in_url_refused;
        why.detail += "; if the token endpoint is inside on purpose, set oauth2.allowInnerAddresses";
      }
      return then(tl::unexpected<error>(std::move(why)), later);
    }
    auto nonce = std::string(answer->fields.first("DPoP-Nonce"));
    if (!nonce.empty()) self->dpop_nonce = nonce;
    // RFC 9449 §8: once more, with the nonce that it wants.
    if (self->dpop && !again && !nonce.empty() && oauth_error_of(*answer) == "use_dpop_nonce")
      return self->ask_token(std::move(endpoint), std::move(parameters), repeatable, std::move(then), later,
                             true);
    auto grant = read_token_answer(*answer);
    if (!grant && refuses_resource(grant.error().detail) && parameters.find("resource")) {
      self->note(bridge_log_level::warn,
                 "the authorization server takes no resource parameter: asking without it");
      self->resource.clear();
      return self->ask_token(std::move(endpoint), without(parameters, "resource"), repeatable,
                             std::move(then), later, true);
    }
    return then(std::move(grant), later);
  };
  return fetch;
}

// A client id was shown, so what is unknown is not that there is none.
sign_in_step attempt::end_of_client(error why) {
  if (why.code == errc::sign_in_client_unknown) why.code = errc::sign_in_token_refused;
  return end(std::move(why));
}

sign_in_step attempt::refresh(time_point now) {
  purpose.may_refresh = false;
  if (kept.tokens && !located) {
    // Without discovery: what was found when the token was given still holds.
    const auto& before = *kept.tokens;
    facts.server.issuer = before.issuer;
    facts.server.token_endpoint = before.token_endpoint;
    facts.server.revocation_endpoint = before.revocation_endpoint;
    resource = before.resource;
    dpop = before.dpop;
    if (!before.dpop_key.empty()) {
      if (auto key = signing_key::from_pem(before.dpop_key)) dpop_key = std::move(*key);
    }
    dpop = dpop && dpop_key;
  }
  auto again = [this](time_point later) {
    kept.tokens.reset();
    return located ? grant(later) : locate(later);
  };
  if (auto chosen = choose_client(now); !chosen) return again(now);
  if (kept.tokens && kept.tokens->client_id != client.client_id) {
    note(bridge_log_level::warn, "the stored refresh token is of another client id, and is not used");
    return again(now);
  }
  form parameters;
  parameters.add("grant_type", "refresh_token");
  const auto& token = kept.tokens ? kept.tokens->refresh_token : settings().refresh_token;
  parameters.add("refresh_token", std::string(token.reveal()));
  std::string scope = settings().scope.value_or("");
  if (kept.tokens) scope = kept.tokens->granted.empty() ? kept.tokens->scope : kept.tokens->granted;
  if (!scope.empty()) parameters.add("scope", scope);
  if (kept.tokens) resource = kept.tokens->resource;
  add_common(parameters);
  scopes = split_words(kept.tokens ? kept.tokens->scope : scope);
  note(bridge_log_level::debug, "refreshing at " + facts.server.token_endpoint);
  return ask_token(
      facts.server.token_endpoint, std::move(parameters), true,
      [self = shared_from_this()](result<token_grant> grant, time_point later) -> sign_in_step {
        if (grant) return self->keep(std::move(*grant), later);
        auto code = grant.error().code;
        bool over = code == errc::sign_in_grant_ended || code == errc::sign_in_client_unknown ||
                    code == errc::sign_in_token_refused;
        if (!over) return end(grant.error());
        // It may be our way of saying who we are: what the server takes is looked up before it is believed.
        bool unsure = code == errc::sign_in_client_unknown && !self->located && !self->client.registered &&
                      self->client.auth != bridge_client_auth::none;
        if (unsure) {
          self->purpose.may_refresh = true;
          return self->locate(later);
        }
        self->note(bridge_log_level::warn,
                   "the refresh token is of no use any more: " + grant.error().detail);
        if (code != errc::sign_in_token_refused && self->world->session_over) self->world->session_over();
        if (code == errc::sign_in_client_unknown && self->client.registered)
          self->kept.forget_client(self->client.issuer);
        self->kept.tokens.reset();
        return self->located ? self->grant(later) : self->locate(later);
      },
      now);
}

sign_in_step attempt::client_credentials(time_point now) {
  if (auto chosen = choose_client(now); !chosen || client.auth == bridge_client_auth::none) {
    return end(errc::sign_in_client_unknown,
               "client_credentials needs oauth2.clientId with oauth2.clientSecret or oauth2.privateKeyFile");
  }
  form parameters;
  parameters.add("grant_type", "client_credentials");
  if (!scopes.empty()) parameters.add("scope", join(scopes, " "));
  add_common(parameters);
  return ask_token(
      facts.server.token_endpoint, std::move(parameters), true,
      [self = shared_from_this()](result<token_grant> grant, time_point later) -> sign_in_step {
        if (!grant) return end_of_client(grant.error());
        return self->keep(std::move(*grant), later);
      },
      now);
}

sign_in_step attempt::exchange_code(const std::string& code, time_point now) {
  form parameters;
  parameters.add("grant_type", "authorization_code");
  parameters.add("code", code);
  parameters.add("redirect_uri", redirect_uri);
  if (!verifier.empty()) parameters.add("code_verifier", std::string(verifier.reveal()));
  add_common(parameters);
  return ask_token(
      facts.server.token_endpoint, std::move(parameters), false,
      [self = shared_from_this()](result<token_grant> grant, time_point later) -> sign_in_step {
        if (grant) return self->keep(std::move(*grant), later);
        if (grant.error().code == errc::sign_in_client_unknown && self->client.registered)
          return self->once_more_registered();
        return end_of_client(grant.error());
      },
      now);
}

// RFC 7523 §2.1. One request: an assertion that was refused is not shown twice.
sign_in_step attempt::by_assertion(const secret& assertion, time_point now) {
  if (assertion.empty()) return end(errc::sign_in_person_needed, "the assertion is empty");
  // A workload may have no client id: the assertion says who it is.
  if (auto chosen = choose_client(now); !chosen) {
    client = {};
    client.issuer = facts.server.issuer;
  }
  form parameters;
  parameters.add("grant_type", std::string(jwt_bearer_type));
  parameters.add("assertion", std::string(assertion.reveal()));
  if (!scopes.empty()) parameters.add("scope", join(scopes, " "));
  add_common(parameters);
  return ask_token(
      facts.server.token_endpoint, std::move(parameters), false,
      [self = shared_from_this()](result<token_grant> grant, time_point later) -> sign_in_step {
        if (!grant) return end_of_client(grant.error());
        return self->keep(std::move(*grant), later);
      },
      now);
}

// Enterprise-managed authorization: the identity provider turns its id token into an assertion for this
// authorization server (ID-JAG), which gives an access token for it.
sign_in_step attempt::enterprise(time_point now) {
  const auto& s = settings();
  if (!s.identity_token_url.empty()) return exchange_identity(s.identity_token_url, now);
  auto issuer = url::parse(s.identity_provider_url);
  if (!issuer) return end(errc::sign_in_metadata_missing, "oauth2.identityProviderUrl is not set");
  discovery_wish wish{*issuer, "", "", true, s.identity_provider_url};
  return discover(
      std::move(wish), world->rules,
      [self = shared_from_this()](result<discovered> what, time_point later) -> sign_in_step {
        if (!what) return end(what.error());
        if (what->server.token_endpoint.empty())
          return end(errc::sign_in_metadata_invalid, "the identity provider names no token endpoint");
        return self->exchange_identity(what->server.token_endpoint, later);
      },
      now);
}

sign_in_step attempt::exchange_identity(const std::string& endpoint, time_point now) {
  const auto& s = settings();
  if (purpose.assertion.empty())
    return end(errc::sign_in_person_needed, "the id token of the identity provider is empty");
  form parameters;
  parameters.add("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
  parameters.add("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag");
  parameters.add("audience", facts.server.issuer);
  if (!resource.empty()) parameters.add("resource", resource);
  if (!scopes.empty()) parameters.add("scope", join(scopes, " "));
  parameters.add("subject_token", std::string(purpose.assertion.reveal()));
  parameters.add("subject_token_type", "urn:ietf:params:oauth:token-type:id_token");
  client = {};
  client.client_id = s.identity_client_id;
  client.client_secret = s.identity_client_secret;
  client.auth = s.identity_client_secret.empty() ? bridge_client_auth::none : bridge_client_auth::body;
  auto bound = std::exchange(dpop, false);
  return ask_token(
      endpoint, std::move(parameters), true,
      [self = shared_from_this(), bound](result<token_grant> grant, time_point later) -> sign_in_step {
        if (!grant) return end_of_client(grant.error());
        self->dpop = bound;
        constexpr std::string_view wanted = "urn:ietf:params:oauth:token-type:id-jag";
        if (grant->issued_token_type != wanted)
          return end(errc::sign_in_token_invalid, "the identity provider gave something else than an ID-JAG");
        return self->by_assertion(grant->access_token, later);
      },
      now);
}

sign_in_step attempt::keep(token_grant grant, time_point now) {
  if (grant.dpop && !dpop)
    return end(errc::sign_in_token_invalid, "the token is bound to a key (DPoP), and none was shown");
  auto before = std::exchange(kept.tokens, std::nullopt);
  kept_tokens fresh;
  fresh.issuer = facts.server.issuer;
  fresh.client_id = client.client_id.empty() ? "-" : client.client_id;
  fresh.resource = resource;
  fresh.token_endpoint = facts.server.token_endpoint;
  fresh.revocation_endpoint = facts.server.revocation_endpoint;
  fresh.scope = join(scopes, " ");
  fresh.granted = grant.scope;
  fresh.access_token = std::move(grant.access_token);
  fresh.refresh_token = std::move(grant.refresh_token);
  fresh.id_token = std::move(grant.id_token);
  fresh.dpop = grant.dpop;
  if (dpop) fresh.dpop_key = dpop_key->to_pem();
  fresh.obtained = now;
  fresh.lifetime = grant.lifetime;
  if (before) {
    // An answer to a refresh that has no new one leaves the old one good (RFC 6749 §6).
    if (fresh.refresh_token.empty()) fresh.refresh_token = before->refresh_token;
    if (fresh.id_token.empty()) fresh.id_token = before->id_token;
    if (fresh.granted.empty()) fresh.granted = before->granted;
    if (fresh.revocation_endpoint.empty()) fresh.revocation_endpoint = before->revocation_endpoint;
  } else if (fresh.refresh_token.empty() && settings().grant == bridge_grant::authorization_code) {
    if (auto given = settings().refresh_token;
        !given.empty() && !purpose.may_refresh && state.empty() && check_configured_refresh())
      fresh.refresh_token = given;
  }
  if (!client.client_id.empty() && !client.issuer.empty()) kept.keep(client);
  kept.tokens = std::move(fresh);
  note(bridge_log_level::info,
       "there is a token" +
           (kept.tokens->lifetime ? " for " + std::to_string(kept.tokens->lifetime->count()) + " s"
                                  : std::string()) +
           (kept.tokens->refresh_token.empty() ? ", without a refresh token" : ""));
  return result<kept_sign_in>(std::move(kept));
}

}  // namespace mcp_oauth
