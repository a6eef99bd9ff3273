#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What a provider speaks: OpenID Connect says who signed in by an id token; plain OAuth 2.0 only by an
// endpoint that is asked with the access token.
enum class sign_in_protocol { openid, oauth2 };

// How the issuer that a provider states belongs to the one that is configured.
enum class issuer_rule {
  exact,  // byte for byte (OpenID Connect Discovery 1.0 §4.3)
  entra,  // of the directory that `tid` names; `common` and others stand for many directories
};

enum class client_id_shape { any, google, guid };

// One row for every kind of provider, `type` in the configuration. What is a list here is words apart by
// blanks. Rows describe the documented behaviour of each provider; docs/guide/identity-providers.md has the
// sources.
struct known_provider {
  std::string_view type;
  std::string_view title;  // on the button
  sign_in_protocol speaks = sign_in_protocol::openid;

  std::string_view issuer = {};          // "{tenant_id}" stands for that key; "" is configured
  std::string_view issuer_example = {};  // for the message that it is missing
  std::string_view issuer_part = {};     // what a right one contains, or, after '$', ends in
  issuer_rule stated_issuer = issuer_rule::exact;

  // Plain OAuth 2.0 only.
  std::string_view authorization_endpoint = {};
  std::string_view token_endpoint = {};
  std::string_view userinfo_endpoint = {};
  std::string_view token_endpoint_auth_method = {};  // "": as discovered, else client_secret_basic
  // Appended to the userinfo endpoint; the team's to that without its last segment. "{organization}",
  // "{team}" and "{login}" stand for those.
  std::string_view emails_path = {};
  std::string_view organization_path = {};
  std::string_view team_path = {};

  std::string_view scopes = "openid email profile";
  std::string_view organization_scope = {};  // added when organisations decide
  std::string_view offline_scope = {};       // asks for a refresh token
  std::string_view offline_parameter = {};   // the same: "access_type=offline"
  std::string_view offline_prompt = {};      // without which it gives none
  bool refresh_ends_access_token = false;    // the access token before works no longer after a refresh

  std::string_view prompts = "none login consent select_account";  // values it knows
  std::string_view prompt_for_another = "login";                   // lets a person choose another account
  std::string_view audience_parameter = {};                        // how `audience` is sent; "": not at all

  std::string_view subject_field = "sub";
  std::string_view email_field = "email";
  std::string_view email_verified_field = "email_verified";
  std::string_view name_field = "name";
  std::string_view login_field = "preferred_username";
  std::string_view groups_claim = "groups";

  client_id_shape client_id = client_id_shape::any;
  std::string_view registered_at = {};  // where an operator registers the gateway
};

std::span<const known_provider> known_providers();

// Nothing for a type that is not known. "azure" is another name for "microsoft".
const known_provider* find_known_provider(std::string_view type);

// Whether a client id has the shape that the provider gives them.
bool fits(client_id_shape shape, std::string_view client_id);

}  // namespace mcp_oauth
