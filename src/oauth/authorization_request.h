#pragma once

#include "base/error.h"
#include "base/form.h"
#include "oauth/client_metadata.h"
#include "oauth/server_rules.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The parameters of an authorization request as they came (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2). Only
// client_id and redirect_uri have been judged, each by itself; the rest is for check_authorization_request,
// which can tell the client.
struct authorization_request {
  std::string client_id;
  std::optional<std::string> redirect_uri;
  std::string response_type;
  std::string response_mode;
  std::string state;  // "" when absent, repeated or unfit to be sent back
  std::string code_challenge;
  std::string code_challenge_method;
  std::string scope;
  std::vector<std::string> resources;
  std::string prompt;
  std::string login_hint;  // "" when absent, repeated, unprintable or over 256 bytes
  std::vector<std::string>
      repeated;  // names of the parameters above, `resource` aside, that stood more than once
  bool state_malformed = false;
};

// Unknown parameters are ignored and empty ones are absent (RFC 6749 §3.1).
// Errors, all for a page and never for a redirect (§4.1.2.1): client_id or redirect_uri parameter_missing
// (client_id only), parameter_repeated, parameter_too_long, parameter_malformed.
result<authorization_request> parse_authorization_request(const form& parameters);

// Why a request was refused, and whom to tell.
struct authorization_refusal {
  error why;
  std::optional<std::string> redirect_uri;  // absent: a page; no redirect may happen (RFC 6749 §4.1.2.1)
  std::string state;

  bool to_redirect() const { return redirect_uri.has_value(); }
};

// What check_authorization_request has settled.
struct authorization_terms {
  std::string client_id;
  std::string redirect_uri;         // where the answer goes
  bool redirect_uri_sent = false;   // then the token request must repeat it if it names one (OAuth 2.1 §10.2)
  std::string state;                // "" when none was sent
  std::string code_challenge;       // S256
  std::vector<std::string> scopes;  // narrowed to what exists
  std::string resource;             // canonical; the audience of the token
  std::vector<std::string> prompt;  // none, login, consent, select_account: those asked for
  std::string login_hint;
};

// An authorization request that passed every check. Nothing else makes one.
class approved_request {
 public:
  const authorization_terms& terms() const { return terms_; }

 private:
  explicit approved_request(authorization_terms terms) : terms_(std::move(terms)) {}
  friend tl::expected<approved_request, authorization_refusal> check_authorization_request(
      const authorization_request&, const client_metadata&, const server_rules&);
  authorization_terms terms_;
};

// Every check of authorization_checks.h in its order; the first that fails decides. `client` is the one that
// client_id names.
// A refusal with a redirect goes to a URI that matches the client's registration; where strangers can
// register, show a page before following it without the user's action (RFC 9700 §4.11.2). Does NOT
// authenticate or ask the user.
tl::expected<approved_request, authorization_refusal> check_authorization_request(
    const authorization_request& request, const client_metadata& client, const server_rules& rules);

// The Location of the answer: code, state if there is one, and iss (RFC 6749 §4.1.2, RFC 9207 §2).
std::string code_location(std::string_view redirect_uri, std::string_view code, std::string_view state,
                          std::string_view issuer);
// The Location of a refusal: error out of the catalogue, error_description, state, iss (RFC 6749 §4.1.2.1). A
// code that has no OAuth error, or one that this endpoint may not use, is told as server_error or
// invalid_request.
std::string error_location(std::string_view redirect_uri, const error& why, std::string_view state,
                           std::string_view issuer);

}  // namespace mcp_oauth
