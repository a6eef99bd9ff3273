#pragma once

#include "doctor/token_explanation.h"
#include "guard/guard.h"
#include "jose/key_set.h"
#include "oauth/access_token.h"
#include "oauth/issuer_token.h"
#include "policy/policy.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mcp_oauth {

// Whose tokens may be good at a server: our own authorization server's, or another issuer's.
struct token_authority {
  std::string name;  // "this gateway", "the issuer corp"
  std::variant<token_rules, issuer_rules> rules;
  std::shared_ptr<const key_set> keys = {};  // null: none are known
  std::optional<error> keys_missing = {};    // why
  bool introspected = false;                 // it is asked about its JWTs, too
  bool by_introspection_alone = false;       // and nothing else about them counts
  bool takes_opaque = false;
  std::optional<seconds> clock_ahead = {};  // how far its clock is ahead of ours; less than 0: behind

  bool is_ours() const { return std::holds_alternative<token_rules>(rules); }
};

// All that is to be known about a server before a token for it can be explained.
struct token_question {
  std::string server, resource;
  bool is_public = false;  // it asks for no token at all
  std::vector<token_authority> authorities;
  policy_rules rules;
  std::optional<error> no_rules = {};  // why nobody knows them, or may anything by them
  bool binding_is_proved = true;       // false: tokens that are bound to a key are refused (dpop: off)

  // What the server itself says of the unwrapped token, by its own check; nothing where that would have sent
  // the token away.
  std::optional<result<verified_token>> judged = {};
  // Whether its grant was revoked, where such a thing is known here, and whether there is such a grant.
  std::optional<result<bool>> revoked = {};
  bool grant_is_known = true;
  // Where people sign in, as its name and its issuer: their tokens are none for a gateway.
  std::vector<std::pair<std::string, std::string>> sign_in_at = {};
  // What an opaque string was found to be: "a refresh token of this gateway"; "" when nothing was found.
  std::string known_as = {};
  std::vector<std::string> notes = {};
};

// The one of `authorities` that a token has to be judged by: as the server itself chooses, and where none is
// right, the one that it was probably meant for. `authorities` is not empty.
std::size_t authority_of(std::string_view token, const std::vector<token_authority>& authorities,
                         time_point now);

// Walks every check in the order in which the server makes them, goes on behind the first that fails, and
// says what the token unlocks. `given` is as it was typed: what stands around the token is told of. The
// verdict is `judged`'s; the checks explain it.
token_explanation explain_token(std::string_view given, const token_question& about, time_point now);

}  // namespace mcp_oauth
