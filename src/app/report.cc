#include "app/report.h"

#include "symptom/catalogue.h"

#include <iostream>

namespace mcp_oauth {

exit_code exit_code_of(errc code) {
  switch (code) {
    case errc::config_invalid:
    case errc::config_malformed:
    case errc::config_not_found:
    case errc::tls_certificate_invalid:
    case errc::seal_broken: return exit_code::configuration;
    case errc::internal: return exit_code::crash;
    default: return exit_code::dependency;
  }
}

exit_code report(const error& why) {
  const auto& row = explain(why.code);
  std::cerr << "Error: " << (row.description.empty() ? row.cause : row.description);
  if (!why.detail.empty()) std::cerr << ": " << why.detail;
  std::cerr << "\n  Likely cause: " << row.cause << "\n  Fix: " << row.fix << "\n  (" << row.id << ")\n";
  return exit_code_of(why.code);
}

}  // namespace mcp_oauth
