#include "guard/trusted_issuer.h"

#include "base/text.h"
#include "base/url.h"
#include "oauth/endpoint_url.h"

#include <algorithm>
#include <map>

namespace mcp_oauth {
namespace {

bool is_hmac(algorithm alg) {
  return alg == algorithm::hs256 || alg == algorithm::hs384 || alg == algorithm::hs512;
}

// For what an operator configures, inside is as good as outside.
bool is_configurable_url(const std::string& text) {
  auto parsed = url::parse(text);
  return parsed && parsed->is_http() && !parsed->has_fragment;
}

class complaints {
 public:
  explicit complaints(const trusted_issuer& about) : name_(about.name) {}
  void add(const std::string& why) {
    found_.push_back({errc::config_invalid, "issuer '" + name_ + "': " + why});
  }
  std::vector<error> take() { return std::move(found_); }

 private:
  std::string name_;
  std::vector<error> found_;
};

void check_keys(const trusted_issuer& issuer, complaints& found) {
  const auto& algorithms = issuer.rules.algorithms;
  bool hmac = !algorithms.empty() && std::all_of(algorithms.begin(), algorithms.end(), is_hmac);
  if (const auto* shared = std::get_if<shared_secret>(&issuer.keys)) {
    if (!hmac) found.add("a shared secret needs algorithms to be HS256, HS384 or HS512");
    for (auto alg : algorithms) {
      if (is_hmac(alg) && !public_key::hmac(shared->key, alg)) {
        found.add("the shared secret is shorter than the hash of " + std::string(to_name(alg)) +
                  " (RFC 7518 section 3.2): 32 bytes for HS256, 48 for HS384, 64 for HS512");
      }
    }
    auto text = shared->key.reveal();
    if (trim(text) != text || text.ends_with('\n') || text.ends_with('\r')) {
      found.add("the shared secret begins or ends with a blank or a line break, as a file read whole does");
    }
    return;
  }
  if (hmac) found.add("HMAC algorithms need the shared secret, and no public keys");
  if (const auto* fixed = std::get_if<fixed_keys>(&issuer.keys)) {
    if (fixed->keys.size() == 0) found.add("no key that can be used is configured");
  } else if (const auto* by_url = std::get_if<keys_by_url>(&issuer.keys)) {
    if (!is_configurable_url(by_url->jwks_url))
      found.add("jwks_url '" + by_url->jwks_url + "' is no http(s) URL");
  } else if (const auto* discovery = std::get_if<keys_by_discovery>(&issuer.keys)) {
    if (!discovery->url.empty() && !is_configurable_url(discovery->url)) {
      found.add("the URL of the metadata '" + discovery->url + "' is no http(s) URL");
    } else if (discovery->url.empty() && issuer.rules.issuer.find('{') != std::string::npos) {
      found.add(
          "an issuer with {tenantid} needs the URL of its metadata, as "
          "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration");
    } else if (discovery->url.empty() && !is_configurable_url(issuer.rules.issuer)) {
      found.add("'" + issuer.rules.issuer +
                "' is no http(s) URL, so that its metadata has no place: name its jwks_url");
    }
  }
}

void check_introspection(const trusted_issuer& issuer, complaints& found) {
  bool discovered = std::holds_alternative<keys_by_discovery>(issuer.keys);
  if (std::holds_alternative<no_keys>(issuer.keys) && issuer.mode != validation_mode::introspection) {
    found.add("no keys, which only introspection can do without");
  }
  if (issuer.mode == validation_mode::jwt) return;
  if (issuer.introspection_url.empty() ? !discovered : !is_configurable_url(issuer.introspection_url)) {
    found.add("introspection needs introspection_url, as an http(s) URL");
  }
  const auto& client = issuer.introspection;
  if (client.client_id.empty()) found.add("introspection needs introspection_client_id");
  if (client.method == endpoint_authentication::private_key_jwt ? !client.key
                                                                : client.client_secret.empty()) {
    found.add(client.method == endpoint_authentication::private_key_jwt
                  ? "introspection with private_key_jwt needs a private key"
                  : "introspection needs introspection_client_secret");
  }
}

}  // namespace

result<key_set> keys_from_text(std::string_view text) {
  if (text.find("-----BEGIN ") != std::string_view::npos) return key_set::from_pem(text);
  auto keys = key_set::parse(text);
  if (keys && keys->size() == 0) return fail(errc::key_malformed, "a JWK Set without a key that can be used");
  return keys;
}

std::vector<error> check_trusted_issuers(std::span<const trusted_issuer> issuers) {
  std::vector<error> all;
  std::map<std::string, int> names, stated;
  int takes_opaque = 0;
  for (const auto& issuer : issuers) {
    complaints found(issuer);
    if (auto rules = check_issuer_rules(issuer.rules); !rules) found.add(rules.error().detail);
    if (issuer.rules.audiences.empty() && !issuer.rules.danger_any_audience) {
      found.add("no audience: every token would be refused");
    }
    check_keys(issuer, found);
    check_introspection(issuer, found);
    if (++names[issuer.name] == 2) found.add("the name stands twice");
    if (++stated[issuer.rules.issuer] == 2) found.add("'" + issuer.rules.issuer + "' stands twice");
    bool opaque = issuer.mode == validation_mode::introspection || issuer.mode == validation_mode::either;
    if (opaque && ++takes_opaque == 2) {
      found.add("a second issuer that opaque tokens may be of: each would see the tokens of the other");
    }
    for (auto& one : found.take()) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace mcp_oauth
