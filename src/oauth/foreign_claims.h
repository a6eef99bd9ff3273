#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "oauth/access_token.h"
#include "oauth/issuer_token.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// For issuer_token.cc and introspection.cc: the claims of somebody else's token, and the answer about one,
// are read alike.

// The claim of that name, or what the name leads to through objects; null where there is none, and where it
// is null.
const json::value* find_claim(const json::object& claims, std::string_view name);

// The scopes of every place, each once; what is no scope-token is left out. Errors: token_malformed.
result<std::vector<std::string>> scopes_of(const json::object& claims,
                                           const std::vector<std::string>& places);

// What the claims call themselves must not be another kind than an access token: `token_use`, and `typ` and
// `token_type` as claims; `events` are of no access token either. Errors: token_type_wrong.
result<void> check_stated_kind(const json::object& claims, const issuer_rules& rules);

// The first of the rules' audiences that is in `aud`. Errors: token_audience_absent, token_audience_mismatch,
// token_malformed.
struct found_audience {
  std::string ours;  // "" where any will do and none is there
  std::vector<std::string> all;
};
result<found_audience> check_audience(const json::object& claims, const issuer_rules& rules);

// `exp`, `nbf`, `iat` and the age; gives `exp`, or `otherwise` where there is none.
result<time_point> check_moments(const json::object& claims, const issuer_rules& rules,
                                 std::optional<time_point> otherwise, time_point now);

result<void> check_required(const json::object& claims, const issuer_rules& rules);

// What is left to read when the checks are done: who, for whom, scopes. Errors: token_claim_missing without a
// subject, token_malformed.
result<access_claims> read_foreign_claims(const json::object& claims, const issuer_rules& rules);

// `cnf`. Errors: token_malformed; token_binding_missing for a binding that we cannot check.
result<void> read_confirmation(const json::object& claims, token_details& into);

// Makes the token, for the functions whose checks it stands for.
class foreign_token final {
  static verified_token of(access_claims claims, token_details details) {
    return verified_token(std::move(claims), std::make_shared<const token_details>(std::move(details)));
  }
  friend result<verified_token> verify_issuer_token(class unchecked_token& token, const key_set& keys,
                                                    const issuer_rules& rules, time_point now);
  friend result<verified_token> process_introspection_answer(const struct http_answer& answer,
                                                             const issuer_rules& rules,
                                                             const struct introspection_rules& introspection,
                                                             time_point now);
  friend result<verified_token> process_introspection_answer(const verified_token& jwt,
                                                             const struct http_answer& answer,
                                                             const issuer_rules& rules, time_point now);
};

}  // namespace mcp_oauth
