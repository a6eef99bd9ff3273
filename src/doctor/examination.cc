#include "doctor/examination.h"

#include <algorithm>

namespace mcp_oauth {

const doctor_finding* examination::first() const {
  auto of = [&](severity level, bool deciding) {
    auto at = std::find_if(findings.begin(), findings.end(), [&](const doctor_finding& one) {
      return one.level == level && (!deciding || one.decides);
    });
    return at == findings.end() ? nullptr : &*at;
  };
  if (const auto* failure = of(severity::failure, false)) return failure;
  if (const auto* unknown = of(severity::unknown, true)) return unknown;
  if (const auto* warning = of(severity::warning, false)) return warning;
  return nullptr;
}

examination_verdict examination::verdict() const {
  const auto* worst = first();
  if (worst == nullptr) return examination_verdict::ok;
  switch (worst->level) {
    case severity::failure: return examination_verdict::failed;
    case severity::unknown: return examination_verdict::unknown;
    default: return examination_verdict::warning;
  }
}

}  // namespace mcp_oauth
