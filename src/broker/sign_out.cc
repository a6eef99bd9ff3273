#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/browser.h"
#include "broker/pages.h"
#include "broker/session.h"
#include "oauth/endpoint_form.h"

namespace mcp_oauth {

// Ends the sign-in of this browser, and what it remembers of approvals: its cookie goes as well. GET only
// asks.
step sign_out(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"GET", "POST"})) return *refused;
  const auto& world = parts.world;
  auto who = signed_in_person(world, *x.request, x.now);
  if (x.request->method == "GET") {
    auto b = known_or_new_browser(world, *x.request);
    auto sealed = seal_form(world, "sign-out", b.digest, {}, x.now + world.conf.session_timeout);
    auto answer = sign_out_page(who ? displayed(*who) : "", sealed);
    keep_browser(answer, b);
    x.log->note("result", "ok");
    return answer;
  }
  auto own = check_own_form(world.conf, *x.request);
  if (!own) return error_answer_for_people(x, own.error());
  auto answers = parse_endpoint_form(*x.request);
  if (!answers) return error_answer_for_people(x, answers.error());
  auto b = known_browser(world, *x.request);
  if (!b) return error_answer_for_people(x, {errc::state_foreign_browser, "the browser sent no cookie"});
  auto content = open_form(world, "sign-out", b->digest, answers->find("form").value_or(""), x.now);
  if (!content) return error_answer_for_people(x, content.error());
  if (who) x.log->note("user", who->subject);
  auto cookie = end_session(world, *x.request, x.now);
  if (!cookie) return error_answer_for_people(x, cookie.error());
  x.log->note("result", "ok");
  x.log->note("event", "signed_out");
  auto answer = signed_out_page();
  answer.fields.add("Set-Cookie", *cookie);
  answer.fields.add("Set-Cookie", forget_browser(world));
  return answer;
}

}  // namespace mcp_oauth
