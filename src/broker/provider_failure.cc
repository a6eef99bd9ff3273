#include "broker/provider_failure.h"

#include "broker/answers.h"
#include "config/provider_kind.h"
#include "oauth/displayable.h"
#include "oauth/error_description.h"
#include "oauth/redirect_uri.h"
#include "provider/provider_errors.h"

namespace mcp_oauth {
namespace {

// Who comes back from such an error meets it again until somebody changes a setting.
bool is_for_the_operator(errc code) {
  return code == errc::provider_redirect_uri_mismatch || code == errc::provider_client_refused ||
         code == errc::provider_setup_incomplete || code == errc::provider_consent_missing ||
         code == errc::provider_account_refused;
}

deployment_values values_of(const settings& conf, const provider_settings& p) {
  return {callback_of(conf, p), p.client_id, p.name, p.tenant_id, std::string(kind_of(p).registered_at)};
}

}  // namespace

void note_explanation(const exchange& x, const settings& conf, const provider_settings& provider,
                      std::string_view words) {
  const auto* known = explain_provider_error(words);
  // The row of the bare invalid_grant speaks of codes.
  if (known == nullptr || known->code == errc::provider_code_lost) return;
  x.log->note("cause", with_values(known->cause, values_of(conf, provider)));
  x.log->note("fix", with_values(known->fix, values_of(conf, provider)));
}

step answer_with_provider_failure(broker_parts& parts, const exchange& x, const provider_settings& provider,
                                  const approved_access& access, error why) {
  const auto& conf = parts.world.conf;
  const auto* known = why.code == errc::provider_refused ? explain_provider_error(why.detail) : nullptr;
  if (known == nullptr) return answer_with_error(parts, x, access, why);
  why.code = known->code;
  error_page page;
  page.cause = with_values(known->cause, values_of(conf, provider));
  page.fix = with_values(known->fix, values_of(conf, provider));
  x.log->note("cause", page.cause);
  x.log->note("fix", page.fix);
  if (!is_for_the_operator(known->code) || !accepts_html(*x.request)) {
    return answer_with_error(parts, x, access, why);
  }
  page.provider_words = displayable(why.detail);
  page.provider_title = title_of(provider);
  page.return_to = error_location(access.redirect_uri, why, access.state, conf.public_url);
  page.return_host = describe_redirect_uri(access.redirect_uri).where;
  return error_answer_for_people(x, why, std::move(page));
}

}  // namespace mcp_oauth
