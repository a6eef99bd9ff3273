#include "base/base64url.h"
#include "base/form.h"
#include "base/text.h"
#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/consent_memory.h"
#include "broker/grants.h"
#include "broker/session.h"
#include "broker/sign_in_at_provider.h"
#include "broker/watched_flow.h"
#include "oauth/pkce.h"
#include "oauth/redirect_uri.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

const provider_settings* find_provider(const settings& conf, std::string_view name) {
  for (const auto& p : conf.providers) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

std::string same_request_with_consent(const pending_login& login) {
  const auto& a = login.access;
  form f;
  f.add("response_type", "code");
  f.add("client_id", a.client_id);
  if (a.redirect_uri_sent) f.add("redirect_uri", a.redirect_uri);
  if (!a.state.empty()) f.add("state", a.state);
  f.add("code_challenge", a.code_challenge);
  f.add("code_challenge_method", "S256");
  if (!a.scopes.empty()) f.add("scope", join(a.scopes, " "));
  f.add("resource", a.resource);
  f.add("provider", login.provider);
  f.add("prompt", "consent");
  return std::string(paths::authorize) + "?" + f.encode();
}

step ask_once_they_are_known(broker_parts& parts, const exchange& x, const pending_login& login,
                             const change& also) {
  auto done = parts.world.store.commit(also, x.now);
  if (!done) return answer_with_error(parts, x, login.access, done.error());
  if (!*done)
    return error_answer_for_people(x, {errc::state_invalid, "another request finished the login first"});
  return ask_the_person_themselves(x, login);
}

}  // namespace

step ask_the_person_themselves(const exchange& x, const pending_login& login) {
  x.log->note("result", "ok");
  x.log->note("event", "consent_of_another");
  return redirect_answer(same_request_with_consent(login));
}

approved_access access_of(const known_client& client, const authorization_terms& terms) {
  approved_access a;
  a.client_id = terms.client_id;
  a.client_name = client.metadata.client_name;
  a.redirect_uri = terms.redirect_uri;
  a.redirect_uri_sent = terms.redirect_uri_sent;
  a.state = terms.state;
  a.code_challenge = terms.code_challenge;
  a.scopes = terms.scopes;
  a.resource = terms.resource;
  return a;
}

step begin_sign_in(broker_parts& parts, exchange x, pending_login login, sign_in_mode mode) {
  const auto* provider = find_provider(parts.world.conf, login.provider);
  if (provider == nullptr) {
    return answer_with_error(parts, x, login.access, {errc::internal, "no provider " + login.provider});
  }
  x.log->note("provider", provider->name);
  auto local_person =
      provider->type == "local" ? signed_in_person(parts.world, *x.request, x.now) : std::nullopt;
  bool at_once = local_person && local_person->provider == provider->name && mode == sign_in_mode::reuse;
  bool too_many = !at_once && parts.counts->refuse(rate_limit::logins, limiter_key(x.request->peer),
                                                   parts.world.conf, x.now);
  if (too_many) {
    x.log->limited = rate_limit::logins;
    return answer_with_error(
        parts, x, login.access,
        {errc::too_many_requests, "a tenth of limits.logins_in_flight is of this address"});
  }
  if (provider->type != "local")
    return sign_in_at_provider(parts, std::move(x), *provider, std::move(login), mode);

  if (at_once) return answer_with_code(parts, x, login, *local_person, {});
  auto access = login.access;
  auto state = begin_login(parts.world, std::move(login), x.now);
  if (!state) return answer_with_error(parts, x, access, state.error());
  x.log->note("result", "ok");
  return redirect_answer(std::string(paths::sign_in) + "?login=" + *state);
}

step answer_with_code(broker_parts& parts, const exchange& x, const pending_login& login, const person& who,
                      change also, std::optional<provider_tokens> kept) {
  const auto& access = login.access;
  x.log->note("user", who.subject);
  if (login.approver.empty()) {
    remember_consent(also, login, who, x.now);
  } else if (login.approver != approver_of(who)) {
    return ask_once_they_are_known(parts, x, login, also);
  }
  auto minted = mint_code(parts.world, access, who, x.now);
  auto grant = minted.row.grant;
  if (kept) {
    kept->grant = grant;
    kept->subject = who.subject;
    kept->kept_until = minted.row.expires;
    also.put.push_back(to_record(parts.world, *kept));
  }
  also.put.push_back(std::move(minted.row));
  auto done = parts.world.store.commit(also, x.now);
  if (!done) return answer_with_error(parts, x, access, done.error());
  if (!*done)
    return error_answer_for_people(x, {errc::state_invalid, "another request finished the login first"});
  // Somebody has signed in with it: from now on no flood of registrations makes it forgotten.
  parts.clients.renew(access.client_id, x.now);
  x.log->note("result", "ok");
  x.log->note("event", "code_issued");
  watch_code(x, access);
  x.log->note("grant", grant);
  return redirect_answer(
      code_location(access.redirect_uri, minted.code.reveal(), access.state, parts.world.conf.public_url));
}

step answer_with_error(broker_parts& parts, const exchange& x, const approved_access& access,
                       const error& why) {
  note_failure(x, why);
  return redirect_answer(error_location(access.redirect_uri, why, access.state, parts.world.conf.public_url));
}

}  // namespace mcp_oauth
