// What a request without a good token gets.

#include "base/text.h"
#include "doctor/site_check.h"
#include "doctor/token_answer.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

#include <algorithm>

namespace mcp_oauth::checks {
namespace {

std::string where_of(const site_exchange& one) { return one.call.method + " " + shown_url(one.call.url); }

std::string challenge_command(const site_facts& facts) {
  return post_command(facts.entry->call.url) + " | grep -i '^HTTP\\|^www-authenticate'";
}

bool speaks_of_tokens(const http_answer& answer) {
  auto body = to_lower(std::string_view(answer.body).substr(0, 4000));
  for (const char* word : {"unauthorized", "unauthorised", "authentication", "access token", "invalid_token",
                           "bearer", "not authorized", "authorization"}) {
    if (body.find(word) != std::string::npos) return true;
  }
  return false;
}

// Words that leave no other meaning. Who is "not authorized" may as well be in the wrong country.
bool misses_token(const site_facts& facts, const http_answer& answer) {
  if (!facts.challenges.empty()) return true;
  auto body = to_lower(std::string_view(answer.body).substr(0, 4000));
  for (const char* word :
       {"access token", "access_token", "invalid_token", "bearer", "missing token", "no token",
        "token missing", "token is missing", "token required", "token is required"}) {
    if (body.find(word) != std::string::npos) return true;
  }
  auto object = parse_json_object(answer.body);
  if (!object) return false;
  const auto* error = object->if_contains("error");
  auto says = error != nullptr && error->is_object() ? text_member(error->as_object(), "message")
                                                     : text_member(*object, "error");
  return equal_ignoring_case(says, "unauthorized");
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
  auto type = answer.fields.first("Content-Type");
  bool named = starts_with_ignoring_case(type, "application/json") ||
               starts_with_ignoring_case(type, "text/event-stream");
  if (status >= 200 && status < 300 && message && !named) {
    auto& one = into.failure(errc::not_an_mcp_server, told_of_answer(answer) + ", a JSON-RPC answer",
                             "Content-Type application/json or text/event-stream", place);
    one.title = "The answers of the server have the wrong Content-Type";
    one.cause = "They are answers of MCP, and clients go by the Content-Type.";
    one.fix = "Send Content-Type: application/json with them.";
    one.verify = post_command(facts.entry->call.url) + " | grep -i '^content-type'";
    return;
  }
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
  one.certain = misses_token(facts, answer);
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
  // Who joins the fields, or reads by the grammar, does not come to what others find.
  bool joined = read_demand(facts.challenge_text).resource_metadata == facts.demand.resource_metadata;
  if (bearer != nullptr && !joined) {
    auto& one =
        into.warning(errc::challenge_malformed, shown_challenge(facts),
                     "Bearer resource_metadata=\"https://…\", and no other field that is broken", place);
    one.title = "Some clients cannot read the challenge";
    one.cause = facts.demand_unquoted
                    ? "The URL in it has no quotes, so that by the grammar it ends at its colon."
                    : "It is good, and another WWW-Authenticate field before it is not: clients join them.";
    one.certain = false;
    one.verify = challenge_command(facts);
    return;
  }
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
  if (form == facts.resource_forms.end() || !form->known()) return;
  if (form->untold) {
    document_untold(into, errc::challenge_metadata_unreachable, *form).decides = facts.resource == nullptr;
    return;
  }
  if (form->good() && !text_member(*form->object, "resource").empty()) {
    into.ok("The challenge leads to the metadata", "", shown_url(named));
    return;
  }
  auto& one =
      into.failure(errc::challenge_metadata_unreachable,
                   shown_url(named) + ": " + (form->good() ? "a document without resource" : form->trouble),
                   "the resource metadata", place);
  if (form->exchange->status() >= 500) {
    one.cause = "Its address fails: an error of its server, or of a proxy whose server is away.";
    one.fix = "Look at the log of whoever serves it, with the time of what was seen.";
    one.certain = false;
  }
  bool elsewhere = parsed->origin() != facts.evidence.target.origin();
  if (!form->exchange->answered())
    one.certain = elsewhere && form->exchange->answer.error().code != errc::fetch_timeout;
  if (elsewhere) {
    auto how = how_urls_differ(parsed->origin(), facts.evidence.target.origin());
    one.cause = "The server names itself " + shown_url(parsed->origin()) + " and is called " +
                facts.evidence.target.origin() + (how.empty() ? "" : ": " + how) + ".";
  }
  one.verify = "curl -si " + shell_url(named);
}

namespace {

// Of a token that nobody issued, when a 2xx of JSON-RPC answers it; whether it does. Only a result shows that
// it is taken: an error comes from the check of tokens as well as from behind it.
bool told_of_2xx(const site_exchange& one, const std::string& token, const char* cause,
                 const std::string& verify, site_findings& into) {
  auto outcome = outcome_of(*one.answer);
  if (one.status() < 200 || one.status() >= 300 || outcome == token_outcome::no_answer) return false;
  auto place = where_of(one);
  if (outcome == token_outcome::refused || outcome == token_outcome::doubted) {
    auto& wrong = into.failure(errc::challenge_error_absent, token + " gets " + told_with_error(*one.answer),
                               "401 with error=\"invalid_token\"", place);
    wrong.cause =
        "The server refuses it inside of a 200: clients renew their token and sign in only at a 401 (RFC "
        "6750 §3.1).";
    wrong.certain = outcome == token_outcome::refused;
    wrong.verify = verify;
    return true;
  }
  bool taken = outcome == token_outcome::taken;
  auto& bad = into.failure(errc::token_unchecked,
                           taken ? token + " is taken" : token + " gets " + told_with_error(*one.answer),
                           "401", place);
  if (cause != nullptr) bad.cause = cause;
  if (!taken) bad.cause = "What answers may be behind the check of tokens, or that check itself.";
  bad.certain = taken;
  bad.verify = verify;
  return true;
}

}  // namespace

void made_up_token_refused(const site_facts& facts, site_findings& into) {
  const auto* one = facts.evidence.find(asked::made_up);
  if (one == nullptr || !one->answered()) return;
  auto place = where_of(*one);
  auto verify = post_command(one->call.url, "-H 'Authorization: Bearer made-up'") + " | head -20";
  if (!facts.asks_for_token()) return;  // open to all: said already
  if (told_of_2xx(*one, "a made-up token", nullptr, verify, into)) return;
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
  if (one->status() == 401 || one->status() == 403) {
    into.ok("An unsigned token is refused", "status " + std::to_string(one->status()), where_of(*one));
    return;
  }
  auto verify = "mcp-oauth-proxy doctor " + shell_url(facts.evidence.target.to_string());
  if (told_of_2xx(*one, "a token with alg none, signed by nobody,",
                  "The server reads claims without verifying the signature.", verify, into))
    return;
  auto& open = into.unknown(errc::token_unchecked, told_of_answer(*one->answer), "401", where_of(*one));
  open.title = "Whether an unsigned token is refused cannot be told";
  open.cause = "The answer is neither a refusal nor an answer of MCP.";
  open.verify = verify;
}

}  // namespace mcp_oauth::checks
