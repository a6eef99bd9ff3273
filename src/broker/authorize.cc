#include "base/url.h"
#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/browser.h"
#include "broker/consent_memory.h"
#include "broker/login_trail.h"
#include "broker/pages.h"
#include "broker/session.h"
#include "broker/watched_flow.h"
#include "config/provider_kind.h"
#include "oauth/displayable.h"
#include "oauth/endpoint_form.h"
#include "oauth/redirect_uri.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_request = 16 * 1024;

bool asks_for(const authorization_terms& terms, std::string_view word) {
  return std::find(terms.prompt.begin(), terms.prompt.end(), word) != terms.prompt.end();
}

// Whether a refusal may go there without anybody having pressed a button (RFC 9700 §4.11.2). A stranger can
// register any web address, and could use our name to send people to it.
bool may_redirect_at_once(const known_client& client, std::string_view redirect_uri) {
  if (client.origin == client_origin::configured) return true;
  return describe_redirect_uri(redirect_uri).kind != redirect_kind::web;
}

step refuse(broker_parts& parts, const exchange& x, const known_client& client,
            const authorization_refusal& refusal, const std::optional<std::string>& sent_redirect_uri) {
  error_page page;
  if (!refusal.to_redirect()) {
    // Parsed already: printable, and of bounded length.
    page.sent_redirect_uri = sent_redirect_uri.value_or("");
    return error_answer_for_people(x, refusal.why, std::move(page));
  }
  auto location =
      error_location(*refusal.redirect_uri, refusal.why, refusal.state, parts.world.conf.public_url);
  if (may_redirect_at_once(client, *refusal.redirect_uri)) {
    note_failure(x, refusal.why);
    return redirect_answer(std::move(location));
  }
  page.return_to = std::move(location);
  page.return_host = describe_redirect_uri(*refusal.redirect_uri).where;
  return error_answer_for_people(x, refusal.why, std::move(page));
}

// How a person would call it: nobody but the operator knows what "local" is.
std::string way_to_sign_in(const provider_settings& p) {
  return p.type == "local" ? "a user name and password" : title_of(p);
}

std::vector<std::pair<std::string, std::string>> choices_of(const settings& conf,
                                                            const std::optional<person>& who,
                                                            std::string_view only) {
  std::vector<std::pair<std::string, std::string>> choices;
  for (const auto& p : conf.providers) {
    if (!only.empty() && p.name != only) continue;
    std::string label =
        conf.providers.size() == 1 ? "Approve" : "Approve and sign in with " + way_to_sign_in(p);
    if (who && who->provider == p.name) label = "Approve as " + displayed(*who);
    choices.emplace_back(p.name, std::move(label));
  }
  return choices;
}

http_response ask(broker_parts& parts, const exchange& x, const known_client& client,
                  const authorization_terms& terms, const std::string& parameters, const std::string& at,
                  const std::vector<login_step>& steps) {
  const auto& conf = parts.world.conf;
  auto b = known_or_new_browser(parts.world, *x.request);
  auto target = describe_redirect_uri(terms.redirect_uri);
  auto who = signed_in_person(parts.world, *x.request, x.now);

  consent_page page;
  page.client_name = displayable(client.metadata.client_name);
  if (page.client_name.empty()) page.client_name = "A program without a name";
  page.configured = client.origin == client_origin::configured;
  if (client.origin == client_origin::document) {
    auto where = url::parse(terms.client_id);
    if (where) page.client_host = where->host;
  }
  page.redirect_host = target.where;
  if (target.kind == redirect_kind::application) page.redirect_host += ": (a program on this computer)";
  page.this_computer = target.kind != redirect_kind::web;
  page.resource = terms.resource;
  page.scopes = terms.scopes;
  page.choices = choices_of(conf, who, at);
  if (who && (at.empty() || at == who->provider)) {
    page.signed_in_as = displayed(*who);
    page.other_account = who->provider;
  }
  page.request = seal_form(
      parts.world, "consent", b.digest,
      {{"parameters", parameters}, {"steps", to_json(steps)}, {"shown_to", who ? approver_of(*who) : ""}},
      x.now + conf.session_timeout);
  auto answer = to_response(page);
  keep_browser(answer, b);
  x.log->note("result", "ok");
  x.log->note("event", "consent_asked");
  return answer;
}

