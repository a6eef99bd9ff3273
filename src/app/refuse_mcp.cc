// The answer to a call that goes no further, and the rules that decide whether it does.

#include "app/gateway_service.h"
#include "app/story.h"
#include "gateway/loopback.h"
#include "gateway/refusal.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {

// Of a stream that was opened long ago as well, what holds now.
const policy& gateway_service::rules_of_server(std::string_view name) const {
  static const auto nothing =
      policy::closed(errc::policy_unavailable, "the server is not configured any more");
  for (const auto& u : rules_->upstreams) {
    if (u.where.conf().name == name) return u.rules_now();
  }
  return nothing;
}

http_response gateway_service::refusal_of(std::string_view host, const snapshot& rules, const upstream& to,
                                          const error& why, std::vector<std::string> scopes,
                                          std::string_view raw_id, const story& told) const {
  // Where no scope would help, none is named.
  bool hopeless = why.code == errc::policy_denied || why.code == errc::policy_incomplete ||
                  why.code == errc::audit_unwritable;
  if (scopes.empty() && !hopeless) scopes = to.where.conf().scopes;
  // Who has to sign in anew learns what to ask for (MCP, scope selection).
  if (scopes.empty() && explain(why.code).status == 401) scopes = to.metadata.scopes;
  auto metadata_url =
      (to.origin.empty() ? origin_as_reached(rules.conf.public_url, host) : to.origin) + to.metadata_path;
  http_response refusal = refuse_call(why, metadata_url, scopes, raw_id);
  // Where nobody signs in, nothing is gained by it.
  if (to.is_public()) refusal.fields.erase("WWW-Authenticate");
  if (rules.issuers != nullptr && !to.is_public())
    say_as_a_guard(refusal, why.code, metadata_url, scopes, told);
  if (why.code == errc::http_method_refused) refusal.fields.add("Allow", "GET, POST, DELETE, OPTIONS");
  return refusal;
}

net::task<void> gateway_service::refuse_mcp(net::exchange& x, const upstream& to, story& told, error why,
                                            std::vector<std::string> scopes, std::string raw_id) {
  auto rules = rules_;
  bool denies = !told.permitted && why.code != errc::client_gone && why.code != errc::audit_unwritable;
  if (rules->conf.audit.enabled() && denies) {
    auto recorded = co_await record_decision(x, *rules, told, decision::denied, &why);
    if (!recorded) {
      told.notes.emplace_back("unrecorded", explain(why.code).id);
      why = recorded.error();
      scopes.clear();
    }
  }
  http_response refusal = refusal_of(x.head().host, *rules, to, why, std::move(scopes), raw_id, told);
  told.why = std::move(why);
  co_await answer(x, std::move(refusal), false);
}

}  // namespace mcp_oauth
