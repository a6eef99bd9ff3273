#include "doctor/site_check.h"

#include "oauth/displayable.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr auto table = std::to_array<site_check>({
    {"network.name", "The name resolves", "Nothing can be asked of a name without an address.",
     &checks::name_resolves},
    {"network.connection", "The address takes connections", "Before TLS and HTTP there is TCP.",
     &checks::address_answers},
    {"tls.certificate", "TLS holds", "Clients end a connection whose certificate they cannot trust.",
     &checks::tls_holds},
    {"tls.used", "Tokens travel encrypted", "MCP asks for https for all but loopback addresses.",
     &checks::not_in_cleartext},
    {"http.answer", "The server answers HTTP", "A connection that is taken and left alone helps nobody.",
     &checks::answers_at_all},
    {"http.redirect", "Nothing redirects", "Redirects of POST lose the body or the token in many clients.",
     &checks::no_redirects},
    {"http.front", "Nothing stands between", "Firewalls and sign-in pages answer in place of the server.",
     &checks::no_front},
    {"http.path", "The path is that of an MCP server", "Proxies add and remove parts of paths.",
     &checks::path_is_right},
    {"token.asked", "A request without a token gets 401", "Only 401 lets a client sign in (MCP).",
     &checks::asks_for_token},
    {"challenge.form", "The challenge can be read", "RFC 9110 §11.6.1, RFC 6750 §3.",
     &checks::challenge_holds},
    {"challenge.metadata", "The challenge leads to the metadata", "RFC 9728 §5.1.",
     &checks::challenge_names_metadata},
    {"token.made_up", "A made-up token is refused with 401", "RFC 6750 §3.1.",
     &checks::made_up_token_refused},
    {"token.unsigned", "An unsigned token is refused", "RFC 8725 §3.1.", &checks::unsigned_token_refused},
    {"resource.published", "The resource metadata is there",
     "RFC 9728 §3, in each form that clients ask for.", &checks::resource_is_published},
    {"resource.identity", "The resource is this server", "RFC 9728 §3.3; clients compare.",
     &checks::resource_is_this},
    {"resource.servers", "The resource names its authorization server", "RFC 9728 §2; MCP asks for it.",
     &checks::resource_names_servers},
    {"resource.scopes", "The scopes are those of a resource", "Clients ask for all that are listed.",
     &checks::resource_scopes},
    {"server.published", "The authorization server's metadata is there", "RFC 8414 §3, OpenID Discovery §4.",
     &checks::server_is_published},
    {"server.issuer", "The issuer is the one that was named", "RFC 8414 §3.3; clients compare.",
     &checks::server_issuer},
    {"server.endpoints", "The endpoints are there", "What the metadata names has to answer.",
     &checks::server_endpoints},
    {"server.pkce", "PKCE with S256 is announced", "MCP: clients stop where it is not.",
     &checks::server_pkce},
    {"server.registration", "Clients can get an id", "By registration (RFC 7591) or by a document of theirs.",
     &checks::server_registration},
    {"server.methods", "What clients need is announced", "Response types, grants, public clients.",
     &checks::server_methods},
    {"server.keys", "The signing keys are there", "Whoever verifies tokens fetches them.",
     &checks::server_keys},
    {"browser.preflight", "Clients in browsers may ask", "A preflight has no token.",
     &checks::browsers_may_ask},
    {"browser.answers", "Clients in browsers may read", "On metadata and on refusals, too.",
     &checks::browsers_may_read},
    {"clock", "The clocks agree", "Tokens hold for a time.", &checks::clocks_agree},
    {"stream", "Streams pass", "What collects answers holds back events.", &checks::streams_pass},
});

constexpr std::size_t longest_words = 1000;

// A document may name a thousand things, and people read one line. Whole characters (UTF-8), and none that a
// terminal obeys.
std::string clipped(std::string words) {
  words = without_controls(std::move(words));
  if (words.size() <= longest_words) return words;
  auto end = longest_words;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0) == 0x80) --end;
  words.resize(end);
  return words + "…";
}

}  // namespace

doctor_finding& site_findings::ok(std::string title, std::string seen, std::string where) {
  doctor_finding one;
  one.check = check_;
  one.title = clipped(std::move(title));
  one.seen = clipped(std::move(seen));
  one.where = clipped(std::move(where));
  into_.push_back(std::move(one));
  return into_.back();
}

doctor_finding& site_findings::add(severity level, errc code, std::string seen, std::string expected,
                                   std::string where) {
  const auto& row = explain(code);
  doctor_finding one;
  one.check = check_;
  one.code = code;
  one.level = level;
  one.title = row.description;
  one.seen = clipped(std::move(seen));
  one.expected = clipped(std::move(expected));
  one.cause = row.cause;
  one.fix = row.fix;
  one.where = clipped(std::move(where));
  into_.push_back(std::move(one));
  return into_.back();
}

doctor_finding& document_untold(site_findings& into, errc code, const site_document& form) {
  auto& one = into.unknown(form.throttled() ? errc::front_throttles : code, form.trouble,
                           "the whole document", shown_url(form.address));
  if (!form.throttled()) {
    one.title = "Whether clients can read the document cannot be told";
    one.cause =
        "It is larger, comes more slowly or is behind more redirects than what is read here; clients have "
        "other limits.";
    one.fix = "Serve it at its address, small and at once: such a document has some hundred bytes.";
  }
  one.decides = true;
  one.verify = "curl -si " + shell_url(form.address);
  return one;
}

doctor_finding& document_lenient(site_findings& into, errc code, const site_document& form) {
  auto& one = into.warning(code, form.lenient, "a document that every client reads", shown_url(form.address));
  one.title = "Some clients cannot read the document";
  one.cause = "Many clients put up with it; strict ones, the bridge among them, do not.";
  one.fix =
      "Serve it at this address, with status 200, at once, as JSON in UTF-8 without a byte order mark, each "
      "member once.";
  one.certain = false;
  one.verify = "curl -si " + shell_url(form.address);
  return one;
}

std::span<const site_check> site_checks() { return table; }

examination examine_site(const site_evidence& evidence) {
  auto facts = read_site(evidence);
  examination made;
  made.target = shown_url(evidence.target.to_string());
  for (const auto& check : table) {
    std::vector<doctor_finding> found;
    site_findings into(check.name, found);
    check.run(facts, into);
    // Within a check, what is worst comes first.
    for (auto level : {severity::failure, severity::warning, severity::unknown, severity::ok}) {
      for (auto& one : found) {
        if (one.level == level) made.findings.push_back(std::move(one));
      }
    }
  }
  made.reached = std::any_of(evidence.exchanges.begin(), evidence.exchanges.end(),
                             [](const auto& one) { return one.answered(); }) ||
                 std::any_of(evidence.places.begin(), evidence.places.end(),
                             [](const auto& one) { return !one.connected_to.empty(); });
  return made;
}

}  // namespace mcp_oauth
