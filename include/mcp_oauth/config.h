#pragma once

#include "mcp_oauth/abi.h"
#include "mcp_oauth/http.h"
#include "mcp_oauth/log.h"
#include "mcp_oauth/outcome.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

MCP_OAUTH_BEGIN

// Scopes that a call needs: all of them, or any one.
struct needed_scopes {
  std::vector<std::string> scopes;
  bool any = false;

  needed_scopes(std::initializer_list<std::string> all) : scopes(all) {}
  explicit needed_scopes(std::vector<std::string> all) : scopes(std::move(all)) {}
};
inline needed_scopes any_of(std::initializer_list<std::string> some) {
  needed_scopes needed(some);
  needed.any = true;
  return needed;
}

// Who may do what: the pattern of a name (`*` stands for any run of characters) and the scopes that it takes.
// No scopes: whoever has a valid token may.
struct call_rule {
  std::string pattern;
  needed_scopes needed;
};

// The rules of one kind. Once they are given, every rule that matches a name has to be satisfied, and a name
// that none matches is denied: `{}` is a table that denies everything. Where none is given, a valid token is
// enough. Not for two threads at once.
class rule_table final {
 public:
  rule_table(std::initializer_list<call_rule> rules) : given_(true), rules_(rules) {}
  rule_table(std::vector<call_rule> rules) : given_(true), rules_(std::move(rules)) {}
  rule_table& operator=(std::initializer_list<call_rule> rules) { return *this = rule_table(rules); }
  static rule_table not_given() { return rule_table(); }

  void add(call_rule rule) {
    given_ = true;
    rules_.push_back(std::move(rule));
  }

  bool given() const noexcept { return given_; }
  bool empty() const noexcept { return rules_.empty(); }
  std::size_t size() const noexcept { return rules_.size(); }
  const call_rule& operator[](std::size_t index) const noexcept { return rules_[index]; }
  std::vector<call_rule>::const_iterator begin() const noexcept { return rules_.begin(); }
  std::vector<call_rule>::const_iterator end() const noexcept { return rules_.end(); }

 private:
  rule_table() = default;
  bool given_ = false;
  std::vector<call_rule> rules_;
};

// A claim that tokens must have, with one of these values; with none given, any value.
struct needed_claim {
  std::string name;  // a dot leads into objects: "realm_access.roles"
  std::vector<std::string> any_of = {};
};

// One authorization server whose tokens are accepted. Its keys count for its own tokens only (RFC 8725 §3.8).
struct trusted_server {
  std::string issuer;  // as its tokens have it in `iss`; compared byte for byte
  // Where its keys are. Both empty: its metadata says where (OpenID Connect Discovery, RFC 8414).
  std::string jwks_url;
  std::string keys;  // a JWK Set (RFC 7517) or public keys as PEM: nothing is fetched
  // With it revoked tokens are refused, and opaque ones can be accepted (RFC 7662).
  std::string introspection_url;
  std::string introspection_client_id, introspection_client_secret;
  // jwt_only, introspection_only, jwt_and_introspect, jwt_or_opaque (JWTs by signature, opaque ones by
  // introspection);
  // "": jwt_and_introspect where introspection is configured, else jwt_only.
  std::string validation_mode;
  std::vector<std::string>
      algorithms;  // "RS256", …; empty: every public-key algorithm of RFC 7518 and RFC 8037
  std::vector<std::string> scope_claims;  // where scopes stand; empty: scope and scp
  std::vector<needed_claim> required_claims;
};

// What the library is told. Plain values, nothing of it checked yet: `config::make` does that, all at once.
struct options {
  // hmac, okta, google, azure or oidc; "": the issuer says it all.
  std::string provider;
  trusted_server server;
  std::vector<trusted_server> more_servers;
  // The key of HMAC tokens (provider hmac, HS256), 32 bytes or more. Whoever can check such a token can make
  // one.
  std::string jwt_secret;

  // The public URL of the MCP endpoint as clients call it (RFC 9728).
  std::string resource;
  // What `aud` has to hold, byte for byte; one of them is enough. Empty: the resource (RFC 8707).
  std::vector<std::string> audiences;
  std::string resource_name;        // for people; "" leaves it out of the metadata
  std::vector<std::string> scopes;  // that every call needs
  // Origins of web pages that may call, besides the resource's own; pages of any other get 403 (MCP,
  // transports).
  std::vector<std::string> allowed_origins;

