#pragma once

#include "doctor/examination.h"
#include "doctor/site_facts.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Where a check says what it saw.
class site_findings {
 public:
  site_findings(std::string_view check, std::vector<doctor_finding>& into) : check_(check), into_(into) {}

  doctor_finding& ok(std::string title, std::string seen = {}, std::string where = {});
  doctor_finding& add(severity level, errc code, std::string seen, std::string expected, std::string where);
  doctor_finding& failure(errc code, std::string seen, std::string expected, std::string where) {
    return add(severity::failure, code, std::move(seen), std::move(expected), std::move(where));
  }
  doctor_finding& warning(errc code, std::string seen, std::string expected, std::string where) {
    return add(severity::warning, code, std::move(seen), std::move(expected), std::move(where));
  }
  doctor_finding& unknown(errc code, std::string seen, std::string expected, std::string where) {
    auto& one = add(severity::unknown, code, std::move(seen), std::move(expected), std::move(where));
    one.certain = false;
    return one;
  }

 private:
  std::string_view check_;
  std::vector<doctor_finding>& into_;
};

// One row of the table of checks. A check of something that was not fetched, since something before it does
// not hold, says nothing. The order of the table is the order in which things must be put right.
struct site_check {
  std::string_view name;   // "tls.certificate": stable
  std::string_view title;  // what holds when it holds
  std::string_view why;    // what it is good for, and where that stands
  void (*run)(const site_facts&, site_findings&);
};

std::span<const site_check> site_checks();

// Every check over the evidence. `clients` are not judged here.
examination examine_site(const site_evidence& evidence);

// The checks of each file.
namespace checks {
void name_resolves(const site_facts& facts, site_findings& into);
void address_answers(const site_facts& facts, site_findings& into);
void tls_holds(const site_facts& facts, site_findings& into);
void not_in_cleartext(const site_facts& facts, site_findings& into);
void answers_at_all(const site_facts& facts, site_findings& into);
void no_redirects(const site_facts& facts, site_findings& into);
void no_front(const site_facts& facts, site_findings& into);
void path_is_right(const site_facts& facts, site_findings& into);
void asks_for_token(const site_facts& facts, site_findings& into);
void challenge_holds(const site_facts& facts, site_findings& into);
void challenge_names_metadata(const site_facts& facts, site_findings& into);
void made_up_token_refused(const site_facts& facts, site_findings& into);
void unsigned_token_refused(const site_facts& facts, site_findings& into);
void resource_is_published(const site_facts& facts, site_findings& into);
void resource_is_this(const site_facts& facts, site_findings& into);
void resource_names_servers(const site_facts& facts, site_findings& into);
void resource_scopes(const site_facts& facts, site_findings& into);
void server_is_published(const site_facts& facts, site_findings& into);
void server_issuer(const site_facts& facts, site_findings& into);
void server_endpoints(const site_facts& facts, site_findings& into);
void server_pkce(const site_facts& facts, site_findings& into);
void server_registration(const site_facts& facts, site_findings& into);
void server_methods(const site_facts& facts, site_findings& into);
void server_keys(const site_facts& facts, site_findings& into);
void browsers_may_ask(const site_facts& facts, site_findings& into);
void browsers_may_read(const site_facts& facts, site_findings& into);
void clocks_agree(const site_facts& facts, site_findings& into);
void streams_pass(const site_facts& facts, site_findings& into);
}  // namespace checks

}  // namespace mcp_oauth
