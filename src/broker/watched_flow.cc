#include "broker/watched_flow.h"

#include "base/text.h"
#include "base/url.h"
#include "oauth/pkce.h"
#include "symptom/catalogue.h"

#include <utility>
#include <variant>

namespace mcp_oauth {
namespace {

using fields = std::vector<std::pair<std::string, std::string>>;

void say(const exchange& x, topic about, std::string message, fields more = {}) {
  if (x.log->watches(about)) x.log->traces.push_back({about, std::move(message), std::move(more)});
}

// Nothing is wrong with it, or what.
std::string challenge_flaw(const authorization_request& request) {
  if (request.code_challenge.empty()) return "there is no code_challenge";
  if (request.code_challenge_method.empty())
    return "code_challenge_method was left out, and that means plain (RFC 7636 section 4.3)";
  if (request.code_challenge_method != "S256")
    return "code_challenge_method is " + request.code_challenge_method + ", and only S256 is taken";
  if (is_code_challenge(request.code_challenge)) return {};
  auto known = diagnose_code_challenge(request.code_challenge);
  return known.empty() ? "code_challenge is not 43 characters of base64url" : known;
}

bool is_about_pkce(errc code) { return code == errc::pkce_malformed || code == errc::pkce_mismatch; }

// What has to be right before the verifier is looked at.
bool came_to_compare(errc code) {
  return code != errc::code_invalid && code != errc::code_expired && code != errc::code_client_mismatch &&
         code != errc::redirect_uri_mismatch && code != errc::store_busy;
}

}  // namespace

void watch_request(const exchange& x, const authorization_request& request) {
  if (!x.log->watched.any()) return;
  auto to = url::parse(request.redirect_uri.value_or(""));
  say(x, topic::oauth_authorize, "authorization request",
      {{"client_id", request.client_id},
       {"redirect_to", to ? to->origin() : ""},
       {"scope", request.scope},
       {"resource", join(request.resources, " ")},
       {"prompt", request.prompt}});
  auto flaw = challenge_flaw(request);
  say(x, topic::oauth_pkce,
      flaw.empty() ? "code_challenge received: S256, 43 characters of base64url"
                   : "code_challenge refused: " + flaw,
      {{"client_id", request.client_id},
       {"code_challenge_method", request.code_challenge_method},
       {"length", std::to_string(request.code_challenge.size())}});
}

void watch_code(const exchange& x, const approved_access& access) {
  say(x, topic::oauth_pkce, "storage: code_challenge is kept with the authorization code",
      {{"client_id", access.client_id}});
}

void watch_grant(const exchange& x, std::string_view client_id, const token_grant& asked, const error* why) {
  if (!x.log->watched.any()) return;
  const auto* code = std::get_if<code_grant>(&asked);
  std::string reason = why ? std::string(explain(why->code).name) : "granted";
  say(x, topic::oauth_token, std::string(code ? "authorization_code" : "refresh_token") + ": " + reason,
      {{"client_id", std::string(client_id)}, {"detail", why ? why->detail : ""}});
  if (!code || (why != nullptr && !came_to_compare(why->code))) return;
  auto length = std::to_string(code->code_verifier.reveal().size());
  say(x, topic::oauth_pkce, "retrieval: code_challenge found with the authorization code",
      {{"client_id", std::string(client_id)}});
  if (why == nullptr || !is_about_pkce(why->code)) {
    say(x, topic::oauth_pkce, "comparison: SHA-256 of code_verifier is code_challenge", {{"length", length}});
    return;
  }
  say(x, topic::oauth_pkce, "comparison: code_verifier does not match code_challenge",
      {{"length", length},
       {"mistake", why->detail.empty() ? "none of the known ones: perhaps the verifier of another sign-in"
                                       : why->detail}});
}

void watch_unread_grant(const exchange& x, const error& why) {
  if (!x.log->watched.any()) return;
  std::string reason(explain(why.code).name);
  say(x, topic::oauth_token, "the token request cannot be read: " + reason, {{"detail", why.detail}});
  if (why.code == errc::pkce_missing || is_about_pkce(why.code))
    say(x, topic::oauth_pkce, "comparison: code_verifier cannot match", {{"mistake", why.detail}});
}

void watch_departure(const exchange& x, std::string_view provider, std::string_view challenge) {
  if (!x.log->watched.any()) return;
  fields at{{"provider", std::string(provider)}};
  say(x, topic::oauth_state, "state made for the provider, bound to this browser and stored in the session",
      at);
  say(x, topic::oauth_pkce, "code_verifier generation: 32 random bytes, 43 characters", at);
  say(x, topic::oauth_pkce, "code_challenge creation: SHA-256 of code_verifier, base64url",
      {{"provider", std::string(provider)}, {"code_challenge", std::string(challenge)}});
  say(x, topic::oauth_pkce, "storage: code_verifier is sealed in the session", at);
}

void watch_return(const exchange& x, const pending_login& login) {
  if (!x.log->watched.any()) return;
  fields of{{"provider", login.provider}, {"client_id", login.access.client_id}};
  say(x, topic::oauth_callback, "callback: the provider sent the browser back", of);
  say(x, topic::oauth_state, "state found, and it is this browser's", of);
  if (!login.code_verifier.empty())
    say(x, topic::oauth_pkce, "retrieval: code_verifier taken from the session for the token exchange", of);
}

void watch_refused_return(const exchange& x, const error& why) {
  if (!x.log->watched.any()) return;
  const auto& row = explain(why.code);
  fields said{{"symptom", std::string(row.id)}, {"reason", std::string(row.name)}, {"detail", why.detail}};
  say(x, topic::oauth_callback, "callback refused: " + std::string(row.description), said);
  say(x, topic::oauth_state, "state refused: " + std::string(row.description), said);
}

}  // namespace mcp_oauth
