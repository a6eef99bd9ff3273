#pragma once

#include "config/settings.h"
#include "provider/allowed.h"
#include "provider/known_providers.h"
#include "provider/oidc.h"

#include <string>

namespace mcp_oauth {

// What a configured provider is, after the table of providers has said what the file leaves open.

// The row of its type; that of "oidc" for anything else.
const known_provider& kind_of(const provider_settings& p);

// How people call it: "Google", "Google (work)", "corp".
std::string title_of(const provider_settings& p);

// Under which names it tells who signed in.
claim_names claim_names_of(const provider_settings& p);
std::string subject_field_of(const provider_settings& p);

// Of a provider without discovery: what is configured.
provider_metadata fixed_metadata(const provider_settings& p);
// Endpoints that the file names take the place of discovered ones.
void override_endpoints(provider_metadata& metadata, const provider_settings& p);

allowed_people allowed_at(const provider_settings& p);

// What becomes of the tokens that a provider gives, by refresh_strategy and upstream_authorization.
struct token_plan {
  bool sends = false;         // an MCP server gets the access token
  bool renews = false;        // it is renewed: a refresh token is asked for and kept
  bool ends_with_it = false;  // whoever signed in has to do so again once it has expired
  bool keeps() const { return sends || renews; }
};
token_plan token_plan_of(const settings& conf, const provider_settings& p);
// Whether any provider's tokens are kept.
bool keeps_provider_tokens(const settings& conf);

// Where this provider sends people back to: its own callback_url, or that of all.
const std::string& callback_of(const settings& conf, const provider_settings& p);

}  // namespace mcp_oauth
