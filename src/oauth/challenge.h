#pragma once

#include "base/error.h"
#include "base/json.h"
#include "jose/algorithm.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

namespace mcp_oauth {

// The value of one WWW-Authenticate field with one Bearer challenge (RFC 6750 §3, RFC 9728 §5.1). `error` and
// `error_description` stand there only for codes whose OAuth error RFC 6750 §3.1 names; so a request without
// credentials gets neither. What the syntax does not allow is replaced or left out: the field is always well
// formed. An empty URL and empty scopes are left out; `offline_access` is, too (MCP: it says nothing about a
// resource).
std::string bearer_challenge(errc code, std::string_view resource_metadata_url,
                             const std::vector<std::string>& scopes);

// The value of one WWW-Authenticate field with one DPoP challenge (RFC 9449 §7.1), where bound tokens are in
// play; of the same rules, with the errors of RFC 9449 besides (invalid_dpop_proof, use_dpop_nonce) and the
// algorithms that a proof may have. With dpop_nonce_needed the answer needs a DPoP-Nonce field, too: the
// caller's part.
std::string dpop_challenge(errc code, std::string_view resource_metadata_url,
                           const std::vector<std::string>& scopes, std::span<const algorithm> algorithms);

// {"error", "error_description"[, "required_scopes"]}, in the words of the challenge. Where no OAuth error
// may be sent in the challenge, `error` is the name of the symptom.
json::object error_body(errc code, const std::vector<std::string>& required_scopes);

// One challenge of a server that asks for credentials (RFC 9110 §11.3).
struct challenge {
  std::string scheme;                                           // as written; compare without case
  std::string token68;                                          // "" when there are parameters
  std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case, values unquoted

  // Nothing when absent, and nothing when repeated: two values would be a choice nobody may make (RFC 9110
  // §11.2).
  std::optional<std::string_view> find(std::string_view name) const;
};

// Every challenge of a WWW-Authenticate value, which may hold several (RFC 9110 §11.6.1). Where the syntax
// breaks, reading ends: challenges that were complete before count, and the parameters of the broken one
// before the break.
std::vector<challenge> parse_challenges(std::string_view field_value);

}  // namespace mcp_oauth
