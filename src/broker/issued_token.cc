#include "broker/issued_token.h"

namespace mcp_oauth {

result<access_claims> read_access_token(const broker_world& world, const key_set& keys,
                                        std::string_view token, time_point now, seconds expired_for) {
  error why{errc::token_audience_mismatch, "no resource is served here"};
  for (const auto& u : world.conf.upstreams) {
    token_rules rules;
    rules.issuer = world.conf.public_url;
    rules.audience = u.resource;
    rules.leeway = expired_for;  // for clocks none: it is our own, on both ends
    auto verified = verify_access_token(token, keys, rules, now);
    if (verified) return verified->claims();
    why = verified.error();
    if (why.code != errc::token_audience_mismatch) break;
  }
  return tl::unexpected(std::move(why));
}

}  // namespace mcp_oauth
