#pragma once

#include "base/secret.h"
#include "base/time.h"
#include "policy/rule.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What the configuration says, after defaults, environment and flags; every
// value checked. `config/keys.cc` is the one table that fills it. Grouped as in
// the file.

using text_map = std::vector<std::pair<std::string, std::string>>;
using secret_map = std::vector<std::pair<std::string, secret>>;

struct provider_settings {
  std::string name;  // the key under `providers:`
  std::string type;  // "local", "hmac", or of provider/known_providers.h
  std::string issuer;
  std::string tenant_id;               // of a microsoft provider; already part of `issuer`
  std::string authorization_endpoint;  // these three "": discovered, or as the type has them
  std::string token_endpoint;
  std::string userinfo_endpoint;
  std::string token_endpoint_auth_method;  // "": as discovered, or as the type has it
  std::string callback_url;                // "": that of all
  std::string client_id;
  secret client_secret;
  secret shared_secret;  // of type hmac: what tokens of tests are signed with
  std::vector<std::string> scopes;
  std::string prompt;
  std::string audience;          // the API that the provider's access token is for
  std::string client_type;       // "public", "confidential" or ""
  std::string refresh_strategy;  // "auto", "none", "reauthorize"; "": see token_plan_of
  std::string subject_field;     // these five "": as the type has them
  std::string email_field;
  std::string email_verified_field;
  std::string name_field;
  std::string groups_claim;
  std::vector<std::string> allowed_users;    // e-mail address or subject; empty: everyone
  std::vector<std::string> allowed_domains;  // of a verified e-mail address; empty: everyone
  std::vector<std::string> allowed_groups;
  std::vector<std::string> allowed_organizations;  // "org" or "org/team"
};

// An authorization server whose tokens are accepted, of a guard (mode: native).
struct issuer_settings {
  std::string name;                   // of variables in the environment; may be ""
  std::string issuer;                 // where its metadata is found, and `iss`; "" with a shared secret alone
  std::string token_issuer;           // `iss`, where that is another
  std::vector<std::string> audience;  // one of these; empty: the resource that is called
  bool danger_any_audience = false;   // whichever API the token is for
  std::string jwks_url;               // "": as its metadata says
  std::string keys_file;              // JWKS or PEM in place of a URL
  secret jwt_secret;                  // HS256, HS384, HS512: whoever checks could also sign
  std::vector<std::string> algorithms;       // empty: those its metadata and keys allow
  std::string validation;                    // jwt, introspection, jwt_and_introspection or either
  std::string introspection_url;             // "": as its metadata says
  std::string introspection_client_id;       // as whom we ask
  secret introspection_client_secret;        // one of these two
  std::string introspection_key_file;        // PEM, for private_key_jwt
  std::string introspection_auth_method;     // "": as its metadata says, else client_secret_basic
  std::string token_type = "any";            // or "at+jwt"
  bool danger_id_tokens = false;             // what looks like an id token is taken, too
  seconds max_age{0};                        // since `iat`; 0: any
  seconds introspection_lifetime{0};         // of an answer without `exp`; 0: it is refused
  std::vector<std::string> scope_claims;     // this and the last three empty: the usual ones
  std::vector<std::string> required_claims;  // "name", or "name=value"
  std::string subject_claim;
  std::string email_claim;
  std::string name_claim;

  bool introspects() const { return validation != "jwt"; }
  // What stands in `iss`.
  const std::string& stated_issuer() const { return token_issuer.empty() ? issuer : token_issuer; }
};

// What was decided about tokens is remembered.
struct token_cache_settings {
  std::uint32_t entries = 10'000;
  seconds lifetime{300};      // of what was accepted; never beyond the token's own
  seconds refusals{10};       // of what was refused
  seconds introspection{30};  // of what introspection has said: for so long a revocation may go unseen
};

// What a token may be bound to.
struct binding_settings {
  std::string dpop = "accept";  // off, accept or require
  bool dpop_nonces = false;
  std::string certificate = "off";  // off, accept or require
};

struct header_settings {
  std::vector<std::string> forward;  // allow-list with `*`; empty: every
                                     // end-to-end header that is not ours
  std::vector<std::string> blocked;
};

// What is changed in the head of an MCP server's answer, in this order; its body is never touched.
struct transform_settings {
  std::vector<std::string> remove;  // names with `*`
  text_map rename;                  // from, to
  text_map add;                     // name and value, in place of the server's own of that name
  bool empty() const { return remove.empty() && rename.empty() && add.empty(); }
};

