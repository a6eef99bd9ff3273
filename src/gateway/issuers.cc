#include "gateway/issuers.h"

#include "base/text.h"
#include "base/url.h"
#include "config/describe.h"
#include "jose/digest.h"
#include "oauth/resource.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace mcp_oauth {
namespace {

std::string where_is(const settings& conf, std::size_t at) {
  const auto& i = conf.issuers[at];
  if (!i.name.empty()) return "issuers." + i.name;
  return conf.issuers.size() == 1 ? "issuer " + i.stated_issuer() : "issuers[" + std::to_string(at) + "]";
}

class planner {
 public:
  planner(const settings& conf, const file_reader_fn& read_file) : conf_(conf), read_file_(read_file) {}

  tl::expected<issuer_plan, std::vector<error>> run() {
    for (const auto& u : conf_.upstreams) {
      all_resources_.push_back(u.resource);
      if (!u.require_auth) continue;
      for (auto& name : names_of_resource(u.resource)) resources_.push_back(std::move(name));
    }
    for (std::size_t i = 0; i < conf_.issuers.size(); ++i) {
      auto before = files_.size();
      plan_.issuers.push_back(issuer(i));
      plan_.issuer_fingerprints.push_back(fingerprint_of(i, std::string_view(files_).substr(before)));
    }
    rules();
    find_resources();
    auto across = check_trusted_issuers(plan_.issuers);
    if (errors_.empty()) errors_ = std::move(across);
    if (!errors_.empty()) return tl::unexpected(std::move(errors_));
    plan_.fingerprint = fingerprint();
    return std::move(plan_);
  }

 private:
  trusted_issuer issuer(std::size_t at) {
    const auto& from = conf_.issuers[at];
    trusted_issuer made;
    made.name = !from.name.empty() ? from.name : from.stated_issuer();
    made.rules = rules_of(from);
    if (from.audience.empty() && !from.danger_any_audience) {
      made.rules.audiences = resources_;
    }
    if (!from.issuer.empty()) plan_.authorization_servers.push_back(from.issuer);
    made.mode = mode_of(from);
    made.keys = keys_of(from, where_is(conf_, at));
    made.introspection_url = from.introspection_url;
    if (from.introspects()) made.introspection = client_of(from, where_is(conf_, at));
    if (from.introspection_lifetime.count() > 0)
      made.introspected.life_without_exp = from.introspection_lifetime;
    made.introspection_ttl = conf_.token_cache.introspection;
    return made;
  }

  issuer_rules rules_of(const issuer_settings& from) const {
    issuer_rules rules;
    rules.issuer = from.stated_issuer();
    rules.audiences = from.audience;
    rules.danger_any_audience = from.danger_any_audience;
    for (const auto& name : from.algorithms) {
      if (auto alg = algorithm_from_name(name)) rules.algorithms.push_back(*alg);
    }
    rules.type = from.token_type == "at+jwt" ? token_type_rule::at_jwt : token_type_rule::access_token;
    rules.danger_id_tokens = from.danger_id_tokens;
    if (!from.scope_claims.empty()) rules.claims.scopes = from.scope_claims;
    if (!from.subject_claim.empty()) rules.claims.subject = {from.subject_claim};
    if (!from.email_claim.empty()) rules.claims.email = {from.email_claim};
    if (!from.name_claim.empty()) rules.claims.name = {from.name_claim};
    rules.required = required_of(from.required_claims);
    rules.leeway = conf_.leeway;
    if (from.max_age.count() > 0) rules.max_age = from.max_age;
    return rules;
  }

