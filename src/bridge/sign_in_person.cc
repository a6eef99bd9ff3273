// A person signs in, with a browser.

#include "base/base64url.h"
#include "base/text.h"
#include "bridge/attempt.h"
#include "bridge/registration.h"
#include "oauth/displayable.h"
#include "oauth/pkce.h"

namespace mcp_oauth {
namespace {

// A registration that is older than that may be gone at the server, which tells only a person of it.
constexpr seconds preflight_age{600};

struct place {
  std::string host, path;
  std::optional<std::uint16_t> port;
  bool exact = false;
};

}  // namespace

sign_in_step attempt::with_person(time_point now) {
  const auto& s = settings();
  const auto& server = facts.server;
  // Another grant than the refresh that has failed: what it would keep is not what was kept.
  kept.tokens.reset();
  if (!s.authorization_code.empty() && !purpose.challenged && !purpose.step_up) {
    if (auto chosen = choose_client(now); !chosen)
      return end(errc::sign_in_client_unknown, "oauth2.authorizationCode needs oauth2.clientId");
    verifier = s.code_verifier;
    redirect_uri = !s.redirect_uri.empty()
                       ? s.redirect_uri
                       : "http://" + s.callback_host + ":" +
                             std::to_string(s.callback_port.value_or(port_of_the_guide)) + s.callback_path;
    return exchange_code(std::string(s.authorization_code.reveal()), now);
  }
  if (!s.interactive) {
    return end(errc::sign_in_person_needed,
               "authorization_code grant requires \"authorizationCode\", a pre-existing \"refreshToken\", or "
               "interactive=true with an authorizationUrl");
  }
  if (!purpose.person) return end(errc::sign_in_person_needed, "nobody may be asked now");
  bool by_device =
      s.grant == bridge_grant::device_code ||
      (purpose.headless && s.client_id.empty() && !server.device_authorization_endpoint.empty() &&
       holds(server.grant_types, "urn:ietf:params:oauth:grant-type:device_code"));
  if (by_device) return device(now);
  if (server.authorization_endpoint.empty()) {
    if (!server.refused.empty()) return end(errc::sign_in_url_refused, join(server.refused, "; "));
    if (s.discovery && !server.issuer.empty())
      return end(errc::sign_in_metadata_invalid,
                 server.issuer +
                     " names no authorization_endpoint: nobody can sign in there with a browser; set "
                     "oauth2.authorizationUrl (OAUTH2_AUTHORIZATION_URL), or another grant");
    return end(
        errc::sign_in_metadata_missing,
        "interactive authorization_code flow requires an authorizationUrl (set OAUTH2_AUTHORIZATION_URL "
        "or enable discovery)");
  }
  if (!server.s256) {
    return end(errc::sign_in_pkce_unsupported,
               "code_challenge_methods_supported of " + server.issuer + " does not hold S256");
  }
  return listen(now);
}

sign_in_step attempt::listen(time_point now) {
  const auto& s = settings();
  place at{s.callback_host, s.callback_path, s.callback_port, s.callback_port.has_value()};
  bool elsewhere = false;  // a tunnel leads from the redirect URI to our port
  if (!s.redirect_uri.empty()) {
    auto redirect = url::parse(s.redirect_uri);
    if (!redirect || !redirect->is_http() || redirect->has_fragment)
      return end(errc::sign_in_callback_unusable, "oauth2.redirectUri is no http(s) URL without fragment");
    at.path = redirect->path.empty() ? "/" : redirect->path;
    elsewhere = !redirect->is_loopback() || redirect->scheme == "https";
    if (elsewhere) {
      if (!at.port) at.port = port_of_the_guide;
    } else {
      at.host = redirect->host;
      at.port = redirect->effective_port();
    }
    at.exact = true;
  }
  auto chosen = choose_client(now);
  bool must_register = !chosen;
  if (!at.port) {
    if (world->settings.drop_in) {
      at.port = port_of_the_guide;
      at.exact = !s.client_id.empty();
    } else if (chosen && client.registered) {
      if (auto redirect = url::parse(client.redirect_uri)) at.port = redirect->effective_port();
    }
  }
  sign_in_listen step;
  step.host = at.host;
  step.port = at.port;
  step.only_that_port = at.exact;
  step.path = at.path;
  step.then = [self = shared_from_this(), at, must_register](result<std::uint16_t> port,
                                                             time_point later) -> sign_in_step {
    if (!port) return end(port.error());
    const auto& fixed = self->settings().redirect_uri;
    bool ipv6 = at.host.find(':') != std::string::npos;
    auto host = ipv6 ? "[" + at.host + "]" : at.host;
    self->redirect_uri = !fixed.empty() ? fixed : "http://" + host + ":" + std::to_string(*port) + at.path;
    bool moved = self->client.registered && self->client.redirect_uri != self->redirect_uri;
    if (must_register || moved) return self->register_client(&attempt::visit, self->redirect_uri);
    return self->preflight(later);
  };
  return step;
}

sign_in_step attempt::register_client(next then, const std::string& redirect) {
  const auto& server = facts.server;
  if (server.registration_endpoint.empty()) {
    return end(
        errc::sign_in_client_unknown,
        server.issuer + " takes no registrations (no registration_endpoint)" +
            (settings().client_metadata_url.empty() ? "" : " and no client id metadata documents") +
            "; register a client there with the redirect URI " + redirect +
            ", and set oauth2.clientId (OAUTH2_CLIENT_ID, --client-id) and that port (--callback-port)");
  }
  auto usable = usable_url(server.registration_endpoint, "registration_endpoint", world->rules);
  if (!usable) return end(usable.error());
  sign_in_fetch fetch;
  fetch.call = registration_request_for(server, redirect, settings());
  fetch.rules = rules_for(*usable, named_by::server, world->rules);
  fetch.purpose = "the registration endpoint";
  fetch.then = [self = shared_from_this(), then, redirect](const result<http_answer>& answer,
                                                           time_point later) -> sign_in_step {
    if (!answer) return end(errc::sign_in_token_unreachable, answer.error().detail);
    auto made = read_registration(self->facts.server.issuer, redirect, *answer, later);
    if (!made) {
      // Nothing was published, and what was assumed is not there: then that is what is wrong.
      if (self->facts.server.assumed && (answer->status == 404 || answer->status == 405))
        return end(errc::sign_in_metadata_missing, "tried: " + join(self->facts.tried, "; ") + "; " +
                                                       self->facts.server.registration_endpoint + ": " +
                                                       told_of_answer(*answer));
      return end(made.error());
    }
    self->client = std::move(*made);
    self->kept.keep(self->client);
    self->note(bridge_log_level::info, "registered at " + self->facts.server.issuer);
    return ((*self).*then)(later);
  };
  return fetch;
}

// A registration that the server has lost shows as an error page, after which nothing comes back: asked
// before a person is.
sign_in_step attempt::preflight(time_point now) {
  if (!client.registered || now < client.since + preflight_age) return visit(now);
  const auto& endpoint = facts.server.authorization_endpoint;
  auto whom = endpoint == settings().authorization_url ? named_by::user : named_by::server;
  auto usable = openable_url(endpoint, "authorization_endpoint", world->rules, whom);
  if (!usable) return end(usable.error());
  sign_in_fetch fetch;
  fetch.call.url = authorization_address();
  fetch.rules = rules_for(*usable, named_by::server, world->rules);
  fetch.purpose = "the authorization endpoint";
  fetch.then = [self = shared_from_this()](const result<http_answer>& answer,
                                           time_point later) -> sign_in_step {
    bool gone = answer && (answer->status == 400 || answer->status == 401 || answer->status == 403);
    if (!gone) return self->visit(later);
    self->note(bridge_log_level::info, "the authorization server does not know this client any more");
    return self->once_more_registered();
  };
  return fetch;
}

sign_in_step attempt::once_more_registered() {
  kept.forget_client(client.issuer);
  if (std::exchange(registered_again, true))
    return end(errc::sign_in_refused, "the authorization server does not know the client that it registered");
  return register_client(&attempt::visit, redirect_uri);
}

std::string attempt::authorization_address() {
  auto pair = make_pkce(world->random);
  verifier = std::move(pair.verifier);
  state = base64url_encode(world->random(32));
  const auto& s = settings();
  std::vector<std::pair<std::string, std::string>> ours = {
      {"response_type", "code"}, {"client_id", client.client_id},    {"redirect_uri", redirect_uri},
      {"state", state},          {"code_challenge", pair.challenge}, {"code_challenge_method", "S256"},
  };
  if (!scopes.empty()) ours.emplace_back("scope", join(scopes, " "));
  if (!resource.empty()) ours.emplace_back("resource", resource);
  if (!s.audience.empty()) ours.emplace_back("audience", s.audience);
  if (dpop) ours.emplace_back("dpop_jkt", dpop_key->public_part().thumbprint());
  auto others = s.authorize_params;
  others.insert(others.end(), s.extra_params.begin(), s.extra_params.end());
  // OpenID Connect Core §11: without it the scope is not given.
  if (holds(scopes, "offline_access") && !s.scope && facts.server.takes_prompt_consent && !without_prompt)
    others.emplace_back("prompt", "consent");
  return with_parameters(facts.server.authorization_endpoint, ours, others);
}

sign_in_step attempt::visit(time_point now) {
  auto address = authorization_address();
  const auto& endpoint = facts.server.authorization_endpoint;
  auto whom = endpoint == settings().authorization_url ? named_by::user : named_by::server;
  auto usable = openable_url(endpoint, "authorization_endpoint", world->rules, whom);
  if (!usable) return end(usable.error());
  if (address.size() > 8 * 1024)
    return end(errc::sign_in_url_refused, "the address of the sign-in is over 8 KiB");
  static_cast<void>(now);
  sign_in_visit step;
  step.address = std::move(address);
  step.state = state;
  step.redirect_uri = redirect_uri;
  step.step_up = purpose.step_up;
  step.scope = join(scopes, " ");
  step.device_code = !facts.server.device_authorization_endpoint.empty();
  step.then = [self = shared_from_this()](result<callback_answer> answer, time_point later) -> sign_in_step {
    return self->answered(std::move(answer), later);
  };
  return step;
}

sign_in_step attempt::answered(result<callback_answer> answer, time_point now) {
  if (!answer) return end(answer.error());
  // Before anything of it is believed or shown.
  if (auto fine = check_iss(facts.server, answer->iss); !fine) return end(fine.error());
  if (answer->error.empty()) return exchange_code(answer->code, now);
  auto code = displayable(answer->error).substr(0, 60);
  auto words = displayable(answer->error_description).substr(0, 400);
  if (refuses_resource(answer->error_description) && !resource.empty() &&
      !std::exchange(visited_again, true)) {
    note(bridge_log_level::warn, "the authorization server takes no resource parameter: asking without it");
    resource.clear();
    return visit(now);
  }
  // A server may know no prompt=consent, and say so only here.
  bool of_prompt = words.find("prompt") != std::string::npos && answer->error != "access_denied";
  if (of_prompt && holds(scopes, "offline_access") && !std::exchange(without_prompt, true)) return visit(now);
  bool unknown = code == "invalid_client" || code == "unauthorized_client";
  if (unknown && client.registered && !registered_again) return once_more_registered();
  return end(errc::sign_in_refused,
             "authorization server returned error: " + code + (words.empty() ? "" : " - " + words));
}

}  // namespace mcp_oauth
