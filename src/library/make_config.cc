#include "library/make_config.h"

#include "base/text.h"
#include "base/url.h"
#include "library/fetch.h"
#include "library/make_policy.h"
#include "library/parts.h"
#include "oauth/resource.h"
#include "oauth/scope.h"

#include <algorithm>
#include <array>

MCP_OAUTH_BEGIN
namespace {

constexpr std::size_t least_key_bytes = 32;
constexpr std::string_view metadata_name = "/.well-known/oauth-protected-resource";

struct preset {
  std::string_view provider;
  std::string_view issuer;  // "": has to be said
};
constexpr std::array presets = {
    preset{"hmac", ""},  preset{"okta", ""}, preset{"google", "https://accounts.google.com"},
    preset{"azure", ""}, preset{"oidc", ""},
};

std::string supported_providers() {
  std::vector<std::string> names;
  for (const auto& p : presets) names.emplace_back(p.provider);
  return join(names, ", ");
}

// "server." for the first one, which has no name of its own in most programs.
std::string field_of(std::size_t index, std::string_view name) {
  if (index == 0) return std::string(name);
  return "more_servers[" + std::to_string(index - 1) + "]." + std::string(name);
}

void check_provider(options& o, problem_list& problems) {
  auto& s = o.server;
  if (o.provider.empty()) {
    if (!o.jwt_secret.empty()) {
      problems.add("provider", "provider is required",
                   "jwt_secret is for provider hmac: set provider to hmac");
    } else if (s.issuer.empty() && s.jwks_url.empty() && s.keys.empty() && s.introspection_url.empty()) {
      problems.add(
          "provider", "provider is required",
          "set issuer (OAUTH_ISSUER_URL) to the URL of your authorization server, or provider to one of " +
              supported_providers());
    } else if (s.issuer.empty()) {
      problems.add("issuer", "issuer is required", "set it to what your tokens have in iss");
    }
    return;
  }
  auto known =
      std::find_if(presets.begin(), presets.end(), [&](const auto& p) { return p.provider == o.provider; });
  if (known == presets.end()) {
    problems.add("provider",
                 "unknown provider: " + in_quotes(o.provider) + " (supported: " + supported_providers() + ")",
                 "any other one that speaks OpenID Connect is oidc");
    return;
  }
  if (s.issuer.empty()) s.issuer = known->issuer;
  bool hmac = o.provider == "hmac";
  if (hmac && o.jwt_secret.empty()) {
    problems.add(
        "jwt_secret", "JWTSecret is required for HMAC provider",
        "set jwt_secret (JWT_SECRET) to the key that signs your tokens: openssl rand -hex 32 makes one");
  }
  if (!hmac && !o.jwt_secret.empty()) {
    problems.add("jwt_secret", "jwt_secret is for provider hmac, and provider is " + in_quotes(o.provider),
                 "remove one of the two");
  }
  if (s.issuer.empty()) {
    problems.add("issuer", hmac ? "issuer is required" : "Issuer is required for OIDC provider",
                 "set issuer (OIDC_ISSUER) to what your tokens have in iss");
  }
  if (o.audiences.empty() && o.resource.empty()) {
    problems.add("audiences", "audience is required",
                 "set it (OIDC_AUDIENCE) to what your tokens have in aud");
  }
}

// Whether the text is a URL that keys and tokens may be asked of.
bool check_url(const std::string& text, const std::string& field, std::string_view what, bool allow_http,
               problem_list& problems) {
  std::string label(what);
  auto parsed = url::parse(text);
  if (!parsed || !parsed->has_authority) {
    bool bare = text.find("://") == std::string::npos;
    problems.add(field,
                 bare ? label + " must use http or https scheme, got " + in_quotes(text)
                      : "invalid " + label + " format, got " + in_quotes(text),
                 bare ? "write https://" + std::string(in_quotes(text)).substr(1, text.size())
                      : parsed.error().detail);
    return false;
  }
  if (!parsed->is_http()) {
    problems.add(field, label + " must use http or https scheme, got " + in_quotes(text), "use https");
    return false;
  }
  if (parsed->host.empty()) {
    problems.add(field, label + " must have a host, got " + in_quotes(text));
    return false;
  }
  if (parsed->has_fragment || (what == "issuer URL" && parsed->has_query)) {
    problems.add(field, label + " must have neither query nor fragment, got " + in_quotes(text),
                 "leave out what begins with ? or # (RFC 8414 section 2)");
    return false;
  }
  if (parsed->scheme == "http" && !parsed->is_loopback() && !allow_http) {
    problems.add(field, label + " must use HTTPS for non-localhost hosts, got " + in_quotes(text),
                 "use https, or danger_allow_http where nobody else is on the way");
    return false;
  }
  return true;
}

std::optional<validation_mode> mode_of(const trusted_server& s, std::size_t index, problem_list& problems) {
  bool asks = !s.introspection_url.empty() || !s.introspection_client_id.empty();
  const auto& name = s.validation_mode;
  if (name.empty() || name == "auto")
    return asks ? validation_mode::jwt_and_introspection : validation_mode::jwt;
  if (name == "jwt_only") return validation_mode::jwt;
  if (name == "introspection_only") return validation_mode::introspection;
  if (name == "jwt_and_introspect") return validation_mode::jwt_and_introspection;
  if (name == "jwt_or_opaque") return validation_mode::either;
  auto field = field_of(index, "validation_mode");
  if (name == "jwt_or_introspect") {
    problems.add(
        field,
        "validation mode jwt_or_introspect is not offered: it takes revoked tokens and those with a bad "
        "signature",
        "use jwt_and_introspect, or jwt_or_opaque");
  } else {
    problems.add(field, "unknown validation mode: " + in_quotes(name),
                 "supported: jwt_only, introspection_only, jwt_and_introspect, jwt_or_opaque");
  }
  return std::nullopt;
}

key_source keys_of(const options& o, const trusted_server& s, std::size_t index, validation_mode mode,
                   problem_list& problems) {
  if (index == 0 && o.provider == "hmac") return shared_secret{secret(o.jwt_secret)};
  if (!s.keys.empty() && !s.jwks_url.empty()) {
    problems.add(field_of(index, "keys"), "keys and jwks_url are both given", "remove one of the two");
  }
  if (!s.keys.empty()) {
    auto keys = keys_from_text(s.keys);
    if (keys) return fixed_keys{std::move(*keys)};
    problems.add(field_of(index, "keys"), "keys cannot be read: " + keys.error().detail,
                 "a JWK Set as JSON, or public keys as PEM");
    return no_keys{};
  }
  if (!s.jwks_url.empty()) {
    check_url(s.jwks_url, field_of(index, "jwks_url"), "jwks_url", o.danger_allow_http, problems);
    return keys_by_url{s.jwks_url};
  }
  if (mode == validation_mode::introspection && !s.introspection_url.empty()) return no_keys{};
  return keys_by_discovery{};
}

std::vector<algorithm> algorithms_of(const options& o, const trusted_server& s, std::size_t index,
                                     problem_list& problems) {
  std::vector<algorithm> algorithms;
  if (index == 0 && o.provider == "hmac") algorithms.push_back(algorithm::hs256);
  for (const auto& name : s.algorithms) {
    if (auto known = algorithm_from_name(name)) {
      if (std::find(algorithms.begin(), algorithms.end(), *known) == algorithms.end())
        algorithms.push_back(*known);
    } else {
      problems.add(field_of(index, "algorithms"), "unknown algorithm: " + in_quotes(name),
                   "those of RFC 7518 section 3.1 and RFC 8037: RS256, ES256, EdDSA, …");
    }
  }
  return algorithms;
}

trusted_issuer make_issuer(const options& o, const trusted_server& s, std::size_t index,
                           problem_list& problems) {
  trusted_issuer issuer;
  bool hmac = index == 0 && o.provider == "hmac";
  issuer.name = index == 0 ? "server" : "more_servers[" + std::to_string(index - 1) + "]";
  if (auto mode = mode_of(s, index, problems)) issuer.mode = *mode;
  issuer.keys = keys_of(o, s, index, issuer.mode, problems);
  if (index != 0 && s.issuer.empty()) {
    problems.add(field_of(index, "issuer"), "issuer is required", "set it to what its tokens have in iss");
  }
  // A shared key or given keys need no URL to be asked; then the issuer is a name.
  bool is_asked = std::holds_alternative<keys_by_discovery>(issuer.keys);
  if (!s.issuer.empty() && !hmac && is_asked) {
    check_url(s.issuer, field_of(index, "issuer"), "issuer URL", o.danger_allow_http, problems);
  }

  auto& rules = issuer.rules;
  rules.issuer = s.issuer;
  rules.audiences = o.audiences;
  rules.danger_any_audience = o.danger_any_audience;
  rules.danger_id_tokens = o.danger_id_tokens;
  rules.algorithms = algorithms_of(o, s, index, problems);
  rules.leeway = std::clamp(o.leeway, seconds(0), seconds(600));  // `check_numbers` has the words
  if (!s.scope_claims.empty()) rules.claims.scopes = s.scope_claims;
  for (const auto& claim : s.required_claims) {
    if (claim.name.empty()) problems.add(field_of(index, "required_claims"), "a required claim has no name");
    rules.required.push_back({claim.name, claim.any_of});
  }

  issuer.introspection_url = s.introspection_url;
  issuer.introspection_ttl = o.remember_introspection;
  issuer.introspection.client_id = s.introspection_client_id;
  issuer.introspection.client_secret = secret(s.introspection_client_secret);
  if (issuer.mode != validation_mode::jwt) {
    if (!s.introspection_url.empty()) {
      check_url(s.introspection_url, field_of(index, "introspection_url"), "introspection_url",
                o.danger_allow_http, problems);
    }
    if (s.introspection_client_id.empty() || s.introspection_client_secret.empty()) {
      problems.add(field_of(index, s.introspection_client_id.empty() ? "introspection_client_id"
                                                                     : "introspection_client_secret"),
                   "introspection client credentials are required when introspection is enabled",
                   "register this server as a client of the authorization server, and set its id and secret");
    }
  }
  return issuer;
}

void check_resource(options& o, config::parts& made, problem_list& problems) {
  if (o.resource.empty() && o.audiences.size() == 1) {
    auto as_url = url::parse(o.audiences.front());
    if (as_url && as_url->is_http() && !as_url->host.empty()) o.resource = o.audiences.front();
  }
  if (o.resource.empty()) {
    problems.add("resource", "resource URI is required",
                 "set resource (MCP_URL) to the public URL of the MCP endpoint, as clients call it");
    return;
  }
  auto parsed = url::parse(o.resource);
  if (!parsed || !parsed->has_authority || parsed->host.empty() || !parsed->is_http()) {
    problems.add(
        "resource",
        "resource URI must be an absolute URI with scheme and host (got " + in_quotes(o.resource) + ")",
        parsed ? "https://mcp.example.com/mcp is one" : parsed.error().detail);
    return;
  }
  if (parsed->has_fragment || parsed->has_query) {
    problems.add("resource",
                 "resource URI must have neither query nor fragment (got " + in_quotes(o.resource) + ")",
                 "leave out what begins with ? or # (RFC 9728 section 1.2)");
    return;
  }
  if (parsed->scheme == "http" && !parsed->is_loopback()) {
    made.warnings.push_back("resource is http: tokens cross the network in clear");
  }
  if (o.audiences.empty()) o.audiences.push_back(o.resource);

  made.resource = o.resource;
  made.origin = parsed->origin();
  made.resource_path = parsed->path;
  if (made.resource_path.ends_with('/')) made.resource_path.pop_back();
  // RFC 9728 §3.1: between host and path.
  made.metadata_url = made.origin + std::string(metadata_name) + made.resource_path;
  made.metadata_paths.push_back(std::string(metadata_name) + made.resource_path);
  if (!made.resource_path.empty()) {
    made.metadata_paths.emplace_back(metadata_name);
    made.metadata_paths.push_back(made.resource_path + std::string(metadata_name));
  }
}

void check_origins(const options& o, config::parts& made, problem_list& problems) {
  made.origins.push_back(made.origin);
  for (const auto& origin : o.allowed_origins) {
    auto parsed = url::parse(origin);
    if (parsed && parsed->is_http() && parsed->origin() == origin) {
      made.origins.push_back(origin);
    } else {
      problems.add("allowed_origins", "not an origin: " + in_quotes(origin),
                   parsed && parsed->is_http() ? "write " + parsed->origin()
                                               : "scheme, host and port alone: https://app.example.com");
    }
  }
}

void check_scopes(const std::vector<std::string>& scopes, const std::string& field, problem_list& problems) {
  for (const auto& scope : scopes) {
    if (!is_scope_token(scope)) {
      problems.add(field, "no scope: " + in_quotes(scope),
                   "one scope holds no space, quote or backslash (RFC 6749 section 3.3); several are a list");
    }
  }
}

void check_rules(const rule_table& rules, const std::string& field, problem_list& problems) {
  for (const auto& rule : rules) {
    if (rule.pattern.empty()) problems.add(field, "a rule has no name", "* stands for any");
    check_scopes(rule.needed.scopes, field + "[" + in_quotes(rule.pattern) + "]", problems);
    if (rule.needed.any && rule.needed.scopes.empty()) {
      problems.add(field + "[" + in_quotes(rule.pattern) + "]", "any_of nothing",
                   "name a scope, or give an empty list");
    }
  }
}

void check_range(const std::string& field, std::int64_t value, std::int64_t least, std::int64_t most,
                 problem_list& problems) {
  if (value >= least && value <= most) return;
  problems.add(field, std::to_string(value) + " is out of range",
               "between " + std::to_string(least) + " and " + std::to_string(most));
}

void check_numbers(const options& o, problem_list& problems) {
  check_range("leeway", o.leeway.count(), 0, 600, problems);
  check_range("remember", o.remember.count(), 0, 3600, problems);
  check_range("remember_introspection", o.remember_introspection.count(), 0, 3600, problems);
  check_range("remembered_tokens",
              static_cast<std::int64_t>(std::min<std::size_t>(o.remembered_tokens, 1 << 30)), 1, 10'000'000,
              problems);
  check_range("most_body_bytes", static_cast<std::int64_t>(std::min<std::size_t>(o.most_body_bytes, 1 << 30)),
              1024, 512 * 1024 * 1024, problems);
}

void check_bindings(const options& o, config::parts& made, problem_list& problems) {
  auto& rules = made.rules;
  if (o.dpop == "required")
    rules.dpop = dpop_use::required;
  else if (o.dpop == "accepted")
    rules.dpop = dpop_use::accepted;
  else if (o.dpop != "off")
    problems.add("dpop", "unknown: " + in_quotes(o.dpop), "off, accepted or required");
  if (o.dpop_nonces && o.dpop == "off") {
    problems.add("dpop_nonces", "dpop_nonces is set, and dpop is off", "set dpop to accepted or required");
  }
  if (!o.dpop_nonce_key.empty() && o.dpop_nonce_key.size() < least_key_bytes) {
    problems.add("dpop_nonce_key", "dpop_nonce_key has " + std::to_string(o.dpop_nonce_key.size()) + " bytes",
                 "32 or more: openssl rand -hex 32 makes one");
  }
  if (!o.dpop_nonce_key.empty() && !o.dpop_nonces) {
    problems.add("dpop_nonce_key", "dpop_nonce_key is set, and no nonces are demanded",
                 "set dpop_nonces, or remove it");
  }
  rules.dpop_nonces = o.dpop_nonces;
  rules.nonce_key = secret(o.dpop_nonce_key);
  made.wants_certificates = o.certificate_binding == "required";
  if (!made.wants_certificates && o.certificate_binding != "accepted") {
    problems.add("certificate_binding", "unknown: " + in_quotes(o.certificate_binding),
                 "accepted or required");
  }
}

void check_policy(const options& o, config::parts& made, problem_list& problems) {
  if (o.policy_url.empty()) {
    if (!o.policy_token.empty()) {
      problems.add("policy_token", "policy_token is set, and policy_url is not",
                   "set policy_url, or remove it");
    }
    return;
  }
  check_url(o.policy_url, "policy_url", "policy_url", o.danger_allow_http, problems);
  if (o.tools.given()) {
    problems.add("policy_url", "tools and policy_url are both given", "remove one of the two");
  }
  bool token_is_clean =
      std::all_of(o.policy_token.begin(), o.policy_token.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (!token_is_clean) problems.add("policy_token", "policy_token is no text of visible characters");
  check_range("policy_refresh", o.policy_refresh.count(), 1, 3600, problems);
  check_range("policy_max_age", o.policy_max_age.count(), 1, 86'400, problems);
  if (o.policy_max_age <= o.policy_refresh) {
    problems.add("policy_max_age", "policy_max_age is not longer than policy_refresh",
                 "a policy would be too old before the next one is asked for");
  }
  made.remote = policy_feed_rules{
      o.policy_url, secret(o.policy_token), {o.policy_refresh, o.policy_max_age}, rules_of(o)};
}

std::vector<std::string> every_scope(const options& o) {
  auto all = o.scopes;
  for (const auto* rules : {&o.tools, &o.methods, &o.resources, &o.prompts}) {
    for (const auto& rule : *rules) {
      for (const auto& scope : rule.needed.scopes) {
        if (!holds(all, scope)) all.push_back(scope);
      }
    }
  }
  return all;
}

std::string metadata_document(const options& o, const config::parts& made) {
  resource_description about;
  about.resource = made.resource;
  for (const auto& issuer : made.issuers) {
    auto parsed = url::parse(issuer.rules.issuer);
    if (parsed && parsed->is_http()) about.authorization_servers.push_back(issuer.rules.issuer);
  }
  about.scopes = every_scope(o);
  about.name = o.resource_name;
  if (made.rules.dpop != dpop_use::off) about.dpop_algorithms = made.rules.proofs.algorithms;
  about.dpop_required = made.rules.dpop == dpop_use::required;
  about.certificate_bound = made.wants_certificates;
  return json::serialize(protected_resource_metadata(about));
}

void warn(const options& o, config::parts& made) {
  if (o.tools.given() && o.tools.empty()) {
    made.warnings.emplace_back("tools is empty: no tool can be called");
  } else if (!o.tools.given() && o.policy_url.empty()) {
    made.warnings.emplace_back("no rules for tools: every valid token may call every tool");
  }
  if (o.danger_any_audience) {
    made.warnings.emplace_back("danger_any_audience: tokens that were issued for other servers are accepted");
  }
  if (o.danger_allow_http) {
    made.warnings.emplace_back("danger_allow_http: whoever is on the way to the issuer can forge tokens");
  }
  if (o.clock) made.warnings.emplace_back("clock is set: the time of this machine does not count");
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text.substr(0, 200))
    out += static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != '"' ? c : '?';
  return out + '"';
}

std::shared_ptr<const config::parts> make_parts(options o, problem_list& problems) {
  auto made = std::make_shared<config::parts>();
  check_provider(o, problems);
  check_resource(o, *made, problems);
  if (o.provider == "google" && o.audiences.size() == 1 && o.audiences.front() == o.resource) {
    problems.add("audiences", "audience is required",
                 "Google puts the client id into aud: NUMBER-….apps.googleusercontent.com");
  }
  for (const auto& audience : o.audiences) {
    if (audience.empty()) problems.add("audiences", "audience is required", "remove the empty one");
  }

  std::vector<const trusted_server*> servers = {&o.server};
  for (const auto& more : o.more_servers) servers.push_back(&more);
  // The core has rules of its own; those about a server that is known to be wrong would say the same once
  // more.
  for (std::size_t i = 0; i < servers.size(); ++i) {
    auto before = problems.size();
    auto issuer = make_issuer(o, *servers[i], i, problems);
    bool complete = problems.size() == before && !issuer.rules.issuer.empty() && !o.audiences.empty() &&
                    !(i == 0 && o.provider == "hmac" && o.jwt_secret.empty());
    if (complete) made->issuers.push_back(std::move(issuer));
  }
  for (const auto& wrong : check_trusted_issuers(made->issuers)) problems.add("server", wrong.detail);

  check_origins(o, *made, problems);
  check_scopes(o.scopes, "scopes", problems);
  check_rules(o.tools, "tools", problems);
  check_rules(o.methods, "methods", problems);
  check_rules(o.resources, "resources", problems);
  check_rules(o.prompts, "prompts", problems);
  check_numbers(o, problems);
  check_bindings(o, *made, problems);
  check_policy(o, *made, problems);
  if (!problems.empty()) return nullptr;

  made->rules.memory.most = o.remembered_tokens;
  made->rules.memory.ttl = o.remember;
  made->calls = make_policy(o);
  made->scopes = o.scopes;
  made->most_body_bytes = o.most_body_bytes;
  made->metadata = metadata_document(o, *made);
  warn(o, *made);
  made->fetch = o.fetch ? std::move(o.fetch) : fetch_function(&fetch_by_curl);
  made->log = std::move(o.log);
  made->clock = std::move(o.clock);
  return made;
}

MCP_OAUTH_END
