#include "broker/answers.h"
#include "broker/attempts.h"
#include "broker/broker_parts.h"
#include "broker/browser.h"
#include "broker/device.h"
#include "broker/login_trail.h"
#include "broker/pages.h"
#include "broker/session.h"
#include "config/provider_kind.h"
#include "oauth/displayable.h"
#include "oauth/endpoint_form.h"
#include "provider/allowed.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_field = 4096;

const provider_settings* local_provider(const settings& conf, std::string_view name) {
  for (const auto& p : conf.providers) {
    if (p.name == name && p.type == "local") return &p;
  }
  return nullptr;
}

struct visit {
  std::string state;
  std::string browser;
  pending_login login;
  const provider_settings* provider = nullptr;
};

// The login that the page belongs to. It must have been approved in this very browser.
result<visit> read_visit(broker_parts& parts, const exchange& x, const form& parameters) {
  auto state = required_parameter(parameters, "login", longest_field);
  if (!state) return fail(errc::login_required, "no login named");
  auto b = known_browser(parts.world, *x.request);
  if (!b) return fail(errc::state_foreign_browser, "the browser sent no cookie");
  auto login = find_login(parts.world, *state, b->digest, x.now, x.log);
  if (!login) return tl::unexpected(login.error());
  walk(x, login->access, "sign_in");
  const auto* provider = local_provider(parts.world.conf, login->provider);
  if (provider == nullptr) return fail(errc::state_invalid, "the login is at another provider");
  return visit{*state, b->digest, std::move(*login), provider};
}

http_response show(broker_parts& parts, const visit& v, std::string user, std::string message, int status) {
  sign_in_page page;
  page.client_name = displayable(v.login.access.client_name);
  page.login = v.state;
  page.form = seal_form(parts.world, "sign-in", v.browser, {{"login", v.login.id}}, v.login.expires);
  page.user = std::move(user);
  page.message = std::move(message);
  return to_response(page, status);
}

http_response show_new_password(broker_parts& parts, const visit& v, const user& who, std::string message,
                                int status) {
  new_password_page page;
  page.login = v.state;
  // The version names the password that was just proven: another change of the user makes this form
  // worthless.
  page.form = seal_form(parts.world, "new-password", v.browser,
                        {{"login", v.login.id}, {"user", who.name}, {"version", std::to_string(who.version)}},
                        v.login.expires);
  page.user = who.name;
  page.message = std::move(message);
  return to_response(page, status);
}

std::string refusal_words(const error& why) {
  if (why.detail == same_as_before) return "Choose another one than the one-time password.";
  return "That password will not do: " + why.detail + ".";
}

std::string words(errc code) { return std::string(explain(code).description); }

result<person> person_of(const user& who, const provider_settings& provider) {
  identity id;
  id.provider = provider.name;
  id.subject = who.name;
  id.email = who.email;
  id.email_verified = !who.email.empty();
  id.name = who.display_name.empty() ? who.name : who.display_name;
  id.preferred_username = who.name;
  auto allowed = check_allowed(allowed_at(provider), id);
  if (!allowed) return tl::unexpected(allowed.error());
  return person{provider.name, provider.name + ":" + who.name, who.email, id.name, who.account};
}

step finish(broker_parts& parts, const exchange& x, const visit& v, const user& who) {
  auto p = person_of(who, *v.provider);
  if (!p) return answer_with_error(parts, x, v.login.access, p.error());
  auto session = begin_session(parts.world, *p, who, x.now);
  change c;
  finish_login(c, v.login, x.now);
  end_previous_session(c, parts.world, *x.request);
  c.put.push_back(std::move(session.row));
  auto device_cookie = renew_device(parts.world, *x.request, who, x.now, c);
  auto answer = answer_with_code(parts, x, v.login, *p, std::move(c));
  if (auto* response = std::get_if<http_response>(&answer); response != nullptr && response->status == 303) {
    response->fields.add("Set-Cookie", session.cookie);
    response->fields.add("Set-Cookie", device_cookie);
  }
  return answer;
}

step choose(broker_parts& parts, const exchange& x, const visit& v, const form& answers) {
  auto sealed = answers.find("form");
  auto content = open_form(parts.world, "new-password", v.browser, sealed.value_or(""), x.now);
  if (!content) return error_answer_for_people(x, content.error());
  if (text_member(*content, "login") != v.login.id) {
    return error_answer_for_people(x, {errc::consent_forged, "the form is of another login"});
  }
  auto who = find_user(parts.world.store, text_member(*content, "user"), x.now);
  if (!who) return error_answer_for_people(x, who.error());
  if (!*who || std::to_string((*who)->version) != text_member(*content, "version")) {
    return error_answer_for_people(x,
                                   {errc::state_invalid, "the user changed since the password was proven"});
  }
  x.log->note("user", v.provider->name + ":" + (*who)->name);
  secret first(std::string(answers.find("new_password").value_or("")));
  if (!first.equals(answers.find("new_password_again").value_or(""))) {
    note_failure(x, {errc::password_unacceptable, "the two differ"});
    return show_new_password(parts, v, **who, "The two passwords differ.", 400);
  }
  auto chosen = choose_password(parts.world.store, **who, first, parts.world.passwords, x.now);
  if (!chosen && chosen.error().code == errc::password_unacceptable) {
    note_failure(x, chosen.error());
    return show_new_password(parts, v, **who, refusal_words(chosen.error()), 400);
  }
  if (!chosen) return error_answer_for_people(x, chosen.error());
  x.log->note("event", "password_chosen");
  return finish(parts, x, v, *chosen);
}

