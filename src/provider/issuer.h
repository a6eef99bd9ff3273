#pragma once

#include "base/json.h"
#include "provider/known_providers.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// The issuers of a provider: the configured one, the one that its metadata states, the one of an id token.

// Whether the metadata found under `configured` may state this issuer. For Entra a directory may be
// configured by its domain or as common, organizations or consumers, with v1 (sts.windows.net) and v2
// endpoints: the metadata then states the directory's id, or {tenantid} in its place. The host must be that
// of the configured issuer, or the one that v1 tokens come from.
bool may_state_issuer(issuer_rule rule, std::string_view configured, std::string_view stated);

// The issuer that an id token with these claims must have: the stated one, in which {tenantid} is `tid`, a
// GUID. "" when there is none, which no token has.
std::string issuer_of_token(std::string_view stated, const json::object& claims);

// Whether `iss` of a callback (RFC 9207) is the stated issuer, or one of the directories it stands for.
bool is_issuer_of_callback(std::string_view stated, std::string_view iss);

// What names the person together with the provider: `sub`, and the directory before it where the issuer
// stands for many of them (OIDC Core §5.7: only iss and sub together are unique).
std::string subject_of_token(std::string_view stated, std::string_view subject, const json::object& claims);

}  // namespace mcp_oauth
