// Before HTTP: name, connection, TLS.

#include "base/ip_address.h"
#include "base/text.h"
#include "bridge/outbound.h"
#include "doctor/site_check.h"
#include "oauth/displayable.h"

namespace mcp_oauth::checks {
namespace {

// An answer proves that the network lets through, whatever a look of our own says: there may be a proxy.
bool got_through(const site_facts& facts) { return facts.entry != nullptr && facts.entry->answered(); }

const reached* place_of(const site_facts& facts) {
  const auto& target = facts.evidence.target;
  return facts.evidence.place(target.host, target.effective_port());
}

const reached* secure_place_of(const site_facts& facts) {
  const auto& target = facts.evidence.target;
  return facts.evidence.secure_place(target.host, target.effective_port());
}

std::string where_of(const site_facts& facts) { return shown_url(facts.evidence.target.origin()); }

std::string connect_command(const site_facts& facts) {
  const auto& target = facts.evidence.target;
  return "nc -vz " + target.host + " " + std::to_string(target.effective_port());
}

std::string s_client_command(const site_facts& facts) {
  const auto& target = facts.evidence.target;
  auto host = target.host_is_ipv6 ? "[" + target.host + "]" : target.host;
  // SNI is for names (RFC 6066 §3).
  auto name = ip_address::parse(target.host) ? "" : " -servername " + target.host;
  return "openssl s_client -connect " + host + ":" + std::to_string(target.effective_port()) + name +
         " </dev/null";
}

std::string told_of(const reached::certificate& c) {
  auto ends = c.ends < reached::certificate::endless ? to_iso8601(c.ends).substr(0, 10) : "no end";
  return displayable(c.subject) + ", of " + displayable(c.issuer) + ", " +
         to_iso8601(c.begins).substr(0, 10) + " to " + ends;
}

bool speaks_tls_to_cleartext(const site_facts& facts) {
  if (facts.evidence.target.scheme != "http" || facts.entry == nullptr) return false;
  const auto& answer = facts.entry->answer;
  if (!answer) {
    const auto* place = secure_place_of(facts);
    return answer.error().detail.find("https://") != std::string::npos ||
           (place != nullptr && place->tls_done);
  }
  // As nginx and Go's server say it, and whoever is made with them; and TLS was spoken when it was tried.
  const auto* place = secure_place_of(facts);
  return answer->status == 400 && answer->body.find("HTTPS") != std::string::npos && place != nullptr &&
         place->tls_done;
}

// Nothing came by the proxy of the environment. What this machine finds without it is then no cause: there
// the proxy alone may know the name, and have the way.
bool lost_by_proxy(const site_facts& facts) {
  return facts.evidence.by_proxy && facts.entry != nullptr && !facts.entry->answered();
}

void tell_of_proxy(const site_facts& facts, const std::string& without, site_findings& into) {
  auto& one = into.failure(errc::connection_failed,
                           displayable(facts.entry->answer.error().detail) +
                               (without.empty() ? "" : "; without the proxy: " + without),
                           "an answer by the proxy of the environment", where_of(facts));
  one.title = "The server is not reached by the proxy of the environment";
  one.cause =
      "The environment names a proxy for it (https_proxy, http_proxy, all_proxy): the proxy is away, "
      "refuses, or does not reach the server either.";
  one.fix =
      "See the words in what was seen; correct the address of the proxy, or name the host in no_proxy where "
      "it is reached without.";
  one.certain = false;
  one.verify = "curl -sv -o /dev/null " + shell_url(facts.evidence.target.to_string());
}

}  // namespace

void name_resolves(const site_facts& facts, site_findings& into) {
  const auto* place = place_of(facts);
  if (place == nullptr || got_through(facts)) return;
  if (!place->addresses.empty()) {
    into.ok("The name resolves", join(place->addresses, ", "), where_of(facts));
    return;
  }
  if (lost_by_proxy(facts)) {
    tell_of_proxy(facts, place->name_failure, into);
    return;
  }
  auto& one = into.failure(errc::name_unresolved, place->name_failure, "an address of " + place->host,
                           where_of(facts));
  // A resolver that is away says nothing about the name.
  one.certain = place->name_failure.find("emporary") == std::string::npos;
  one.verify = "getent hosts " + place->host;
}

void address_answers(const site_facts& facts, site_findings& into) {
  const auto* place = place_of(facts);
  if (place == nullptr || place->addresses.empty()) return;
  if (!place->connected_to.empty() || got_through(facts)) {
    into.ok("The address takes connections",
            place->connected_to.empty() ? "through the proxy of the environment" : place->connected_to,
            where_of(facts));
    return;
  }
  if (lost_by_proxy(facts)) {
    tell_of_proxy(facts, place->connect_failure, into);
    return;
  }
  auto code = place->refused     ? errc::connection_refused
              : place->timed_out ? errc::connection_timeout
                                 : errc::connection_failed;
  auto& one = into.failure(code, place->connect_failure,
                           "a connection to port " + std::to_string(place->port), where_of(facts));
  one.certain = place->refused;
  one.verify = connect_command(facts);
}

void tls_holds(const site_facts& facts, site_findings& into) {
  const auto* place = place_of(facts);
  if (speaks_tls_to_cleartext(facts)) {
    auto& one = into.failure(errc::tls_expected, "cleartext is refused there", "https:// in the URL",
                             where_of(facts));
    one.verify = s_client_command(facts);
    return;
  }
  if (place == nullptr || !place->tls_tried) return;
  if (!place->tls_done) {
    if (got_through(facts)) return;
    auto code = place->cleartext ? errc::tls_not_spoken : errc::tls_handshake_failed;
    auto& one = into.failure(code, displayable(place->tls_failure), "a TLS handshake", where_of(facts));
    one.certain = place->cleartext && !lost_by_proxy(facts);
    one.verify = s_client_command(facts);
    return;
  }
  // An answer came, trusted, by another way: a proxy of the environment.
  if (!place->trusted && got_through(facts)) return;
  std::string shown = place->chain.empty() ? "" : told_of(place->chain.front());
  auto fail = [&](errc code, const std::string& seen, const std::string& expected) -> doctor_finding& {
    // Somebody else's authorities may be ours: what we trust with, clients do not have to.
    auto& one = into.failure(code, seen, expected, where_of(facts));
    one.certain = !lost_by_proxy(facts);
    one.verify = s_client_command(facts);
    return one;
  };
  if (place->wrong_dates) {
    auto today = facts.entry != nullptr ? to_iso8601(facts.entry->at).substr(0, 10) : "";
    auto& one = fail(
        errc::server_certificate_dates, place->wrongly_dated ? told_of(*place->wrongly_dated) : shown,
        "a certificate that holds today" + (today.empty() ? "" : ", by the clock of this machine " + today));
    // Only our own clock says so, and a server that is not trusted is asked for no other.
    one.certain = false;
    one.cause =
        "It has expired or is not valid yet, its renewal failed, or the server was not told to read the new "
        "one; or the clock of this machine is wrong.";
    one.fix =
        "Look at the date of this machine first (date -u); where that is right, renew the certificate and "
        "reload who shows it.";
    one.verify = "date -u; " + one.verify;
  }
  if (place->wrong_name) {
    fail(errc::server_certificate_name,
         "for " + (place->chain.empty() ? "?" : displayable(join(place->chain.front().names, ", "))),
         "for " + place->host);
  }
  if (place->untrusted_chain) {
    fail(errc::server_certificate_untrusted,
         displayable(place->tls_failure) + ": " + std::to_string(place->chain.size()) +
             " certificate(s) were sent, the first " + shown,
         "a chain up to an authority that this machine trusts");
  }
  if (place->trusted) into.ok("TLS holds", shown, where_of(facts));
}

void not_in_cleartext(const site_facts& facts, site_findings& into) {
  const auto& target = facts.evidence.target;
  if (target.scheme != "http" || target.is_loopback() || !got_through(facts)) return;
  // A redirect to https is told of by itself.
  if (!facts.redirects.empty()) return;
  auto& one = into.failure(errc::cleartext_in_public, "http://", "https://", where_of(facts));
  if (is_inner_host(target.host)) one.level = severity::warning;
  one.verify = "curl -sI " + shell_url("https://" + target.authority() + target.path);
}

}  // namespace mcp_oauth::checks