// Rules for what is no tool. A section that is not given restricts nothing.
struct section_settings {
  rule_set methods;
  rule_set resources;
  rule_set prompts;
};

struct upstream_settings {
  std::string name;
  std::string url;                  // of the MCP server
  std::vector<std::string> paths;   // public path prefixes, "/mcp"
  std::string resource;             // RFC 8707 identifier, <public_url><first path> unless given
  std::string resource_name;        // for people, in its metadata; "": `name`
  std::vector<std::string> scopes;  // that every call to it needs
  std::vector<std::string> hosts;   // Host fields, "mail.example.com"; empty: any
  bool require_auth = true;         // false: anybody may call, and nobody is named to it
  bool tools_given = false;         // its own `tools`, in place of those at the top level
  std::vector<access_rule> tools;
  section_settings sections;                // its own, each in place of that at the top level
  header_settings headers;                  // its own, or those at the top level
  transform_settings transform;             // its own, or that at the top level
  std::vector<std::string> inject_headers;  // of injected_headers below
  std::string authorization;                // none, verified, minted, provider or static
  secret credential;                        // the Authorization field of static
  bool trusts_mcp_headers = false;          // a verdict about it may go by Mcp-Method and Mcp-Name alone
  milliseconds connect{0};                  // its own, or those at the top level
  milliseconds request{0};
};

// What an upstream may have beside X-User-*.
inline constexpr std::string_view injected_headers[] = {"X-Forwarded-User", "X-Forwarded-Email",
                                                        "X-Forwarded-Name", "X-Forwarded-Token"};

struct client_settings {  // a client registered in the file
  std::string client_id;
  secret client_secret;  // empty: a public client
  std::string client_name;
  std::vector<std::string> redirect_uris;
  std::vector<std::string> scopes;
};

struct policy_settings : section_settings {  // `policy:`
  scope_hierarchy hierarchy;
  bool filter_lists = true;
  std::string url;  // where the policy is fetched; "": what is written here counts
  seconds refresh{30};
  seconds max_age{120};
  secret token;                   // sent there, as Bearer unless it names another scheme
  std::string fallback = "none";  // or "local": what is written here counts while the URL is away
};

struct cors_settings {
  bool enabled = true;
  std::vector<std::string> origins;  // exact origins; "http://localhost:*" takes
                                     // any port; "*" any origin
  bool allow_credentials = false;
  std::vector<std::string> allowed_headers;  // beyond those that MCP needs
};

struct tls_settings {
  std::string cert_file;
  std::string key_file;
  bool enabled() const { return !cert_file.empty(); }
};

struct limit_settings {
  std::uint32_t head = 32 * 1024;         // bytes of a request head
  std::uint64_t body = 16 * 1024 * 1024;  // bytes of a request body to an MCP server
  std::uint32_t admission = 1024 * 1024;  // bytes of a body that may be held before the call is decided
  std::uint32_t list = 8 * 1024 * 1024;   // bytes of an answer that are held while a list in it is filtered
  std::uint32_t connections = 20'000;
  std::uint32_t logins_in_flight = 10'000;
  std::uint32_t sign_in_attempts = 5;  // wrong passwords per account before it has to wait
};

// 0 is no limit. An office behind one address has to work.
struct rate_settings {
  std::uint32_t requests_per_minute = 600;     // on the OAuth endpoints, per client address
  std::uint32_t sign_ins_per_minute = 300;     // passwords and returns from a provider, per client address
  std::uint32_t registrations_per_hour = 120;  // per client address
  std::uint32_t client_requests_per_minute = 3000;  // tokens given and revoked, per OAuth client
  std::uint32_t user_tokens_per_minute = 600;       // per person
};

