#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/browser.h"
#include "broker/consent_memory.h"
#include "broker/login_trail.h"
#include "broker/session.h"
#include "oauth/endpoint_form.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

struct decision {
  bool approved = false;
  std::string provider;
  sign_in_mode mode = sign_in_mode::reuse;
};

constexpr std::size_t longest_choice = 256;

result<decision> read_decision(const form& answers, const settings& conf) {
  if (answers.find("deny")) return decision{};
  auto approve = optional_parameter(answers, "approve", longest_choice);
  if (!approve) return tl::unexpected(approve.error());
  auto other = optional_parameter(answers, "switch", longest_choice);
  if (!other) return tl::unexpected(other.error());
  if (!*approve && !*other) return fail(errc::parameter_missing, "neither approve nor deny");
  decision d{true, *approve ? **approve : **other, *other ? sign_in_mode::fresh : sign_in_mode::reuse};
  for (const auto& p : conf.providers) {
    if (p.name == d.provider) return d;
  }
  return fail(errc::parameter_malformed, "no such provider");
}

// What the page held.
struct asked_before {
  std::string parameters;
  std::string shown_to;  // approver_of who was signed in then, or ""
  std::vector<login_step> steps;
  std::string browser_digest;
};

step decide(broker_parts& parts, const exchange& x, const asked_before& page, const decision& d,
            const known_client& client) {
  auto parsed = form::parse(page.parameters);
  if (!parsed) return error_answer_for_people(x, parsed.error());
  auto request = parse_authorization_request(*parsed);
  if (!request) return error_answer_for_people(x, request.error());
  // Again, with what the client and the configuration say now.
  auto checked = check_authorization_request(*request, client.metadata, parts.clients.rules_for(client));
  if (!checked) return error_answer_for_people(x, checked.error().why);
  const auto& terms = checked->terms();

  auto access = access_of(client, terms);
  access.steps = page.steps;
  walk(x, access, "consent");
  if (!d.approved) return answer_with_error(parts, x, access, {errc::consent_denied, ""});
  x.log->note("event", "consent_given");

  pending_login login;
  login.access = std::move(access);
  login.provider = d.provider;
  login.browser = page.browser_digest;
  login.login_hint = terms.login_hint;
  bool asked_anew = std::find(terms.prompt.begin(), terms.prompt.end(), "login") != terms.prompt.end();
  auto mode = asked_anew ? sign_in_mode::fresh : d.mode;
  // The button named somebody, and in another tab somebody else has signed in since.
  auto who = mode == sign_in_mode::reuse ? signed_in_person(parts.world, *x.request, x.now) : std::nullopt;
  if (who && who->provider == d.provider && approver_of(*who) != page.shown_to)
    return ask_the_person_themselves(x, login);
  return begin_sign_in(parts, x, std::move(login), mode);
}

}  // namespace

// The form of the consent page. Nothing was written before it.
step consent(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"POST"})) return *refused;
  auto own = check_own_form(parts.world.conf, *x.request);
  if (!own) return error_answer_for_people(x, own.error());
  auto answers = parse_endpoint_form(*x.request);
  if (!answers) return error_answer_for_people(x, answers.error());
  auto b = known_browser(parts.world, *x.request);
  if (!b) return error_answer_for_people(x, {errc::state_foreign_browser, "the browser sent no cookie"});
  auto sealed = required_parameter(*answers, "request", 64 * 1024);
  if (!sealed) return error_answer_for_people(x, {errc::consent_forged, "no hidden value"});
  auto content = open_form(parts.world, "consent", b->digest, *sealed, x.now);
  if (!content) return error_answer_for_people(x, content.error());
  auto d = read_decision(*answers, parts.world.conf);
  if (!d) return error_answer_for_people(x, d.error());

  auto parameters = text_member(*content, "parameters");
  auto asked = form::parse(parameters);
  if (!asked) return error_answer_for_people(x, asked.error());
  auto client_id = asked->find("client_id");
  if (!client_id) return error_answer_for_people(x, {errc::parameter_missing, "client_id"});
  x.log->note("client_id", *client_id);
  asked_before page{std::move(parameters), text_member(*content, "shown_to"), steps_from(*content, "steps"),
                    b->digest};
  return with_client(parts, x, std::string(*client_id),
                     [&parts, page = std::move(page), d = *d](const exchange& later,
                                                              const result<known_client>& client) -> step {
                       if (!client) return error_answer_for_people(later, client.error());
                       return decide(parts, later, page, d, *client);
                     });
}

}  // namespace mcp_oauth
