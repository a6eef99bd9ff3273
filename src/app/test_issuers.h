#pragma once

#include "config/settings.h"
#include "jose/key_set.h"
#include "oauth/access_token.h"
#include "oauth/issuer_token.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The providers of type hmac: tests that sign access tokens by themselves, with a secret that they share with
// the gateway, for one resource.
class test_issuers {
 public:
  // Errors: key_weak, key_malformed, config_invalid.
  static result<test_issuers> of(const settings& conf, const std::string& resource);

  // Whether the token is of the kind that they sign. Where there are none, no token is.
  bool sign(std::string_view compact) const;

  // HS256 under one of the secrets, with `iss`, `sub`, `exp` and the resource in `aud`; `sub` is taken as it
  // stands. Errors: those of verify_issuer_token.
  result<verified_token> verify(std::string_view compact, time_point now) const;

  struct issuer {
    key_set keys;
    issuer_rules rules;
  };
  const std::vector<issuer>& all() const { return issuers_; }

 private:
  std::vector<issuer> issuers_;
};

}  // namespace mcp_oauth
