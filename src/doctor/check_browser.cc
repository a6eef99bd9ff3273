// Clients in browsers, clocks, streams.

#include "base/http_date.h"
#include "base/text.h"
#include "doctor/site_check.h"
#include "oauth/displayable.h"

#include <algorithm>

namespace mcp_oauth::checks {
namespace {

constexpr seconds tolerated{30}, harmful{90};

bool allows_origin(const http_answer& answer) {
  auto origin = answer.fields.first("Access-Control-Allow-Origin");
  return origin == "*" || origin == browser_origin;
}

bool names_field(std::string_view list, std::string_view name) {
  for (const auto& one : split_words(list, ',')) {
    if (equal_ignoring_case(trim(one), name)) return true;
  }
  return false;
}

// In any of the fields of that name.
bool lists(const http_answer& answer, std::string_view field, std::string_view name) {
  return std::any_of(answer.fields.begin(), answer.fields.end(), [&](const auto& one) {
    return equal_ignoring_case(one.first, field) && names_field(one.second, name);
  });
}

std::string preflight_command(const std::string& address) {
  return "curl -si -X OPTIONS -H 'Origin: " + std::string(browser_origin) +
         "' -H 'Access-Control-Request-Method: POST' -H 'Access-Control-Request-Headers: "
         "authorization,content-type,mcp-protocol-version' " +
         shell_url(address);
}

std::string origin_command(const std::string& address) {
  return "curl -si -H 'Origin: " + std::string(browser_origin) + "' " + shell_url(address) +
         " | grep -i '^access-control'";
}

bool judge_preflight(const site_exchange& one, bool with_token, site_findings& into) {
  auto where = "OPTIONS " + shown_url(one.call.url);
  auto verify = preflight_command(one.call.url);
  if (!one.answered()) return false;
  const auto& answer = *one.answer;
  if (answer.status < 200 || answer.status >= 300) {
    auto& bad = into.warning(errc::cors_preflight_refused, told_of_answer(answer), "status 204", where);
    bad.verify = verify;
    return false;
  }
  if (!allows_origin(answer)) {
    auto seen = displayable(answer.fields.first("Access-Control-Allow-Origin"));
    auto& bad =
        into.warning(errc::cors_origin_refused, seen.empty() ? "no Access-Control-Allow-Origin" : seen,
                     "* or " + std::string(browser_origin), where);
    bad.verify = verify;
    return false;
  }
  std::vector<std::string> missing;
  for (const char* name : {"authorization", "content-type", "mcp-protocol-version"}) {
    bool token = std::string_view(name) == "authorization";
    if (!with_token && std::string_view(name) != "content-type") continue;
    bool any = lists(answer, "Access-Control-Allow-Headers", "*") && !token;
    if (!any && !lists(answer, "Access-Control-Allow-Headers", name)) missing.emplace_back(name);
  }
  if (missing.empty()) return true;
  auto& bad = into.warning(errc::cors_headers_refused, "without " + join(missing, ", "),
                           "Access-Control-Allow-Headers with them", where);
  bad.verify = verify;
  return false;
}

void compare_clock(const site_exchange* one, const std::string& whose, site_findings& into) {
  if (one == nullptr || !one->answered()) return;
  auto theirs = clock_of(*one->answer);
  if (!theirs) return;
  auto apart = std::chrono::duration_cast<seconds>(*theirs - one->at);
  auto far = apart < seconds(0) ? -apart : apart;
  if (far <= tolerated) {
    into.ok("The clocks agree", whose + ": " + std::to_string(apart.count()) + " s",
            shown_url(one->call.url));
    return;
  }
  auto& bad = into.add(far > harmful ? severity::failure : severity::warning, errc::clocks_differ,
                       whose + " is " + std::to_string(far.count()) + " s " +
                           (apart < seconds(0) ? "behind" : "ahead of") + " this machine",
                       "within 30 s", shown_url(one->call.url));
  // Which of the two is wrong, two clocks cannot tell.
  bad.certain = false;
  bad.verify = "curl -sI " + shell_url(one->call.url) + " | grep -i '^date'; date -u";
}

}  // namespace

void browsers_may_ask(const site_facts& facts, site_findings& into) {
  const auto* one = facts.evidence.find(asked::preflight);
  if (one == nullptr) return;
  bool good = judge_preflight(*one, true, into);
  const auto* token = facts.evidence.find(asked::token_preflight);
  // A form needs no preflight; one that is refused says that the answers cannot be read either.
  bool token_good = token == nullptr || !token->answered() || allows_origin(*token->answer) ||
                    judge_preflight(*token, false, into);
  if (good && token_good) into.ok("Clients in browsers may ask", "", "OPTIONS " + shown_url(one->call.url));
}

void browsers_may_read(const site_facts& facts, site_findings& into) {
  // Where not even the question may be asked, this is said already.
  const auto* preflight = facts.evidence.find(asked::preflight);
  if (preflight == nullptr || !preflight->answered() || !allows_origin(*preflight->answer)) return;
  bool good = true;
  for (auto what : {asked::browser, asked::resource_browser, asked::server_browser}) {
    const auto* one = facts.evidence.find(what);
    if (one == nullptr || !one->answered()) continue;
    if (allows_origin(*one->answer)) continue;
    good = false;
    auto& bad = into.warning(errc::cors_origin_refused,
                             "no Access-Control-Allow-Origin for " + std::string(browser_origin),
                             "* or the origin", one->call.method + " " + shown_url(one->call.url));
    bad.verify = origin_command(one->call.url);
  }
  const auto* refused = facts.evidence.find(asked::browser);
  if (refused != nullptr && refused->status() == 401 && allows_origin(*refused->answer) &&
      !lists(*refused->answer, "Access-Control-Expose-Headers", "WWW-Authenticate") &&
      !lists(*refused->answer, "Access-Control-Expose-Headers", "*")) {
    good = false;
    auto& bad =
        into.warning(errc::cors_headers_unexposed, "Access-Control-Expose-Headers without WWW-Authenticate",
                     "WWW-Authenticate in it", "POST " + shown_url(refused->call.url));
    bad.verify = origin_command(refused->call.url);
  }
  if (good) into.ok("Clients in browsers may read", "", shown_url(facts.evidence.target.to_string()));
}

void clocks_agree(const site_facts& facts, site_findings& into) {
  compare_clock(facts.entry, "the server", into);
  const auto* server = facts.first_server();
  auto other = server != nullptr ? url::parse(server->best->address) : tl::unexpected<error>(error{});
  if (other && other->origin() != facts.evidence.target.origin())
    compare_clock(server->best->exchange, "the authorization server", into);
}

void streams_pass(const site_facts& facts, site_findings& into) {
  if (facts.entry == nullptr || !facts.entry->answered()) return;
  const auto& fields = facts.entry->answer->fields;
  // Without a stream to look at, there is only what says that somebody stands between.
  auto via = fields.first("Via");
  bool cached = fields.count("Age") != 0 || !fields.first("X-Cache").empty();
  if (via.empty() && !cached) return;
  auto& one = into.unknown(errc::stream_buffered,
                           via.empty() ? "a cache answers (Age, X-Cache)" : "Via: " + displayable(via),
                           "events as they come", shown_url(facts.entry->call.url));
  one.verify = "mcp-oauth-proxy doctor --login " + shell_url(facts.evidence.target.to_string());
}

}  // namespace mcp_oauth::checks
