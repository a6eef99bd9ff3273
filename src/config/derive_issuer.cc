#include "config/derive_issuer.h"

#include "base/text.h"
#include "base/url.h"
#include "config/config_error.h"
#include "provider/known_providers.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace mcp_oauth {
namespace {

// RFC 7518 §3.2: as long as the hash, of which the shortest has 32 bytes.
constexpr std::size_t shortest_secret = 32;

bool is_hmac(std::string_view name) { return name.starts_with("HS"); }

class issuer_derivation {
 public:
  issuer_derivation(config_reading& reading, const refuse_function& refuse, std::size_t at)
      : reading_(reading),
        refuse_(refuse),
        i_(reading.draft.issuers[at]),
        here_("issuers[" + std::to_string(at) + "]"),
        at_the_top_(reading.draft.one_issuer) {}

  void run() {
    identity();
    keys();
    validation();
    audience();
    introspection();
  }

 private:
  std::string path(const std::string& key) const { return here_ + "." + key; }
  bool has(const std::string& key) const { return reading_.has(path(key)); }
  bool is_usable(const std::string& key) const { return reading_.is_usable(path(key)); }

  // As it is named where it stands, or would stand.
  std::string named(const std::string& key) const {
    auto found = reading_.given.find(path(key));
    if (found != reading_.given.end()) return found->second.key;
    return at_the_top_ ? key : path(key);
  }
  void refuse(const std::string& key, config_flaw flaw) {
    refuse_(at_the_top_ && !has(key) ? key : path(key), std::move(flaw));
    reading_.failed.insert(path(key));
  }
  void refuse_both(const std::string& key, const std::string& other, const std::string& why) {
    refuse(key,
           {"is given together with " + named(other) + (why.empty() ? "" : ": " + why), "keep one of them"});
  }

  bool needs_nobody() const { return !i_.jwt_secret.empty() || !i_.keys_file.empty(); }

  void identity() {
    if (!is_usable("issuer") || !is_usable("token_issuer") || !is_usable("jwt_secret")) return;
    const auto& provider = reading_.draft.provider;
    const auto* known = at_the_top_ ? find_known_provider(provider) : nullptr;
    if (i_.issuer.empty() && known != nullptr && known->issuer.find('{') == std::string_view::npos)
      i_.issuer = known->issuer;
    if (at_the_top_ && provider == "hmac" && i_.jwt_secret.empty()) {
      refuse("jwt_secret",
             {"invalid config: JWTSecret is required for HMAC provider",
              "set jwt_secret, in the environment JWT_SECRET, to what the tokens are signed with; make "
              "one: openssl rand -base64 32"});
      return;
    }
    if (!i_.issuer.empty()) return https_only("issuer", i_.issuer, "Issuer URL must be HTTPS");
    if (!i_.token_issuer.empty() && (needs_nobody() || !i_.jwks_url.empty())) return;
    if (known != nullptr || (at_the_top_ && !needs_nobody())) {
      std::string example(known == nullptr ? "" : known->issuer_example);
      return refuse("issuer", {"invalid config: Issuer is required for OIDC provider",
                               "set issuer, in the environment OAUTH_ISSUER_URL or OIDC_ISSUER" +
                                   (example.empty() ? "" : ": " + example)});
    }
    refuse("issuer", {"is missing: it is what tokens have in iss",
                      "add issuer: https://idp.example.com, or token_issuer for one that is no URL"});
  }

  void https_only(const std::string& key, const std::string& value, const std::string& rule) {
    auto parsed = url::parse(value);
    if (!parsed || parsed->scheme != "http" || parsed->is_loopback() || reading_.draft.danger_allow_http)
      return;
    refuse(key, {rule, "begin with https://, or set danger_allow_http: true in a network you trust"});
  }

