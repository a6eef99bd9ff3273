#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "base/time.h"
#include "jose/digest_map.h"
#include "oauth/access_token.h"
#include "policy/policy.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mcp_oauth {

// Who calls: by a verified token, or nobody in particular where none is needed.
struct credential {
  std::optional<verified_token> token;
  std::string identity;         // header lines for the upstream
  std::string checked_session;  // the last session id found to belong to it, and the upstream's part of it
  std::size_t checked_length = 0;
  std::string checked_resource = {};  // where: a token may be good for several
  std::string minted = {};            // the last token made for the upstream, good until then
  time_point minted_until = {};
  secret provider_token = {};  // of the identity provider, for the upstream; good until then
  time_point provider_until = {};
  bool provider_token_refused = false;  // by the upstream: another one may help
  std::string principal = {};           // whom sessions belong to, where that is more than the subject

  const access_claims& claims() const;
  // What the policy is asked with; borrows from this.
  caller asks() const;
  // Whom the sessions belong to that are opened with it.
  const std::string& owner() const { return principal.empty() ? claims().subject : principal; }
  // Somebody without a name, whose streams have no end of their own.
  static std::shared_ptr<credential> of_nobody();
};

// Verified tokens of one worker, by the SHA-256 of their text: no token is kept. Bounded, never beyond `exp`,
// and emptied of a grant when that is revoked. Not for two threads.
class token_cache {
 public:
  explicit token_cache(std::size_t most = 10'000) : most_(most) {}

  // The verified token, from memory or by `verify` (a function of the text, giving result<verified_token>).
  // Errors: token_revoked, token_expired, and those of `verify`.
  template <class Verify>
  result<std::shared_ptr<credential>> find(std::string_view token, seconds leeway, time_point now,
                                           Verify verify) {
    auto key = sha256(token);
    auto at = entries_.find(key);
    if (at == entries_.end()) {
      result<verified_token> fresh = verify(token);
      if (!fresh) return tl::unexpected<error>(fresh.error());
      if (is_revoked(fresh->claims())) return fail(errc::token_revoked, "grant " + fresh->claims().grant_id);
      auto made = remember(key, std::move(*fresh));
      return made;
    }
    const auto& claims = at->second->claims();
    if (claims.expires + leeway <= now) {
      entries_.erase(at);
      return fail(errc::token_expired, "exp passed");
    }
    if (is_revoked(claims)) return fail(errc::token_revoked, "grant " + claims.grant_id);
    return at->second;
  }

  // From now until `until`, no token of that grant is valid.
  void revoke(const std::string& grant, time_point until) {
    auto& end = revoked_[grant];
    end = std::max(end, until);
  }
  // Keys or rules changed: what was verified under the old ones counts no longer.
  void clear() { entries_.clear(); }
  // Others may hold a newer token of the provider than we do; "": of any grant.
  void forget_provider_token(std::string_view grant);
  void sweep(time_point now);
  // The latest `exp` among the remembered tokens of a grant; nothing when there is none.
  std::optional<time_point> latest_expiry(std::string_view grant) const;
  std::size_t size() const { return entries_.size(); }

 private:
  bool is_revoked(const access_claims& c) const { return !revoked_.empty() && revoked_.contains(c.grant_id); }
  std::shared_ptr<credential> remember(const sha256_digest& key, verified_token token);

  std::size_t most_;
  digest_map<std::shared_ptr<credential>> entries_;
  std::unordered_map<std::string, time_point> revoked_;
};

}  // namespace mcp_oauth