  rule_table tools = rule_table::not_given();      // tools/call, by the name of the tool
  rule_table methods = rule_table::not_given();    // by the JSON-RPC method
  rule_table resources = rule_table::not_given();  // resources/read, subscribe and unsubscribe, by the URI
  rule_table prompts = rule_table::not_given();    // prompts/get, by the name

  // The rules out of a JSON document at this URL instead of `tools` (docs/library/policy.md); the other
  // tables count where it has none of that kind. It is asked again every `policy_refresh`, and counts for
  // `policy_max_age` after it was asked for: when no newer one can be had by then, every call is refused
  // (503).
  std::string policy_url;
  std::string policy_token;                  // sent there as Bearer, or as it is: "Basic …"
  std::chrono::seconds policy_refresh{30};   // 1 to 3600
  std::chrono::seconds policy_max_age{120};  // 1 to 86400

  std::string dpop = "off";  // off, accepted (bound tokens come with a proof) or required (RFC 9449)
  // Each proof needs a nonce of ours, which every answer brings (DPoP-Nonce): what was made in advance is
  // worthless.
  bool dpop_nonces = false;
  // Processes with one key take each other's nonces: 32 bytes or more. Empty: each has nonces of its own.
  std::string dpop_nonce_key;
  // accepted (bound tokens need the client's certificate) or required: no others are taken (RFC 8705)
  std::string certificate_binding = "accepted";
  std::chrono::seconds leeway{60};     // tolerated difference of the clocks, for exp and nbf; at most 600
  std::chrono::seconds remember{300};  // how long a verdict counts, but never beyond exp; 0 to 3600
  std::chrono::seconds remember_introspection{30};  // the same for what introspection said
  std::size_t remembered_tokens = 10'000;           // verdicts that are kept, by the digest of the token
  std::size_t most_body_bytes = 4 * 1024 * 1024;    // of a request; 413 beyond

  // http for servers that are not on this machine. Whoever is on the way can forge tokens.
  bool danger_allow_http = false;
  // Tokens whatever their `aud`, also without one: tokens for other servers are good here, too (confused
  // deputy).
  bool danger_any_audience = false;
  // Id tokens in place of access tokens.
  bool danger_id_tokens = false;

  // What these three refer to has to live as long as the last copy of the guard and all that was obtained
  // from it: a call, a check or a filter logs and reads the clock when the guard is gone.
  fetch_function fetch;  // none: libcurl.so.4 of this machine, loaded when it is first needed
  log_function log;      // none: nothing is logged
  std::function<std::chrono::system_clock::time_point()> clock;  // none: the system's. For tests
};

// One thing that is wrong with the options.
struct config_problem {
  std::string field;    // "resource"
  std::string message;  // "resource URI is required"
  std::string fix;      // "set resource (MCP_RESOURCE) to the public URL of the MCP endpoint"
};

// Everything that is wrong, in the order of the fields.
struct config_problems {
  std::vector<config_problem> list;
  // "invalid config: provider is required; resource URI is required", with the fixes in lines of their own.
  MCP_OAUTH_API std::string text() const;
};

// Options that were found to make a guard. Immutable; cheap to copy; safe from many threads. Nothing is
// fetched to make one.
class MCP_OAUTH_API config final {
 public:
  // Checks everything and reports everything.
  static outcome<config, config_problems> make(options from) noexcept;

  // The same out of one JSON object whose members are named as the fields of `options` and, beside them,
  // those of its first `server`; times are seconds; `tools` and the like are {"pattern": ["scope", …] or
  // {"any_of": ["scope", …]}}. A member that is not known is a problem, too. `callbacks` gives fetch, log and
  // clock; its other fields do not count.
  static outcome<config, config_problems> from_json(std::string_view text, options callbacks = {}) noexcept;

  // The same by the names of the environment that the guides of MCP servers use;
  // docs/library/configuration.md lists them. NAME_FILE names a file that holds the value of NAME.
  static outcome<config, config_problems> from_environment(options callbacks = {}) noexcept;

  const std::string& resource() const noexcept;
  // What is possible but should be looked at: "no rules for tools: every valid token may call every tool".
  const std::vector<std::string>& warnings() const noexcept;

  // For the library.
  struct MCP_OAUTH_LOCAL parts;
  explicit config(std::shared_ptr<const parts> made) noexcept : parts_(std::move(made)) {}
  config(const config&) noexcept = default;
  config& operator=(const config&) noexcept = default;
  ~config() = default;
  const parts& inside() const noexcept { return *parts_; }

 private:
  std::shared_ptr<const parts> parts_;
};

MCP_OAUTH_END