  void keys() {
    if (!i_.jwt_secret.empty() && is_usable("jwt_secret")) {
      for (std::string other : {"jwks_url", "keys_file"}) {
        if (has(other))
          refuse_both("jwt_secret", other, "what is public for one would be the secret of the other");
      }
      if (i_.jwt_secret.reveal().size() < shortest_secret) {
        refuse("jwt_secret", {"must have at least 32 bytes (RFC 7518 section 3.2), and has " +
                                  std::to_string(i_.jwt_secret.reveal().size()),
                              "make one: openssl rand -base64 32"});
      }
    }
    if (has("keys_file") && has("jwks_url")) refuse_both("keys_file", "jwks_url", "");
    if (!i_.jwks_url.empty()) https_only("jwks_url", i_.jwks_url, "must use https");
    if (!is_usable("algorithms")) return;
    if (!i_.jwt_secret.empty() && i_.algorithms.empty()) i_.algorithms = hmac_algorithms();
    auto possible = hmac_algorithms();
    for (const auto& name : i_.algorithms) {
      if (is_hmac(name) && !i_.jwt_secret.empty() && !holds(possible, name))
        return refuse("algorithms",
                      {"has " + name + ", and jwt_secret is shorter than its hash (RFC 7518 section 3.2)",
                       "make a longer one: openssl rand -base64 64"});
      if (is_hmac(name) == !i_.jwt_secret.empty()) continue;
      return refuse("algorithms",
                    {i_.jwt_secret.empty() ? "has " + name + ", which needs jwt_secret"
                                           : "has " + name + ", which is not of a shared secret",
                     "remove it"});
    }
  }

  // Those whose hash the secret is as long as (RFC 7518 §3.2).
  std::vector<std::string> hmac_algorithms() const {
    auto size = i_.jwt_secret.reveal().size();
    std::vector<std::string> names{"HS256"};
    if (size >= 48) names.emplace_back("HS384");
    if (size >= 64) names.emplace_back("HS512");
    return names;
  }

  void validation() {
    if (!is_usable("validation")) return;
    i_.validation = validation_named(i_.validation);
    if (i_.validation == "auto") i_.validation.clear();
    if (!i_.validation.empty()) return;
    if (!has("introspection_url") && !has("introspection_client_id")) {
      i_.validation = "jwt";
    } else {
      bool signature_too = has("jwks_url") || needs_nobody();
      i_.validation = signature_too ? "jwt_and_introspection" : "either";
    }
  }

  void audience() {
    if (!is_usable("audience") || !is_usable("danger_any_audience")) return;
    if (i_.danger_any_audience && !i_.audience.empty())
      return refuse_both("danger_any_audience", "audience", "it would not be looked at");
    if (!i_.danger_any_audience) return;
    reading_.warnings.push_back(named("danger_any_audience") + " is true: a token that " +
                                i_.stated_issuer() + " gave for any other API opens these tools, too");
  }

  void introspection() {
    if (!i_.introspects()) {
      for (std::string key : {"introspection_url", "introspection_client_id", "introspection_client_secret",
                              "introspection_key_file", "introspection_auth_method"}) {
        if (has(key))
          refuse(key, {"is not used with validation: jwt", "remove it, or write validation: either"});
      }
      return;
    }
    if (!i_.introspection_url.empty())
      https_only("introspection_url", i_.introspection_url, "must use https");
    bool nowhere = i_.introspection_url.empty() && i_.issuer.empty();
    if (nowhere && is_usable("introspection_url") && is_usable("issuer")) {
      refuse("introspection_url", {"is needed: without issuer nothing else says where to ask", ""});
    }
    bool secret_given = !i_.introspection_client_secret.empty(),
         key_given = !i_.introspection_key_file.empty();
    if (secret_given && key_given) refuse_both("introspection_key_file", "introspection_client_secret", "");
    if (key_given && has("introspection_auth_method"))
      refuse("introspection_auth_method", {"has no meaning with introspection_key_file", "remove it"});
    bool without_id = i_.introspection_client_id.empty() && is_usable("introspection_client_id");
    bool without_secret = !secret_given && !key_given && is_usable("introspection_client_secret");
    if (!without_id && !without_secret) return;
    refuse(without_id ? "introspection_client_id" : "introspection_client_secret",
           {"is missing: introspection client credentials are required when introspection is enabled",
            without_id ? "add the id of this server's client at the issuer"
                       : "add the secret of that client, or introspection_key_file"});
  }

