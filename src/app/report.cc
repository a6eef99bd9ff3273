#include "app/report.h"

#include "app/guard_app.h"
#include "symptom/catalogue.h"

#include <iostream>

namespace mcp_oauth {

exit_code exit_code_of(errc code) {
  switch (code) {
    case errc::config_invalid:
    case errc::config_malformed:
    case errc::config_not_found:
    case errc::tls_certificate_invalid:
    case errc::tls_certificate_out_of_date:
    case errc::ca_file_invalid:
    case errc::seal_broken: return exit_code::configuration;
    case errc::internal: return exit_code::crash;
    default: return exit_code::dependency;
  }
}

namespace {

// What people search for comes first: the words of the system, and then ours.
bool begins_with_detail(const error& why) {
  return !why.detail.empty() && (why.code == errc::store_unreachable || why.code == errc::store_busy ||
                                 why.code == errc::store_tables_missing);
}

}  // namespace

std::string headline(const error& why) {
  const auto& row = explain(why.code);
  std::string words(row.description.empty() ? row.cause : row.description);
  if (begins_with_detail(why)) return why.detail + "\n" + words;
  return why.detail.empty() ? words : words + ": " + why.detail;
}

exit_code report(const error& why) {
  const auto& row = explain(why.code);
  std::cerr << "Error: " << headline(why) << "\n  Likely cause: " << row.cause << "\n  Fix: " << row.fix
            << "\n  (" << row.id << ")\n";
  return exit_code_of(why.code);
}

exit_code report(const guard_start_failure& why) {
  auto code = exit_code::ok;
  for (const auto& one : why.errors) {
    auto its = report(one);
    if (code == exit_code::ok) code = its;
  }
  for (const auto& one : why.issuers) {
    std::cerr << "Error: " << told(one);
    if (code == exit_code::ok) code = exit_code_of(one.why.code);
  }
  return code;
}

}  // namespace mcp_oauth