step judge(broker_parts& parts, const exchange& x, const authorization_request& request,
           const known_client& client, const std::string& parameters, const std::string& at) {
  auto checked = check_authorization_request(request, client.metadata, parts.clients.rules_for(client));
  if (!checked) return refuse(parts, x, client, checked.error(), request.redirect_uri);
  const auto& terms = checked->terms();
  bool quiet = asks_for(terms, "none");

  // A page of another site may have led here: then what was approved once is asked again (design rule 5).
  std::optional<remembered_approval> before;
  pending_login login;
  login.access = access_of(client, terms);
  walk(x, login.access, "authorize");
  auto b = known_browser(parts.world, *x.request);
  auto who = signed_in_person(parts.world, *x.request, x.now);
  if (b && !may_be_cross_site(*x.request) && !asks_for(terms, "consent") &&
      !asks_for(terms, "select_account")) {
    before = remembered_consent(parts.world, b->digest, login.access, x.now);
    if (before && !at.empty() && before->provider != at) before.reset();
    if (before && who && who->provider == before->provider && approver_of(*who) != before->approver)
      before.reset();
  }
  if (!before && quiet) {
    return refuse(parts, x, client,
                  {{errc::login_required, "prompt=none, and no consent is remembered"},
                   terms.redirect_uri,
                   terms.state},
                  {});
  }
  if (!before) return ask(parts, x, client, terms, parameters, at, login.access.steps);

  login.provider = before->provider;
  login.approver = before->approver;
  login.browser = b->digest;
  login.login_hint = terms.login_hint;
  if (quiet && !who) {
    return refuse(
        parts, x, client,
        {{errc::login_required, "prompt=none, and nobody is signed in"}, terms.redirect_uri, terms.state},
        {});
  }
  x.log->note("event", "consent_remembered");
  return begin_sign_in(parts, x, std::move(login),
                       asks_for(terms, "login") ? sign_in_mode::fresh : sign_in_mode::reuse);
}

// A parameter of our own: the page then offers only that provider. "" when it is absent.
result<std::string> asked_provider(const settings& conf, const form& parameters) {
  auto name = optional_parameter(parameters, "provider", 64);
  if (!name) return tl::unexpected(name.error());
  if (!*name) return std::string();
  for (const auto& p : conf.providers) {
    if (p.name == **name) return p.name;
  }
  return fail(errc::parameter_malformed, "provider: no such provider");
}

}  // namespace

// RFC 6749 §3.1: GET, and POST with the same parameters as a form.
step authorize(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"GET", "POST"})) return *refused;
  const auto& r = *x.request;
  if (r.method == "POST" &&
      !is_media_type(r.fields.first("content-type"), "application/x-www-form-urlencoded")) {
    return error_answer_for_people(x, {errc::http_media_type_unsupported, ""});
  }
  const auto& parameters = r.method == "POST" ? r.body : r.query;
  if (parameters.size() > longest_request) {
    return error_answer_for_people(x, {errc::parameter_too_long, "the request has over 16 KiB"});
  }
  auto parsed = form::parse(parameters);
  if (!parsed) return error_answer_for_people(x, parsed.error());
  // Another site's form brings no cookie (SameSite), and a new one would end what this browser has under way.
  if (r.method == "POST" && !r.fields.first("sec-fetch-site").empty() && may_be_cross_site(r))
    return redirect_answer(std::string(paths::authorize) + "?" + parsed->encode());
  auto request = parse_authorization_request(*parsed);
  if (!request) return error_answer_for_people(x, request.error());
  x.log->note("client_id", request->client_id);
  // Known already where the request is refused.
  x.log->login = login_key(request->client_id, request->code_challenge);
  x.log->steps = x.log->openings;
  auto at = asked_provider(parts.world.conf, *parsed);
  if (!at) return error_answer_for_people(x, at.error());
  watch_request(x, *request);
  return with_client(parts, x, request->client_id,
                     [&parts, request = *request, parameters, at = *at](
                         const exchange& later, const result<known_client>& client) -> step {
                       if (!client) return error_answer_for_people(later, client.error());
                       return judge(parts, later, request, *client, parameters, at);
                     });
}

}  // namespace mcp_oauth
