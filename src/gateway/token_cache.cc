#include "gateway/token_cache.h"

#include "gateway/headers.h"

namespace mcp_oauth {

namespace {

const access_claims& nobody() {
  static const access_claims claims = [] {
    access_claims c;
    c.expires = time_point(std::chrono::hours(24 * 365 * 200));
    return c;
  }();
  return claims;
}

}  // namespace

const access_claims& credential::claims() const { return token ? token->claims() : nobody(); }

caller credential::asks() const {
  caller who;
  who.subject = claims().subject;
  who.client_id = claims().client_id;
  who.scopes = claims().scopes;
  who.claims.ours = &claims();
  if (token && token->details()) who.claims.theirs = &token->details()->claims;
  return who;
}

std::shared_ptr<credential> credential::of_nobody() {
  return std::make_shared<credential>(credential{std::nullopt, {}, {}, 0});
}

std::shared_ptr<credential> token_cache::remember(const sha256_digest& key, verified_token token) {
  make_room(entries_, most_);
  auto lines = identity_lines(token.claims());
  auto made = std::make_shared<credential>(credential{std::move(token), std::move(lines), {}, 0});
  entries_.emplace(key, made);
  return made;
}

std::optional<time_point> token_cache::latest_expiry(std::string_view grant) const {
  std::optional<time_point> latest;
  if (grant.empty()) return latest;  // tokens of no grant have nothing to do with each other
  for (const auto& [key, known] : entries_) {
    const auto& c = known->claims();
    if (c.grant_id == grant && (!latest || c.expires > *latest)) latest = c.expires;
  }
  return latest;
}

void token_cache::forget_provider_token(std::string_view grant) {
  for (const auto& [key, known] : entries_) {
    if (grant.empty() || known->claims().grant_id == grant) known->provider_until = {};
  }
}

void token_cache::sweep(time_point now) {
  boost::unordered::erase_if(entries_, [now](const auto& e) { return e.second->claims().expires <= now; });
  std::erase_if(revoked_, [now](const auto& r) { return r.second <= now; });
}

}  // namespace mcp_oauth
