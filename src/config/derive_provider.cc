#include "config/derive_provider.h"

#include "base/text.h"
#include "base/url.h"
#include "config/provider_kind.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

bool holds(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

class provider_derivation {
 public:
  provider_derivation(provider_settings& p, config_reading& reading, const refuse_function& refuse)
      : p_(p), reading_(reading), refuse_(refuse), here_("providers." + p.name) {}

  void run() {
    if (!is_usable("type")) return;
    settle_type();
    if (p_.type.empty()) {
      std::vector<std::string> types;
      for (const auto& row : known_providers()) {
        if (!row.title.empty()) types.emplace_back(row.type);
      }
      auto meant = nearest_name(p_.name, types);
      return refuse_(here_, {"has no type", (meant.empty() ? "" : "did you mean " + meant + "? if not, ") +
                                                std::string("add type: oidc and issuer, or type: local")});
    }
    if (p_.type == "local") return local_users();
    if (p_.type == "hmac") return tokens_of_tests();
    if (has("secret")) refuse("secret", {"is of type hmac alone", "write client_secret"});
    const auto& kind = kind_of(p_);
    issuer(kind);
    endpoints(kind);
    client(kind);
    scopes(kind);
    prompt(kind);
    people(kind);
    own_callback();
  }

 private:
  bool has(const std::string& key) const { return reading_.has(here_ + "." + key); }
  bool is_usable(const std::string& key) const { return reading_.is_usable(here_ + "." + key); }
  void refuse(const std::string& key, config_flaw flaw) { refuse_(here_ + "." + key, std::move(flaw)); }
  void warn(const std::string& key, const std::string& words) {
    reading_.warnings.push_back(here_ + "." + key + " " + words);
  }

  // The name may stand for the type; endpoints without an issuer are plain OAuth 2.0.
  void settle_type() {
    const auto* named = find_known_provider(p_.name);
    bool only_name = p_.type.empty() && (named != nullptr || p_.name == "local");
    bool oidc_of_that_name =
        p_.type == "oidc" && !has("issuer") && named != nullptr && named->speaks == sign_in_protocol::openid;
    if (only_name || oidc_of_that_name) p_.type = p_.name;
    if (p_.type.empty() && has("issuer")) p_.type = "oidc";
    if (p_.type.empty() && has("authorization_endpoint") && has("token_endpoint")) p_.type = "oauth2";
    if (const auto* known = find_known_provider(p_.type)) p_.type = known->type;
  }

  void local_users() {
    for (std::string name : {"issuer", "client_id", "client_secret", "scopes", "prompt", "tenant_id",
                             "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "callback_url",
                             "audience", "allowed_groups", "allowed_organizations"}) {
      if (has(name)) {
        refuse(name, {"has no meaning for local users", "remove the line, or use type: oidc"});
      }
    }
    p_.scopes.clear();
  }

  // Nobody signs in there: tests make tokens by themselves.
  void tokens_of_tests() {
    for (std::string name : {"tenant_id",
                             "client_id",
                             "client_secret",
                             "authorization_endpoint",
                             "token_endpoint",
                             "userinfo_endpoint",
                             "token_endpoint_auth_method",
                             "callback_url",
                             "scopes",
                             "audience",
                             "prompt",
                             "subject_field",
                             "email_field",
                             "email_verified_field",
                             "name_field",
                             "groups_claim",
                             "allowed_users",
                             "allowed_domains",
                             "allowed_groups",
                             "allowed_organizations",
                             "client_type",
                             "refresh_strategy"}) {
      if (has(name)) refuse(name, {"has no meaning for type hmac: nobody signs in there", "remove the line"});
    }
    if (p_.shared_secret.empty() && is_usable("secret"))
      refuse("secret", {"is missing", "make one: openssl rand -base64 32"});
    warn("type", "is hmac, which is for tests: whoever has the secret can make tokens for anybody");
  }

  void issuer(const known_provider& kind) {
    if (!is_usable("issuer") || !is_usable("tenant_id")) return;
    if (has("tenant_id") && kind.issuer.find("{tenant_id}") == std::string_view::npos) {
      refuse("tenant_id", {"has no meaning for type " + p_.type, "give issuer instead"});
    }
    bool other_server =
        kind.speaks == sign_in_protocol::oauth2 && (has("authorization_endpoint") || has("token_endpoint"));
    if (p_.issuer.empty() && !other_server && !known_issuer(kind)) return;
    if (p_.issuer.empty() && kind.speaks == sign_in_protocol::openid) {
      return refuse("issuer", {"is missing", "add issuer: " + std::string(kind.issuer_example)});
    }
    https_only("issuer", p_.issuer, "must use https (OpenID Connect Discovery 1.0, section 3)");
    auto part = kind.issuer_part;
    bool fits = part.starts_with('$') ? p_.issuer.ends_with(part.substr(1))
                                      : p_.issuer.find(part) != std::string::npos;
    if (!fits) {
      warn("issuer", "does not look like one of " + std::string(kind.title) + ": expected " +
                         std::string(kind.issuer_example));
    }
  }

  // False, and an error, where the fixed issuer has a gap.
  bool known_issuer(const known_provider& kind) {
    p_.issuer = kind.issuer;
    constexpr std::string_view gap = "{tenant_id}";
    auto at = p_.issuer.find(gap);
    if (at == std::string::npos) return true;
    if (p_.tenant_id.empty()) {
      refuse("tenant_id", {"is missing", "add tenant_id, the directory's id, or common for every directory"});
      reading_.failed.insert(here_ + ".issuer");
      p_.issuer.clear();
      return false;
    }
    p_.issuer.replace(at, gap.size(), p_.tenant_id);
    return true;
  }

  void endpoints(const known_provider& kind) {
    using row = std::pair<const char*, std::string*>;
    auto resolved = fixed_metadata(p_);
    for (auto [name, value] : {row{"authorization_endpoint", &resolved.authorization_endpoint},
                               row{"token_endpoint", &resolved.token_endpoint},
                               row{"userinfo_endpoint", &resolved.userinfo_endpoint}}) {
      if (!is_usable(name)) continue;
      bool needed = kind.speaks == sign_in_protocol::oauth2;
      if (needed && value->empty()) {
        refuse(name, {"is missing: without OpenID Connect nothing else says it",
                      "add it from the provider's documentation, or use type: oidc"});
      }
      if (has(name)) https_only(name, *value, "must use https (RFC 6749, section 3.1)");
    }
    if (kind.speaks == sign_in_protocol::openid && has("subject_field")) {
      refuse("subject_field",
             {"has no meaning with OpenID Connect: sub names the person", "remove the line"});
    }
  }

  void https_only(const std::string& key, const std::string& value, const std::string& rule) {
    auto parsed = url::parse(value);
    if (parsed && parsed->scheme == "http" && !parsed->is_loopback() && !reading_.draft.danger_allow_http) {
      refuse(key, {rule, "begin with https://"});
    }
  }

  void client(const known_provider& kind) {
    if (p_.client_id.empty() && is_usable("client_id")) {
      refuse("client_id", {"is missing", "add the client id that the provider gave you"});
    }
    if (p_.client_id.empty()) return;
    if (!fits(kind.client_id, p_.client_id)) {
      bool google = kind.client_id == client_id_shape::google;
      warn("client_id", google ? "does not look like one of Google: they end in .apps.googleusercontent.com"
                               : "does not look like one of Microsoft: they are GUIDs, Application (client) "
                                 "ID in the app registration");
    }
    if (!is_usable("client_secret") || !is_usable("client_type")) return;
    if (p_.client_type == "confidential" && p_.client_secret.empty()) {
      refuse("client_type", {"is confidential, and there is no client_secret", "add client_secret"});
    }
    if (p_.client_type == "public" && !p_.client_secret.empty()) {
      refuse("client_type", {"is public, and there is a client_secret", "remove one of them"});
    }
  }

  void scopes(const known_provider& kind) {
    if (!is_usable("scopes")) return;
    if (p_.scopes.empty()) p_.scopes = split_words(kind.scopes);
    if (!p_.allowed_organizations.empty() && !kind.organization_scope.empty() &&
        !holds(p_.scopes, kind.organization_scope) && !has("scopes")) {
      p_.scopes.emplace_back(kind.organization_scope);
    }
    if (kind.speaks == sign_in_protocol::openid && !holds(p_.scopes, "openid")) {
      refuse("scopes", {"must contain openid, or there is no id token", "add openid"});
    }
  }

  void prompt(const known_provider& kind) {
    if (!is_usable("prompt")) return;
    auto known = split_words(kind.prompts);
    for (const auto& word : split_words(p_.prompt)) {
      if (holds(known, word)) continue;
      refuse("prompt", {std::string(kind.title) + " does not know " + word, "use " + join(known, " or ")});
    }
  }

  void people(const known_provider& kind) {
    if (!p_.allowed_organizations.empty() && kind.organization_path.empty()) {
      refuse(
          "allowed_organizations",
          {"needs a provider that can be asked for memberships, and only github can", "use allowed_groups"});
    }
    if (!p_.allowed_groups.empty() && claim_names_of(p_).groups.empty()) {
      refuse("allowed_groups",
             {std::string(kind.title) + " names no groups",
              kind.organization_path.empty() ? "use allowed_domains" : "use allowed_organizations"});
    }
  }

  void own_callback() {
    if (!has("callback_url") || !is_usable("callback_url")) return;
    auto expected = std::string(provider_callback_path) + p_.name;
    auto parts = url::parse(p_.callback_url);
    const auto& public_url = reading_.draft.public_url;
    if (parts && parts->path == expected && (public_url.empty() || parts->origin() == public_url)) return;
    refuse("callback_url",
           {"must be public_url with the path " + expected, "write " + public_url + expected});
  }

  provider_settings& p_;
  config_reading& reading_;
  const refuse_function& refuse_;
  const std::string here_;
};

}  // namespace

void derive_provider(provider_settings& p, config_reading& reading, const refuse_function& refuse) {
  provider_derivation(p, reading, refuse).run();
}

}  // namespace mcp_oauth
