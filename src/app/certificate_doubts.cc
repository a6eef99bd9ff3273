#include "app/certificate_doubts.h"

#include "app/check_start.h"
#include "base/text.h"
#include "base/url.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

constexpr std::chrono::days soon{14};

std::string day_of(time_point t) { return to_iso8601(t).substr(0, 19) + "Z"; }

}  // namespace

std::vector<std::string> certificate_doubts::as_warnings() const {
  auto all = warnings;
  if (out_of_date)
    all.insert(all.begin(), std::string(explain(out_of_date->code).description) + ": " + out_of_date->detail);
  return all;
}

certificate_doubts doubts_about_certificate(const settings& conf, const net::tls_context& ours,
                                            time_point now) {
  certificate_doubts found;
  auto place = url::parse(conf.public_url);
  const std::string host = place ? place->host : std::string();
  auto about = ours.shown_to(host);
  const std::string file = "tls.cert_file " + conf.tls.cert_file;
  if (now > about.ends) {
    found.out_of_date = error{errc::tls_certificate_out_of_date, file + " expired on " + day_of(about.ends)};
  } else if (now < about.begins) {
    found.out_of_date =
        error{errc::tls_certificate_out_of_date, file + " is valid from " + day_of(about.begins) + " on"};
  } else if (about.ends - now < soon) {
    auto days = std::chrono::duration_cast<std::chrono::days>(about.ends - now).count();
    found.warnings.push_back(file + " ends on " + day_of(about.ends) + ", in " + std::to_string(days) +
                             (days == 1 ? " day" : " days") + ": renew it and send SIGHUP");
  }
  if (!host.empty() && !about.is_for_host) {
    constexpr std::size_t most = 5;
    if (about.names.size() > most) {
      about.names.resize(most);
      about.names.emplace_back("others");
    }
    found.warnings.push_back(file + " is " +
                             (about.names.empty() ? "for no name at all" : "for " + join(about.names, ", ")) +
                             ", and clients come to " + host + " (public_url): they will refuse it" +
                             code_in_words(errc::server_certificate_name));
  }
  if (place && place->scheme == "http")
    found.warnings.push_back("tls is set, and public_url begins with http://: clients are sent to " +
                             conf.public_url + ", where only https is spoken; write https://" +
                             code_in_words(errc::tls_expected));
  return found;
}

}  // namespace mcp_oauth
