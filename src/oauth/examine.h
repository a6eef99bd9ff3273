#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "jose/key_set.h"
#include "oauth/access_token.h"
#include "oauth/issuer_token.h"

#include <optional>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Every check of a token by itself, also those behind one that failed: for explanations, and never for a
// decision. The checks are those of `verify_access_token` and `verify_issuer_token`, in their order, so that
// the first that fails is the error of those.

enum class token_check { form, type, signature, issuer, kind, audience, times, claims, binding };

struct token_finding {
  token_check what;
  std::optional<result<void>> said;  // nothing: there was nothing to ask, as there are no claims or no keys
};

struct token_examination {
  std::vector<token_finding> findings;
  // What the token says, whether or not it is true; nothing where that cannot be read.
  std::optional<json::object> unverified;
};

// `keys` null: none are known.
token_examination examine_access_token(std::string_view compact, const key_set* keys,
                                       const token_rules& rules, time_point now);
token_examination examine_issuer_token(std::string_view compact, const key_set* keys,
                                       const issuer_rules& rules, time_point now);

// The claims of anything whose second part can be read, however broken the rest is.
std::optional<json::object> unverified_claims(std::string_view compact);

// Who and for what the claims say it is. Errors: as of the verifying functions.
result<access_claims> read_unverified(const json::object& claims, const token_rules& rules);
result<access_claims> read_unverified(const json::object& claims, const issuer_rules& rules);

}  // namespace mcp_oauth
