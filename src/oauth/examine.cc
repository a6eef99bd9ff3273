#include "oauth/examine.h"

#include "base/base64url.h"
#include "oauth/foreign_claims.h"

namespace mcp_oauth {

std::optional<json::object> unverified_claims(std::string_view compact) {
  auto first = compact.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  auto rest = compact.substr(first + 1);
  auto payload = base64url_decode(rest.substr(0, rest.find('.')));
  if (!payload) return std::nullopt;
  auto claims = parse_json_object(*payload);
  if (!claims) return std::nullopt;
  return std::move(*claims);
}

result<access_claims> read_unverified(const json::object& claims, const issuer_rules& rules) {
  auto who = read_foreign_claims(claims, rules);
  if (!who) return who;
  if (auto audience = check_audience(claims, rules)) who->audience = audience->ours;
  return who;
}

}  // namespace mcp_oauth