struct timeout_settings {
  milliseconds header{10'000};             // a client's request head
  milliseconds body{30'000};               // between two pieces of a client's body
  milliseconds keep_alive{75'000};         // an idle client connection
  milliseconds connect{10'000};            // connect_timeout
  milliseconds request{30'000};            // request_timeout: until the first byte of the answer
  milliseconds idle{300'000};              // between two pieces of an answer that is no event stream
  milliseconds write{60'000};              // a client that does not read
  milliseconds stream_keep_alive{15'000};  // a comment is sent on an event stream after this silence
  milliseconds drain{8'000};               // after SIGTERM
};

struct registration_settings {
  bool dynamic = true;                                   // RFC 7591
  bool client_documents = true;                          // client id metadata documents
  bool client_documents_from_private_addresses = false;  // for tests and closed networks
  std::uint32_t most_unused = 10'000;                    // that nobody signed in with yet; 0: any number
  seconds unused_lifetime{24 * 3600};
  std::vector<std::string> private_use_schemes;  // allowed in redirect URIs: "cursor", "vscode", …
};

struct metrics_settings {          // who may read /metrics besides this machine
  std::vector<std::string> allow;  // CIDR
  secret token;                    // with it this machine needs it, too
};

struct log_settings {
  std::string level = "info";           // error, warn, info, debug, trace
  std::string format = "json";          // or "text"
  std::string output = "file";          // or "stdout", "stderr"
  std::string file = "logs/proxy.log";  // for the output "file"; "-" made that "stdout"
  bool access = true;
  bool requests = false;           // watch proxy:request
  bool responses = false;          // watch proxy:response
  std::vector<std::string> debug;  // patterns of topics to watch: see base/trace.h
  text_map fields;                 // on every line
  bool copy_to_stderr = false;     // of the command line, not of the file
};

// The record of decisions that is written before the answer goes out.
struct audit_settings {
  std::string file;                   // "": none is kept
  std::string decisions = "denied";   // or "all"
  std::string on_failure = "refuse";  // or "continue"
  bool enabled() const { return !file.empty(); }
  bool wants_allowed() const { return enabled() && decisions == "all"; }
};

// What is kept of failures, for the command `explain`.
struct explain_settings {
  std::uint32_t most = 1000;    // failures; 0: nothing is kept
  seconds keep{7 * 24 * 3600};  // how long
  std::uint64_t most_bytes = 8 * 1024 * 1024;
  std::string file;  // a SQLite file of its own; "": the database
  bool enabled() const { return most > 0; }
};

struct telemetry_settings {  // traces, to an OpenTelemetry collector
  std::string endpoint;      // where spans are posted to; "": no traces are made
  secret_map headers;        // of those requests
  std::string service_name = "mcp-oauth-proxy";
  std::string sample_percent = "100";            // as written; of traces that begin here
  std::uint32_t sample_per_million = 1'000'000;  // the same as a number
  bool believes_proxies = true;                  // a trusted proxy decides whether its traces are recorded
  bool enabled() const { return !endpoint.empty(); }
};

struct settings {
  std::string mode;  // "gateway", or "native": a guard before MCP servers for tokens that others issue
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::uint32_t workers = 0;       // 0: one per core
  std::string public_url;          // our origin and issuer, no trailing slash
  std::string callback_url;        // <public_url>/auth/callback
  bool danger_allow_http = false;  // http for public_url and issuers beyond this machine
  std::string database_url = "sqlite://oauth.db";
  std::uint32_t database_connections = 8;    // to PostgreSQL, at a time
  seconds database_start_timeout{30};        // how long a start waits for PostgreSQL
  secret encryption_key;                     // 32 bytes, decoded; empty: the key file beside the
                                             // database
  std::vector<std::string> trusted_proxies;  // CIDR; what they say of clients counts, from nobody else
  std::string trusted_proxy_header = "X-Forwarded-For";  // or "Forwarded"

  seconds session_timeout{600};        // a login, from authorize to callback
  seconds sign_in_lifetime{8 * 3600};  // how long a browser stays signed in here
  seconds code_lifetime{60};
  seconds access_token_lifetime{900};
  seconds refresh_token_lifetime{30 * 24 * 3600};
  seconds refresh_grace{30};
  seconds provider_refresh_margin{60};  // a provider's access token is renewed so long before it expires
  seconds signing_key_lifetime{90 * 24 * 3600};
  seconds leeway{60};

  std::vector<provider_settings> providers;  // of a gateway: never empty, a local one stands in
  std::vector<issuer_settings> issuers;      // of a guard: never empty; else empty
  bool start_retry = false;                  // of a guard: start before its issuers could be reached
  token_cache_settings token_cache;
  binding_settings binding;
  std::vector<upstream_settings> upstreams;
  std::vector<client_settings> clients;
  std::vector<std::string> scopes_supported;
  bool tools_given = false;
  std::vector<access_rule> tools;
  policy_settings access;
  std::string upstream_authorization = "none";
  bool danger_trust_mcp_headers = false;  // of every upstream that does not say so itself

  cors_settings cors;
  tls_settings tls;
  std::string upstream_ca_file;
  limit_settings limits;
  rate_settings rates;
  timeout_settings timeouts;
  registration_settings registration;
  header_settings headers;
  transform_settings transform;
  metrics_settings metrics;
  log_settings log;
  audit_settings audit;
  explain_settings explain;
  telemetry_settings telemetry;

  bool is_guard() const { return mode == "native"; }
};

}  // namespace mcp_oauth
