#include "base/json.h"
#include "oauth/endpoint_form.h"
#include "provider/oidc.h"
#include "provider/standard_claims.h"

namespace mcp_oauth {

http_call userinfo_request(const provider_metadata& provider, const secret& access_token) {
  return {"GET",
          provider.userinfo_endpoint,
          {{"Authorization", "Bearer " + std::string(access_token.reveal())}, {"Accept", "application/json"}},
          ""};
}

result<identity> process_userinfo_answer(identity who, const http_answer& answer, const claim_names& names) {
  if (answer.status >= 500 || answer.status == 429) {
    return fail(errc::provider_unreachable, "status " + std::to_string(answer.status));
  }
  if (answer.status != 200) return fail(errc::provider_refused, "status " + std::to_string(answer.status));
  auto content_type = answer.fields.only("content-type").value_or("");
  if (is_media_type(content_type, "application/jwt")) {
    return fail(errc::provider_token_invalid, "the answer is a JWT, only application/json is understood");
  }
  if (!is_media_type(content_type, "application/json")) {
    return fail(errc::provider_token_invalid, "the answer is not application/json");
  }
  auto claims = parse_json_object(answer.body);
  if (!claims) return fail(errc::provider_token_invalid, "the answer is no JSON object");

  // §5.3.2: or somebody's token was swapped for another's.
  std::string subject;
  if (read(*claims, "sub", subject) != member::present) {
    return fail(errc::provider_token_invalid, "sub is absent or of the wrong type");
  }
  if (subject.empty() || subject != who.subject) {
    return fail(errc::provider_token_invalid, "sub is not the one of the id token");
  }

  identity said;
  read_standard_claims(*claims, said, names);
  // An address that one source names is never verified by the other.
  if (who.email.empty() && !said.email.empty()) {
    who.email = std::move(said.email);
    who.email_verified = said.email_verified;
  }
  if (who.name.empty()) who.name = std::move(said.name);
  if (who.preferred_username.empty()) who.preferred_username = std::move(said.preferred_username);
  if (who.groups.empty()) who.groups = std::move(said.groups);
  return who;
}

}  // namespace mcp_oauth
