// What a request without a good token gets.

#include "base/text.h"
#include "doctor/site_check.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

#include <algorithm>

namespace mcp_oauth::checks {
namespace {

std::string where_of(const site_exchange& one) { return one.call.method + " " + shown_url(one.call.url); }

std::string challenge_command(const site_facts& facts) {
  return "curl -si -X POST -H 'Content-Type: application/json' -d '{}' " + shell_url(facts.entry->call.url) +
         " | grep -i '^HTTP\\|^www-authenticate'";
}

bool speaks_of_tokens(const http_answer& answer) {
  auto body = to_lower(std::string_view(answer.body).substr(0, 4000));
  for (const char* word : {"unauthorized", "unauthorised", "authentication", "access token", "invalid_token",
                           "bearer", "not authorized", "authorization"}) {
    if (body.find(word) != std::string::npos) return true;
  }
  return false;
}

// Said by http.front and http.path.
bool said_before(int status, const http_answer& answer) {
  return status >= 500 || status == 404 || status == 405 || status == 421 || status == 429 ||
         looks_like_a_page(answer.body) || (status >= 300 && status < 400);
}

const challenge* bearer_of(const site_facts& facts) {
  auto found = std::find_if(facts.challenges.begin(), facts.challenges.end(), [](const challenge& one) {
    return equal_ignoring_case(one.scheme, "Bearer") || equal_ignoring_case(one.scheme, "DPoP");
  });
  return found == facts.challenges.end() ? nullptr : &*found;
}

std::string shown_challenge(const site_facts& facts) {
  return displayable(std::string_view(facts.challenge_text).substr(0, 300));
}

}  // namespace

void asks_for_token(const site_facts& facts, site_findings& into) {
  if (facts.entry == nullptr || !facts.entry->answered()) return;
  const auto& answer = *facts.entry->answer;
  auto place = where_of(*facts.entry);
  int status = answer.status;
  if (status == 401) {
    into.ok("A request without a token gets 401", "", place);
    return;
  }
  if (said_before(status, answer)) return;
  auto message = json_rpc_in(answer);
  if (status >= 200 && status < 300 && message && message->contains("result")) {
    auto& one = into.warning(errc::server_open, "initialize is answered without a token", "401", place);
    one.verify = challenge_command(facts);
    return;
  }
  bool of_tokens = speaks_of_tokens(answer) || !facts.challenges.empty();
  if (status >= 200 && status < 300 && !message) {
    auto& one =
        into.failure(errc::not_an_mcp_server, told_with_words(answer), "401, or an answer of MCP", place);
    one.certain = !of_tokens;
    if (of_tokens) one.cause = "The server says in a 200 that a token is missing; no client can see that.";
    one.verify = challenge_command(facts);
    return;
  }
  auto& one = into.failure(errc::challenge_status_wrong,
                           told_of_answer(answer) + (message ? ", a JSON-RPC error" : ""),
                           "401 with WWW-Authenticate", place);
  one.certain = of_tokens;
  one.verify = challenge_command(facts);
}

void challenge_holds(const site_facts& facts, site_findings& into) {
  if (!facts.asks_for_token()) return;
  auto place = where_of(*facts.entry);
  if (facts.challenge_text.empty()) {
    // A page without a challenge is somebody else's.
    if (looks_like_a_page(facts.entry->answer->body)) return;
    auto& one = into.failure(errc::challenge_absent, told_of_answer(*facts.entry->answer),
                             "WWW-Authenticate: Bearer resource_metadata=\"…\"", place);
    one.verify = challenge_command(facts);
    return;
  }
  const auto* bearer = bearer_of(facts);
  bool other_front = bearer == nullptr && !facts.challenges.empty() &&
                     (equal_ignoring_case(facts.challenges.front().scheme, "Basic") ||
                      equal_ignoring_case(facts.challenges.front().scheme, "Negotiate") ||
                      equal_ignoring_case(facts.challenges.front().scheme, "NTLM") ||
                      equal_ignoring_case(facts.challenges.front().scheme, "Digest"));
  if (other_front) return;
  // Reading ends where the syntax breaks: what is written and was not read says so.
  bool broken = bearer == nullptr || (facts.challenge_text.find("resource_metadata") != std::string::npos &&
                                      facts.demand.resource_metadata.empty());
  if (broken) {
    auto& one = into.failure(errc::challenge_malformed, shown_challenge(facts),
                             "Bearer resource_metadata=\"https://…\"", place);
    one.verify = challenge_command(facts);
    return;
  }
  if (!facts.demand.error.empty()) {
    auto& one = into.warning(errc::challenge_error_absent,
                             "error=" + displayable(facts.demand.error) + " without a token",
                             "no error where no token was sent (RFC 6750 §3.1)", place);
    one.title = "The challenge names an error where no token was sent";
    one.cause = "The server does not tell a missing token from a bad one.";
    one.fix = "Leave error out when the request has no Authorization.";
    one.verify = challenge_command(facts);
    return;
  }
  into.ok("The challenge can be read", shown_challenge(facts), place);
}

void challenge_names_metadata(const site_facts& facts, site_findings& into) {
  if (!facts.asks_for_token() || bearer_of(facts) == nullptr) return;
  auto place = where_of(*facts.entry);
  const auto& named = facts.demand.resource_metadata;
  if (named.empty()) {
    if (facts.challenge_text.find("resource_metadata") != std::string::npos) return;
    auto& one = into.warning(errc::challenge_without_metadata, shown_challenge(facts),
                             "resource_metadata=\"" + facts.evidence.target.origin() +
                                 "/.well-known/oauth-protected-resource" + facts.evidence.target.path + "\"",
                             place);
    one.verify = challenge_command(facts);
    return;
  }
  auto parsed = url::parse(named);
  if (!parsed || !parsed->is_http()) {
    auto& one = into.failure(errc::challenge_metadata_relative, shown_url(named),
                             facts.evidence.target.origin() + "/…", place);
    one.verify = challenge_command(facts);
    return;
  }
  auto form = std::find_if(facts.resource_forms.begin(), facts.resource_forms.end(),
                           [&](const site_document& one) { return one.address == named; });
  if (form == facts.resource_forms.end() || form->exchange == nullptr) return;
  if (form->good() && !text_member(*form->object, "resource").empty()) {
    into.ok("The challenge leads to the metadata", "", shown_url(named));
    return;
  }
  auto& one =
      into.failure(errc::challenge_metadata_unreachable,
                   shown_url(named) + ": " + (form->good() ? "a document without resource" : form->trouble),
                   "the resource metadata", place);
  bool elsewhere = parsed->origin() != facts.evidence.target.origin();
  if (elsewhere) {
    auto how = how_issuers_differ(parsed->origin(), facts.evidence.target.origin());
    one.cause = "The server names itself " + shown_url(parsed->origin()) + " and is called " +
                facts.evidence.target.origin() + (how.empty() ? "" : ": " + how) + ".";
  }
  one.verify = "curl -si " + shell_url(named);
}

void made_up_token_refused(const site_facts& facts, site_findings& into) {
  const auto* one = facts.evidence.find(asked::made_up);
  if (one == nullptr || !one->answered()) return;
  auto place = where_of(*one);
  auto verify =
      "curl -si -X POST -H 'Authorization: Bearer made-up' -H 'Content-Type: application/json' -d "
      "'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}' " +
      shell_url(one->call.url) + " | head -20";
  bool taken = one->status() >= 200 && one->status() < 300 && json_rpc_in(*one->answer);
  if (!facts.asks_for_token()) return;  // open to all: said already
  if (taken) {
    into.failure(errc::token_unchecked, "a made-up token is taken", "401", place).verify = verify;
    return;
  }
  if (one->status() == 429) {
    into.unknown(errc::front_throttles, "status 429 to a made-up token", "401", place).verify = verify;
    return;
  }
  if (one->status() != 401) {
    auto& wrong =
        into.failure(errc::challenge_error_absent, told_of_answer(*one->answer) + " to a made-up token",
                     "401 with error=\"invalid_token\"", place);
    wrong.verify = verify;
    return;
  }
  std::string text;
  for (const auto& [name, value] : one->answer->fields) {
    if (equal_ignoring_case(name, "WWW-Authenticate")) text += (text.empty() ? "" : ", ") + value;
  }
  auto demand = read_demand(text);
  if (demand.error != "invalid_token") {
    auto& missing =
        into.warning(errc::challenge_error_absent,
                     demand.error.empty() ? "401 without error" : "error=" + displayable(demand.error),
                     "error=\"invalid_token\"", place);
    missing.verify = verify;
    return;
  }
  into.ok("A made-up token is refused with 401", "error=invalid_token", place);
}

void unsigned_token_refused(const site_facts& facts, site_findings& into) {
  const auto* one = facts.evidence.find(asked::unsigned_one);
  if (one == nullptr || !one->answered()) return;
  auto message = json_rpc_in(*one->answer);
  if (one->status() == 401 || one->status() == 403) {
    into.ok("An unsigned token is refused", "status " + std::to_string(one->status()), where_of(*one));
    return;
  }
  // An error of JSON-RPC comes from behind the check as well as a result does.
  bool taken = one->status() >= 200 && one->status() < 300 && message;
  if (!taken) {
    auto& open = into.unknown(errc::token_unchecked, told_of_answer(*one->answer), "401", where_of(*one));
    open.title = "Whether an unsigned token is refused cannot be told";
    open.cause = "The answer is neither a refusal nor an answer of MCP.";
    open.verify = "mcp-oauth-proxy doctor " + shell_url(facts.evidence.target.to_string());
    return;
  }
  auto& bad = into.failure(errc::token_unchecked, "a token with alg none, signed by nobody, is taken", "401",
                           where_of(*one));
  bad.cause = "The server reads claims without verifying the signature.";
  bad.verify = "mcp-oauth-proxy doctor " + shell_url(facts.evidence.target.to_string());
}

}  // namespace mcp_oauth::checks