  static std::vector<required_claim> required_of(const std::vector<std::string>& texts) {
    std::vector<required_claim> all;
    for (const auto& text : texts) {
      auto equals = text.find('=');
      auto name = text.substr(0, equals);
      auto same = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.name == name; });
      if (same == all.end()) same = all.insert(all.end(), required_claim{name, {}});
      if (equals != std::string::npos) same->any_of.push_back(text.substr(equals + 1));
    }
    return all;
  }

  static validation_mode mode_of(const issuer_settings& from) {
    if (from.validation == "introspection") return validation_mode::introspection;
    if (from.validation == "jwt_and_introspection") return validation_mode::jwt_and_introspection;
    if (from.validation == "either") return validation_mode::either;
    return validation_mode::jwt;
  }

  key_source keys_of(const issuer_settings& from, const std::string& here) {
    if (!from.jwt_secret.empty()) return shared_secret{from.jwt_secret};
    if (!from.keys_file.empty()) {
      auto text = file(from.keys_file, here + ": keys_file ");
      auto keys = text ? keys_from_text(*text) : tl::unexpected<error>(text.error());
      if (keys) return fixed_keys{std::move(*keys)};
      if (text)
        errors_.push_back(
            {keys.error().code, here + ": keys_file " + from.keys_file + ": " + keys.error().detail});
      return no_keys{};
    }
    if (!from.jwks_url.empty()) return keys_by_url{from.jwks_url};
    bool only_asks = from.validation == "introspection" && !from.introspection_url.empty();
    if (only_asks) return no_keys{};
    if (from.token_issuer.empty() || from.token_issuer == from.issuer) return keys_by_discovery{};
    auto base = from.issuer;
    if (base.ends_with('/')) base.pop_back();
    return keys_by_discovery{base + "/.well-known/openid-configuration"};
  }

  introspection_client client_of(const issuer_settings& from, const std::string& here) {
    introspection_client client;
    client.client_id = from.introspection_client_id;
    client.client_secret = from.introspection_client_secret;
    if (from.introspection_auth_method == "client_secret_post")
      client.method = endpoint_authentication::client_secret_post;
    if (from.introspection_key_file.empty()) return client;
    client.method = endpoint_authentication::private_key_jwt;
    auto text = file(from.introspection_key_file, here + ": introspection_key_file ");
    if (!text) return client;
    auto key = signing_key::from_pem(secret(std::move(*text)));
    if (key) {
      client.key = std::move(*key);
    } else {
      errors_.push_back({key.error().code, here + ": introspection_key_file " + from.introspection_key_file +
                                               ": " + key.error().detail});
    }
    return client;
  }

  result<std::string> file(const std::string& path, const std::string& what) {
    auto text = read_file_(path);
    if (!text) errors_.push_back({errc::file_unreadable, what + path + ": " + text.error().detail});
    if (text) files_ += "\n" + *text;
    return text;
  }

  void rules() {
    const auto& binding = conf_.binding;
    auto& rules = plan_.rules;
    rules.dpop = binding.dpop == "off"       ? dpop_use::off
                 : binding.dpop == "require" ? dpop_use::required
                                             : dpop_use::accepted;
    rules.dpop_nonces = binding.dpop_nonces;
    // Replicas that share an encryption_key take each other's nonces.
    if (!conf_.encryption_key.empty())
      rules.nonce_key = secret(hkdf_sha256(conf_.encryption_key.reveal(), "", "dpop nonces", 32));
    rules.memory = {conf_.token_cache.entries, conf_.token_cache.lifetime, conf_.token_cache.refusals};
  }

  void find_resources() {
    for (const auto& resource : all_resources_) {
      auto names = names_of_resource(resource);
      auto is_named = [&](const std::string& audience) {
        auto wanted = canonical_resource(audience);
        return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          auto own = canonical_resource(name);
          return audience == name || (wanted && own && *wanted == *own);
        });
      };
      for (const auto& issuer : plan_.issuers) {
        for (const auto& audience : issuer.rules.audiences)
          if (is_named(audience)) plan_.resources[audience].insert(resource);
      }
    }
  }

  // Digests, as secrets are in it.
  std::string fingerprint_of(std::size_t at, std::string_view files) const {
    const auto& from = conf_.issuers[at];
    settings part;
    part.mode = conf_.mode;
    part.issuers = {from};
    part.token_cache = conf_.token_cache;
    part.leeway = conf_.leeway;
    auto text = to_yaml(part) + secrets_of(from) + std::string(files);
    if (from.audience.empty()) text += join(resources_, "\n");
    return digest_of(text);
  }
  static std::string secrets_of(const issuer_settings& of) {
    return "\n" + std::string(of.jwt_secret.reveal()) + "\n" +
           std::string(of.introspection_client_secret.reveal());
  }
  static std::string digest_of(const std::string& text) {
    auto digest = sha256(text);
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }

  std::string fingerprint() const {
    settings part;
    part.mode = conf_.mode;
    part.issuers = conf_.issuers;
    part.binding = conf_.binding;
    part.token_cache = conf_.token_cache;
    part.leeway = conf_.leeway;
    auto text = to_yaml(part) + join(resources_, "\n") + "\n\n" + join(all_resources_, "\n") + files_;
    for (const auto& i : conf_.issuers) text += secrets_of(i);
    return digest_of(text);
  }

  const settings& conf_;
  const file_reader_fn& read_file_;
  std::vector<std::string> resources_;      // under all their names, of servers that want tokens
  std::vector<std::string> all_resources_;  // as configured
  issuer_plan plan_;
  std::vector<error> errors_;
  std::string files_;
};

}  // namespace

std::vector<std::string> names_of_resource(const std::string& resource) {
  std::vector<std::string> names{resource};
  auto at = url::parse(resource);
  if (!at || !at->is_http() || !at->is_loopback()) return names;
  auto origin = at->origin();
  for (std::string host : {"localhost", "127.0.0.1", "[::1]"}) {
    auto other = at->scheme + "://" + host + (at->port == 0 ? "" : ":" + std::to_string(at->port));
    if (other != origin && resource.starts_with(origin))
      names.push_back(other + resource.substr(origin.size()));
  }
  return names;
}

std::vector<std::string> audiences_for(const issuer_rules& issuer, const resource_audiences& resources,
                                       const std::string& resource) {
  auto counts = [&](const std::string& audience) {
    auto of = resources.find(audience);
    return of == resources.end() || of->second.contains(resource);
  };
  std::vector<std::string> all;
  std::copy_if(issuer.audiences.begin(), issuer.audiences.end(), std::back_inserter(all), counts);
  return all;
}

result<void> check_for_resource(const verified_token& token, const issuer_rules& issuer,
                                const resource_audiences& resources, const std::string& resource) {
  if (issuer.danger_any_audience) return {};
  for (const auto& audience : issuer.audiences) {
    if (!token.is_for(audience)) continue;
    auto of = resources.find(audience);
    if (of == resources.end() || of->second.contains(resource)) return {};
  }
  std::string seen;
  if (const auto& details = token.details()) seen = join(details->audiences, " ");
  auto wanted = audiences_for(issuer, resources, resource);
  return fail(errc::token_audience_mismatch,
              "aud " + seen + ", which is for another MCP server here; expected for " + resource + " is " +
                  (wanted.empty() ? "none of the configured audiences" : join(wanted, " or ")));
}

tl::expected<issuer_plan, std::vector<error>> plan_issuers(const settings& conf,
                                                           const file_reader_fn& read_file) {
  return planner(conf, read_file).run();
}

}  // namespace mcp_oauth