struct turn {
  rate_limit counted = rate_limit::account;  // or device
  std::optional<seconds> wait;
};

// Counted before it is judged, so that guesses sent at once count as well.
result<turn> take_turn(broker_parts& parts, const exchange& x, const std::string& name,
                       const std::optional<user>& who) {
  const auto& world = parts.world;
  if (auto from = who ? known_device(world, *x.request, *who, x.now) : std::nullopt) {
    auto verdict = begin_attempt(world, *from, x.now);
    if (!verdict) return tl::unexpected(verdict.error());
    if (verdict->known) return turn{rate_limit::device, verdict->wait};
  }
  auto wait = begin_attempt(world.store, name, world.conf.limits.sign_in_attempts, x.now);
  if (!wait) return tl::unexpected(wait.error());
  return turn{rate_limit::account, *wait};
}

step try_password(broker_parts& parts, const exchange& x, const visit& v, const form& answers) {
  auto sealed = answers.find("form");
  auto content = open_form(parts.world, "sign-in", v.browser, sealed.value_or(""), x.now);
  if (!content) return error_answer_for_people(x, content.error());
  if (text_member(*content, "login") != v.login.id) {
    return error_answer_for_people(x, {errc::consent_forged, "the form is of another login"});
  }
  std::string given(answers.find("user").value_or(""));
  auto name = user_name(given);
  if (!name) {
    note_failure(x, {errc::login_failed, name.error().detail});
    return show(parts, v, {}, words(errc::login_failed), 401);
  }
  auto who = find_user(parts.world.store, *name, x.now);
  if (!who) return error_answer_for_people(x, who.error());
  // What nobody here is called may be a password in the wrong field.
  if (*who) x.log->note("user", v.provider->name + ":" + *name);
  auto turn = take_turn(parts, x, *name, *who);
  if (!turn) return error_answer_for_people(x, turn.error());
  if (turn->wait) {
    x.log->limited = turn->counted;
    auto wait = std::to_string(turn->wait->count());
    note_failure(x, {errc::login_throttled, "for another " + wait + " s"});
    auto answer = show(parts, v, *name, words(errc::login_throttled) + ". Wait " + wait + " seconds.", 429);
    answer.fields.set("Retry-After", wait);
    return answer;
  }
  secret password(std::string(answers.find("password").value_or("")));
  if (!password_fits(*who, password, parts.world.passwords)) {
    note_failure(x, {errc::login_failed, *who ? "the password does not match" : "no such user"});
    return show(parts, v, *name, words(errc::login_failed), 401);
  }
  // Who signs in at home says nothing about who guesses elsewhere.
  if (turn->counted == rate_limit::account) {
    auto forgotten = forget_attempts(parts.world.store, *name, x.now);
    if (!forgotten) return error_answer_for_people(x, forgotten.error());
  }
  if ((*who)->must_change) {
    x.log->note("result", "ok");
    x.log->note("event", "one_time_password_used");
    return show_new_password(parts, v, **who, {}, 200);
  }
  return finish(parts, x, v, **who);
}

}  // namespace

// The page of the built-in users.
step sign_in(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"GET", "POST"})) return *refused;
  if (x.request->method == "GET") {
    auto parameters = form::parse(x.request->query);
    if (!parameters) return error_answer_for_people(x, parameters.error());
    auto v = read_visit(parts, x, *parameters);
    if (!v) return error_answer_for_people(x, v.error());
    x.log->note("result", "ok");
    x.log->note("client_id", v->login.access.client_id);
    return show(parts, *v, v->login.login_hint, {}, 200);
  }
  auto own = check_own_form(parts.world.conf, *x.request);
  if (!own) return error_answer_for_people(x, own.error());
  auto answers = parse_endpoint_form(*x.request);
  if (!answers) return error_answer_for_people(x, answers.error());
  for (auto name : {"form", "user", "password", "new_password", "new_password_again"}) {
    auto value = optional_parameter(*answers, name, longest_field);
    if (!value) return error_answer_for_people(x, value.error());
  }
  auto v = read_visit(parts, x, *answers);
  if (!v) return error_answer_for_people(x, v.error());
  x.log->note("client_id", v->login.access.client_id);
  if (answers->find("new_password")) return choose(parts, x, *v, *answers);
  return try_password(parts, x, *v, *answers);
}

}  // namespace mcp_oauth
