// What was decided about a call, written down before the client learns of it.

#include "app/audit.h"
#include "app/foreign_text.h"
#include "app/gateway_service.h"
#include "app/story.h"
#include "base/trace.h"
#include "oauth/redact.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {

std::string gateway_service::audit_line(const net::exchange& x, const story& told, decision what,
                                        const error* why) {
  constexpr std::string_view names[] = {"denied", "allowed", "ended"};
  std::string out;
  {
    log_line line(out, log_level::info, "audit", std::chrono::system_clock::now());
    line.text("verdict", names[static_cast<std::size_t>(what)]).text("request_id", x.request_id());
    line.text("client", told.client);
    if (told.trace) line.text("trace_id", to_hex(told.trace->request.trace));
    if (why != nullptr) {
      const auto& row = explain(why->code);
      line.text("error", row.oauth_error).text("symptom", row.id).text("reason", row.name);
      line.text("detail", without_secrets(why->detail));
    }
    line.text("action", told.action).text("http_method", x.head().method);
    text_of_path(line, "path", x.head().path);
    line.text("user_id", told.subject).text("client_id", told.client_id).text("issuer", told.issuer);
    text_of_call(line, "mcp_method", told.method);
    text_of_call(line, "mcp_name", told.tool);
    line.text("upstream", told.upstream);
    for (const auto& [name, value] : told.notes) {
      if (name.starts_with("original_")) text_of_path(line, name, value);
    }
  }
  return out;
}

net::task<result<void>> gateway_service::record_decision(const net::exchange& x, const snapshot& rules,
                                                         const story& told, decision what, const error* why) {
  auto line = audit_line(x, told, what, why);
  auto write = [trail = parts_.audit, &line] { return trail->record(line); };
  net::off_loop writing(worker_, *parts_.auditing, write);
  auto written = co_await writing;
  if (!written && written.error().code != errc::audit_unwritable) {
    parts_.audit->lose(written.error().detail);
    written = fail(errc::audit_unwritable, written.error().detail);
  }
  if (!written && rules.conf.audit.on_failure == "continue") written = result<void>();
  co_return written;
}

}  // namespace mcp_oauth
