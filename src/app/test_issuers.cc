#include "app/test_issuers.h"

#include "jose/jws.h"

#include <utility>

namespace mcp_oauth {

result<test_issuers> test_issuers::of(const settings& conf, const std::string& resource) {
  test_issuers made;
  for (const auto& p : conf.providers) {
    if (p.type != "hmac") continue;
    auto key = public_key::hmac(p.shared_secret, algorithm::hs256);
    if (!key) return tl::unexpected<error>(key.error());
    issuer_rules rules;
    rules.issuer = p.issuer.empty() ? conf.public_url : p.issuer;
    rules.audiences = {resource};
    rules.algorithms = {algorithm::hs256};
    rules.required = {{"sub", {}}};
    rules.leeway = conf.leeway;
    auto good = check_issuer_rules(rules);
    if (!good) return tl::unexpected<error>(good.error());
    made.issuers_.push_back({key_set::of({std::move(*key)}), std::move(rules)});
  }
  return made;
}

bool test_issuers::sign(std::string_view compact) const {
  if (issuers_.empty()) return false;
  auto token = parse_jws(compact);
  return token && token->header().alg == algorithm::hs256;
}

result<verified_token> test_issuers::verify(std::string_view compact, time_point now) const {
  result<verified_token> last = fail(errc::token_key_unknown, "no provider of type hmac");
  for (const auto& one : issuers_) {
    last = verify_issuer_token(compact, one.keys, one.rules, now);
    // Another secret may fit; what that one signed is judged by its rules alone.
    bool other_key = !last && (last.error().code == errc::token_signature_invalid ||
                               last.error().code == errc::token_key_unknown);
    if (!other_key) return last;
  }
  return last;
}

}  // namespace mcp_oauth
