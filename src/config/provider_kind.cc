#include "config/provider_kind.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

std::string either(const std::string& given, std::string_view otherwise) {
  return given.empty() ? std::string(otherwise) : given;
}

}  // namespace

const known_provider& kind_of(const provider_settings& p) {
  const auto* known = find_known_provider(p.type);
  return known != nullptr ? *known : *find_known_provider("oidc");
}

std::string title_of(const provider_settings& p) {
  auto title = kind_of(p).title;
  if (title.empty()) return p.name;
  if (p.name == p.type || find_known_provider(p.name) == &kind_of(p)) return std::string(title);
  return std::string(title) + " (" + p.name + ")";
}

claim_names claim_names_of(const provider_settings& p) {
  const auto& kind = kind_of(p);
  return {either(p.email_field, kind.email_field), either(p.email_verified_field, kind.email_verified_field),
          either(p.name_field, kind.name_field), std::string(kind.login_field),
          either(p.groups_claim, kind.groups_claim)};
}

std::string subject_field_of(const provider_settings& p) {
  return either(p.subject_field, kind_of(p).subject_field);
}

provider_metadata fixed_metadata(const provider_settings& p) {
  const auto& kind = kind_of(p);
  provider_metadata metadata;
  metadata.speaks = kind.speaks;
  metadata.issuer = p.issuer;
  metadata.authorization_endpoint = kind.authorization_endpoint;
  metadata.token_endpoint = kind.token_endpoint;
  metadata.userinfo_endpoint = kind.userinfo_endpoint;
  metadata.token_endpoint_auth_methods = {either("", kind.token_endpoint_auth_method)};
  override_endpoints(metadata, p);
  return metadata;
}

void override_endpoints(provider_metadata& metadata, const provider_settings& p) {
  if (!p.authorization_endpoint.empty()) metadata.authorization_endpoint = p.authorization_endpoint;
  if (!p.token_endpoint.empty()) metadata.token_endpoint = p.token_endpoint;
  if (!p.userinfo_endpoint.empty()) metadata.userinfo_endpoint = p.userinfo_endpoint;
  if (!p.token_endpoint_auth_method.empty()) {
    metadata.token_endpoint_auth_methods = {p.token_endpoint_auth_method};
  }
}

allowed_people allowed_at(const provider_settings& p) {
  return {p.allowed_users, p.allowed_domains, p.allowed_groups, p.allowed_organizations};
}

token_plan token_plan_of(const settings& conf, const provider_settings& p) {
  if (p.type == "local" || p.type == "hmac") return {};
  token_plan plan;
  plan.sends = std::any_of(conf.upstreams.begin(), conf.upstreams.end(),
                           [](const auto& u) { return u.authorization == "provider"; });
  plan.renews = p.refresh_strategy == "auto" || (p.refresh_strategy.empty() && plan.sends);
  plan.ends_with_it = p.refresh_strategy == "reauthorize";
  return plan;
}

bool keeps_provider_tokens(const settings& conf) {
  return std::any_of(conf.providers.begin(), conf.providers.end(),
                     [&](const auto& p) { return token_plan_of(conf, p).keeps(); });
}

const std::string& callback_of(const settings& conf, const provider_settings& p) {
  return p.callback_url.empty() ? conf.callback_url : p.callback_url;
}

}  // namespace mcp_oauth