  config_reading& reading_;
  const refuse_function& refuse_;
  issuer_settings& i_;
  const std::string here_;
  const bool at_the_top_;
};

// A variable may be there for another program.
void warn_of_a_gateways_settings(config_reading& reading) {
  constexpr std::string_view unused[] = {"database_url",           "database_connections",
                                         "database_start_timeout", "session_timeout",
                                         "sign_in_lifetime",       "code_lifetime",
                                         "access_token_lifetime",  "refresh_token_lifetime",
                                         "refresh_grace_seconds",  "provider_refresh_margin",
                                         "signing_key_lifetime",   "limits.logins_in_flight",
                                         "limits.sign_in_attempts"};
  std::vector<std::string> named;
  for (const auto& [path, origin] : reading.given) {
    bool is_one = path.starts_with("registration.") || path.starts_with("rate_limits.") ||
                  std::find(std::begin(unused), std::end(unused), path) != std::end(unused);
    if (is_one && origin.file != "environment") named.push_back(origin.key);
  }
  if (named.empty()) return;
  reading.warnings.push_back(
      "not used, as mode: native has no sign-in, no tokens and no database of its own: " + join(named, ", "));
}

}  // namespace

void derive_issuers(config_reading& reading, const refuse_function& refuse) {
  auto& draft = reading.draft;
  if (draft.issuers.empty() && !draft.provider.empty()) {
    draft.issuers.emplace_back();
    draft.one_issuer = true;
  }
  if (draft.issuers.empty()) {
    return refuse("issuer",
                  {"invalid config: provider is required: nobody is named whose tokens are accepted",
                   "add issuer: https://idp.example.com, in the environment OAUTH_ISSUER_URL; or "
                   "provider: hmac with jwt_secret"});
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < draft.issuers.size(); ++i) {
    issuer_derivation(reading, refuse, i).run();
    const auto& stated = draft.issuers[i].stated_issuer();
    if (!stated.empty() && !seen.insert(stated).second)
      refuse("issuers[" + std::to_string(i) + "].issuer", {"is given twice: a token could be of either"});
  }
}

void refuse_keys_of_a_gateway(config_reading& reading, const refuse_function& refuse) {
  if (!reading.draft.providers.empty()) {
    refuse("providers." + reading.draft.providers.front().name,
           {"has no meaning for a guard: nobody signs in here", "remove it, or write mode: gateway"});
  }
  if (reading.has("clients"))
    refuse("clients", {"has no meaning for a guard: clients register at the issuer", "remove it"});
  const auto& draft = reading.draft;
  // Others cannot hand on what a client showed to them.
  const auto& certificate = draft.binding.certificate;
  if (certificate == "require" && !draft.tls.enabled()) {
    refuse("certificate_binding",
           {"is require, and only a gateway that speaks TLS itself sees what clients show: "
            "every call would be refused",
            "add tls.cert_file and tls.key_file"});
  } else if (certificate == "accept" && !draft.tls.enabled()) {
    reading.warnings.emplace_back(
        "certificate_binding: accept has no effect without tls: nobody can show a certificate here");
  }
  warn_of_a_gateways_settings(reading);
  auto without_meaning = [&](const std::string& path, const std::string& kind) {
    if (kind != "minted" && kind != "provider") return;
    refuse(path, {"must be none, verified or static for a guard, which issues no tokens and keeps none",
                  "verified hands on the token that was checked"});
  };
  without_meaning("upstream_authorization", draft.upstream_authorization);
  for (std::size_t i = 0; i < draft.upstreams.size(); ++i)
    without_meaning("upstreams[" + std::to_string(i) + "].upstream_authorization",
                    draft.upstreams[i].authorization);
}

}  // namespace mcp_oauth
